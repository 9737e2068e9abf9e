// Sums over winners: counters, statistics.
import { held } from "../../base/assert.ts";
import { counterTooLarge, exactSum, tooManyCounters } from "../../base/counters.ts";
import type { MillraceError } from "../../base/error.ts";
import type { Counters } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { type AttemptStats, addStats, noStats, type Sums } from "../../protocol/stats.ts";

/** The sums over all winners of a job. */
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

  /** The error for a limit that the job's winners exceed already; undefined: none. */
  get exceeded(): MillraceError | undefined {
    return this.#surplus === undefined ? undefined : tooManyCounters(this.#surplus);
  }

  /** The error for a total that is too large after the last winner. Until then, other winners may bring it back. */
  get exceededAtEnd(): MillraceError | undefined {
    for (const [name, total] of this.#counters) if (typeof total === "bigint") return counterTooLarge(name);
    return undefined;
  }

  add(phase: "map" | "reduce", winner: { readonly stats: AttemptStats; readonly counters: Counters }): void {
    addStats(phase === "map" ? this.#map : this.#reduce, winner.stats);
    for (const name of Object.keys(winner.counters)) {
      const before = this.#counters.get(name);
      // Names are counted over the job, as the number in one task depends on where the input was cut.
      if (before === undefined && this.#counters.size >= limits.counterNamesMax) this.#surplus ??= name;
      else this.#counters.set(name, exactSum(before ?? 0, winner.counters[name]!));
    }
  }

  /** The sums, with counters in the order of their names, so that the order in which tasks ended does not show. */
  result(): Totals {
    const counters: Record<string, number> = Object.create(null);
    for (const name of [...this.#counters.keys()].sort()) counters[name] = carried(held(this.#counters, name, "total"));
    return { map: { ...this.#map }, reduce: { ...this.#reduce }, counters };
  }
}

/** A total that is too large is shown as the largest that is not, until the job fails because of it. */
function carried(total: number | bigint): number {
  if (typeof total === "number") return total;
  return total < 0n ? -Number.MAX_SAFE_INTEGER : Number.MAX_SAFE_INTEGER;
}
