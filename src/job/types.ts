// The public API of Millrace as types: what `millrace` and `millrace/testing` export. Bodies are `declare`d, nothing runs.
// Type-checks with TypeScript 5.7 to 7.0-dev under `strict` and `noUncheckedIndexedAccess`,
// `lib` es2023 (es2024 has what Node 20 lacks), `module` nodenext, `types: ["node"]`. Examples and wrong uses: `api.examples.ts`.
// Type parameters mean the same everywhere: In (record read), Key, Value, Out (record written), P (parameters), State.

import type { AttemptId } from "../base/ids.ts";
import type { RecordBatch } from "../format/format.ts";
export type { AttemptId, RecordBatch };

// ── a job ────────────────────────────────────────────────────────────────────

/**
 * Define a job. Everything is inferred from the properties: `map`'s record from `input`, `emit` from `key` and `value` (or
 * from an annotated `emit: Emit<string, number>`), `reduce`'s emit from `output`, `ctx.params` from `params`, `ctx.state` from
 * `setup`. Properties may stand in any order, except that `setup` stands above the functions that use `ctx.state`.
 */
export declare function defineJob<
  I extends Inputs,
  O extends Outputs = OutputFormat<Row>,
  Key = any,
  Value = any,
  P extends Params = {},
  File extends string = never,
  State = NoSetupAbove,
  Parts extends PrefixLength<Key> = never,
  Reducers extends number = number,
  Returned extends void | Promise<void> | NoReduce = void | Promise<void> | NoReduce,
>(
  job: JobOptions<I, O, Key, Value, P, File, State, Parts, Reducers, Returned> & Needed<O, Key, Value, Reducers>,
): Job<{
  input: RecordsOf<I>;
  params: ParamsGiven<P>;
  record: Reducers extends 0 ? MainOf<O> : NoReduce extends Returned ? [key: KeyOf<Key>, value: ValueOf<Value>] : MainOf<O>;
  others: SidesOf<O>;
  reread: RereadOf<O>;
}>;

/** What `defineJob` takes. */
export interface JobOptions<I, O, Key, Value, P, File extends string, State, Parts, Reducers, Returned> {
  /** Lower-case words joined by hyphens; names the job in logs, the dashboard and `millrace jobs`. */
  readonly name: string;
  /** How input files are read: one format, or one per named input (`--input users=PATH`). */
  readonly input: I;
  /** How keys are encoded, and so ordered and grouped. Default `auto`: any plain key in its natural order. */
  readonly key?: KeyCodec<Key>;
  /** How values are encoded between map and reduce. Default `auto`: plain keys, and arrays and objects of them, tagged. */
  readonly value?: Codec<Value>;
  /** Typed parameters (`--param name=value`), read as `ctx.params`; a table of them or a Standard Schema. */
  readonly params?: P;
  /** Side files by name (`--file name=PATH` replaces one), shipped to every worker; `ctx.file(name)` is the local path. */
  readonly files?: Readonly<Record<File, string>>;
  /** Called once per attempt before its first record; the result, or what its promise resolves to, is `ctx.state`. */
  readonly setup?: (ctx: TaskContext<ParamsRead<P>, File>) => State | Promise<State>;
  /** Called once per record; with named inputs, one function for each of them. */
  readonly map:
    | MapFunction<ReadBy<I>, MapEmit<O, KeyOf<Key>, ValueOf<Value>, Reducers>, MapContext<ParamsRead<P>, State, File>> & OneInput<I>
    | MapFunctions<I, MapEmit<O, KeyOf<Key>, ValueOf<Value>, Reducers>, MapContext<ParamsRead<P>, State, File>>;
  /** Records whose `async map` may be under way at once in one task; pairs are taken in record order. Default 16. */
  readonly concurrency?: number;
  /** Fold two neighbouring values of one key, in input order, into one: associative, run zero or more times on any side. */
  readonly combine?: Combine<NoInfer<Value>>;
  /** Secondary sort: `prefix(n)` partitions and groups by the first n parts of a tuple key and sorts by all of them. */
  readonly group?: Prefix<Parts>;
  /** Which partition a key (with `group`: its first n parts) goes to. Default `byHash()`. */
  readonly partition?: Partition<GroupKey<KeyOf<Key>, Parts>>;
  /** Partitions, one part file each. Default: one per 64 MiB of input, 1 to 64. 0: map-only, `map` emits output records. */
  readonly reducers?: Reducers;
  /** Called once per key, in key order. Values come in input order, can be read once, and need not fit in memory. */
  readonly reduce?: (
    key: GroupKey<KeyOf<Key>, Parts>,
    values: Iterable<ValueOf<Value>>,
    emit: EmitRecord<MainOf<O>> & EmitTo<O>,
    ctx: StateContext<ParamsRead<P>, State, File>,
  ) => Returned;
  /** How output files are written: one format, or `main` and others by name. Default `tsv()`. */
  readonly output?: O;
  /** Compress output files. Default: none. Compressed input needs no option. */
  readonly compress?: "gzip" | "zstd";
  /** A re-run map that emits otherwise than before: run its reduces again, or fail. Default "rerun". */
  readonly nondeterministic?: "rerun" | "fail";
  /** Called once per attempt that ran `setup`, after its last record, failed attempts included (killed ones not). */
  readonly teardown?: (ctx: StateContext<ParamsRead<P>, State, File>) => void | Promise<void>;
}

