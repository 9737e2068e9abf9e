// Errors in words that the scheduler itself has to say.
import type { ErrorCode } from "../base/error.ts";
import type { Position } from "../base/ids.ts";
import type { FailureText } from "../protocol/messages.ts";
import type { Job } from "./state/state.ts";

export function plainText(code: ErrorCode, message: string): FailureText {
  return { code, message, stack: undefined, where: undefined, excerpt: undefined };
}

/** Says where, if the error itself does not. */
export function withPlace(job: Job, error: FailureText, at: Position | undefined): FailureText {
  const file = at === undefined ? undefined : job.plan?.files[at.file];
  if (error.where !== undefined || file === undefined) return error;
  return { ...error, where: `${file.source}:${at!.offset}`, aside: 1 };
}

/** Says how often it was tried, if it was more than once. */
export function withCount(error: FailureText, times: number): FailureText {
  return times === 1 ? error : { ...error, message: `${error.message} (tried ${times} times)` };
}
