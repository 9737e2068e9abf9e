// What a process that looks at storage tells its master: lines of JSON, the last of them the answer.
import { isErrorCode, MillraceError, type Retry } from "../base/error.ts";

export type LookLine =
  | { readonly kind: "doing"; readonly doing: string }
  | { readonly kind: "looked"; readonly replaces: readonly (string | null)[] }
  | { readonly kind: "failed"; readonly code: string; readonly message: string; readonly retry: Retry };

export function encodeLine(line: LookLine): string {
  return `${JSON.stringify(line)}\n`;
}

export function decodeLine(text: string): LookLine {
  return JSON.parse(text) as LookLine;
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