/** A defined job, opaque to its user; `T` says what `run`, `runInline` and `pipeline` need to know of it. */
export interface Job<T extends JobTypes = JobTypes> {
  readonly name: string;
  /** Known to the compiler only. */
  readonly [types]: T;
  readonly [reads]: (record: T["input"]) => void;
}
export interface JobTypes {
  /** The record read, or with named inputs an object of them. */
  readonly input: any;
  /** The parameters a caller gives. */
  readonly params: any;
  /** The record of the main output, as emitted; `[key, value]` where `reduce` is left out. */
  readonly record: any;
  /** Records of the other outputs, by name. */
  readonly others: any;
  /** The main output's record as its format reads it back. */
  readonly reread: any;
}

/** Emits one pair. May spill to disk before it returns, so memory stays bounded. */
export interface Emit<Key, Value> { (key: Key, value: Value): void }
/** Emits one record of the main output. */
export interface EmitRecord<Out> { (record: Out): void }
/** Adds `emit.to("rejects", record)` where `output` is an object of formats. */
export type EmitTo<O> = O extends OutputFormat<any> ? unknown : {
  to<Name extends keyof SidesOf<O>>(output: Name, record: SidesOf<O>[Name]): void;
};

// ── what user code may ask of its task ───────────────────────────────────────

/** What `setup` gets, and all others too. */
export interface TaskContext<P, File> {
  readonly params: P;
  /** This try at this task: never the same twice, so it can tell a retry's side effects apart. */
  readonly attempt: AttemptId;
  /** Aborted when the attempt is revoked or the job is cancelled; pass it on to `fetch`. */
  readonly signal: AbortSignal;
  /** When the job was started, stored with it: a "now" that a retry sees again. */
  readonly startedAt: Date;
  /** Goes to the task's log (`millrace logs`), never to standard output. */
  log(message: string, fields?: Readonly<Record<string, unknown>>): void;
  /** Adds to a counter; the job's total counts each task once, however often it ran. `n` defaults to 1. */
  count(name: string, n?: number): void;
  /** Local path of a side file, read-only. */
  file(name: File): string;
  /** Says that a long call is alive; resets the time limit (`taskTimeout`, default 10 minutes). */
  progress(): void;
  /** 0 <= x < 1, seeded by job and record: a retry draws the same numbers. */
  random(): number;
}

/** What `reduce` and `teardown` get; `state` is what `setup` returned. */
export interface StateContext<P, State, File> extends TaskContext<P, File> { readonly state: State }

/** What `map` gets. */
export interface MapContext<P, State, File> extends StateContext<P, State, File> {
  /** Path of the file the record is from, as it was given. */
  readonly source: string;
  /** Where the record's first byte is in that file, or in its decompressed content, from 0. */
  readonly offset: number;
}

