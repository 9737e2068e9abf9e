// biome-ignore-all lint/suspicious/noExplicitAny: in a constraint only `any` accepts every format and codec; none
// reaches a user's variable How the types of a job follow from each other, and what a compile error shows when they
// don't.
import type { InputFormat, OutputFormat } from "../format/format.ts";
import type { AggregateNeeded, IsNamed } from "./aggregate/infer.ts";
import type { AutoKey, AutoValue, Codec, Jsonable, KeyCodec } from "./codec.ts";
import type { Cell, CellWriter, Row } from "./table.ts";

/** Several outputs, each published in a folder of its name; at most 64. */
export interface NamedOutputs {
  /** The output that `emit(record)` writes to. */
  readonly main: OutputFormat<any>;
  /** Another output, written to by `emit.to(name, record)`. */
  readonly [name: string]: OutputFormat<any>;
}

export type ReadBy<F> = F extends InputFormat<infer In> ? In : never;
export type WrittenBy<F> = F extends OutputFormat<infer Out> ? Out : never;

export type RecordsOf<I> = I extends InputFormat<infer In> ? In : Named<{ [N in keyof I]: ReadBy<I[N]> }>;
export type MainOf<O> = O extends NamedOutputs ? WrittenBy<O["main"]> : WrittenBy<O>;
export type SidesOf<O> = O extends NamedOutputs ? { [N in Exclude<keyof O, "main">]: WrittenBy<O[N]> } : {};
export type RereadOf<O> = O extends NamedOutputs
  ? ReadBy<O["main"]>
  : O extends InputFormat<infer In>
    ? In
    : readonly string[];

// `map` is a union of these two, not a conditional type: that would settle `State` before `setup` has been looked at.
export type MapFunction<In, E, Ctx> = (record: In, emit: E, ctx: Ctx) => void | Promise<void>;
export type MapFunctions<I, E, Ctx> = { readonly [N in keyof I]: MapFunction<ReadBy<I[N]>, E, Ctx> };
export type OneInput<I> = I extends InputFormat<any> ? unknown : OneMapFunctionPerInput;

// Without a codec and an annotated `emit`, `Key` and `Value` stay `any`, which stands for what the `auto` codec takes.
export type KeyOf<Key> = 0 extends 1 & Key ? AutoKey : Key;
export type ValueOf<Value> = 0 extends 1 & Value ? AutoValue : Value;

export type PrefixLength<Key> = Key extends readonly [unknown, ...unknown[]]
  ? Exclude<Lengths<Key>, 0>
  : KeyIsNotATuple;
type Lengths<Key> = Key extends readonly [...infer Init, unknown] ? Key["length"] | Lengths<Init> : 0;
export type GroupKey<Key, N> = [N] extends [never] ? Key : Take<Key, N>;
type Take<Key, N> = Key extends readonly [...infer Init, unknown]
  ? Key["length"] extends N
    ? Readonly<Key>
    : Take<Init, N>
  : never;

/** The names of the properties that a job was given: inferred from it, also while its functions are still unknown. */
export type Given<Names extends string> = { readonly [N in Names]?: unknown };

/**
 * What a job lacks. It is asked of a property that is there, so that the first line of the compile error stands at that
 * property and names what is missing; of a property that is not there, tsc would print the types of the whole job
 * first.
 */
export type Needed<O, Key, Value, Out, Parts, Reducers, Names> = Required<Names, "name" | "input" | "map"> &
  (Reducers extends 0
    ? MapOnly
    : [Out] extends [never]
      ? PairsNeeded<O, Key, Value, Names>
      : ("key" extends Names ? unknown : [Key] extends [AutoKey] ? unknown : At<Names, "name", NeedsKeyCodec<Key>>) &
          AsIs<O, Key, Out, Parts, Names>);
/** Nothing is inferred from what is needed: these are other type parameters to the compiler. */
type AsIs<O, Key, Out, Parts, Names> = [Key, Out, Parts] extends [infer K, infer R, infer N]
  ? AggregateNeeded<O, K, R, N, Names>
  : never;
