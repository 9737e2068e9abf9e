// What `combine` may be, and the built-in folds `sum`, `min` and `max`.
import { MillraceError } from "../base/error.ts";

/**
 * Folds two values of one key into one; `a` is the earlier one in input order. It must be associative.
 */
export type Combine<Value> = (a: Value, b: Value) => Value;

/**
 * Adds two numbers or two bigints. For `uint`, `int` and `float64` values it is folded without calling JavaScript.
 * @throws `wrong-value` for anything else.
 * @example combine: sum
 */
export const sum: <T extends number | bigint>(a: T, b: T) => T = (a, b) => {
  const kind = typeof a;
  if ((kind !== "number" && kind !== "bigint") || kind !== typeof b)
    throw notCombined("sum", "numbers or bigints", a, b);
  return ((a as number) + (b as number)) as typeof a;
};

/**
 * The smaller of two numbers, bigints, strings (in code-point order) or Dates; the earlier one where they are equal.
 * @throws `wrong-value` for anything else.
 */
export const min: <T extends number | bigint | string | Date>(a: T, b: T) => T = (a, b) =>
  compareValues("min", a, b) <= 0 ? a : b;

/**
 * The larger of two numbers, bigints, strings (in code-point order) or Dates; the earlier one where they are equal.
 * @throws `wrong-value` for anything else.
 */
export const max: <T extends number | bigint | string | Date>(a: T, b: T) => T = (a, b) =>
  compareValues("max", a, b) >= 0 ? a : b;

function compareValues(name: string, a: unknown, b: unknown): number {
  if (typeof a === "string" && typeof b === "string") return compareText(a, b);
  if (typeof a === "number" && typeof b === "number") return a < b ? -1 : a > b ? 1 : 0;
  if (typeof a === "bigint" && typeof b === "bigint") return a < b ? -1 : a > b ? 1 : 0;
  if (a instanceof Date && b instanceof Date) return a.getTime() - b.getTime();
  throw notCombined(name, "two numbers, two bigints, two strings or two dates", a, b);
}

/**
 * Code-point order, which is the order of UTF-8 bytes. JavaScript's `<` compares UTF-16 units, where surrogates (of
 * characters from U+10000) come before U+E000 to U+FFFF: the units are moved so that surrogates come last.
 */
export function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return rank(x) - rank(y);
  }
  return a.length - b.length;
}

function rank(unit: number): number {
  return unit < 0xd800 ? unit : unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}

function notCombined(name: string, takes: string, a: unknown, b: unknown): MillraceError {
  const kinds = [a, b].map((value) => (value === null ? "null" : value instanceof Date ? "Date" : typeof value));
  return new MillraceError("wrong-value", `combine: ${name} takes ${takes}, not ${kinds.join(" and ")}`);
}
