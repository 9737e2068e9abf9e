// Makes the error that the caller of `run()` sees: its stack has the job's own lines and the caller's, and none of this
// package. Node prints an uncaught error with the source line where it was made, which would be all of a bundle.
import { MillraceError } from "../../base/error.ts";
import { isOurs, userStack } from "../../job/thrown.ts";

/** `caller` has the stack of the call, which was taken before anything was awaited. */
export function asCallerSees(error: unknown, caller: { readonly stack?: string }): unknown {
  if (!isOurs(error)) return error; // the caller's own, or a bug of Millrace, whose stack is needed
  // "\0" is no folder, so places stay absolute.
  const frames = [userStack(error, "\0"), userStack(caller, "\0")].flatMap((stack) => stack?.split("\n") ?? []);
  // The error of a module that can't be loaded has these lines in its message already.
  const others = frames.filter((frame) => !error.message.includes(frame));
  // A call is listed twice, where it began and where it is awaited.
  const lines = others.filter((frame, i) => others.findIndex((other) => lineOf(other) === lineOf(frame)) === i);
  // The reason for an abort comes from the caller; other causes are internal.
  const cause = error.code === "cancelled" ? error.cause : undefined;
  const seen = new MillraceError(error.code, error.message, { retry: error.retry, cause });
  seen.stack = `${error.name}: ${error.message}${lines.map((frame) => `\n    ${frame}`).join("")}`;
  return seen;
}

function lineOf(frame: string): string {
  return frame.replace(/:\d+\)?$/, "");
}
