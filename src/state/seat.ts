// The leader, in stores that only one process writes at a time: what they know of it, and whoever watches.
import { deferred } from "../base/deferred.ts";
import type { Leader } from "./store.ts";

/** The seat of the leader. One leadership has it at a time, or none. */
export class Seat {
  #leader: Leader | undefined;
  #changed = deferred();

  get leader(): Leader | undefined {
    return this.#leader;
  }

  take(leader: Leader): void {
    this.#change(leader);
  }

  /** Empties the seat, if the leadership of this epoch has it still. */
  leave(epoch: number): void {
    if (this.#leader?.epoch === epoch) this.#change(undefined);
  }

  /**
   * Gives the leader of now, then each change, until the signal is aborted. Changes that come while the reader is busy
   * are told as one.
   */
  async *watch(signal: AbortSignal): AsyncGenerator<Leader | undefined, void> {
    const ended = deferred();
    const end = () => ended.resolve();
    signal.addEventListener("abort", end, { once: true });
    try {
      for (let told: { readonly leader: Leader | undefined } | undefined; !signal.aborted; ) {
        const changed = this.#changed.promise;
        if (told === undefined || told.leader !== this.#leader) {
          told = { leader: this.#leader };
          yield told.leader;
        } else {
          await Promise.race([changed, ended.promise]);
        }
      }
    } finally {
      signal.removeEventListener("abort", end);
    }
  }

  #change(leader: Leader | undefined): void {
    this.#leader = leader;
    this.#changed.resolve();
    this.#changed = deferred();
  }
}
