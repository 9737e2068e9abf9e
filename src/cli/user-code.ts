// The job's code in this process, where nobody watches over it as the agent does over a slot.
import { MillraceError } from "../base/error.ts";
import { lateFailure } from "../task/failure.ts";
import { isRefusal, LateCalls } from "../task/user/late-calls.ts";
import { LeftGoing } from "../task/user/left-going.ts";

/**
 * Does work that calls the job's code. Rejects also with what that code throws, or does, outside of any call of ours (in a timer, in a
 * promise that nobody waits for), which is waited for, and when it waits for something that can't happen any more.
 */
export async function withUserCode<T>(work: (late: LateCalls) => Promise<T>): Promise<T> {
  const late = new LateCalls();
  const left = new LeftGoing();
  const done = async () => {
    const result = await work(late);
    await left.over(late);
    if (late.first !== undefined) throw lateFailure(late.first);
    return result;
  };
  try {
    return await watched(done, (thrown) => (isRefusal(thrown) ? undefined : lateFailure(late.placed(thrown))));
  } finally {
    late.void();
    left.end();
  }
}

/** As `withUserCode`, for the job's module, which may leave open what it likes. */
export function withUserModule<T>(work: () => Promise<T>): Promise<T> {
  return watched(work, (thrown) => thrown);
}

/** `uncaught`: what the work fails of then; undefined: of nothing, as it is known already. */
async function watched<T>(work: () => Promise<T>, uncaught: (thrown: unknown) => unknown): Promise<T> {
  let reject!: (error: unknown) => void;
  const outside = new Promise<never>((_, onReject) => (reject = onReject));
  outside.catch(() => {}); // whoever waits for the race hears of it
  const onUncaught = (thrown: unknown) => {
    const error = uncaught(thrown);
    if (error !== undefined) reject(error);
  };
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