type PairsNeeded<O, Key, Value, Names> = ("key" extends Names
  ? unknown
  : [Key] extends [AutoKey]
    ? unknown
    : At<Names, "name", NeedsKeyCodec<Key>>) &
  ("value" extends Names
    ? unknown
    : [Value] extends [AutoValue]
      ? unknown
      : [Value] extends [Jsonable<Value>]
        ? unknown
        : At<Names, "name", NeedsValueCodec<Value>>) &
  ("reduce" extends Names ? unknown : Fits<O, [Key, Value], CantWrite<O, Key, Value, Names>>);

type Required<Names, Wanted extends string> = [Exclude<Wanted, Names>] extends [never]
  ? unknown
  : At<Names, "name" extends Names ? "name" : "input" extends Names ? "input" : "map", Lacks<Exclude<Wanted, Names>>>;
/** Asks `Need` of the property `Name`, where it is given. */
export type At<Names, Name extends string, Need> = Name extends Names ? { readonly [N in Name]: Need } : unknown;
/** The output can't write the pairs: asked of `output`, or, where that is the default, of what it can't write. */
type CantWrite<O, Key, Value, Names> = At<
  Names,
  "output" extends Names ? "output" : Refused<Key> extends Names ? Refused<Key> : "name",
  NeedsReduce<[Key, Value], MainOf<O>>
>;
/** Which of the two a row can't hold. */
type Refused<Key> = [Key] extends [Row[number]] ? "value" : "key";
export type Fits<O, Pair, Else> =
  Pair extends MainOf<O> ? unknown : AsCells<O, Pair> extends MainOf<O> ? unknown : Else;
/** The pair as a format writes it that makes a cell of each part of a tuple. */
type AsCells<O, Pair> = O extends CellWriter | { readonly main: CellWriter }
  ? Pair extends readonly [infer Key, infer Value]
    ? [...Flat<Key>, ...Flat<Value>] extends infer Cells extends readonly Cell[]
      ? Cells
      : Pair
    : Flat<Pair> extends infer Cells extends readonly Cell[]
      ? Cells
      : Pair
  : Pair;
type Flat<T> = T extends readonly unknown[] ? T : IsNamed<T> extends true ? T[keyof T][] : [T];
type MapOnly = {
  readonly [N in "key" | "value" | "aggregate" | "combine" | "group" | "partition" | "reduce"]?: NotInMapOnlyJob;
};

// The rest never exists at run time. These names are what a compile error shows, so each says what is wrong.

declare const marker: unique symbol;

/** Marks an object of the records of named inputs, so that it is not taken for one record that is an object. */
export interface Named<R> {
  readonly [marker]: R;
}
/** Shown in a compile error: the job lacks these properties. */
export interface Lacks<Properties> {
  readonly [marker]: Properties;
}
/**
 * Shown in a compile error: this key needs a codec. The default codec takes null, boolean, number, bigint, string,
 * Date, Uint8Array and arrays of them as keys.
 */
export interface NeedsKeyCodec<Key> {
  /** Add a codec for the job's keys. */
  readonly key: KeyCodec<Key>;
}
/**
 * Shown in a compile error: this value needs a codec. The default codec takes what it takes as keys, and plain objects.
 */
export interface NeedsValueCodec<Value> {
  /** Add a codec for the job's values. */
  readonly value: Codec<Value>;
}
/** Shown in a compile error: without `reduce` the pairs are written, and this output format does not take them. */
export interface NeedsReduce<Pair, Written> {
  /** Add a `reduce` that emits what the output format takes. */
  readonly reduce: unknown;
  readonly [marker]?: [Pair, Written];
}
/**
 * Shown in a compile error: a job with `reducers: 0` has no keys, as nothing is sorted or grouped; leave the property
 * out.
 */
export interface NotInMapOnlyJob {
  readonly [marker]: never;
}
/**
 * The type of `ctx.state` without `setup`, or where `setup` stands below the function that uses it: move it above
 * `map`.
 */
export interface NoSetupAbove {
  readonly [marker]: never;
}
/** Shown in a compile error: several inputs need one map function each, `map: { name(record, emit) {…}, … }`. */
export interface OneMapFunctionPerInput {
  readonly [marker]: never;
}
/** Shown in a compile error: `group: prefix(n)` needs `key: tuple(…)`. */
export interface KeyIsNotATuple {
  readonly [marker]: never;
}
/**
 * Tells a job without `reduce` from others: it stays among what `reduce` may return while there is none to infer it
 * from.
 */
export interface NoReduce {
  readonly [marker]: never;
}
