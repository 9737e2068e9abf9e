// Every expected failure is a `MillraceError`: its message says what, where and what to do, and its `code` says which one it is. Anything
// else that is thrown is a bug (see `assert`). Codes are stable: scripts may depend on them.
import type { ErrorCode } from "./error-codes.ts";

export { type ErrorCode, isErrorCode } from "./error-codes.ts";

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
