// The job's code in this process, where nobody watches over it as the agent does over a slot.
import { MillraceError } from "../base/error.ts";

/**
 * Does work that calls the job's code. Rejects also with what that code throws outside of any call of ours (in a timer, in a
 * promise that nobody waits for), and when it waits for something that can't happen any more.
 */
export async function withUserCode<T>(work: () => Promise<T>): Promise<T> {
  let reject!: (error: unknown) => void;
  const outside = new Promise<never>((_, onReject) => (reject = onReject));
  outside.catch(() => {}); // whoever waits for the race hears of it
  const onUncaught = (thrown: unknown) => reject(thrown);
  // Nothing is left that could go on: the event loop is empty, and the work is not done.
  const onIdle = () =>
    reject(
      new MillraceError(
        "user-error",
        "the job's code waits for a promise that nothing can settle any more: look for a callback that is never called",
      ),
    );
  process.on("uncaughtException", onUncaught);
  process.on("beforeExit", onIdle);
  try {
    return await Promise.race([work(), outside]);
  } finally {
    process.off("uncaughtException", onUncaught);
    process.off("beforeExit", onIdle);
  }
}

/** What the job prints for each record is no result of a command that looks at the job. Returns what undoes it. */
export function silenceConsole(): () => void {
  const { log, info, warn, error, debug } = console;
  const nothing = () => {};
  Object.assign(console, { log: nothing, info: nothing, warn: nothing, error: nothing, debug: nothing });
  return () => void Object.assign(console, { log, info, warn, error, debug });
}
