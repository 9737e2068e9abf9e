// What `combine` may be, and `sum`, `min` and `max`: with two values folds, with a field's name aggregates.
import { MillraceError } from "../base/error.ts";
import type { Aggregate } from "./aggregate/aggregate.ts";
import { codecGiven } from "./aggregate/codec-given.ts";
import { fieldName } from "./aggregate/field.ts";
import { extremeOfNumbers, type Has, sumOfNumbers } from "./aggregate/numbers.ts";
import { extremeByCodec, sumOfBigints } from "./aggregate/picks.ts";
import type { ColumnCodec, KeyCodec } from "./codec.ts";

/**
 * Folds two values of one key into one; `a` is the earlier one in input order. It must be associative.
 */
export type Combine<Value> = (a: Value, b: Value) => Value;

/** Numbers of a field, or the values themselves. */
interface FoldsNumbers {
  /** Folds two numbers: as a job's `combine`. */
  (a: number, b: number): number;
  /** As an aggregate: of the values themselves, which are numbers. */
  (): Aggregate<number, number>;
  /** As an aggregate: of a field's numbers. */
  <const F extends string>(field: F): Aggregate<Has<F, number>, number>;
}

/** `sum`: adds two numbers or two bigints, or makes an aggregate. */
export interface Sum extends FoldsNumbers {
  /** Folds two bigints: as a job's `combine`. */
  (a: bigint, b: bigint): bigint;
  /** As an aggregate: of a field's bigints, of any size. */
  <const F extends string>(field: F, codec: ColumnCodec<bigint>): Aggregate<Has<F, bigint>, bigint>;
}

/** `min` and `max`: the smaller or larger of two values, or an aggregate. */
export interface Extreme extends FoldsNumbers {
  /** Folds two bigints: as a job's `combine`. */
  (a: bigint, b: bigint): bigint;
  /** Folds two strings, in code-point order: as a job's `combine`. */
  (a: string, b: string): string;
  /** Folds two dates: as a job's `combine`. */
  (a: Date, b: Date): Date;
  /** As an aggregate: of a field, in the codec's order. */
  <const F extends string, T>(field: F, codec: KeyCodec<T>): Aggregate<Has<F, T>, T>;
  /** As an aggregate: of the values themselves, in the codec's order. */
  <T>(codec: KeyCodec<T>): Aggregate<T, T>;
}

/**
 * As a `combine`, adds two numbers or two bigints; for `uint`, `int` and `float64` values without calling JavaScript.
 * As an aggregate, the sum of a field's numbers or of the values themselves: integers exact up to 2^53-1 (beyond:
 * `over-limit`), fractions as if added exactly and rounded once.
 * @throws `wrong-value` for anything else.
 * @example combine: sum
 * @example aggregate: stats({ total: sum("bytes"), cents: sum("cents", bigint) })
 */
export const sum: Sum = ((...given: readonly unknown[]): unknown => {
  const [a, b] = given;
  const kind = typeof a;
  if ((kind === "number" || kind === "bigint") && kind === typeof b) return (a as number) + (b as number);
  if (!isAggregate(given)) throw notCombined("sum", "numbers or bigints", a, b);
  if (given.length < 2) return sumOfNumbers(fieldOf("sum", given));
  return sumOfBigints(fieldOf("sum", given), codecGiven("sum", b) as unknown as ColumnCodec<bigint>);
}) as Sum;

/**
 * As a `combine`, the smaller of two numbers, bigints, strings (in code-point order) or Dates; the earlier one where
 * they are equal. As an aggregate, the least of a field or of the values themselves: of numbers, or of what a codec
 * says, in its order.
 * @throws `wrong-value` for anything else.
 * @example aggregate: stats({ fastest: min("ms"), from: min("at", date) })
 */
export const min: Extreme = extreme("min");

/**
 * As a `combine`, the larger of two numbers, bigints, strings (in code-point order) or Dates; the earlier one where
 * they are equal. As an aggregate, the largest of a field or of the values themselves: of numbers, or of what a codec
 * says, in its order.
 * @throws `wrong-value` for anything else.
 * @example aggregate: stats({ slowest: max("ms"), until: max("at", date) })
 */
export const max: Extreme = extreme("max");

function extreme(which: "min" | "max"): Extreme {
  const sign = which === "max" ? 1 : -1;
  return ((...given: readonly unknown[]): unknown => {
    const [a, b] = given;
    if (!isAggregate(given)) return compareValues(which, a, b) * sign >= 0 ? a : b;
    const isOfCodec = typeof a === "object" || given.length >= 2;
    return isOfCodec ? extremeByCodec(which, given) : extremeOfNumbers(which, fieldOf(which, given));
  }) as Extreme;
}

/** Whether it is called as an aggregate: `f()`, `f("field")`, `f("field", codec)`, `f(codec)`. */
function isAggregate(given: readonly unknown[]): boolean {
  const isField = given.length === 0 || typeof given[0] === "string" || (given.length === 1 && isCodec(given[0]));
  return isField && (given.length < 2 || isCodec(given[1]));
}

function isCodec(value: unknown): boolean {
  return typeof value === "object" && value !== null && "write" in value && "read" in value;
}

function fieldOf(what: string, given: readonly unknown[]): string | undefined {
  return given.length === 0 ? undefined : fieldName(what, given[0]);
}

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
