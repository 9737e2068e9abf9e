// From what `defineJob` was given to a `JobDefinition`, checked. Types catch most mistakes before; this catches them where there
// are none (JavaScript, casts), so it trusts nothing.
import { didYouMean } from "../base/closest.ts";
import { MillraceError } from "../base/error.ts";
import { excerptOf } from "../base/excerpt.ts";
import { limits } from "../base/limits.ts";
import type { OutputFormat } from "../format/format.ts";
import { tsv } from "../format/tsv.ts";
import type { Codec, KeyCodec } from "./codec.ts";
import { auto, autoValue } from "./codecs/auto.ts";
import { codecName, codecParts, codecShape } from "./codecs/facts.ts";
import { tuple } from "./codecs/tuple.ts";
import { max, min, sum } from "./combine.ts";
import type {
  CombineDefinition,
  GroupDefinition,
  JobDefinition,
  NamedInput,
  PartitionDefinition,
} from "./definition.ts";
import { parseParams } from "./parse-params.ts";
import { byHash, byRange } from "./partition.ts";

type Unchecked = Readonly<Record<string, unknown>>;
type UserFunction = (...args: unknown[]) => unknown;

const properties = new Set([
  "name",
  "input",
  "key",
  "value",
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

/** What a map-only job has no use for: nothing is sorted or grouped. */
const notInMapOnly = ["key", "value", "combine", "group", "partition", "reduce"] as const;

/** Throws `wrong-job`, which names the job and the property. */
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
    throw new MillraceError("wrong-job", `job ${JSON.stringify(name)}: ${thrown.message}`, { cause: thrown });
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
  return {
    name,
    inputs: parseInputs(options["input"], options["map"]),
    outputs,
    outputsNamed: outputs.length > 1 || !(options["output"] === undefined || isFormat(options["output"], "write")),
    key,
    // Keys and values are tagged alike, but only values may be objects.
    value: value === undefined || value === auto ? autoValue : value,
    params: parseParams(options["params"]),
    files: parseFiles(options["files"]),
    setup: optional(options, "setup", (value) => userFunction("setup", value)),
    teardown: optional(options, "teardown", (value) => userFunction("teardown", value)),
    concurrency:
      optional(options, "concurrency", (value) => wholeNumber("concurrency", value, 1, 1024)) ??
      limits.asyncConcurrency,
    combine: optional(options, "combine", parseCombine),
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

function parseInputs(input: unknown, map: unknown): readonly NamedInput[] {
  if (input === undefined) throw wrong("input is missing: say how input files are read, for example input: text()");
  refuseUncalled("input", input);
  if (map === undefined) throw wrong("map is missing");
  if (isFormat(input, "read")) {
    if (typeof map === "object" && map !== null) {
      throw wrong("there is one input, so map is one function; functions by name belong to several inputs");
    }
    return [namedInput("", input, userFunction("map", map))];
  }
  if (isFormat(input, "write")) throw wrong("the format given as input can only be written");
  if (!isObject(input) || Object.keys(input).length === 0) {
    throw wrong(`input is a format such as text(), or an object of formats by name, not ${excerptOf(input)}`);
  }
  const names = Object.keys(input);
  if (typeof map === "function") {
    const shown = names.map((name) => `${name}(record, emit) {…}`).join(", ");
    throw wrong(`there are several inputs, so map has a function for each: map: { ${shown} }`);
  }
  if (!isObject(map)) throw wrong(`map is an object with a function for each input, not ${excerptOf(map)}`);
  for (const name of Object.keys(map)) {
    if (!names.includes(name))
      throw wrong(`map has a function for ${JSON.stringify(name)}, which is no input${didYouMean(name, names)}`);
  }
  return names.map((name) => {
    checkName("an input", name);
    refuseUncalled(`input ${name}`, input[name]);
    if (!isFormat(input[name], "read"))
      throw wrong(`input ${name} is not a format that can be read: ${excerptOf(input[name])}`);
    if (!Object.hasOwn(map, name)) throw wrong(`map has no function for the input ${JSON.stringify(name)}`);
    return namedInput(name, input[name], userFunction(`map.${name}`, map[name]));
  });
}

function namedInput(name: string, format: object, map: UserFunction): NamedInput {
  return { name, format: format as NamedInput["format"], map };
}

function parseOutputs(output: unknown): JobDefinition["outputs"] {
  if (output === undefined) return [{ name: "main", format: tsv() as OutputFormat<unknown> }];
  refuseUncalled("output", output);
  if (isFormat(output, "write")) return [{ name: "main", format: outputFormat("output", output) }];
  if (isFormat(output, "read")) throw wrong("the format given as output can only be read");
  if (!isObject(output))
    throw wrong(
      `output is a format such as tsv(), or an object of formats with main among them, not ${excerptOf(output)}`,
    );
  const names = Object.keys(output);
  if (!names.includes("main")) throw wrong("output has several formats, and one of them must be named main");
  if (names.length > limits.outputsMax)
    throw wrong(`output has ${names.length} formats, and at most ${limits.outputsMax} are allowed`);
  return ["main", ...names.filter((name) => name !== "main")].map((name) => {
    checkName("an output", name);
    refuseUncalled(`output ${name}`, output[name]);
    return { name, format: outputFormat(`output ${name}`, output[name]) };
  });
}

function outputFormat(what: string, value: unknown): OutputFormat<unknown> {
  if (!isFormat(value, "write")) throw wrong(`${what} is not a format that can be written: ${excerptOf(value)}`);
  const { extension } = value as { readonly extension?: unknown };
  if (typeof extension !== "string" || !/^[a-z0-9][a-z0-9.]{0,15}$/i.test(extension)) {
    throw wrong(`${what}: a format's extension is letters and digits, such as "tsv", not ${excerptOf(extension)}`);
  }
  return value as OutputFormat<unknown>;
}

function parseFiles(value: unknown): ReadonlyMap<string, string> {
  if (value === undefined) return new Map();
  if (!isObject(value)) throw wrong(`files is an object of paths by name, not ${excerptOf(value)}`);
  return new Map(
    Object.entries(value).map(([name, path]) => {
      checkName("a side file", name);
      if (typeof path !== "string" || path === "")
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

function parseGroup(value: unknown, key: KeyCodec<unknown>): GroupDefinition {
  if (typeof value === "function") throw wrong("group is a function: call it, as in group: prefix(1)");
  const count: unknown = isObject(value) ? value["parts"] : undefined;
  if (typeof count !== "number") throw wrong(`group is prefix(n), not ${excerptOf(value)}`);
  const parts = codecParts(key);
  if (parts === undefined) throw wrong(`group: prefix(${count}) wants key: tuple(…), and the key is ${codecName(key)}`);
  wholeNumber("group: prefix", count, 1, parts.length);
  const leading = parts.slice(0, count) as KeyCodec<unknown>[];
  return { parts: count, shapes: leading.map(codecShape), key: tuple(...leading) as KeyCodec<unknown> };
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

/** A generator would never run, and the result of a combine or partition cannot be waited for. */
function userFunction(what: string, value: unknown, only?: "sync"): UserFunction {
  if (typeof value !== "function") throw wrong(`${what} is a function, not ${excerptOf(value)}`);
  const kind = Object.prototype.toString.call(value);
  if (kind.includes("Generator")) throw wrong(`${what} is a generator function, which would never run: remove the *`);
  if (only === "sync" && kind.includes("Async"))
    throw wrong(`${what} is async, and its result is needed at once: remove async`);
  return value as UserFunction;
}

function refuseUncalled(what: string, value: unknown): void {
  if (typeof value === "function") {
    const name = value.name || "text";
    throw wrong(`${what} is the function ${name} itself: call it, as in ${name}()`);
  }
}

/** Names stand on the command line (`users=PATH`) and as directories, and objects keep the order of what begins with a letter. */
function checkName(what: string, name: string): void {
  if (!/^[A-Za-z][\w-]{0,63}$/.test(name)) {
    throw wrong(
      `the name of ${what} begins with a letter and has letters, digits, _ and -, at most 64; not ${excerptOf(name)}`,
    );
  }
}

function wholeNumber(what: string, value: unknown, least: number, most: number): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < least || value > most) {
    throw wrong(`${what} is a whole number from ${least} to ${most}, not ${excerptOf(value)}`);
  }
  return value + 0; // -0 is 0
}

function oneOf<T extends string>(what: string, value: unknown, choices: readonly T[]): T {
  const choice = choices.find((candidate) => candidate === value);
  if (choice === undefined) {
    throw wrong(`${what} is ${choices.map((word) => JSON.stringify(word)).join(" or ")}, not ${excerptOf(value)}`);
  }
  return choice;
}

/** A property that is left out, or undefined, has no value. */
function optional<T>(options: Unchecked, property: string, parse: (value: unknown) => T): T | undefined {
  return options[property] === undefined ? undefined : parse(options[property]);
}

function isObject(value: unknown): value is Unchecked {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isFormat(value: unknown, method: "read" | "write"): value is object {
  return isObject(value) && typeof value[method] === "function";
}

function wrong(message: string): MillraceError {
  return new MillraceError("wrong-job", message);
}
