// Folding of numbers, and the errors of it that both kernels share.
import { toHex } from "../base/bytes/bytes.ts";
import { MillraceError } from "../base/error.ts";
import type { KernelFold } from "./kernel.ts";

export type NumberFold = Extract<KernelFold, { readonly on: "f64" }>;

/**
 * Folds two numbers, of which `a` is the earlier one; `key` is called only for an error. Throws `over-limit` or
 * `wrong-value`.
 */
export function foldNumbers(fold: NumberFold, a: number, b: number, key: () => Uint8Array): number {
  switch (fold.by) {
    case "sum": {
      const sum = a + b;
      if (fold.integers && !Number.isSafeInteger(sum)) throw integersLost("sum", key());
      if (Number.isNaN(sum)) throw notANumber("sum", sum, key());
      return sum;
    }
    case "min":
      return b < a ? b : a;
    case "max":
      return b > a ? b : a;
    default:
      return checkResult(fold.by(a, b), fold.integers, key);
  }
}

/**
 * Checks what a user's function returned. It must be a number of the values' type, or the codec could not have written
 * it.
 */
export function checkResult(result: unknown, integers: boolean, key: () => Uint8Array): number {
  if (typeof result !== "number" || Number.isNaN(result)) throw notANumber("combine", result, key());
  if (integers && !Number.isSafeInteger(result)) {
    if (Number.isInteger(result) || !Number.isFinite(result)) throw integersLost("combine", key());
    throw notANumber("combine", result, key());
  }
  return result + 0; // -0 + 0 is 0
}

export function integersLost(what: string, key: Uint8Array): MillraceError {
  const message = `the result of ${what} for the key ${showKey(key)} is beyond 2^53, where integers lose digits; use float64 or bigint values`;
  return new MillraceError("over-limit", message);
}

export function notANumber(what: string, result: unknown, key: Uint8Array): MillraceError {
  const shown = typeof result === "number" ? String(result) : `a value of type ${typeof result}`;
  return new MillraceError(
    "wrong-value",
    `${what} for the key ${showKey(key)} gave ${shown}, which its value codec can't hold`,
  );
}

/** Keys are encoded bytes, but most of them are readable text. */
function showKey(key: Uint8Array): string {
  const head = key.subarray(0, 64);
  const text = new TextDecoder().decode(head);
  const shown =
    /^[\p{L}\p{N}\p{P}\p{S}\p{Zs}]*$/u.test(text) && !text.includes("\ufffd")
      ? JSON.stringify(text)
      : `0x${toHex(head)}`;
  return key.length > head.length ? `${shown}… (${key.length} bytes)` : shown;
}
