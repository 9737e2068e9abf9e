// Bundling and loading a job is the one wait in which its code may keep the command before anything is shown: who waits is told,
// and can end it.

import { basename, relative } from "node:path";
import { MillraceError } from "../base/error.ts";
import { limits } from "../base/limits.ts";
import { type Clock, systemClock } from "../base/system/clock.ts";
import { isOurs } from "../job/thrown.ts";

export interface Loading {
  /** Path of the module whose default export is the job. */
  readonly module: string;
  /** Ends the wait, with its reason. */
  readonly signal?: AbortSignal | undefined;
  /** Called once, when it takes longer than one expects. */
  readonly onSlow?: (() => void) | undefined;
}

/** What `work` comes to; whoever gave up on it ends it too. */
export async function whileLoading<T>(
  work: Promise<T>,
  { module, signal, onSlow }: Loading,
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
  } catch (error) {
    throw signal?.aborted ? error : named(error, module);
  } finally {
    timer.abort();
    signal?.removeEventListener("abort", given);
  }
}

/** What a slot says of a job file has no name where no line is to blame: it knows the bundle only. */
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
