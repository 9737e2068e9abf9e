// biome-ignore-all lint/suspicious/noExplicitAny: in a constraint only `any` accepts every format and codec; none reaches a user's variable
// How the types of a job follow from each other, and what a compile error shows when they don't.
import type { InputFormat, OutputFormat } from "../format/format.ts";
import type { AutoKey, AutoValue, Codec, Jsonable, KeyCodec } from "./codec.ts";

/** `output` as an object of formats: `main`, and others by the names that `emit.to` takes. */
export interface NamedOutputs {
  readonly main: OutputFormat<any>;
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

// Without codec and annotated emit `Key` and `Value` stay `any`, which stands for what the `auto` codec takes.
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

export type Needed<O, Key, Value, Reducers> = Reducers extends 0
  ? MapOnly
  : ([Key] extends [AutoKey] ? unknown : NeedsKeyCodec<Key>) &
      ([Value] extends [AutoValue] ? unknown : [Value] extends [Jsonable<Value>] ? unknown : NeedsValueCodec<Value>) &
      ([Key, Value] extends MainOf<O> ? unknown : NeedsReduce<[Key, Value], MainOf<O>>);
type MapOnly = { readonly [N in "key" | "value" | "combine" | "group" | "partition" | "reduce"]?: NotInMapOnlyJob };

// The rest never exists at run time. These names are what a compile error shows, so each says what is wrong.

declare const marker: unique symbol;

/** Marks the records of named inputs, so that they are not taken for one record that is an object. */
export interface Named<R> {
  readonly [marker]: R;
}
/** The default codec takes null, boolean, number, bigint, string, Date, Uint8Array and arrays of them as keys. */
export interface NeedsKeyCodec<Key> {
  readonly key: KeyCodec<Key>;
}
/** The default codec takes the same, and what JSON carries without loss, as values. */
export interface NeedsValueCodec<Value> {
  readonly value: Codec<Value>;
}
/** Where `reduce` is left out pairs are written, which this output format does not take. */
export interface NeedsReduce<Pair, Written> {
  readonly reduce: unknown;
  readonly [marker]?: [Pair, Written];
}
/** A job with `reducers: 0` has no keys: nothing is sorted or grouped. */
export interface NotInMapOnlyJob {
  readonly [marker]: never;
}
/** There is no `setup`, or it stands below the function that uses `ctx.state`: move it above `map`. */
export interface NoSetupAbove {
  readonly [marker]: never;
}
/** Several inputs want `map: { name(record, emit) {…}, … }`. */
export interface OneMapFunctionPerInput {
  readonly [marker]: never;
}
/** `prefix` wants `key: tuple(…)`. */
export interface KeyIsNotATuple {
  readonly [marker]: never;
}
/** Stays among what `reduce` may return as long as there is no `reduce` to infer it from. */
export interface NoReduce {
  readonly [marker]: never;
}
