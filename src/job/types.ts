// biome-ignore-all lint/suspicious/noExplicitAny: in a constraint only `any` accepts every format and codec; none
// reaches a user's variable The types of a job: what `defineJob` takes and gives, what user code is called with, and
// how one follows from the other. Type parameters mean the same everywhere: In (record read), Key, Value, Out (record
// written), P (parameters), State. Editing this has two traps: `map` must stay a union (a conditional type would lose
// `ctx.state`), and `Key` and `Value` must stay `any` without a codec. `test/types/api.examples.ts` holds what must
// compile and what must not. The doc comments are what an editor shows to users; test/docs/hover.test.ts holds that
// every member has one.
import type { AttemptId } from "../base/ids.ts";
import type { InputFormat, OutputFormat } from "../format/format.ts";
import type { Aggregate } from "./aggregate/aggregate.ts";
import type { CounterName, Grouped, SortedValues } from "./aggregate/infer.ts";
import type { Codec, KeyCodec } from "./codec.ts";
import type { Combine } from "./combine.ts";
import type { AggregateEmit, EmitRecord, EmitTo, MapEmit } from "./emit.ts";
import type { KeyOf, MainOf, MapFunction, MapFunctions, NamedOutputs, OneInput, ReadBy, ValueOf } from "./infer.ts";
import type { ParamsRead } from "./params/params.ts";
import type { Partition, Prefix } from "./partition.ts";

