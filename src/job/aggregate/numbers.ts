// Aggregates of numbers: their states are columns (columns.ts), which those of one `stats` share.
import { MillraceError } from "../../base/error.ts";
import { checkOptions, type OptionNames } from "../../base/value/known-options.ts";
import { oneOf, wrong } from "../check.ts";
import { type Aggregate, aggregateOf, type NumberAggregate } from "./aggregate.ts";
import type { Column, FoldedColumns } from "./columns.ts";
import { type ExactSum, isFiniteSum, roundExact, sumUnits } from "./exact-sum.ts";
import { roundUnits } from "./exact-wide.ts";
import { fieldName, nameOf, readsField } from "./field.ts";

/** A value that has a field of this name. */
export type Has<F extends string, T> = { readonly [N in F]: T };

/**
 * How many values: of any kind, also left out (`emit(key)`).
 * @example aggregate: count()
 */
export function count(): Aggregate<unknown, number> {
  return aggregateOf({
    kind: "numbers",
    name: "count()",
    reads: { kind: "nothing" },
    ofNone: 0,
    columns: [{ kind: "count", field: undefined, by: "count()" }],
    finish: (folded, [at]) => folded.number(at!),
  });
}

/**
 * In how many values this field is true.
 * @throws `wrong-value` when emitting a value whose field is neither true nor false.
 * @example aggregate: stats({ n: count(), slow: countIf("isSlow") })
 */
export function countIf<const F extends string>(field: F): Aggregate<Has<F, boolean>, number> {
  const name = nameOf("countIf", fieldName("countIf", field));
  return numbers(name, field, [{ kind: "countIf", field, by: name }], (folded, [at]) => folded.number(at!), 0);
}

/**
 * The mean of a field's numbers, or of the values themselves: the exact sum, divided by how many there are, rounded
 * once.
 * @throws `wrong-value` when emitting a value that is no number, or NaN.
 * @example aggregate: stats({ avg: mean("ms") })
 */
export function mean<const F extends string>(field: F): Aggregate<Has<F, number>, number>;
/** The mean of the values themselves, which are numbers. */
export function mean(): Aggregate<number, number>;
export function mean<In>(field?: string): Aggregate<In, number> {
  if (field !== undefined) fieldName("mean", field);
  const name = nameOf("mean", field);
  const columns: readonly Column[] = [
    { kind: "count", field: undefined, by: name },
    { kind: "sum", field, by: name },
  ];
  return numbers(name, field, columns, (folded, [n, sum]) => quotient(name, folded.sum(sum!), folded.number(n!)));
}

/**
 * The variance of a field's numbers, exact and rounded once: of a sample (divided by n - 1), or with `of: "population"`
 * by n. Null where there are too few values: one, for a sample.
 * @throws `wrong-value` when emitting a value that is no number, or NaN.
 * @example aggregate: stats({ spread: variance("ms") })
 */
export function variance<const F extends string>(
  field: F,
  options: {
    /** What the values are: "sample" of what is looked at, or all of it. Default "sample". */
    readonly of?: "sample" | "population";
  } = {},
): Aggregate<Has<F, number>, number | null> {
  const name = nameOf("variance", fieldName("variance", field));
  checkOptions("variance", options, { of: true } satisfies OptionNames<NonNullable<Parameters<typeof variance>[1]>>);
  const less = oneOf(`${name} of`, options.of ?? "sample", ["sample", "population"]) === "sample" ? 1 : 0;
  const columns: readonly Column[] = [
    { kind: "count", field: undefined, by: name },
    { kind: "sum", field, by: name },
    { kind: "squares", field, by: name },
  ];
  return numbers(name, field, columns, (folded, [n, sum, squares]) =>
    varianceOf(name, folded.number(n!), folded.sum(sum!), folded.sum(squares!), less),
  );
}

/** `sum()`, `sum("bytes")`, without a codec. */
export function sumOfNumbers<In>(field: string | undefined): Aggregate<In, number> {
  const name = nameOf("sum", field);
  return numbers(name, field, [{ kind: "sum", field, by: name }], (folded, [at]) => total(name, folded, at!));
}

/** `min()`, `max("ms")`, without a codec. */
export function extremeOfNumbers<In>(kind: "min" | "max", field: string | undefined): Aggregate<In, number> {
  const name = nameOf(kind, field);
  return numbers(name, field, [{ kind, field, by: name }], (folded, [at]) => folded.number(at!));
}

function numbers<In, Out>(
  name: string,
  field: string | undefined,
  columns: readonly Column[],
  finish: (folded: FoldedColumns, at: readonly number[]) => Out,
  ofNone?: number,
): Aggregate<In, Out> {
  const definition: NumberAggregate = { kind: "numbers", name, reads: readsField(field), columns, finish };
  return aggregateOf(ofNone === undefined ? definition : { ...definition, ofNone });
}

function total(name: string, folded: FoldedColumns, at: number): number {
  const sum = folded.sum(at);
  const rounded = roundExact(sum);
  if (!folded.hasFractions(at) && !Number.isSafeInteger(rounded)) {
    throw new MillraceError(
      "over-limit",
      `${name} is beyond 2^53-1, where integers lose digits: sum bigints, with the codec bigint`,
    );
  }
  return checked(name, rounded);
}

function quotient(name: string, sum: ExactSum, n: number): number {
  if (!isFiniteSum(sum)) return checked(name, roundExact(sum));
  // One float64 divided by another is rounded once.
  return sum.length <= 1 ? roundExact(sum) / n : roundUnits(sumUnits(sum), BigInt(n));
}

/** (n Σx² - (Σx)²) / (n (n - less)), exactly, rounded once: where most of it cancels no digit is lost. */
function varianceOf(name: string, n: number, sum: ExactSum, squares: ExactSum, less: 0 | 1): number | null {
  if (n - less < 1) return null;
  if (!isFiniteSum(sum) || !isFiniteSum(squares)) throw notFinite(name, "infinite values have no variance");
  if (sum.length <= 1 && squares.length <= 1) {
    const fast = varianceOfIntegers(n, roundExact(sum), roundExact(squares), less);
    if (fast !== undefined) return fast;
  }
  // Σx² and Σx are counted in units u, (Σx)² in u², and u is 1 / `unit`.
  const [many, total, all] = [BigInt(n), sumUnits(sum), sumUnits(squares)];
  const numerator = many * all * unit - total * total;
  return roundUnits(numerator, many * BigInt(n - less) * unit);
}

/** How many of the units of `sumUnits` are 1. */
const unit = 1n << 2148n;

/** In float64s, where none of them is rounded before the division; otherwise undefined. */
function varianceOfIntegers(n: number, sum: number, squares: number, less: 0 | 1): number | undefined {
  const upper = n * squares;
  const lower = sum * sum;
  const divisor = n * (n - less);
  const areExact = [sum, squares, upper, lower, divisor].every(Number.isSafeInteger);
  return areExact ? (upper - lower) / divisor : undefined;
}

function checked(name: string, result: number): number {
  if (Number.isNaN(result)) throw notFinite(name, "the values hold both infinities");
  return result;
}

function notFinite(name: string, why: string): MillraceError {
  return new MillraceError("wrong-value", `${name}: ${why}`);
}

/** Throws `wrong-job` for a function that has to be called, such as `count` for `count()`. */
export function notCalled(what: string, given: unknown): MillraceError | undefined {
  if (typeof given !== "function") return undefined;
  const name = given.name || "count";
  return wrong(`${what} is the function ${name} itself: call it, as in ${name}(…)`);
}
