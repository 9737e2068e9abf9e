// Checks what `defineJoin` was given, and makes the job of it: its key is that of the join and the side, so that a
// key's records come side by side; its reduce makes rows of them.
import { ByteBuffer } from "../../base/bytes/byte-buffer.ts";
import { didYouMean } from "../../base/closest.ts";
import { MillraceError } from "../../base/error.ts";
import { excerptOf } from "../../base/excerpt.ts";
import { parseAggregate, resultShape, writesResults } from "../aggregate/lower.ts";
import {
  checkName,
  isFormat,
  isObject,
  oneOf,
  refuseUncalled,
  type Unchecked,
  type UserFunction,
  userFunction,
  wrong,
} from "../check.ts";
import type { KeyCodec } from "../codec.ts";
import { bool } from "../codecs/bool.ts";
import { tuple } from "../codecs/tuple.ts";
import type { JobDefinition } from "../definition.ts";
import { parseJob } from "../parse/job.ts";
import { checkWritable, fitted } from "../parse/writable.ts";
import { prefix } from "../partition.ts";
import { hasNull, keyOf } from "./key.ts";
import { joinReduce } from "./reduce.ts";
import { sidedCodec } from "./sided.ts";
import { recordsNeeded, type SideOf } from "./sides.ts";
import type { How } from "./types.ts";

const properties = new Set([
  "name",
  "left",
  "right",
  "key",
  "on",
  "how",
  "params",
  "map",
  "aggregate",
  "reduce",
  "reducers",
  "output",
  "compress",
]);
const hows: readonly How[] = ["inner", "left", "right", "outer", "semi", "anti"];

/** Throws `wrong-job`, naming the join and the property. */
export function parseJoin(given: unknown, module: string | undefined): JobDefinition {
  if (!isObject(given)) {
    throw wrong(`defineJoin takes an object with name, left, right, key, on, how and map, not ${excerptOf(given)}`);
  }
  const { name } = given;
  const inJoin = <T>(parse: () => T): T => {
    try {
      return parse();
    } catch (thrown) {
      if (!(thrown instanceof MillraceError) || typeof name !== "string") throw thrown;
      throw wrong(`join ${JSON.stringify(name)}: ${thrown.message}`);
    }
  };
  const job = {
    ...parseJob(
      inJoin(() => jobOf(given)),
      module,
    ),
    keeps: true,
  };
  const aggregate = given["aggregate"] === undefined ? undefined : parseAggregate(given["aggregate"]);
  if (aggregate === undefined || given["reduce"] !== undefined) return job;
  // Key and result are written, as by a job with this key and aggregate.
  const key = given["key"] as KeyCodec<unknown>;
  const outputs = fitted(job.outputs, resultShape(key, aggregate));
  inJoin(() => checkWritable({ ...job, key, aggregate, outputs, reduce: undefined }));
  return { ...job, outputs };
}

/** What `defineJob` would be given for this join. */
function jobOf(join: Unchecked): Unchecked {
  for (const property of Object.keys(join)) {
    if (!properties.has(property))
      throw wrong(`there is no property ${JSON.stringify(property)}${didYouMean(property, properties)}`);
  }
  const how = oneOf("how", join["how"], hows);
  const left = parseSide("left", join["left"]);
  const right = parseSide("right", join["right"]);
  if (left.name === right.name) throw wrong(`both sides are named ${JSON.stringify(left.name)}: rename one`);
  const key = parseKey(join["key"]);
  const on = parseOn(join["on"], left.name, right.name);
  const map = join["map"] === undefined ? undefined : userFunction("map", join["map"], "sync");
  const reduce = join["reduce"] === undefined ? undefined : userFunction("reduce", join["reduce"]);
  const aggregate = join["aggregate"] === undefined ? undefined : parseAggregate(join["aggregate"]);
  if (aggregate !== undefined && map === undefined) throw wrong("aggregate folds what map(row, emit) emits: give map");
  if (aggregate === undefined && (map === undefined) === (reduce === undefined))
    throw wrong("a join needs map(row, emit), or reduce(key, rows, emit) in its place; give one of them");
  const writes = aggregate === undefined ? undefined : (writesResults(key, aggregate) as UserFunction);
  const mapOf = (side: SideOf, name: string) => sideMap(side, how, key, keyOf(`on.${name}`, on[name]));
  const options = pick(join, ["params", "reducers", "output", "compress"]);
  if (options["reducers"] === 0) throw wrong("reducers: a join groups by key, so it needs at least 1");
  return {
    ...options,
    name: join["name"],
    input: { [left.name]: left.format, [right.name]: right.format },
    key: tuple(key, bool),
    value: sidedCodec,
    group: prefix(1),
    map: { [left.name]: mapOf("left", left.name), [right.name]: mapOf("right", right.name) },
    reduce: joinReduce({ how, left: left.name, right: right.name, map, reduce: reduce ?? writes, aggregate }),
  };
}