// ── codecs ───────────────────────────────────────────────────────────────────

/** Turns values into bytes and back. */
export interface Codec<T> {
  /** Whether the bytes sort as the values do; a key's codec must. */
  readonly ordered: boolean;
  write(value: T, out: ByteWriter): void;
  read(bytes: Uint8Array): T;
}

/** A codec whose byte order is the order of its type. */
export interface KeyCodec<T> extends Codec<T> { readonly ordered: true }
/** A codec that also has a text form, and so can be a column of csv and tsv or a field of ndjson. */
export interface ColumnCodec<T> extends KeyCodec<T> {
  parse(text: string): T;
  format(value: T): string;
}

/** What codecs and formats write into; owned and reused by the caller. */
export interface ByteWriter {
  writeUint8(value: number): void;
  writeVarint(value: number): void;
  writeBytes(bytes: Uint8Array): void;
  writeUtf8(text: string): void;
}

/** Text in code-point order (not JavaScript's `<`); a lone surrogate is an error. */
export declare const utf8: ColumnCodec<string>;
/** Bytes in unsigned order. */
export declare const bytes: KeyCodec<Uint8Array>;
/** Integers from 0 to 2^53-1. */
export declare const uint: ColumnCodec<number>;
/** Integers from -(2^53-1) to 2^53-1. */
export declare const int: ColumnCodec<number>;
/** Numbers in numeric order, -0 = 0; NaN is an error. */
export declare const float64: ColumnCodec<number>;
/** false before true. */
export declare const bool: ColumnCodec<boolean>;
/** Integers of any size, in numeric order. */
export declare const bigint: ColumnCodec<bigint>;
/** Null before every value of the codec; an empty cell or field is null. */
export declare function nullable<T>(codec: ColumnCodec<T>): ColumnCodec<T | null>;
export declare function nullable<T>(codec: KeyCodec<T>): KeyCodec<T | null>;
/** Instants in time order; text form ISO 8601 in UTC. */
export declare const date: ColumnCodec<Date>;
/** Any plain key, tagged: null, booleans, numbers, strings, dates, bytes, arrays; each in its own order. */
export declare const auto: KeyCodec<AutoKey>;
/** Reverse the order of a codec, also as a part of a tuple. */
export declare function desc<T>(codec: KeyCodec<T>): KeyCodec<T>;
/** Parts one after the other, sorted by the first, then the second, … A part without order (json) is fine in a value. */
export declare function tuple<T extends readonly unknown[]>(...parts: { [K in keyof T]: KeyCodec<T[K]> }): KeyCodec<Readonly<T>>;
export declare function tuple<T extends readonly unknown[]>(...parts: { [K in keyof T]: Codec<T[K]> }): Codec<Readonly<T>>;
/** A value as JSON text. Has no order, so it cannot be a key. */
export declare function json<T extends Jsonable<T> = JsonValue>(): JsonCodec<T>;
/** Not a key: JSON text has no useful order. */
export interface JsonCodec<T> extends Codec<T> { readonly ordered: false }

export type AutoKey = null | boolean | number | bigint | string | Date | Uint8Array | readonly AutoKey[];
export type AutoValue = AutoKey | readonly AutoValue[] | { readonly [name: string]: AutoValue };
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [name: string]: JsonValue };

/** T with `never` for every part that JSON would lose or change. */
export type Jsonable<T> = [T] extends [JsonValue] ? unknown : [T] extends [NotJson] ? never : { [K in keyof T]: JsonPart<T[K]> };
type JsonPart<T> = unknown extends T ? T : T extends JsonValue ? T : T extends NotJson ? never : { [K in keyof T]: JsonPart<T[K]> };
export type NotJson = bigint | symbol | Date | Uint8Array | ReadonlyMap<any, any> | ReadonlySet<any> | ((...args: never) => unknown);

// ── formats ──────────────────────────────────────────────────────────────────

