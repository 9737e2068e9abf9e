// Runs the job's code in this process, where no agent watches over it as over a slot.
import { MillraceError } from "../base/error.ts";
import { lateFailure } from "../task/failure.ts";
import { isRefusal, LateCalls } from "../task/user/late-calls.ts";
import { LeftGoing } from "../task/user/left-going.ts";

/**
 * Does work that calls the job's code. Also rejects with what that code throws, or does too late, outside of its calls
 * (in a timer, in a promise that nothing awaits), for which it waits; and when the work waits for something that can no
 * longer happen.
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

/** As `withUserCode`, for loading the job's module, which may leave connections and timers open. */
export function withUserModule<T>(work: () => Promise<T>): Promise<T> {
  return watched(work, (thrown) => thrown);
}

/**
 * `uncaught` turns what was thrown outside of a call into the error of the work; undefined: it is known already, and is
 * no error.
 */
async function watched<T>(work: () => Promise<T>, uncaught: (thrown: unknown) => unknown): Promise<T> {
  let reject!: (error: unknown) => void;
  const outside = new Promise<never>((_, onReject) => (reject = onReject));
  outside.catch(() => {}); // the race below is awaited, and rejects with it
  const onUncaught = (thrown: unknown) => {
    const error = uncaught(thrown);
    if (error !== undefined) reject(error);
  };
  // The event loop is empty, and the work is not done: nothing can finish it any more.
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

/** Silences `console`, as a job may print something for each record. Returns a function that undoes this. */
export function silenceConsole(): () => void {
  const { log, info, warn, error, debug } = console;
  const nothing = () => {};
  Object.assign(console, { log: nothing, info: nothing, warn: nothing, error: nothing, debug: nothing });
  return () => void Object.assign(console, { log, info, warn, error, debug });
}
