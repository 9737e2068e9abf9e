// Checks what `defineJob` was given and makes a `JobDefinition` of it. Types catch most mistakes before; this catches
// them where there are no types (JavaScript, casts), so it trusts nothing.
import { didYouMean } from "../../base/closest.ts";
import { MillraceError } from "../../base/error.ts";
import { excerptOf } from "../../base/excerpt.ts";
import { limits } from "../../base/limits.ts";
import type { StateAggregate } from "../aggregate/aggregate.ts";
import { mergeStates, parseAggregate, resultShape, stateCodec, writesResults } from "../aggregate/lower.ts";
import {
  checkName,
  isFormat,
  isObject,
  oneOf,
  optional,
  type Unchecked,
  userFunction,
  wholeNumber,
  wrong,
} from "../check.ts";
import type { Codec, KeyCodec } from "../codec.ts";
import { auto, autoValue } from "../codecs/auto.ts";
import { codecName, codecNames, codecParts, codecShape } from "../codecs/facts.ts";
import { fields } from "../codecs/fields.ts";
import { tuple } from "../codecs/tuple.ts";
import { max, min, sum } from "../combine.ts";
import type { CombineDefinition, GroupDefinition, JobDefinition, PartitionDefinition } from "../definition.ts";
import { byHash, byRange } from "../partition.ts";
import { parseInputs } from "./inputs.ts";
import { parseOutputs } from "./outputs.ts";
import { parseParams } from "./params.ts";
import { checkWritable, fitted, recordOf } from "./writable.ts";

const properties = new Set([
  "name",
  "input",
  "key",
  "value",
  "aggregate",
  "counters",
  "params",
  "files",
  "setup",
  "map",
  "concurrency",
  "combine",
  "group",
  "partition",
  "reducers",
  "reduce",
  "output",
  "compress",
  "nondeterministic",
  "teardown",
]);

/** Properties that a map-only job can't use, because nothing is sorted or grouped. */
const notInMapOnly = ["key", "value", "aggregate", "combine", "group", "partition", "reduce"] as const;

/** Throws `wrong-job`, naming the job and the property. */
export function parseJob(given: unknown, module: string | undefined): JobDefinition {
  if (typeof given !== "object" || given === null) {
    throw new MillraceError("wrong-job", `defineJob takes an object with name, input and map, not ${excerptOf(given)}`);
  }
  const options = given as Unchecked;
  const name = parseName(options["name"]);
  try {
    return parseOptions(name, options, module);
  } catch (thrown) {
    if (!(thrown instanceof MillraceError)) throw thrown;
    throw new MillraceError("wrong-job", `job ${JSON.stringify(name)}: ${thrown.message}`);
  }
}