export type { ByteWriter } from "../base/bytes/bytes.ts";
export type { AttemptId } from "../base/ids.ts";
export type { Format, InputFormat, OutputFormat, ReadFrom, RecordBatch } from "../format/format.ts";
export type { NdjsonOptions } from "../format/json/ndjson.ts";
export type { Aggregate } from "./aggregate/aggregate.ts";
export type { MaxOption } from "./aggregate/collect.ts";
export type { Distinct } from "./aggregate/distinct.ts";
export type {
  CantWrite,
  CounterName,
  NameTwice,
  NotBesideAggregate,
  SortedValues,
  Written,
} from "./aggregate/infer.ts";
export type { Has } from "./aggregate/numbers.ts";
export type { AggregateOptions } from "./aggregate/own.ts";
export type { Pick1 } from "./aggregate/picks.ts";
export type { GivenBy, TakenBy, ValueOrFields } from "./aggregate/stats.ts";
export type { Frequent } from "./aggregate/top-k.ts";
export type { TopOptions } from "./aggregate/top-n.ts";
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
export type { Bucket } from "./codecs/bucket.ts";
export type { FieldsOf, KeyColumns } from "./codecs/fields.ts";
export type { BucketUnit } from "./codecs/time/unit.ts";
export type { Combine, Extreme, Sum } from "./combine.ts";
export type { Emit, EmitRecord, EmitTo } from "./emit.ts";
export type {
  KeyIsNotATuple,
  Lacks,
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
export type { RunProgress } from "./progress.ts";
export type {
  InlineOptions,
  InlineResult,
  InputRecords,
  JobResult,
  PhaseStatistics,
  RunOptions,
  RunStatistics,
} from "./run-options.ts";
export type { Cell, CellWriter, Columns, ColumnsOf, Row, TableFormat, TableOptions } from "./table.ts";

/** A job's `input`: one format, or an object of formats by the names of the inputs. */
export type Inputs = InputFormat<any> | { readonly [name: string]: InputFormat<any> };
/** A job's `output`: one format, or an object of formats by the names of the outputs. */
export type Outputs = NamedOutputs | OutputFormat<any>;

/** The properties of a job, as `defineJob` takes them. */
export interface JobOptions<
  I,
  O,
  Key,
  Value,
  Out,
  P,
  File extends string,
  State,
  Parts,
  Reducers,
  Returned,
  Counter extends string,
> {
  /**
   * Lower-case words joined by hyphens, at most 100 characters: the job's name in logs, on the screen and in `millrace
   * jobs`.
   */
  readonly name: string;
  /**
   * How input files are read: one format, or one per named input (`--input users=PATH`). Compressed input needs no
   * option.
   * @example input: text()
   * @example input: { users: csv({ header: true }), orders: ndjson<Order>() }
   */
  readonly input: I;
  /**
   * How keys are encoded, and so ordered and grouped. Default `auto`: any plain key in its natural order.
   * @example key: tuple(utf8, desc(date))
   */
  readonly key?: KeyCodec<Key>;
  /** How values are encoded between map and reduce. Default `auto`: what `auto` takes as a key, and plain objects. */
  readonly value?: Codec<Value>;
  /**
   * Folds the values of each key, in place of `value` and `combine`: `emit` takes what it reads, and `reduce` gets its
   * result once per key, or is left out. Default: values are not folded.
   * @example aggregate: stats({ n: count(), total: sum("bytes"), slowest: max("ms") })
   */
  readonly aggregate?: Aggregate<Value, Out>;
  /**
   * The names of the job's counters, which `ctx.count` and results then know; "status *" stands for all that begin with
   * "status ". Default: any name is one.
   * @example counters: ["other lines", "status *"]
   */
  readonly counters?: readonly Counter[];
  /**
   * Typed parameters (`--param name=value`), read as `ctx.params`: a table, or a Standard Schema (zod, valibot, …).
   * They are validated once, before work starts. Default: the job has none.
   * @example params: { min: { type: "number", default: 1, about: "smallest count that is written" } }
   */
  readonly params?: P;
  /**
   * Paths of side files by name, relative to the job's file; `--file name=PATH` replaces one. Each is shipped to every
   * worker, at most 1 GiB, and `ctx.file(name)` is its path there. Default: the job has none.
   */
  readonly files?: Readonly<Record<File, string>>;
  /**
   * Called once per attempt, before its first record. What it returns, or what its promise resolves to, is `ctx.state`.
   * Write it above the functions that use `ctx.state`. Default: there is no state.
   */
  readonly setup?: (ctx: TaskContext<ParamsRead<P>, File, Counter>) => State | Promise<State>;
  /**
   * Called for each record, at least once; with named inputs, an object of one function per input. What the call
   * emitted and counted counts when it has returned, or when its promise has resolved; if it throws, all of that is
   * taken back. An error that happens twice on the same record fails the job, or puts the record aside with
   * `--skip-bad`.
   * @example map(line, emit, ctx) { for (const word of line.split(" ")) emit(word, 1); }
   */
  readonly map:
    | (MapFunction<ReadBy<I>, JobEmit<O, Key, Value, Out, Reducers>, MapContext<ParamsRead<P>, State, File, Counter>> &
        OneInput<I>)
    | MapFunctions<I, JobEmit<O, Key, Value, Out, Reducers>, MapContext<ParamsRead<P>, State, File, Counter>>;
  /**
   * How many calls of an `async map` may be under way at once in one task, from 1 to 1024. Pairs are taken in record
   * order. Default 16.
   */
  readonly concurrency?: number;
  /**
   * Folds two neighbouring values of one key, in input order, into one. It must be associative: it is called zero or
   * more times, after map and before reduce. Without `reduce`, the folded value is the result. Default: values are not
   * folded.
   * @example combine: sum
   */
  readonly combine?: Combine<NoInfer<Value>>;
  /**
   * Secondary sort: `prefix(n)` partitions and groups by the first n parts of a tuple key, `prefix("user")` by the
   * first fields of a key with names; both sort by all of them. Default: each distinct key is a group.
   */
  readonly group?: Prefix<Parts>;
  /**
   * Which partition a key goes to (with `group`, its first n parts): `byHash()`, `byRange()`, or a function of the key.
   * Default `byHash()`.
   */
  readonly partition?: Partition<Grouped<KeyOf<Key>, Parts>>;
  /**
   * How many partitions there are, one part file each, at most 10,000. Default: one per 64 MiB of input, from 1 to 64.
   * With 0 the job is map-only: nothing is sorted or grouped, and `map` emits output records.
   */
  readonly reducers?: Reducers;
  /**
   * Called for each key of a partition, in key order. `values` are in input order, can be read once, and need not fit
   * in memory; with `group` they are in key order, and `values.key` is the whole key of each. With `aggregate` it gets
   * the result in their place. Default: each pair, or with `combine` each key with its folded value, is written as the
   * record `[key, value]`; with `aggregate` key and result, as one object where both have names.
   */
  readonly reduce?: (
    key: Grouped<KeyOf<Key>, Parts>,
    values: Reduced<Key, Value, Out, Parts>,
    emit: EmitRecord<MainOf<O>> & EmitTo<O>,
    ctx: StateContext<ParamsRead<P>, State, File, Counter>,
  ) => Returned;
  /**
   * How output files are written: one format, or an object of `main` and others by name. Default `tsv()`.
   * @example output: { main: tsv(), rejects: text() }
   */
  readonly output?: O;
  /** Compresses output files, in independent members of 8 MiB of content. Default: they are not compressed. */
  readonly compress?: "gzip" | "zstd";
  /**
   * What happens when a map task that runs again emits something else than before: "rerun" runs the reduces again that
   * have read the old output, at most three times; "fail" fails the job with `nondeterministic`. Default "rerun".
   */
  readonly nondeterministic?: "rerun" | "fail";
  /**
   * Called once per attempt that ran `setup`, after its last record, also when the attempt has failed, but not when it
   * was killed. Default: nothing is called.
   */
  readonly teardown?: (ctx: StateContext<ParamsRead<P>, State, File, Counter>) => void | Promise<void>;
}
type JobEmit<O, Key, Value, Out, Reducers> = [Out] extends [never]
  ? MapEmit<O, KeyOf<Key>, ValueOf<Value>, Reducers>
  : AggregateEmit<O, KeyOf<Key>, Value, Reducers>;
type Reduced<Key, Value, Out, Parts> = [Out] extends [never]
  ? [Parts] extends [never]
    ? Iterable<ValueOf<Value>>
    : SortedValues<KeyOf<Key>, ValueOf<Value>>
  : NoInfer<Out>;

/**
 * A job made by `defineJob`: for `run`, `runInline`, and as the default export of its module. `T` says what they need
 * of it.
 */
export interface Job<T extends JobTypes = JobTypes> {
  /** The job's name, as given to `defineJob`. */
  readonly name: string;
  /** Known to the compiler only. */
  readonly [types]: T;
}
declare const types: unique symbol;

/** The types of a job, as `run` and `runInline` need them. They exist for the compiler only. */
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
  /** The names of its counters. */
  readonly counter: string;
}

