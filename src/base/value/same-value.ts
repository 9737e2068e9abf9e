import { isDeepStrictEqual, types } from "node:util";
import { isPlainPrototype } from "./plain-value.ts";

/**
 * Whether a value came back from its bytes as it went in. Like `isDeepStrictEqual`, but ignores what a codec may
 * choose: 0 or -0, a Buffer or a Uint8Array, an object's prototype being null.
 */
export function sameValue(a: unknown, b: unknown): boolean {
  if (typeof a === "number" && typeof b === "number") return a === b || (Number.isNaN(a) && Number.isNaN(b));
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return Object.is(a, b);
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b) === 0;
  // Two invalid Dates are the same, as two NaN are; `isDeepStrictEqual` says otherwise.
  if (types.isDate(a) && types.isDate(b)) return sameValue(a.getTime(), b.getTime());
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((part, i) => sameValue(part, b[i]));
  if (!isRecord(a) || !isRecord(b)) return isDeepStrictEqual(a, b);
  const names = Object.keys(a);
  return (
    names.length === Object.keys(b).length &&
    names.every((name) => Object.hasOwn(b, name) && sameValue(a[name], b[name]))
  );
}

/**
 * Whether the values differ, but only in numbers that agree in their first nine digits: adding fractions in another
 * order does that.
 */
export function differsInLastDigits(a: unknown, b: unknown): boolean {
  return !sameValue(a, b) && agrees(a, b);
}

function agrees(a: unknown, b: unknown): boolean {
  if (typeof a === "number" && typeof b === "number") {
    if (Number.isInteger(a) && Number.isInteger(b)) return a === b;
    return sameValue(a, b) || Math.abs(a - b) <= 1e-9 * Math.max(Math.abs(a), Math.abs(b), 1e-300);
  }
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((part, i) => agrees(part, b[i]));
  if (!isRecord(a) || !isRecord(b)) return sameValue(a, b);
  const names = Object.keys(a);
  return (
    names.length === Object.keys(b).length && names.every((name) => Object.hasOwn(b, name) && agrees(a[name], b[name]))
  );
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || types.isProxy(value)) return false;
  return isPlainPrototype(Object.getPrototypeOf(value));
}
