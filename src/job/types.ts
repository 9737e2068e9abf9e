// biome-ignore-all lint/suspicious/noExplicitAny: in a constraint only `any` accepts every format and codec; none reaches a user's variable
// The types of a job: what `defineJob` takes and gives, what user code is called with, and how one follows from the other.
// Type parameters mean the same everywhere: In (record read), Key, Value, Out (record written), P (parameters), State.
// Two traps for who edits this: `map` stays a union (a conditional type would lose `ctx.state`), and `Key` and `Value` stay
// `any` without a codec. `test/types/api.examples.ts` says what must compile and what must not.
import type { AttemptId } from "../base/ids.ts";
import type { InputFormat, OutputFormat } from "../format/format.ts";
import type { Codec, KeyCodec } from "./codec.ts";
import type { Combine } from "./combine.ts";
import type { EmitRecord, EmitTo, MapEmit } from "./emit.ts";
import type {
  GroupKey,
  KeyOf,
  MainOf,
  MapFunction,
  MapFunctions,
  NamedOutputs,
  OneInput,
  ReadBy,
  ValueOf,
} from "./infer.ts";
import type { ParamsRead } from "./params/params.ts";
import type { Partition, Prefix } from "./partition.ts";

export type { ByteWriter } from "../base/bytes/bytes.ts";
export type { AttemptId } from "../base/ids.ts";
export type { Format, InputFormat, OutputFormat, ReadFrom, RecordBatch } from "../format/format.ts";
export type { NdjsonOptions } from "../format/json/ndjson.ts";
export type {
  AutoKey,
  AutoValue,
  Codec,
  ColumnCodec,
  Jsonable,
  JsonableWithBigints,
  JsonCodec,
  JsonValue,
  JsonValueWithBigints,
  KeyCodec,
  NotJson,
} from "./codec.ts";
export type { Combine } from "./combine.ts";
export type { Emit, EmitRecord, EmitTo } from "./emit.ts";
export type {
  KeyIsNotATuple,
  Named,
  NamedOutputs,
  NeedsKeyCodec,
  NeedsReduce,
  NeedsValueCodec,
  NoReduce,
  NoSetupAbove,
  NotInMapOnlyJob,
  OneMapFunctionPerInput,
} from "./infer.ts";
export type {
  Param,
  Params,
  ParamsGiven,
  ParamsRead,
  SchemaInput,
  SchemaOutput,
  StandardSchema,
} from "./params/params.ts";
export type { Partition, Partitioner, Prefix } from "./partition.ts";
export type { InlineOptions, InlineResult, InputRecords, JobResult, RunOptions } from "./run.ts";
export type { Cell, Columns, ColumnsOf, Row, TableFormat, TableOptions } from "./table.ts";

export type Inputs = InputFormat<any> | { readonly [name: string]: InputFormat<any> };
export type Outputs = NamedOutputs | OutputFormat<any>;

/** What `defineJob` takes. */
export interface JobOptions<I, O, Key, Value, P, File extends string, State, Parts, Reducers, Returned> {
  /** Lower-case words joined by hyphens; names the job in logs, on the screen and in `millrace jobs`. */
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
    | (MapFunction<
        ReadBy<I>,
        MapEmit<O, KeyOf<Key>, ValueOf<Value>, Reducers>,
        MapContext<ParamsRead<P>, State, File>
      > &
        OneInput<I>)
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

/** A defined job, opaque to its user; `T` says what `run` and `runInline` need to know of it. */
export interface Job<T extends JobTypes = JobTypes> {
  readonly name: string;
  /** Known to the compiler only. */
  readonly [types]: T;
}
declare const types: unique symbol;

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
export interface StateContext<P, State, File> extends TaskContext<P, File> {
  readonly state: State;
}

/** What `map` gets. */
export interface MapContext<P, State, File> extends StateContext<P, State, File> {
  /** Path of the file the record is from, as it was given. */
  readonly source: string;
  /** Where the record's first byte is in that file, or in its decompressed content, from 0. */
  readonly offset: number;
}
