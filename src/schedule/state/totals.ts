// Sums over winners: counters, statistics.
import { counterTooLarge, exactSum, tooManyCounters } from "../../base/counters.ts";
import type { MillraceError } from "../../base/error.ts";
import type { Counters } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { type AttemptStats, addStats, noStats, type Sums } from "../../protocol/stats.ts";

/** What the winners of a job did together. */
export interface Totals {
  readonly map: AttemptStats;
  readonly reduce: AttemptStats;
  readonly counters: Counters;
}

/**
 * Sums that winners are added to. A winner that was replaced can't be taken out of a maximum: then all is summed again.
 */
export class TotalsSum {
  readonly #map: Sums = { ...noStats };
  readonly #reduce: Sums = { ...noStats };
  readonly #counters = new Map<string, number | bigint>();
  #surplus: string | undefined;

  /** The limit of a job that its winners exceed by now, whatever is still to come. */
  get exceeded(): MillraceError | undefined {
    return this.#surplus === undefined ? undefined : tooManyCounters(this.#surplus);
  }

  /** A total that can't be carried, of all winners: what others count may bring it back until then. */
  get exceededAtEnd(): MillraceError | undefined {
    for (const [name, total] of this.#counters) if (typeof total === "bigint") return counterTooLarge(name);
    return undefined;
  }

  add(phase: "map" | "reduce", winner: { readonly stats: AttemptStats; readonly counters: Counters }): void {
    addStats(phase === "map" ? this.#map : this.#reduce, winner.stats);
    for (const name of Object.keys(winner.counters)) {
      const before = this.#counters.get(name);
      // Counted over the job: how many of them one task has depends on where the input was cut.
      if (before === undefined && this.#counters.size >= limits.counterNamesMax) this.#surplus ??= name;
      else this.#counters.set(name, exactSum(before ?? 0, winner.counters[name]!));
    }
  }

  /** Counters by name, so that the order in which tasks ended shows nowhere. */
  result(): Totals {
    const counters: Record<string, number> = Object.create(null);
    for (const name of [...this.#counters.keys()].sort()) counters[name] = carried(this.#counters.get(name)!);
    return { map: { ...this.#map }, reduce: { ...this.#reduce }, counters };
  }
}

/** What can't be carried is shown as the most that can, until the job fails of it. */
function carried(total: number | bigint): number {
  if (typeof total === "number") return total;
  return total < 0n ? -Number.MAX_SAFE_INTEGER : Number.MAX_SAFE_INTEGER;
}
