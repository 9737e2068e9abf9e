import { performance } from "node:perf_hooks";
import type { Instant } from "../ids.ts";

/**
 * Time as a dependency: the real one in production, a virtual one in tests. Only this file asks the system for the
 * time.
 */
export interface Clock {
  /** Monotonic milliseconds, which go on while the process is stopped. */
  now(): Instant;
  /** The wall clock, only for display and for a job's `startedAt`. */
  date(): Date;
  /** Resolves after `ms`, or immediately when `signal` is aborted. Never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  date: () => new Date(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const done = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal?.addEventListener("abort", done, { once: true });
    }),
};
