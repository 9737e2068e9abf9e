// How long a store may say nothing. Not a deadline for the whole of an exchange: a large one may take long, as long as it moves.

import { limits } from "../../../base/limits.ts";
import type { Clock } from "../../../base/system/clock.ts";

/** The silence that a request, or all the requests of one list, may still cost. */
export class Silence {
  #leftMs: number;

  constructor(mostMs: number = limits.storeSilentMsMax) {
    this.#leftMs = mostMs;
  }

  get leftMs(): number {
    return this.#leftMs;
  }

  add(ms: number): void {
    this.#leftMs -= ms;
  }
}

/** Watches one exchange, and says so once when nothing moves any more. */
export class IdleWatch {
  readonly #clock: Clock;
  readonly #silence: Silence;
  readonly #over = new AbortController();
  /** The last step, or the last so many bytes. */
  #stepAt: number;
  /** The last so many bytes: connecting to a store that then says nothing is silence too. */
  #movedAt: number;
  #bytes = 0;

  constructor(clock: Clock, silence: Silence, onIdle: () => void) {
    this.#clock = clock;
    this.#silence = silence;
    this.#stepAt = this.#movedAt = clock.now();
    void this.#watch(onIdle);
  }

  /** The request has gone, the answer begins. */
  step(): void {
    this.#stepAt = this.#clock.now();
  }

  /** Bytes that the other end took or gave. */
  moved(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes < limits.silenceBytesMin) return;
    this.#bytes = 0;
    this.#stepAt = this.#movedAt = this.#clock.now();
  }

  get silentMs(): number {
    return this.#clock.now() - this.#movedAt;
  }

  end(): void {
    this.#over.abort();
  }

  #leftMs(): number {
    const now = this.#clock.now();
    return Math.min(this.#stepAt + limits.storeIdleMs, this.#movedAt + this.#silence.leftMs) - now;
  }

  async #watch(onIdle: () => void): Promise<void> {
    const { signal } = this.#over;
    // Timers end early by a part of a millisecond.
    for (let leftMs = this.#leftMs(); leftMs >= 1; leftMs = this.#leftMs()) {
      await this.#clock.sleep(leftMs, signal);
      if (signal.aborted) return;
    }
    onIdle();
  }
}
