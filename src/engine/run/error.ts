// What `run()` rejects with, as its caller sees it: the job's own lines and the caller's, nothing of this package. An error that
// nobody catches is printed with the source line that it was made on, and that would be all of a bundle.
import { MillraceError } from "../../base/error.ts";
import { isOurs, userStack } from "../../job/thrown.ts";

/** `caller`: has the stack of the call, taken before anything was waited for. */
export function asCallerSees(error: unknown, caller: { readonly stack?: string }): unknown {
  if (!isOurs(error)) return error; // the caller's own, or a bug of ours, which its stack is needed for
  // No folder is this one: places stay absolute.
  const frames = [userStack(error, "\0"), userStack(caller, "\0")].flatMap((stack) => stack?.split("\n") ?? []);
  // The error of a module that can't be loaded has its lines in its message.
  const others = frames.filter((frame) => !error.message.includes(frame));
  // A call is there twice, where it began and where it is waited for.
  const lines = others.filter((frame, i) => others.findIndex((other) => lineOf(other) === lineOf(frame)) === i);
  // What a run was aborted with is the caller's; other causes are ours.
  const cause = error.code === "cancelled" ? error.cause : undefined;
  const seen = new MillraceError(error.code, error.message, { retry: error.retry, cause });
  seen.stack = `${error.name}: ${error.message}${lines.map((frame) => `\n    ${frame}`).join("")}`;
  return seen;
}

function lineOf(frame: string): string {
  return frame.replace(/:\d+\)?$/, "");
}
