// A job as the engine sees it after its module has been loaded: complete, without the inference of the public types.
import type { InputFormat, OutputFormat } from "../format/format.ts";
import type { PartShape } from "../kernel/kernel.ts";
import type { StateAggregate } from "./aggregate/aggregate.ts";
import type { Codec, KeyCodec } from "./codec.ts";
import type { StandardSchema } from "./params/params.ts";

export interface JobDefinition {
  readonly name: string;
  /** One entry, named "", where the job has one input. */
  readonly inputs: readonly NamedInput[];
  /** `main` comes first. */
  readonly outputs: readonly { readonly name: string; readonly format: OutputFormat<unknown> }[];
  /** Whether `output` was an object of formats: then each output has a directory for its part files. */
  readonly outputsNamed: boolean;
  readonly key: KeyCodec<unknown>;
  readonly value: Codec<unknown>;
  readonly params: ParamsDefinition;
  /** Side files: their paths as written in the job, by name. */
  readonly files: ReadonlyMap<string, string>;
  readonly setup: ((ctx: unknown) => unknown) | undefined;
  readonly teardown: ((ctx: unknown) => unknown) | undefined;
  readonly concurrency: number;
  readonly combine: CombineDefinition | undefined;
  /**
   * The job's aggregate: then `value` and `combine` are made of it (aggregate/lower.ts), and `reduce` is called with
   * its result in place of the values.
   */
  readonly aggregate?: StateAggregate | undefined;
  /** The counters that the job declares; undefined: any. */
  readonly counters?: readonly string[] | undefined;
  readonly group: GroupDefinition | undefined;
  readonly partition: PartitionDefinition;
  /** undefined: by input size. 0: map-only. */
  readonly reducers: number | undefined;
  /**
   * Called as reduce(key, values, emit, ctx); where there is an aggregate, with its result in place of the values.
   * `room` is given only where `keeps` says so.
   */
  readonly reduce: ((key: unknown, values: unknown, emit: unknown, ctx: unknown, room?: Room) => unknown) | undefined;
  /** Whether `reduce` is the engine's own (a join's), which keeps records that need not fit into memory. */
  readonly keeps?: boolean | undefined;
  readonly compress: "gzip" | "zstd" | undefined;
  readonly nondeterministic: "rerun" | "fail";
  /** The file URL or path of the module that called `defineJob`, as far as it can be known. */
  readonly module: string | undefined;
}

/** The declared counters at 0, but for patterns, on a null prototype. */
export function noCounts({ counters = [] }: JobDefinition): Record<string, number> {
  const none: Record<string, number> = Object.create(null);
  for (const name of counters) if (!name.includes("*")) none[name] = 0;
  return none;
}

export interface NamedInput {
  readonly name: string;
  readonly format: InputFormat<unknown>;
  /** Called as map(record, emit, ctx). */
  readonly map: (record: unknown, emit: unknown, ctx: unknown) => unknown;
}

export type CombineDefinition =
  /**
   * `sum`, `min` or `max` themselves, recognised by identity. `call` does the same for values of any type that they
   * take.
   */
  | { readonly kind: "sum" | "min" | "max"; readonly call: (a: unknown, b: unknown) => unknown }
  | { readonly kind: "function"; readonly call: (a: unknown, b: unknown) => unknown };

export interface GroupDefinition {
  readonly parts: number;
  /** The shapes of the first `parts` parts of the tuple key. */
  readonly shapes: readonly PartShape[];
  /** The codec of the grouping prefix, which is the key that `reduce` gets. */
  readonly key: KeyCodec<unknown>;
  /** The grouping prefix of a key. */
  readonly of: (key: unknown) => unknown;
}

export type PartitionDefinition =
  | { readonly kind: "hash" }
  | { readonly kind: "range" }
  | { readonly kind: "function"; readonly choose: (key: unknown, partitions: number) => number };

/** Where a reduce of the engine's own puts records that need not fit into memory. */
export interface Room {
  /** Begins an empty list, which is removed when the call of reduce has ended. */
  keep(): KeptList;
  /** Throws when the call of reduce has ended: what was kept must not be read any more. */
  check(): void;
}

/** A list of byte strings in a file. */
export interface KeptList {
  /** Appends a copy. Not called again after `read`. */
  add(bytes: Uint8Array): void;
  /** All of them in order, each valid until the next; as often as wanted, but one reading at a time. */
  read(): Iterable<Uint8Array>;
}

export type ParamsDefinition =
  | { readonly kind: "table"; readonly params: ReadonlyMap<string, ParamDefinition> }
  /** A schema of any Standard Schema library. */
  | { readonly kind: "schema"; readonly schema: StandardSchema };

export interface ParamDefinition {
  readonly type: "string" | "number" | "boolean";
  /** undefined: the parameter must be given. */
  readonly default: unknown;
  readonly about: string | undefined;
}
