// What the log of a worker says of its attempts: a line when one begins, ends, fails, or does something afterwards.
import { type AttemptId, attemptName, type JobId } from "../../base/ids.ts";
import type { Log } from "../../base/system/log.ts";
import type { AttemptResult, FailureText } from "../../protocol/messages.ts";

export function logBegun(log: Log, attempt: AttemptId): void {
  log.debug(fieldsOf(attempt), "an attempt begins");
}

/** `result` undefined: it was revoked. */
export function logEnded(log: Log, attempt: AttemptId, result: AttemptResult | undefined): void {
  const fields = fieldsOf(attempt);
  if (result === undefined) log.debug(fields, "an attempt was revoked");
  else if (result.ok) log.debug({ ...fields, wallMs: result.stats.wallMs }, "an attempt is done");
  else {
    const { kind, error } = result.reason;
    log.warn({ ...fields, failure: kind, code: error.code, error: error.message }, "an attempt has failed");
  }
}

export function logLate(log: Log, attempt: AttemptId, error: FailureText): void {
  log.warn(
    { ...fieldsOf(attempt), code: error.code, error: error.message },
    "the job's code did something after its call had returned",
  );
}

function fieldsOf(attempt: AttemptId): { readonly job: JobId; readonly attempt: string } {
  return { job: attempt.job, attempt: attemptName(attempt) };
}