function parseOptions(name: string, options: Unchecked, module: string | undefined): JobDefinition {
  for (const property of Object.keys(options)) {
    if (!properties.has(property))
      throw wrong(`there is no property ${JSON.stringify(property)}${didYouMean(property, properties)}`);
  }
  const reducers = optional(options, "reducers", (value) => wholeNumber("reducers", value, 0, limits.partitionsMax));
  if (reducers === 0) {
    for (const property of notInMapOnly) {
      if (options[property] !== undefined) {
        throw wrong(
          `with reducers: 0 the job is map-only: nothing is sorted or grouped, so ${property} must be left out`,
        );
      }
    }
  }
  const key = optional(options, "key", (value) => keyCodec(value)) ?? auto;
  const value = optional(options, "value", (given) => codec("value", given));
  const outputs = parseOutputs(options["output"]);
  const job: JobDefinition = {
    name,
    inputs: parseInputs(options["input"], options["map"]),
    outputs,
    outputsNamed: outputs.length > 1 || !(options["output"] === undefined || isFormat(options["output"], "write")),
    key,
    // Keys and values have the same tags, but only values may be objects.
    value: value === undefined || value === auto ? autoValue : value,
    params: parseParams(options["params"]),
    files: parseFiles(options["files"]),
    setup: optional(options, "setup", (value) => userFunction("setup", value)),
    teardown: optional(options, "teardown", (value) => userFunction("teardown", value)),
    concurrency:
      optional(options, "concurrency", (value) => wholeNumber("concurrency", value, 1, 1024)) ??
      limits.asyncConcurrency,
    combine: optional(options, "combine", parseCombine),
    counters: optional(options, "counters", parseCounters),
    group: optional(options, "group", (value) => parseGroup(value, key)),
    partition: parsePartition(options["partition"]),
    reducers,
    reduce: optional(options, "reduce", (value) => userFunction("reduce", value)),
    compress: optional(options, "compress", (value) => oneOf("compress", value, ["gzip", "zstd"] as const)),
    nondeterministic:
      optional(options, "nondeterministic", (value) => oneOf("nondeterministic", value, ["rerun", "fail"] as const)) ??
      "rerun",
    module,
  };
  const aggregate = optional(options, "aggregate", parseAggregate);
  if (aggregate === undefined) {
    checkWritable(job);
    const record = recordOf(job);
    // A key alone stays an object.
    return record?.kind === "array" ? { ...job, outputs: fitted(outputs, record) } : job;
  }
  for (const property of ["value", "combine"]) {
    if (options[property] === undefined) continue;
    throw wrong(`an aggregate has its own state and merge: leave ${property} out, or the aggregate`);
  }
  return aggregating(job, aggregate);
}

/** Makes value codec, fold and reduce of the job's aggregate. */
function aggregating(job: JobDefinition, aggregate: StateAggregate): JobDefinition {
  const lowered: JobDefinition = {
    ...job,
    aggregate,
    value: stateCodec(aggregate),
    combine: { kind: "function", call: mergeStates(aggregate) },
  };
  if (job.reduce !== undefined) return lowered;
  const key = job.group?.key ?? job.key;
  const reduce = writesResults(key, aggregate);
  const outputs = fitted(job.outputs, resultShape(key, aggregate));
  checkWritable({ ...lowered, key, outputs });
  return { ...lowered, reduce, outputs };
}

function parseName(value: unknown): string {
  if (typeof value !== "string" || value.length > 100 || !/^[a-z0-9]+(?:-[a-z0-9]+)*$/.test(value)) {
    throw new MillraceError(
      "wrong-job",
      `a job's name is lower-case words joined by hyphens, such as "word-count", not ${excerptOf(value)}`,
    );
  }
  return value;
}

function parseFiles(value: unknown): ReadonlyMap<string, string> {
  if (value === undefined) return new Map();
  if (!isObject(value)) throw wrong(`files is an object of paths by name, not ${excerptOf(value)}`);
  return new Map(
    Object.entries(value).map(([name, path]): [string, string] => {
      checkName("a side file", name);
      if (typeof path !== "string" || path.trim() === "" || path.includes("\0"))
        throw wrong(`the side file ${name} is a path, not ${excerptOf(path)}`);
      return [name, path];
    }),
  );
}

function parseCombine(value: unknown): CombineDefinition {
  const call = userFunction("combine", value, "sync") as CombineDefinition["call"];
  const kind = call === sum ? "sum" : call === min ? "min" : call === max ? "max" : "function";
  return { kind, call };
}

function parseCounters(value: unknown): readonly string[] {
  if (!Array.isArray(value)) throw wrong(`counters is an array of names, not ${excerptOf(value)}`);
  return value.map((name: unknown) => {
    if (typeof name === "string" && name !== "") return name;
    throw wrong(`counters has the name of each, not ${excerptOf(name)}`);
  });
}

