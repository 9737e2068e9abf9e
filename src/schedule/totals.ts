// Sums over winners: counters, statistics.
import type { Counters } from "../base/ids.ts";
import type { AttemptStats } from "../rpc/messages.ts";
import { noStats } from "../rpc/stats.ts";
import type { Job } from "./job.ts";

type Sums = { -readonly [name in keyof AttemptStats]: number };

/** What the winners of a job did together. */
export interface Totals {
  readonly map: AttemptStats;
  readonly reduce: AttemptStats;
  readonly counters: Counters;
}

/** Sums that winners are added to. A winner that was replaced can't be taken out of a maximum: then all is summed again. */
export class TotalsSum {
  readonly #map: Sums = { ...noStats };
  readonly #reduce: Sums = { ...noStats };
  readonly #counters = new Map<string, number>();
  #overflow: string | undefined;

  /** A counter whose total is no safe integer any more: the job fails of it. */
  get overflow(): string | undefined {
    return this.#overflow;
  }

  add(phase: "map" | "reduce", winner: { readonly stats: AttemptStats; readonly counters: Counters }): void {
    addStats(phase === "map" ? this.#map : this.#reduce, winner.stats);
    for (const name of Object.keys(winner.counters)) {
      const total = (this.#counters.get(name) ?? 0) + winner.counters[name]!;
      if (!Number.isSafeInteger(total)) this.#overflow ??= name;
      this.#counters.set(name, Math.max(-Number.MAX_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, total)));
    }
  }

  /** Counters by name, so that the order in which tasks ended shows nowhere. */
  result(): Totals {
    const counters: Record<string, number> = Object.create(null);
    for (const name of [...this.#counters.keys()].sort()) counters[name] = this.#counters.get(name)!;
    return { map: { ...this.#map }, reduce: { ...this.#reduce }, counters };
  }
}

/** All winners summed: after one of them was replaced, and at recovery. */
export function sumOf(job: Job): TotalsSum {
  const sum = new TotalsSum();
  for (const task of job.maps) if (task.winner !== undefined) sum.add("map", task.winner);
  for (const task of job.reduces) if (task.winner !== undefined) sum.add("reduce", task.winner);
  return sum;
}

function addStats(sums: Sums, stats: AttemptStats): void {
  sums.recordsIn = plus(sums.recordsIn, stats.recordsIn);
  sums.bytesIn = plus(sums.bytesIn, stats.bytesIn);
  sums.pairs = plus(sums.pairs, stats.pairs);
  sums.recordsOut = plus(sums.recordsOut, stats.recordsOut);
  sums.bytesOut = plus(sums.bytesOut, stats.bytesOut);
  sums.memoryRunBytes = plus(sums.memoryRunBytes, stats.memoryRunBytes);
  sums.diskRunBytes = plus(sums.diskRunBytes, stats.diskRunBytes);
  sums.spills = plus(sums.spills, stats.spills);
  sums.groups = plus(sums.groups, stats.groups);
  sums.groupMax = Math.max(sums.groupMax, stats.groupMax);
  sums.fetchedBytes = plus(sums.fetchedBytes, stats.fetchedBytes);
  sums.wallMs = plus(sums.wallMs, stats.wallMs);
}

/** Stays a number that can be stored, whatever attempts report. */
function plus(a: number, b: number): number {
  return Math.min(Number.MAX_SAFE_INTEGER, a + b);
}
