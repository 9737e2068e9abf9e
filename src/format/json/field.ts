// One declared field of a JSON object: reading its value by its codec, and writing it.

import { didYouMean } from "../../base/closest.ts";
import { MillraceError } from "../../base/error.ts";
import { excerptOf } from "../../base/excerpt.ts";
import { messageOf } from "../../base/value/message.ts";
import type { Codec, ColumnCodec } from "../../job/codec.ts";
import { f64Kind, nullableOf } from "../../job/codecs/facts.ts";
import type { JsonKind } from "./scan.ts";

export function kindOf(value: unknown): JsonKind {
  if (value === undefined) return "missing";
  if (value === null) return "null";
  const type = typeof value;
  return type === "string" || type === "number" || type === "boolean" ? type : "other";
}

/** Assigns a property, also `__proto__`, as a property like any other. */
export function setField(record: Record<string, unknown>, name: string, value: unknown): void {
  if (name === "__proto__") {
    Object.defineProperty(record, name, { value, enumerable: true, writable: true, configurable: true });
  } else {
    record[name] = value;
  }
}

/** A declared field that a record does not have, or has as null. */
export class MissingField extends MillraceError {
  readonly field: string;
  readonly kind: "missing" | "null";

  constructor(field: string, kind: "missing" | "null", near = "") {
    super("bad-input", `field ${JSON.stringify(field)} is ${kind}${near}; nullable(…) reads that as null`);
    this.field = field;
    this.kind = kind;
  }

  /** With the name that may be meant, of those that the record has. */
  of(line: string): MissingField {
    if (this.kind === "null") return this;
    return new MissingField(this.field, this.kind, didYouMean(this.field, namesIn(line)));
  }
}

/** How many of a record's names are compared with the one that is missing. */
const namesLooked = 1_000;

/** None where the line is no JSON: what is not asked for is not read, so no one may have seen that. */
function namesIn(line: string): readonly string[] {
  try {
    return Object.keys(JSON.parse(line) as object).slice(0, namesLooked);
  } catch {
    return [];
  }
}

/**
 * The codec reads its text form, so a JSON string for a number's codec would pass. Therefore the result must be of the
 * JSON value's own type. Dates and bigints have no JSON form of their own and are taken from strings, bigints also from
 * numbers, as long as no digit is lost: `hasAllDigits` says that the text is the one in the file.
 */
export function fieldValue(
  name: string,
  codec: ColumnCodec<unknown>,
  kind: JsonKind,
  text: string,
  hasAllDigits = false,
): unknown {
  switch (kind) {
    case "string": {
      const value = parseField(name, innerOf(codec), text);
      if (typeof value !== "number" && typeof value !== "boolean") return value;
      break;
    }
    case "number": {
      const inner = innerOf(codec);
      const number = Number(text);
      if (!Number.isFinite(number))
        throw new MillraceError("bad-input", `field ${JSON.stringify(name)} is too large for a number`);
      const value = parseField(name, inner, text);
      if (typeof value !== "number" && typeof value !== "bigint") break;
      if (typeof value === "bigint" && hasAllDigits) return value;
      const isRounded = Number.isInteger(number) && !Number.isSafeInteger(number);
      if (!isRounded || f64Kind(inner as unknown as Codec<unknown>) === "float64") return value;
      throw new MillraceError(
        "bad-input",
        `field ${JSON.stringify(name)} is a number beyond 2^53, which JSON readers round: it must be a string`,
      );
    }
    case "boolean": {
      const value = parseField(name, codec, text);
      if (typeof value === "boolean") return value;
      break;
    }
    case "missing":
    case "null":
      if (takesNull(codec)) return null;
      throw new MissingField(name, kind);
  }
  const shown = kind === "other" ? "an object or array" : kind === "string" ? excerptOf(text) : text;
  throw new MillraceError("bad-input", `field ${JSON.stringify(name)} is of the wrong type: ${shown}`);
}

/**
 * The codec below all `nullable`: JSON tells null from the empty text, so `nullable` does not matter for other values.
 */
function innerOf(codec: ColumnCodec<unknown>): ColumnCodec<unknown> {
  const inner = nullableOf(codec as unknown as Codec<unknown>);
  return inner === undefined ? codec : innerOf(inner as unknown as ColumnCodec<unknown>);
}

function parseField(name: string, codec: ColumnCodec<unknown>, text: string): unknown {
  try {
    return codec.parse(text);
  } catch (thrown) {
    throw new MillraceError("bad-input", `field ${JSON.stringify(name)}: ${messageOf(thrown)}`);
  }
}

/** Whether the codec reads an empty text as null, as `nullable` does. */
function takesNull(codec: ColumnCodec<unknown>): boolean {
  try {
    return codec.parse("") === null;
  } catch {
    return false; // A codec without an empty text form throws an error of its own.
  }
}

export function fieldJson(name: string, codec: ColumnCodec<unknown>, value: unknown): string {
  let text: string;
  try {
    text = codec.format(value);
  } catch (thrown) {
    throw new MillraceError("bad-output", `field ${JSON.stringify(name)}: ${messageOf(thrown)}`);
  }
  if (value === null) return "null";
  if (typeof value === "boolean") return text;
  if (typeof value !== "number") return JSON.stringify(text);
  if (Number.isFinite(value)) return text;
  throw new MillraceError("bad-output", `field ${JSON.stringify(name)} is ${value}, which JSON has no number for`);
}
