// Bounds how long a store may be silent. It is no deadline for a whole exchange: a large one may take long, as long as
// it moves.

import { limits } from "../../../base/limits.ts";
import type { Clock } from "../../../base/system/clock.ts";

/** The silence that a request, or all the requests of one list, may still use up. */
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

/** Watches one exchange, and calls `onIdle` once when nothing moves any more. */
export class IdleWatch {
  readonly #clock: Clock;
  readonly #silence: Silence;
  readonly #over = new AbortController();
  /** The time of the last step, or of the last `silenceBytesMin` bytes. */
  #stepAt: number;
  /** The time of the last such bytes: connecting to a store that then stays silent counts as silence too. */
  #movedAt: number;
  #bytes = 0;

  constructor(clock: Clock, silence: Silence, onIdle: () => void) {
    this.#clock = clock;
    this.#silence = silence;
    this.#stepAt = this.#movedAt = clock.now();
    void this.#watch(onIdle);
  }

  /** Called when the request is sent, and when the answer begins. */
  step(): void {
    this.#stepAt = this.#clock.now();
  }

  /** Called with bytes that the other side took or sent. */
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
    // Timers end up to a millisecond early.
    for (let leftMs = this.#leftMs(); leftMs >= 1; leftMs = this.#leftMs()) {
      await this.#clock.sleep(leftMs, signal);
      if (signal.aborted) return;
    }
    onIdle();
  }
}
