// What an aggregate is: to users a type, to the engine a way to make states of values, to merge them, and to finish.
import type { ByteWriter } from "../../base/bytes/bytes.ts";
import type { Shape } from "../codecs/shape.ts";
import type { Column, FoldedColumns } from "./columns.ts";
import type { Reads } from "./field.ts";

declare const folds: unique symbol;

/**
 * Folds the values of one key: each emitted `In` becomes a state, states are merged, on both sides of the shuffle, to
 * the same bytes wherever the input was cut; the result `Out` is taken from the last one. Made by `count()`,
 * `sum("bytes")` and their siblings, several at once by `stats({ … })`, your own by `defineAggregate`.
 */
export interface Aggregate<In, Out> {
  readonly [folds]: (value: In) => Out;
}

export type AggregateDefinition = NumberAggregate | StateAggregate;

interface CommonDefinition {
  /** As written in a job: `sum("bytes")`. */
  readonly name: string;
  readonly reads: Reads;
  /** What is known of the result. Left out: nothing. */
  readonly gives?: Shape;
  /** The result where there is no value at all; left out: such a result is refused. */
  readonly ofNone?: unknown;
}

/** An aggregate whose state is some columns of numbers, which aggregates of one `stats` share. */
export interface NumberAggregate extends CommonDefinition {
  readonly kind: "numbers";
  readonly columns: readonly Column[];
  /** The result; `at` is where each of `columns` is. Throws `over-limit` or `wrong-value`. */
  finish(folded: FoldedColumns, at: readonly number[]): unknown;
}

/** An aggregate with a state of its own. */
export interface StateAggregate extends CommonDefinition {
  readonly kind: "state";
  /** Where the state is columns of numbers and nothing else: these. */
  readonly columns?: readonly Column[] | undefined;
  /** Appends the state of one value. Throws `wrong-value` for what it does not take. */
  lift(value: unknown, out: ByteWriter): void;
  begin(): Accumulator;
}

/**
 * States of one key as they are merged, from left to right. Merging is associative, and equal states are equal bytes.
 */
export interface Accumulator {
  /** Merges the later state in bytes[start, end), which are valid only during the call. */
  add(bytes: Uint8Array, start: number, end: number): void;
  /** Appends the state of what was added. Something was. */
  write(out: ByteWriter): void;
  /** The result of what was added. Something was, and nothing is added later. */
  finish(): unknown;
}

/** The definitions of aggregates, which only the engine may see. */
const definitions = new WeakMap<object, AggregateDefinition>();

export function aggregateOf<In, Out>(definition: AggregateDefinition): Aggregate<In, Out> {
  const aggregate = Object.freeze({ aggregate: definition.name });
  definitions.set(aggregate, definition);
  // Only the compiler knows what it takes and gives.
  return aggregate as unknown as Aggregate<In, Out>;
}

/** Undefined for everything that is no aggregate. */
export function aggregateDefinition(value: unknown): AggregateDefinition | undefined {
  return typeof value === "object" && value !== null ? definitions.get(value) : undefined;
}