/** Reads files as records of type `In`, in batches that say where each record begins. */
export interface InputFormat<In> {
  /** Whether reading may begin at any byte, with the next record, or only at the start of a file. */
  readonly split: "anywhere" | "whole-file";
  /** For "anywhere": index of the first record that begins after bytes[0]; -1: more bytes needed. Planning moves split starts with it. */
  recordStart?(bytes: Uint8Array): number;
  /** `chunks` begin at `from.start`, where a record begins; stop before the first record at or behind `from.end`. */
  read(chunks: AsyncIterable<Uint8Array>, from: ReadFrom): AsyncIterable<RecordBatch<In>>;
}

/** Byte range to read; `head` is the file's first 64 KiB (a csv header is there). */
export interface ReadFrom { readonly start: number; readonly end: number; readonly head: Uint8Array }

/** Writes records of type `Out`; one file per partition. */
export interface OutputFormat<Out> {
  /** Of part files: "tsv", "ndjson", … */
  readonly extension: string;
  write(record: Out, out: ByteWriter): void;
  /** Once per part file; on standard output only once. */
  header?(out: ByteWriter): void;
}

/** Reads and writes. What is written may be richer than what is read back: `tsv()` takes numbers and reads text. */
export interface Format<In, Out = In> extends InputFormat<In>, OutputFormat<Out> {}

export type Inputs = InputFormat<any> | { readonly [name: string]: InputFormat<any> };
export type Outputs = NamedOutputs | OutputFormat<any>;
export interface NamedOutputs { readonly main: OutputFormat<any>; readonly [name: string]: OutputFormat<any> }

/** What fits into one cell of csv and tsv. Dates are written as ISO 8601 in UTC, null as an empty cell. */
export type Cell = string | number | boolean | bigint | null | Date;
/** A line of csv and tsv, as written. */
export type Row = readonly Cell[];

/** Lines as strings, without their delimiter. */
export declare function text(options?: {
  /** Default "\n"; then one "\r" before it is stripped. A written record that contains the delimiter is an error. */
  readonly delimiter?: string;
  /** Bytes that are not UTF-8: fail with file and offset, or put U+FFFD. Default "fail". */
  readonly invalid?: "fail" | "replace";
}): Format<string>;

/** Lines as bytes, unchanged, without the "\n". */
export declare function lines(): Format<Uint8Array>;

/** One JSON value per line. Writing takes any object; what JSON would lose (a Date, a Map) is an error at run time. */
export declare function ndjson(): Format<JsonValue, null | boolean | number | string | object>;
/** One JSON value per line; its type is taken on trust. */
export declare function ndjson<T extends Jsonable<T>>(): Format<T>;
/** One JSON value per line, checked (and converted, when reading) by a schema of any Standard Schema library. */
export declare function ndjson<S extends StandardSchema>(schema: S): Format<SchemaOutput<S>, SchemaInput<S>>;
/** One JSON object per line, of which only these fields are read, and checked. Faster than the others. */
export declare function ndjson<C extends Columns>(options: { readonly fields: C }): Format<ColumnsOf<C>>;

/** Comma-separated, RFC 4180. Rows are arrays; see `TableOptions` for objects. */
export declare function csv(): Format<readonly string[], Row>;
export declare function csv<T extends TableOptions>(options: T): TableFormat<T>;
/** Tab-separated: `\t \n \r \\` in cells are escaped. Rows are arrays; `tsv<[word: string, n: number]>()` types them. */
export declare function tsv<R extends Row = Row>(): Format<readonly string[], R>;
export declare function tsv<T extends TableOptions>(options: T): TableFormat<T>;

export interface TableOptions {
  /** The first line of every file names the columns. Default: true with `columns`, otherwise false. */
  readonly header?: boolean;
  /** Names and types of the columns: matched by name with a header, by position without. */
  readonly columns?: Columns;
  /** Default "," for csv and a tab for tsv. */
  readonly delimiter?: string;
  /** Whether quoted cells of csv may hold line ends (RFC 4180); then planning scans the quotes of each file. Default true. */
  readonly multiline?: boolean;
}

