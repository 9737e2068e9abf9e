// Counters of one attempt. What a record counts is kept apart until its map has returned, so that a record that fails, and
// is put aside or mapped again, has counted nothing.
import { MillraceError } from "../base/error.ts";
import type { Counters } from "../base/ids.ts";
import { limits } from "../base/limits.ts";

/** Totals of an attempt, by name. */
export class CounterTotals {
  readonly #totals = new Map<string, number>();

  get size(): number {
    return this.#totals.size;
  }

  get(name: string): number | undefined {
    return this.#totals.get(name);
  }

  add(name: string, n: number): void {
    this.#totals.set(name, (this.#totals.get(name) ?? 0) + n);
  }

  clear(): void {
    this.#totals.clear();
  }

  /** As reported: on a null prototype, because users name counters after their data (`__proto__` is a fine name). */
  report(): Counters {
    const counters: Record<string, number> = Object.create(null);
    for (const [name, total] of this.#totals) counters[name] = total;
    return counters;
  }
}

/** What one call of user code has counted so far. */
export class PendingCounts {
  readonly #totals: CounterTotals;
  readonly #pending = new Map<string, number>();

  constructor(totals: CounterTotals) {
    this.#totals = totals;
  }

  /** Throws `wrong-value` unless `n` and the total are safe integers, `over-limit` for too many or too long names. */
  add(name: string, n: number): void {
    if (typeof name !== "string" || name === "") {
      throw new MillraceError("wrong-value", "ctx.count takes the counter's name first, a string that is not empty");
    }
    const before = this.#pending.get(name);
    const total = this.#totals.get(name);
    if (before === undefined && total === undefined) this.#checkName(name);
    const sum = (before ?? 0) + n;
    if (!Number.isSafeInteger(n) || !Number.isSafeInteger((total ?? 0) + sum)) {
      throw new MillraceError(
        "wrong-value",
        Number.isSafeInteger(n)
          ? `counter ${JSON.stringify(name)}: ${n} more than ${(total ?? 0) + (before ?? 0)} is beyond ±(2^53-1)`
          : `counter ${JSON.stringify(name)}: count takes an integer within ±(2^53-1), not ${String(n)}`,
      );
    }
    this.#pending.set(name, sum);
  }

  commit(): void {
    for (const [name, n] of this.#pending) this.#totals.add(name, n);
    this.#pending.clear();
  }

  discard(): void {
    this.#pending.clear();
  }

  #checkName(name: string): void {
    if (this.#totals.size + this.#pending.size >= limits.counterNamesMax) {
      throw new MillraceError(
        "over-limit",
        `more than ${limits.counterNamesMax} counters: ${JSON.stringify(name.slice(0, 60))} is one too many. Counters are for a few totals; emit a pair to count by key`,
      );
    }
    if (Buffer.byteLength(name) > limits.counterNameBytesMax) {
      throw new MillraceError(
        "over-limit",
        `a counter's name has more than ${limits.counterNameBytesMax} bytes: ${JSON.stringify(name.slice(0, 60))}…`,
      );
    }
  }
}
