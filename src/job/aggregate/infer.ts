// How the types of a job with an aggregate or with named keys follow from each other, and what a compile error shows.
import type { At, Fits, GroupKey, MainOf, PrefixLength } from "../infer.ts";

type Flat<T> = { [K in keyof T]: T[K] } & {};

/** Whether it is an object of names: no array, Date or bytes. */
export type IsNamed<T> = [T] extends [never]
  ? false
  : [T] extends [null | undefined | boolean | number | bigint | string | Date | Uint8Array | readonly unknown[]]
    ? false
    : [T] extends [object]
      ? true
      : false;

/** What `prefix` may be given: leading parts of a tuple by number, or fields of a key by name. */
export type Leading<Key> = IsNamed<Key> extends true ? keyof Key & string : PrefixLength<Key>;
/** The key of a group. */
export type Grouped<Key, N> = [N] extends [never]
  ? Key
  : [N] extends [string]
    ? Flat<Pick<Key, N & keyof Key>>
    : GroupKey<Key, N>;

/** What is written where `reduce` is left out: one object where key and result both have names, otherwise a pair. */
export type Written<Key, Out> =
  IsNamed<Key> extends true
    ? Out extends unknown
      ? IsNamed<Out> extends true
        ? [keyof Key & keyof Out] extends [never]
          ? Flat<Key & Out>
          : NameTwice<keyof Key & keyof Out>
        : [key: Key, value: Out]
      : never
    : [key: Key, value: Out];

/** What a job with an aggregate needs beside it: an output that takes what is written, or a reduce. */
export type AggregateNeeded<O, Key, Out, Parts, Names> = {
  readonly [N in "value" | "combine"]?: NotBesideAggregate;
} & ("reduce" extends Names ? unknown : FitsResult<O, Written<Grouped<Key, Parts>, Out>, Names>);
type FitsResult<O, Record, Names> = [Extract<Record, NameTwice<PropertyKey>>] extends [never]
  ? Fits<O, Record, At<Names, "output" extends Names ? "output" : "aggregate", CantWrite<Record, MainOf<O>>>>
  : At<Names, "aggregate", Record>;

declare const says: unique symbol;
/** Shown in a compile error: the aggregate has its own state and merge: leave `value` and `combine` out. */
export interface NotBesideAggregate {
  readonly [says]: never;
}
/**
 * Shown in a compile error: the key and the result both have a field of this name: rename one, in `fields` or in
 * `stats`.
 */
export interface NameTwice<Name> {
  readonly [says]: Name;
}
/**
 * Shown in a compile error: the output takes no such record, which key and result make. Choose another output (a header
 * needs `fields` and `stats`, lists need ndjson), or add a `reduce`.
 */
export interface CantWrite<Record, Takes> {
  readonly [says]: [Record, Takes];
}
/** The values of a group with `group: prefix(…)`, in key order. */
export interface SortedValues<Key, Value> extends Iterable<Value> {
  /** The whole key of the value that was read last; before that, of the first one. */
  readonly key: Key;
}
/** The names of counters: of "status *" all that begin with "status ". */
export type CounterName<Counter extends string> = Counter extends `${infer Before}*${infer After}`
  ? `${Before}${string}${After}`
  : Counter;