export type TableFormat<T extends TableOptions> =
  T extends { readonly columns: infer C extends Columns } ? Format<ColumnsOf<C>>
  : T extends { readonly header: true } ? Format<Readonly<Record<string, string>>, Readonly<Record<string, Cell>>>
  : Format<readonly string[], Row>;

export type Columns = { readonly [name: string]: ColumnCodec<any> };
export type ColumnsOf<C> = { readonly [N in keyof C]: C[N] extends ColumnCodec<infer T> ? T : never } & {};

/** Binary records of `length` bytes each, or, without it, each after its length as a 4-byte big-endian number. */
export declare function records(length?: number): Format<Uint8Array>;
/** A file's bytes are one record. Input only. */
export declare function wholeFiles(): InputFormat<Uint8Array>;

// ── combine, group, partition ────────────────────────────────────────────────

/** Folds two values of one key into one. */
export type Combine<Value> = (a: Value, b: Value) => Value;
/** Recognised by the kernel, which folds without calling back. */
export declare const sum: <T extends number | bigint>(a: T, b: T) => T;
/** The smaller one; text in code-point order. */
export declare const min: <T extends number | bigint | string | Date>(a: T, b: T) => T;
/** The larger one; text in code-point order. */
export declare const max: <T extends number | bigint | string | Date>(a: T, b: T) => T;

/** Built-in mappers, run inside the kernel: each word, between spaces or made of letters (`\p{L}+`), with 1; lines that match. */
export declare function words(by?: "spaces" | "letters"): (line: string, emit: Emit<string, number>) => void;
export declare function grep(pattern: RegExp): (line: string, emit: EmitRecord<string>) => void;

/** Group by the first `parts` parts of a tuple key. */
export declare function prefix<const N extends number>(parts: N): Prefix<N>;
export interface Prefix<N> { readonly parts: N }

export type Partition<Key> = Partitioner | ((key: Key, partitions: number) => number);
/** By a stable hash of the key's bytes. */
export declare function byHash(): Partitioner;
/** By ranges of keys found by sampling: the part files, one after the other, are in order. */
export declare function byRange(): Partitioner;
export interface Partitioner { readonly by: "hash" | "range" }

// ── parameters ───────────────────────────────────────────────────────────────

/** A parameter without a default must be given. `about` is shown by `millrace run --help`. */
export type Param = ParamOf<"string", string> | ParamOf<"number", number> | ParamOf<"boolean", boolean>;
type ParamOf<Name, T> = { readonly type: Name; readonly default?: T; readonly about?: string };
export type Params = StandardSchema | { readonly [name: string]: Param };

/** As `ctx.params` shows them. */
export type ParamsRead<P> = P extends StandardSchema ? SchemaOutput<P> : { readonly [N in keyof P]: ParamType<P[N]> };
/** As a caller gives them: those with a default may be left out. */
export type ParamsGiven<P> = P extends StandardSchema ? SchemaInput<P> : Flat<
  & { readonly [N in keyof P as P[N] extends HasDefault ? never : N]: ParamType<P[N]> }
  & { readonly [N in keyof P as P[N] extends HasDefault ? N : never]?: ParamType<P[N]> }
>;
type HasDefault = { readonly default: unknown };
type Flat<T> = { [K in keyof T]: T[K] } & {}; // `& {}` makes editors show the fields
type ParamType<T> = T extends { readonly type: infer Name extends keyof ParamTypes } ? ParamTypes[Name] : never;
type ParamTypes = { string: string; number: number; boolean: boolean };

/** What zod, valibot, arktype and others share: the part of `@standard-schema/spec` that is needed here. */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => unknown;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}
type SchemaInput<S extends StandardSchema> = NonNullable<S["~standard"]["types"]>["input"];
type SchemaOutput<S extends StandardSchema> = NonNullable<S["~standard"]["types"]>["output"];

// ── running ──────────────────────────────────────────────────────────────────

/**
 * Run a job: here, on all cores, or on a cluster; the same as `millrace run`. With `output` files are published there; without
 * it the records, as they were emitted, can be read from the result, once, partition after partition.
 */
