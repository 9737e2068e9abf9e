// Measures how long the process could do nothing else, because of a huge step, a garbage collection or SIGSTOP: by
// sleeps that return too late, on the clock that counts the time for which a process was stopped.
import type { Clock } from "../base/system/clock.ts";

const everyMs = 250;

export interface LagWatch {
  /** The longest lag since the last call, in ms. */
  worst(): number;
  close(): void;
}

/** `onLag` is called for every sleep that returned late. */
export function watchLag(clock: Clock, onLag: (lagMs: number) => void): LagWatch {
  const closing = new AbortController();
  let worst = 0;
  const run = async () => {
    while (!closing.signal.aborted) {
      const wanted = clock.now() + everyMs;
      await clock.sleep(everyMs, closing.signal);
      const lagMs = Math.max(0, clock.now() - wanted);
      if (closing.signal.aborted) return;
      worst = Math.max(worst, lagMs);
      onLag(lagMs);
    }
  };
  void run();
  return {
    worst() {
      const seen = worst;
      worst = 0;
      return seen;
    },
    close: () => closing.abort(),
  };
}
