import type { Checkpoint, Checkpoints } from "./checkpoint.ts";

/**
 * Interrupts each task once, for `millrace test`: the attempt that begins at the beginning ends its process behind a
 * checkpoint, so that another one has to go on there. Until then checkpoints come as often as they can, and then none.
 */
export class InterruptingCheckpoints implements Checkpoints {
  readonly #inner: Checkpoints;
  readonly #die: () => void;
  #left: number;

  /** `at`: behind which checkpoint, from 1. */
  constructor(inner: Checkpoints, at: number, die: () => void) {
    this.#inner = inner;
    this.#left = at;
    this.#die = die;
  }

  get intervalMs(): number {
    return this.#left > 0 ? 0 : Number.POSITIVE_INFINITY;
  }

  newest(beat: () => void): Checkpoint | undefined {
    const found = this.#inner.newest(beat);
    if (found !== undefined) this.#left = 0;
    return found;
  }

  write(checkpoint: Checkpoint): void {
    this.#inner.write(checkpoint);
    if (this.#left > 0 && --this.#left === 0) this.#die();
  }

  discard(): void {
    this.#inner.discard();
  }
}
