// Results of attempts as a worker reports them: those that a slot gave, those that the worker has to make up because no
// slot could give one, and how many of them fit into a report.
import { MillraceError } from "../../base/error.ts";
import { meaningOf } from "../../base/error-codes.ts";
import { type AttemptId, attemptName } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Assignment, AttemptResult, FailureText } from "../../protocol/messages.ts";
import { encodeResult } from "../../wire/convert.ts";
import { wasKilled } from "../slots/pool.ts";

/** A result that the master has not got yet. */
export interface Finished {
  readonly result: AttemptResult;
  /** Size of the result as a message; 0 where there is no bound. */
  readonly bytes: number;
}

/** Measures a result, and puts a failure in the place of one that is larger than a report may be. */
export function measured(result: AttemptResult, bytesMax: number | undefined): Finished {
  if (bytesMax === undefined) return { result, bytes: 0 };
  const { length } = encodeResult(result);
  return length <= bytesMax
    ? { result, bytes: length }
    : { result: tooLarge(result.attempt, length, bytesMax), bytes: 0 };
}

/** The results that fit into one report; the others follow in the next. */
export function toldOf(finished: Iterable<Finished>, bytesMax: number = Number.POSITIVE_INFINITY): AttemptResult[] {
  const told: AttemptResult[] = [];
  let left = bytesMax;
  for (const { result, bytes } of finished) {
    left -= bytes;
    if (left < 0 || told.length === limits.attemptsPerReportMax) break;
    told.push(result);
  }
  return told;
}

/** Adds this worker's name, `who`, to the error of an unreadable file, which may not be shared with this machine. */
export function placed(result: AttemptResult, who: string | undefined): AttemptResult {
  if (who === undefined || result.ok) return result;
  const { reason } = result;
  if (reason.kind !== "bad-input" && reason.error.code !== "no-input") return result;
  const error = { ...reason.error, message: `${reason.error.message} (as ${who} sees it)` };
  return { ...result, reason: { ...reason, error } };
}

/**
 * The failure for a result that is too large: a report that no master accepts would be sent again and again, and the
 * worker would seem silent.
 */
function tooLarge(attempt: AttemptId, bytes: number, bytesMax: number): AttemptResult {
  const what = attempt.phase === "plan" ? "the plan" : `the result of ${attemptName(attempt)}`;
  const message = `${what} has ${bytes} bytes, and a worker can report ${bytesMax}: fewer and larger input files, or a larger --split-size, make it smaller`;
  const error: FailureText = { code: "over-limit", message, stack: undefined, where: undefined, excerpt: undefined };
  return { attempt, ok: false, reason: { kind: "fatal", error } };
}

/**
 * The result of an attempt that could not begin, because something that the job needs is missing here, or everywhere.
 */
export function notBegun(attempt: AttemptId, thrown: unknown): AttemptResult {
  const kind = isOfJob(thrown) ? "fatal" : "infrastructure";
  return { attempt, ok: false, reason: { kind, error: failureText(thrown) } };
}

/** Whether an error would be the same on every machine, so that no worker is to blame. */
function isOfJob(thrown: unknown): boolean {
  if (!(thrown instanceof MillraceError)) return false;
  if (thrown.code === "slot-died") return thrown.retry === "never";
  return meaningOf(thrown.code).failure !== "machine";
}

/**
 * The result when the job's module can't be loaded. It would throw, or end its process, everywhere. A slot that was
 * killed counts as a try.
 */
export function loadFailed({ attempt, careful }: Assignment, thrown: unknown): AttemptResult {
  const error = failureText(thrown);
  if (wasKilled(thrown)) return { attempt, ok: false, reason: { kind: "slot-died", error, at: undefined, careful } };
  return { attempt, ok: false, reason: { kind: isOfJob(thrown) ? "fatal" : "infrastructure", error } };
}

function failureText(error: unknown): FailureText {
  const message = error instanceof Error ? error.message : String(error);
  const code = error instanceof MillraceError ? error.code : "io-error";
  return { code, message, stack: undefined, where: undefined, excerpt: undefined };
}
