// Every expected failure is a `MillraceError`: its message says what, where and what to do, and its `code` says which
// one it is. Anything else that is thrown is a bug (see `assert`). Codes are stable: scripts may depend on them.
import type { ErrorCode } from "./error-codes.ts";

export { type ErrorCode, isErrorCode } from "./error-codes.ts";

/** Whether the same operation may succeed when it is tried again: never, as it is, or only on another worker. */
export type Retry = "never" | "same" | "elsewhere";

export interface ErrorDetails {
  /** Whether trying again may help. Default "never". */
  readonly retry?: Retry;
  /** What was thrown underneath. Default: the error has no cause. */
  readonly cause?: unknown;
  /** With `not-leader`, the address of the master that leads. Default: none is known. */
  readonly leader?: string | undefined;
}

/**
 * The error of every expected failure. Its message says what happened, where, and what to do about it.
 * @example
 * try {
 *   await run(job, { inputs: ["logs"], output: "counts" });
 * } catch (error) {
 *   if (!(error instanceof MillraceError && error.code === "output-exists")) throw error;
 * }
 */
export class MillraceError extends Error {
  /** Always "MillraceError". */
  override readonly name = "MillraceError";
  /** Which failure it is. Codes are stable; docs/errors.md explains each of them. */
  readonly code: ErrorCode;
  /** Whether trying again may help: "never", "same" (the same again) or "elsewhere" (on another worker). */
  readonly retry: Retry;
  /** With `not-leader`, the address of the master that leads; undefined where none is known. */
  readonly leader: string | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.retry = details.retry ?? "never";
    this.leader = details.leader;
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