function pick(options: Unchecked, names: readonly string[]): Unchecked {
  return Object.fromEntries(names.filter((name) => options[name] !== undefined).map((name) => [name, options[name]]));
}

function parseSide(side: SideOf, value: unknown): { readonly name: string; readonly format: object } {
  const example = `${side}: { ${side === "left" ? "users" : "orders"}: csv({ header: true }) }`;
  refuseUncalled(side, value);
  if (!isObject(value) || isFormat(value, "read") || isFormat(value, "write"))
    throw wrong(`${side} is one input by its name, as in ${example}, not ${excerptOf(value)}`);
  const names = Object.keys(value);
  const [name] = names;
  if (name === undefined || names.length > 1)
    throw wrong(`${side} has ${names.length} inputs, and a side is one, as in ${example}`);
  checkName("an input", name);
  const format = value[name];
  refuseUncalled(`input ${name}`, format);
  if (!isFormat(format, "read")) throw wrong(`input ${name} is not a format that can be read: ${excerptOf(format)}`);
  return { name, format };
}

function parseKey(value: unknown): KeyCodec<unknown> {
  refuseUncalled("key", value);
  if (!isFormat(value, "write") || !isFormat(value, "read"))
    throw wrong(`key is a codec such as utf8, by which keys of both sides are compared, not ${excerptOf(value)}`);
  const key = value as object as KeyCodec<unknown>;
  if (key.ordered !== true) throw wrong("key: this codec has no order, and keys are sorted; use utf8 or another");
  return key;
}

function parseOn(value: unknown, left: string, right: string): Unchecked {
  const example = `on: { ${left}: "id", ${right}: "id" }`;
  if (!isObject(value)) throw wrong(`on says where each side has its key, as in ${example}, not ${excerptOf(value)}`);
  for (const name of Object.keys(value)) {
    if (name !== left && name !== right)
      throw wrong(`on names ${JSON.stringify(name)}, which is no input${didYouMean(name, [left, right])}`);
  }
  for (const name of [left, right]) {
    if (!Object.hasOwn(value, name)) throw wrong(`on lacks ${name}: say where its key is, as in ${example}`);
  }
  return value;
}

/** Emits each record under its key and side. Records whose key can't equal any, and that no row needs, are left out. */
function sideMap(side: SideOf, how: How, key: KeyCodec<unknown>, find: (record: unknown) => unknown) {
  const { sortsFirst, record: isNeeded, unmatched } = recordsNeeded(how)[side];
  const scratch = new ByteBuffer();
  return (record: unknown, emit: unknown): void => {
    const found = find(record);
    if (!unmatched && hasNull(found)) {
      scratch.reset();
      key.write(found, scratch); // a codec that refuses null does so in every kind of join
      return;
    }
    const value = { side, record: isNeeded ? record : null, bytes: 0 };
    (emit as (key: unknown, value: unknown) => void)([found, !sortsFirst], value);
  };
}