export declare function run<T extends JobTypes, Folder extends string = never>(
  job: Job<T>,
  options: RunOptions<T, Folder>,
): Promise<[Folder] extends [never] ? JobResult & AsyncIterable<T["record"]> : JobResult>;

export type RunOptions<T extends JobTypes, Folder extends string = string> = ParamsOption<T["params"]> & {
  /** Files, directories or globs; with named inputs an object of them. */
  readonly inputs: Paths<T["input"]>;
  /** Folder or URL of the result; must not exist or be empty. */
  readonly output?: Folder;
  /** The module whose default export is the job (`import.meta.url`). Default: the file that called `defineJob`. */
  readonly module?: string;
  /** A cluster's address. Default: this process and its children. */
  readonly master?: string;
  /** Replaces the job's own number; not for map-only jobs. */
  readonly reducers?: number;
  /** As the flags of `millrace run`; sizes "2GB", times "10m". */
  readonly slots?: number;
  readonly memory?: string;
  readonly splitSize?: string;
  readonly attempts?: number;
  readonly taskTimeout?: string;
  readonly taskLimit?: string;
  readonly skipBad?: number;
  readonly files?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly workDir?: string;
  readonly overwrite?: boolean;
  readonly resume?: boolean;
  /** Cancels the job and cleans up. */
  readonly signal?: AbortSignal;
};

/** Every expected failure; `code` says which, `retry` what may be done about it. */
export declare class MillraceError extends Error {
  readonly code: string;
  readonly retry: "never" | "same" | "elsewhere";
}

export interface JobResult {
  readonly counters: Readonly<Record<string, number>>;
  /** Published files, in partition order; empty without `output`. */
  readonly files: readonly { readonly path: string; readonly bytes: number; readonly records: number }[];
}

/**
 * Runs jobs one after the other: each reads what the one before wrote; only the last one's output is published. Not exported
 * by the first release: until then `run` the next job on the directory that the first one wrote.
 */
export declare function pipeline<T extends JobTypes>(first: Job<T>): Pipeline<T>;

export interface Pipeline<T extends JobTypes> extends Job<T> {
  /** `next` must read records of the type that the step before it writes and its format reads back. */
  to<N extends JobTypes>(next: Job<N> & JobReading<T["reread"]>): Pipeline<{
    input: T["input"];
    params: T["params"] & N["params"];
    record: N["record"];
    others: N["others"];
    reread: N["reread"];
  }>;
}

// ── millrace/testing ─────────────────────────────────────────────────────────

/** Run a job in this process on the records given: same order, codecs and grouping, no files, no workers, breakpoints work. */
export declare function runInline<T extends JobTypes>(
  job: Job<T>,
  records: Records<T["input"]>,
  ...options: {} extends T["params"] ? [options?: InlineOptions<T>] : [options: InlineOptions<T>]
): Promise<InlineResult<T>>;

export type InlineOptions<T extends JobTypes> = ParamsOption<T["params"]> & {
  /** Default 1. */
  readonly reducers?: number;
  /** What `ctx.source` says. Default "inline". */
  readonly source?: string;
};

export interface InlineResult<T extends JobTypes> {
  readonly records: readonly T["record"][];
  /** Records of the other outputs, by name. */
  readonly others: { readonly [N in keyof T["others"]]: readonly T["others"][N][] };
  readonly counters: Readonly<Record<string, number>>;
}

// ── how the types above are put together ─────────────────────────────────────

type ReadBy<F> = F extends InputFormat<infer In> ? In : never;
type WrittenBy<F> = F extends OutputFormat<infer Out> ? Out : never;

type RecordsOf<I> = I extends InputFormat<infer In> ? In : Named<{ [N in keyof I]: ReadBy<I[N]> }>;
type MainOf<O> = O extends NamedOutputs ? WrittenBy<O["main"]> : WrittenBy<O>;
type SidesOf<O> = O extends NamedOutputs ? { [N in Exclude<keyof O, "main">]: WrittenBy<O[N]> } : {};
type RereadOf<O> = O extends NamedOutputs ? ReadBy<O["main"]> : O extends InputFormat<infer In> ? In : readonly string[];

