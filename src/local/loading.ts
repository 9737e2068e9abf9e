// Bundling and loading a job is the one wait in which its code may keep the command before anything is shown: who waits is told,
// and can end it.
import { type Clock, systemClock } from "../base/clock.ts";
import { limits } from "../base/limits.ts";

export interface Loading {
  /** Ends the wait, with its reason. */
  readonly signal?: AbortSignal | undefined;
  /** Called once, when it takes longer than one expects. */
  readonly onSlow?: (() => void) | undefined;
}

/** What `work` comes to; whoever gave up on it ends it too. */
export async function whileLoading<T>(
  work: Promise<T>,
  { signal, onSlow }: Loading,
  clock: Clock = systemClock,
): Promise<T> {
  const timer = new AbortController();
  void clock.sleep(limits.loadSilentMs, timer.signal).then(() => {
    if (!timer.signal.aborted) onSlow?.();
  });
  work.catch(() => {}); // given up before it failed
  let given = () => {};
  const interrupted = new Promise<never>((_, reject) => {
    given = () => reject(signal!.reason);
    if (signal?.aborted) given();
    else signal?.addEventListener("abort", given, { once: true });
  });
  try {
    return await Promise.race([work, interrupted]);
  } finally {
    timer.abort();
    signal?.removeEventListener("abort", given);
  }
}
