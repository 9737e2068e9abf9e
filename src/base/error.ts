// Every expected failure is a `MillraceError`: its message says what, where and what to do, and its `code` says which
// failure it is. Anything else that is thrown is a bug (see `assert`). Codes are stable: scripts may depend on them.
import type { ErrorCode } from "./error-codes.ts";

export { type ErrorCode, isErrorCode } from "./error-codes.ts";

export type Retry = "never" | "same" | "elsewhere";

export interface ErrorDetails {
  /** What may be done about the failure. Default "never". */
  readonly retry?: Retry;
  readonly cause?: unknown;
}

/** An expected failure; `code` says which one, and `retry` what may be done about it. */
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

/** The `code` of a system error (ENOENT, ENOSPC, …), or undefined. Never throws, whatever was thrown. */
export function systemCode(thrown: unknown): string | undefined {
  if (typeof thrown !== "object" || thrown === null) return undefined;
  try {
    const { code, message } = thrown as { readonly code?: unknown; readonly message?: unknown };
    if (code === "" && typeof message === "string") return codeByWords(message);
    return typeof code === "string" ? code : undefined;
  } catch {
    return undefined; // a getter of the user's that throws
  }
}

/** Since Node 23 an `rmSync` that fails may leave the code empty, and name the failure only in the system's words. */
function codeByWords(message: string): string | undefined {
  return systemWords.find(([, words]) => message.includes(words))?.[0];
}

const systemWords = [
  ["EROFS", "Read-only file system"],
  ["ENOSPC", "No space left on device"],
  ["EDQUOT", "Disk quota exceeded"],
  ["EACCES", "Permission denied"],
  ["EPERM", "Operation not permitted"],
  ["EBUSY", "Device or resource busy"],
  ["EIO", "Input/output error"],
  ["EMFILE", "Too many open files"],
  ["ENOTEMPTY", "Directory not empty"],
  ["ENOTDIR", "Not a directory"],
  ["ENOENT", "No such file or directory"],
] as const;
