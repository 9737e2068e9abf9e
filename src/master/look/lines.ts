// The lines of JSON by which a process that looks at storage answers its master. The last line is the answer.
import { isErrorCode, MillraceError, type Retry } from "../../base/error.ts";
import { limits } from "../../base/limits.ts";

export type LookLine =
  | { readonly kind: "doing"; readonly doing: string }
  | { readonly kind: "looked"; readonly replaces: readonly (string | null)[] }
  | { readonly kind: "failed"; readonly code: string; readonly message: string; readonly retry: Retry };

export function encodeLine(line: LookLine): string {
  return `${JSON.stringify(line)}\n`;
}

/**
 * Decodes a line; undefined for anything else: a process that is out of memory, or another program, may write anything.
 */
export function decodeLine(text: string): LookLine | undefined {
  let line: Partial<Record<string, unknown>>;
  try {
    line = JSON.parse(text) ?? {};
  } catch {
    return undefined;
  }
  const { kind, doing, replaces, code, message, retry } = line;
  if (kind === "doing" && typeof doing === "string") return { kind, doing: doing.slice(0, doingLengthMax) };
  if (kind === "looked" && Array.isArray(replaces) && replaces.every(isIdentity)) return { kind, replaces };
  if (kind === "failed" && typeof code === "string" && typeof message === "string") {
    const isRetry = retry === "same" || retry === "elsewhere";
    return { kind, code, message: message.slice(0, limits.errorMessageLengthMax), retry: isRetry ? retry : "never" };
  }
  return undefined;
}

/** Longest text of a "doing" line; paths are shorter. */
const doingLengthMax = 5_000;

function isIdentity(value: unknown): value is string | null {
  return value === null || (typeof value === "string" && value.length <= limits.pathBytesMax);
}

export function failureOf(error: unknown): LookLine {
  if (error instanceof MillraceError) {
    return { kind: "failed", code: error.code, message: error.message, retry: error.retry };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { kind: "failed", code: "io-error", message, retry: "never" };
}

export function errorOf({ code, message, retry }: Extract<LookLine, { kind: "failed" }>): MillraceError {
  return new MillraceError(isErrorCode(code) ? code : "io-error", message, { retry });
}
