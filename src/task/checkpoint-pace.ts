import type { Instant } from "../base/ids.ts";
import type { Clock } from "../base/system/clock.ts";

/** Calls of the job's code between two looks at the clock: at first, and at most. */
const recordsFirst = 16;
const recordsMax = 1 << 20;
/** A look at the clock comes at least this often in an interval, as far as calls take as long as those before. */
const looksPerInterval = 16;

/** Says when it is time for a checkpoint, and how much may be done before it is asked again. */
export class CheckpointPace {
  readonly #intervalMs: number;
  readonly #clock: Clock;
  #since: Instant;
  #lookedAt: Instant;
  #records = recordsFirst;

  constructor(intervalMs: number, clock: Clock) {
    this.#intervalMs = intervalMs;
    this.#clock = clock;
    this.#since = clock.now();
    this.#lookedAt = this.#since;
  }

  /** How many records may be done before `done` is called. */
  get records(): number {
    return this.#records;
  }

  done(records: number): void {
    const now = this.#clock.now();
    const ms = now - this.#lookedAt;
    this.#lookedAt = now;
    if (ms * looksPerInterval > this.#intervalMs) this.#records = Math.max(1, Math.floor(this.#records / 2));
    // Not after a rest of a batch: it says little.
    else if (records === this.#records) this.#records = Math.min(recordsMax, this.#records * 2);
  }

  get isDue(): boolean {
    return this.#clock.now() - this.#since >= this.#intervalMs;
  }

  /** A checkpoint is being made, or was made: the next one is due an interval later. */
  begin(): void {
    this.#since = this.#clock.now();
    this.#lookedAt = this.#since;
  }
}
