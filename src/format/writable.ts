// What formats know of the records that they can't write, before there is one.
import type { Shape } from "../job/codecs/shape.ts";

/** Says why the format can't write any record of this shape; undefined where it may. */
export type Refusal = (record: Shape) => string | undefined;

const refusals = new WeakMap<object, Refusal>();

/** Remembers what exactly this format, and no copy of it with a `write` of its own, can't write. */
export function refuses<F extends object>(format: F, refusal: Refusal): F {
  refusals.set(format, refusal);
  return format;
}

/** Why the format can't write such records; undefined where it may, and for formats of the job's own. */
export function refusalOf(format: object, record: Shape): string | undefined {
  return refusals.get(format)?.(record);
}

const shown: Readonly<Record<Shape["kind"], string>> = {
  string: "a string",
  number: "a number",
  bigint: "a bigint",
  boolean: "a boolean",
  date: "a Date",
  bytes: "a Uint8Array",
  nullable: "null or a value",
  array: "an array",
  object: "an object",
  unknown: "a value",
};

export function shownShape(shape: Shape): string {
  return shown[shape.kind];
}

/** A part of an array, in words. */
export function shownPart({ names }: Extract<Shape, { kind: "array" }>, index: number): string {
  return names?.[index] ?? `part ${index + 1}`;
}

/** Refuses all records that are known not to be of this kind. */
export function writesOnly(format: string, kind: "string" | "bytes"): Refusal {
  const refusal: Refusal = (record) => {
    if (record.kind === "nullable") return refusal(record.of);
    if (record.kind === kind || record.kind === "unknown") return undefined;
    return `${format} writes ${kind === "string" ? "strings" : "Uint8Arrays"}, and a record is ${shownRecord(record)}`;
  };
  return refusal;
}

/** Refuses all records that are known not to have properties of these names. */
export function writesProperties(format: string, names: readonly string[]): Refusal {
  return (record) => {
    if (record.kind === "unknown") return undefined;
    if (record.kind === "object" && names.every((name) => record.names.includes(name))) return undefined;
    const { length } = record.kind === "array" ? record.parts : [];
    if (names.every((name) => name === "length" || (/^\d+$/.test(name) && Number(name) < length))) return undefined;
    const listed = `${names.slice(0, 5).join(", ")}${names.length > 5 ? ", …" : ""}`;
    return `${format} writes objects of ${listed}, and a record is ${shownRecord(record)}`;
  };
}

function shownRecord(record: Shape): string {
  if (record.kind !== "array" || record.names === undefined) return shownShape(record);
  return `the array [${record.names.map((name) => name.replace(/^the /, "")).join(", ")}]`;
}