// ── what user code may ask of its task ───────────────────────────────────────

/**
 * The `ctx` of `setup`, and the part that every other `ctx` has too. Its functions also work without `ctx` in front.
 */
export interface TaskContext<P, File, Counter extends string = string> {
  /** The job's parameters, validated and frozen. */
  readonly params: P;
  /** This try at this task: never the same twice, so it can tell a retry's side effects apart. */
  readonly attempt: AttemptId;
  /** Aborted when the attempt is revoked or the job is cancelled (`signal.reason` says why); pass it on to `fetch`. */
  readonly signal: AbortSignal;
  /** When the job was started. It is stored with the job: a "now" that a retry sees again. */
  readonly startedAt: Date;
  /** Writes a line to the task's log (`millrace logs`), never to standard output. A line has at most 8 KiB. */
  log(message: string, fields?: Readonly<Record<string, unknown>>): void;
  /**
   * Adds `n`, by default 1, to a counter. The job's total counts each task once, however often it ran. A job has at
   * most 1,000 counters.
   * @throws `wrong-value` when `n` is not an integer within ±(2^53-1).
   * @throws `over-limit` when the name has more than 256 bytes.
   * @example ctx.count("other lines")
   */
  count(name: CounterName<Counter>, n?: number): void;
  /**
   * Local path of a side file, which must only be read.
   * @throws `user-error` when the job has no side file of that name.
   */
  file(name: File): string;
  /** Says that a long call is alive: the time of `taskTimeout` (by default 10 minutes) begins again. */
  progress(): void;
  /** A number x, 0 <= x < 1, seeded by job and record: a retry draws the same numbers. */
  random(): number;
}

/** The `ctx` of `reduce` and `teardown`. */
export interface StateContext<P, State, File, Counter extends string = string> extends TaskContext<P, File, Counter> {
  /** What `setup` returned, or what its promise resolved to. */
  readonly state: State;
}

/** The `ctx` of `map`. */
export interface MapContext<P, State, File, Counter extends string = string>
  extends StateContext<P, State, File, Counter> {
  /** Path of the file that the record is from, as it was given. */
  readonly source: string;
  /** Offset in bytes of the record's first byte in that file, or in its decompressed content, from 0. */
  readonly offset: number;
}
