// What an object store answers when it doesn't do what it was asked for, and what that means to a user.
import { MillraceError, systemCode } from "../../../base/error.ts";
import { showPath } from "../../local/fs.ts";

/**
 * An answer that is an error, or no answer at all. It does not mention the request's headers, as they hold signatures.
 */
export class S3Error extends Error {
  override readonly name = "S3Error";
  /** 0: there was no answer. */
  readonly status: number;
  /** The store's code: "NoSuchKey", "SlowDown"; a system error's code where there was no answer. */
  readonly code: string;
  readonly isRetryable: boolean;

  constructor(status: number, code: string, message: string, isRetryable: boolean, cause?: unknown) {
    super(message, { cause });
    this.status = status;
    this.code = code;
    this.isRetryable = isRetryable;
  }

  /** The error of the last of several tries: no further try helps. */
  after(tries: number): S3Error {
    if (tries === 1) return this;
    return new S3Error(this.status, this.code, `${this.message} (tried ${tries} times)`, true, this.cause);
  }
}

/** The error for an input that can't be examined or read. */
export function s3InputError(thrown: unknown, path: string): MillraceError {
  if (thrown instanceof MillraceError) return thrown;
  if (thrown instanceof S3Error && thrown.status === 404) {
    const what = thrown.code === "NoSuchBucket" ? "there is no such bucket" : "it does not exist (any more)";
    return new MillraceError("bad-input", `${showPath(path)} can't be read: ${what}.`, { cause: thrown });
  }
  if (isDenied(thrown)) {
    return new MillraceError(
      "bad-input",
      `${showPath(path)} can't be read: ${reasonOf(thrown)}. Check the credentials (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY) and what they are allowed; a store that may not be listed says this of missing objects too.`,
      { cause: thrown },
    );
  }
  return unavailable(thrown, `${showPath(path)} can't be read`);
}

/** The error for a failed request for an output. */
export function s3OutputError(thrown: unknown, doing: string, path: string): MillraceError {
  if (thrown instanceof MillraceError) return thrown;
  return unavailable(thrown, `${doing} ${showPath(path)} failed`);
}

export function isDenied(thrown: unknown): boolean {
  return thrown instanceof S3Error && (thrown.status === 403 || thrown.status === 401) && !isTemporary(thrown);
}

/** Whether the same request may succeed later, or from another machine. */
function isTemporary({ code }: S3Error): boolean {
  return code === "RequestTimeTooSkewed" || code === "ExpiredToken" || code === "RequestExpired";
}

export function reasonOf(thrown: unknown): string {
  if (!(thrown instanceof S3Error)) return thrown instanceof Error ? thrown.message : String(thrown);
  const advice =
    thrown.code === "RequestTimeTooSkewed"
      ? ": this machine's clock is wrong"
      : thrown.code === "ExpiredToken"
        ? ": AWS_SESSION_TOKEN is too old"
        : isElsewhere(thrown)
          ? ": the bucket is in another region, set AWS_REGION"
          : "";
  return `${thrown.message}${advice}`;
}

/** Whether the store redirects the request: requests are signed for one region. */
function isElsewhere(thrown: unknown): boolean {
  if (!(thrown instanceof S3Error)) return false;
  return thrown.status === 301 || thrown.status === 307 || thrown.code === "AuthorizationHeaderMalformed";
}

function unavailable(thrown: unknown, what: string): MillraceError {
  if (isElsewhere(thrown)) return new MillraceError("wrong-usage", `${what}: ${reasonOf(thrown)}.`, { cause: thrown });
  const code = systemCode(thrown);
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new MillraceError(
      "no-space",
      `${what}: no space left for the copy that is uploaded. Free some, or choose another url with --work-dir.`,
      {
        cause: thrown,
        retry: "elsewhere",
      },
    );
  }
  return new MillraceError("io-error", `${what}: ${reasonOf(thrown)}.`, { cause: thrown, retry: "elsewhere" });
}
