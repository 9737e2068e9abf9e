import { performance } from "node:perf_hooks";
import type { Instant } from "../ids.ts";

/** Time as a dependency: the real one in production, a virtual one in tests. Only this file asks the system for the time. */
export interface Clock {
  /** Monotonic milliseconds. Includes time that the process was stopped. */
  now(): Instant;
  /** Wall clock, for display and for a job's `startedAt` only. */
  date(): Date;
  /** Resolves after `ms`, or at once when `signal` is aborted (never rejects). */
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
