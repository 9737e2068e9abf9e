// The texts of errors that the scheduler itself reports.
import type { ErrorCode } from "../base/error.ts";
import type { Position } from "../base/ids.ts";
import type { FailureText } from "../protocol/messages.ts";
import type { Job } from "./state/state.ts";

export function plainText(code: ErrorCode, message: string): FailureText {
  return { code, message, stack: undefined, where: undefined, excerpt: undefined };
}

/** Adds the record's place, if the error has none. */
export function withPlace(job: Job, error: FailureText, at: Position | undefined): FailureText {
  if (error.where !== undefined || at === undefined) return error;
  const file = job.plan?.files[at.file];
  return file === undefined ? error : { ...error, where: `${file.source}:${at.offset}`, aside: 1 };
}

/** Adds how often the task was tried, if it was more than once. */
export function withCount(error: FailureText, times: number): FailureText {
  return times === 1 ? error : { ...error, message: `${error.message} (tried ${times} times)` };
}