type Paths<In> = [In] extends [Named<infer R>] ? { readonly [N in keyof R]: readonly string[] } : readonly string[];
type Records<In> = [In] extends [Named<infer R>] ? { readonly [N in keyof R]: readonly R[N][] } : readonly In[];
type ParamsOption<P> = {} extends P ? { readonly params?: P } : { readonly params: P };

// `map` is a union of these two, not a conditional type: that would settle `State` before `setup` has been looked at.
type MapFunction<In, E, Ctx> = (record: In, emit: E, ctx: Ctx) => void | Promise<void>;
type MapFunctions<I, E, Ctx> = { readonly [N in keyof I]: MapFunction<ReadBy<I[N]>, E, Ctx> };
type OneInput<I> = I extends InputFormat<any> ? unknown : OneMapFunctionPerInput;
type MapEmit<O, Key, Value, Reducers> = (Reducers extends 0 ? EmitRecord<MainOf<O>> : Emit<Key, Value>) & EmitTo<O>;

// Without codec and annotated emit `Key` and `Value` stay `any`, which stands for what the `auto` codec takes.
type KeyOf<Key> = 0 extends 1 & Key ? AutoKey : Key;
type ValueOf<Value> = 0 extends 1 & Value ? AutoValue : Value;

type PrefixLength<Key> = Key extends readonly [unknown, ...unknown[]] ? Exclude<Lengths<Key>, 0> : KeyIsNotATuple;
type Lengths<Key> = Key extends readonly [...infer Init, unknown] ? Key["length"] | Lengths<Init> : 0;
type GroupKey<Key, N> = [N] extends [never] ? Key : Take<Key, N>;
type Take<Key, N> = Key extends readonly [...infer Init, unknown] ? (Key["length"] extends N ? Readonly<Key> : Take<Init, N>) : never;

type Needed<O, Key, Value, Reducers> = Reducers extends 0 ? MapOnly
  : ([Key] extends [AutoKey] ? unknown : NeedsKeyCodec<Key>)
  & ([Value] extends [AutoValue] ? unknown : [Value] extends [Jsonable<Value>] ? unknown : NeedsValueCodec<Value>)
  & ([Key, Value] extends MainOf<O> ? unknown : NeedsReduce<[Key, Value], MainOf<O>>);
type MapOnly = { readonly [N in "key" | "value" | "combine" | "group" | "partition" | "reduce"]?: NotInMapOnlyJob };

// The rest never exists at run time. These names are what a compile error shows, so each says what is wrong.

declare const types: unique symbol;
declare const reads: unique symbol;
declare const marker: unique symbol;

/** Marks the records of named inputs, so that they are not taken for one record that is an object. */
export interface Named<R> { readonly [marker]: R }
/** The default codec takes null, boolean, number, bigint, string, Date, Uint8Array and arrays of them as keys. */
export interface NeedsKeyCodec<Key> { readonly key: KeyCodec<Key> }
/** The default codec takes the same, and what JSON carries without loss, as values. */
export interface NeedsValueCodec<Value> { readonly value: Codec<Value> }
/** Where `reduce` is left out pairs are written, which this output format does not take. */
export interface NeedsReduce<Pair, Written> { readonly reduce: unknown; readonly [marker]?: [Pair, Written] }
/** A job with `reducers: 0` has no keys: nothing is sorted or grouped. */
export interface NotInMapOnlyJob { readonly [marker]: never }
/** There is no `setup`, or it stands below the function that uses `ctx.state`: move it above `map`. */
export interface NoSetupAbove { readonly [marker]: never }
/** Several inputs want `map: { name(record, emit) {…}, … }`. */
export interface OneMapFunctionPerInput { readonly [marker]: never }
/** `prefix` wants `key: tuple(…)`. */
export interface KeyIsNotATuple { readonly [marker]: never }
/** Stays among what `reduce` may return as long as there is no `reduce` to infer it from. */
export interface NoReduce { readonly [marker]: never }
/** A job whose input takes records of this type. */
export interface JobReading<In> { readonly [reads]: (record: In) => void }
