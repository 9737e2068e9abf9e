// Bundling and loading a job is the one wait in which the job's code can hold up the command before anything is shown.
// The user is told, and can end it.

import { basename, relative } from "node:path";
import { MillraceError } from "../base/error.ts";
import { limits } from "../base/limits.ts";
import { type Clock, systemClock } from "../base/system/clock.ts";
import { isOurs } from "../job/thrown.ts";

export interface Loading {
  /** Path of the module whose default export is the job. */
  readonly module: string;
  /** Ends the wait, which then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Called once, when loading takes longer than `limits.loadSilentMs`. */
  readonly onSlow?: (() => void) | undefined;
}

/** Waits for `work`. A caller that aborts the wait has to end the work itself. */
export async function whileLoading<T>(
  work: Promise<T>,
  { module, signal, onSlow }: Loading,
  clock: Clock = systemClock,
): Promise<T> {
  const timer = new AbortController();
  void clock.sleep(limits.loadSilentMs, timer.signal).then(() => {
    if (!timer.signal.aborted) onSlow?.();
  });
  work.catch(() => {}); // it may fail after the wait was given up
  let given = () => {};
  const interrupted = new Promise<never>((_, reject) => {
    if (signal === undefined) return;
    given = () => reject(signal.reason);
    if (signal.aborted) given();
    else signal.addEventListener("abort", given, { once: true });
  });
  try {
    return await Promise.race([work, interrupted]);
  } catch (error) {
    throw signal?.aborted ? error : named(error, module);
  } finally {
    timer.abort();
    signal?.removeEventListener("abort", given);
  }
}

/** Names the job file in a slot's error that names no line of it: a slot knows only the bundle. */
function named(error: unknown, module: string): unknown {
  if (!isOurs(error) || (error.code !== "wrong-job" && error.code !== "slot-died")) return error;
  if (error.message.includes(basename(module))) return error;
  const short = relative(process.cwd(), module);
  const shown = short.startsWith("..") ? module : short;
  const together = new MillraceError(error.code, `${shown}: ${error.message}`, {
    retry: error.retry,
    cause: error.cause,
  });
  if (error.stack !== undefined) together.stack = error.stack;
  return together;
}
