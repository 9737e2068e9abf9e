/**
 * Every expected failure is a `MillraceError`: its message says what, where and what to do, and its `code` says which one it
 * is. Anything else that is thrown is a bug (see `assert`). Codes are stable: scripts may depend on them.
 */
export const errorCodes = {
  // wrong use: exit code 2
  "wrong-usage": "an option or argument is wrong",
  "wrong-job": "the job file can't be used as it is",
  "wrong-params": "parameters are missing or of the wrong type",
  "no-input": "no input file matches",
  "output-exists": "the output exists already",
  "nothing-to-resume": "there is nothing to resume, or something changed since",
  // what the job's data or code does: exit code 1
  "bad-input": "a file or a record can't be read",
  "input-changed": "an input file changed during the run",
  "user-error": "the job's own code failed",
  "wrong-value": "a value can't be encoded, or would change on the way",
  "over-limit": "a documented limit is exceeded",
  "bad-output": "a record can't be written by the output's format",
  nondeterministic: "a map that ran again emitted something else",
  // the machine
  "no-space": "a disk or memory tier is full",
  "io-error": "a file can't be read or written",
  "corrupt-run": "an intermediate file fails its checks",
  "corrupt-output": "a staged or published file is not what its manifest says",
  "corrupt-state": "the state store is damaged",
  "segment-lost": "a map's output is gone",
  "slot-died": "a slot's process ended",
  "task-timeout": "a task made no progress within its time limit",
  "bad-report": "an attempt or a worker reported what can't be",
  "not-leader": "another master leads",
  "state-busy": "another process has the state directory open",
  cancelled: "the job was cancelled",
  "job-failed": "the job failed",
  // a cluster
  "no-access": "the token is missing, wrong, or does not allow this",
  unreachable: "another process of the cluster can't be reached",
  "not-supported": "this build or platform can't do it",
} as const;

export type ErrorCode = keyof typeof errorCodes;
export type Retry = "never" | "same" | "elsewhere";

export interface ErrorDetails {
  /** What may be done about it. Default "never". */
  readonly retry?: Retry;
  readonly cause?: unknown;
}

/** Every expected failure; `code` says which, `retry` what may be done about it. */
export class MillraceError extends Error {
  override readonly name = "MillraceError";
  readonly code: ErrorCode;
  readonly retry: Retry;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.retry = details.retry ?? "never";
  }
}

/** The `code` of a system error (ENOENT, ENOSPC, …), or undefined; never throws, whatever was thrown. */
export function systemCode(thrown: unknown): string | undefined {
  if (typeof thrown !== "object" || thrown === null) return undefined;
  try {
    const code = (thrown as { code?: unknown }).code;
    return typeof code === "string" ? code : undefined;
  } catch {
    return undefined; // a getter of the user's that throws
  }
}