function parseGroup(value: unknown, key: KeyCodec<unknown>): GroupDefinition {
  if (typeof value === "function") throw wrong("group is a function: call it, as in group: prefix(1)");
  const names = isObject(value) && Array.isArray(value["names"]) ? (value["names"] as string[]) : undefined;
  if (names !== undefined) return groupByNames(names, key);
  const count: unknown = isObject(value) ? value["parts"] : undefined;
  if (typeof count !== "number") throw wrong(`group is prefix(n), not ${excerptOf(value)}`);
  const parts = codecParts(key);
  if (parts === undefined) throw wrong(`group: prefix(${count}) wants key: tuple(…), and the key is ${codecName(key)}`);
  const known = codecNames(key);
  if (known !== undefined)
    throw wrong(`group: prefix(${count}) is for tuples, and the key has names: prefix(${JSON.stringify(known[0])})`);
  wholeNumber("group: prefix", count, 1, parts.length);
  const leading = parts.slice(0, count) as KeyCodec<unknown>[];
  return {
    parts: count,
    shapes: leading.map(codecShape),
    key: tuple(...leading) as KeyCodec<unknown>,
    of: (value) => (value as readonly unknown[]).slice(0, count),
  };
}

/** `prefix("user")`: the names must be the first ones of the key. */
function groupByNames(names: readonly string[], key: KeyCodec<unknown>): GroupDefinition {
  const shown = `group: prefix(${names.map((name) => JSON.stringify(name)).join(", ")})`;
  const known = codecNames(key);
  const parts = codecParts(key);
  if (known === undefined || parts === undefined)
    throw wrong(`${shown} wants key: fields({ … }), and the key is ${codecName(key)}`);
  const stranger = names.find((name) => !known.includes(name));
  if (stranger !== undefined)
    throw wrong(`${shown}: the key has no field ${JSON.stringify(stranger)}${didYouMean(stranger, known)}`);
  if (names.some((name, i) => known[i] !== name)) {
    const first = known.slice(0, names.length).map((name) => JSON.stringify(name));
    throw wrong(`${shown} must name the first fields of the key, in their order: prefix(${first.join(", ")})`);
  }
  const leading = parts.slice(0, names.length) as KeyCodec<unknown>[];
  const codecs = Object.fromEntries(names.map((name, i) => [name, leading[i]!]));
  return {
    parts: names.length,
    shapes: leading.map(codecShape),
    key: fields(codecs) as KeyCodec<unknown>,
    of: (value) => Object.fromEntries(names.map((name) => [name, (value as Record<string, unknown>)[name]])),
  };
}

function parsePartition(value: unknown): PartitionDefinition {
  if (value === undefined) return { kind: "hash" };
  if (value === byHash || value === byRange) {
    const name = value === byHash ? "byHash" : "byRange";
    throw wrong(`partition is the function ${name} itself: call it, as in partition: ${name}()`);
  }
  if (typeof value === "function") {
    return {
      kind: "function",
      choose: userFunction("partition", value, "sync") as (key: unknown, partitions: number) => number,
    };
  }
  if (isObject(value)) {
    if (value["by"] === "hash") return { kind: "hash" };
    if (value["by"] === "range") return { kind: "range" };
  }
  throw wrong(`partition is byHash(), byRange() or a function of the key, not ${excerptOf(value)}`);
}

function codec(what: string, value: unknown): Codec<unknown> {
  if (typeof value === "function") throw wrong(`${what} is a function: call it, as in ${what}: json()`);
  if (!isFormat(value, "write") || !isFormat(value, "read")) {
    throw wrong(`${what} is a codec such as utf8, an object with write and read, not ${excerptOf(value)}`);
  }
  return value as object as Codec<unknown>;
}

function keyCodec(value: unknown): KeyCodec<unknown> {
  const key = codec("key", value);
  if (key.ordered !== true) {
    throw wrong(
      `key: ${codecName(key)} has no order (its \`ordered\` is not true), and keys are sorted; use utf8, tuple(…) or another ordered codec`,
    );
  }
  return key as KeyCodec<unknown>;
}
