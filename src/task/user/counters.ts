// Counters of one attempt. A record's counts are kept apart until its map has returned, so that a record that fails,
// and is put aside or mapped again, has counted nothing.
import { counterTooLarge, exactSum, tooManyCounters } from "../../base/counters.ts";
import { MillraceError } from "../../base/error.ts";
import { excerptOf } from "../../base/excerpt.ts";
import type { Counters } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";

/** Totals of an attempt, by name. They are exact, however large, so that it does not matter which task counted what. */
export class CounterTotals {
  readonly #totals = new Map<string, number | bigint>();

  get size(): number {
    return this.#totals.size;
  }

  has(name: string): boolean {
    return this.#totals.has(name);
  }

  add(name: string, n: number | bigint): void {
    this.#totals.set(name, exactSum(this.#totals.get(name) ?? 0, n));
  }

  clear(): void {
    this.#totals.clear();
  }

  /** The same totals, which go their own way from now on. */
  copy(): CounterTotals {
    const copy = new CounterTotals();
    for (const [name, total] of this.#totals) copy.add(name, total);
    return copy;
  }

  /**
   * The totals as reported: on a null prototype, because users name counters after their data (`__proto__` is a fine
   * name). Throws `over-limit`, which ends the job, for a total that no report can carry.
   */
  report(): Counters {
    const counters: Record<string, number> = Object.create(null);
    for (const [name, total] of this.#totals) {
      if (typeof total === "bigint") throw counterTooLarge(name);
      counters[name] = total;
    }
    return counters;
  }
}

/**
 * What one call of user code has counted so far. The number of names is limited per job, and where the input was cut
 * decides which of them are in one task. So a name too many is no error of the call that brings it, but of the job,
 * once the call has succeeded. Until then memory is bounded: names beyond the limit are not kept.
 */
export class PendingCounts {
  readonly #totals: CounterTotals;
  readonly #pending = new Map<string, number | bigint>();
  /** The first name that was one too many. */
  #surplus: string | undefined;

  constructor(totals: CounterTotals) {
    this.#totals = totals;
  }

  /** Throws `wrong-value` for anything but a safe integer, `over-limit` for a name that is too long. */
  add(name: string, n: number): void {
    if (typeof name !== "string" || name === "") {
      throw new MillraceError("wrong-value", "ctx.count takes the counter's name first, a string that is not empty");
    }
    if (!Number.isSafeInteger(n)) {
      const text = `counter ${JSON.stringify(name)}: count takes an integer within ±(2^53-1), not ${excerptOf(n)}`;
      throw new MillraceError("wrong-value", text);
    }
    const before = this.#pending.get(name);
    if (before === undefined) {
      if (!this.#totals.has(name)) checkName(name);
      if (this.#pending.size >= limits.counterNamesMax) {
        this.#surplus ??= name;
        return;
      }
    }
    this.#pending.set(name, exactSum(before ?? 0, n));
  }

  /** What it has counted and not made count. */
  get pending(): ReadonlyMap<string, number | bigint> {
    return this.#pending;
  }

  /** Makes the counts count. Throws `over-limit`, which ends the job, where there are too many names. */
  commit(): void {
    if (this.#surplus !== undefined) throw tooManyCounters(this.#surplus);
    for (const [name, n] of this.#pending) {
      if (this.#totals.size >= limits.counterNamesMax && !this.#totals.has(name)) throw tooManyCounters(name);
      this.#totals.add(name, n);
    }
    this.#pending.clear();
  }

  discard(): void {
    this.#pending.clear();
    this.#surplus = undefined;
  }
}

function checkName(name: string): void {
  if (Buffer.byteLength(name) <= limits.counterNameBytesMax) return;
  throw new MillraceError(
    "over-limit",
    `a counter's name has more than ${limits.counterNameBytesMax} bytes: ${JSON.stringify(name.slice(0, 60))}…`,
  );
}
