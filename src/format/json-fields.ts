// Declared fields of JSON objects: `ndjson({ fields })`.
import { MillraceError } from "../base/error.ts";
import { excerptOf } from "../base/excerpt.ts";
import type { ColumnCodec } from "../job/codec.ts";
import type { Columns } from "../job/table.ts";
import { type JsonKind, JsonScanner } from "./json-scan.ts";

interface Field {
  readonly name: string;
  readonly codec: ColumnCodec<unknown>;
}

/** How lines become objects of these fields, and back. One reader reads one line at a time. */
export function jsonFields(columns: Columns): {
  reader(): (line: string) => unknown;
  write(record: unknown): string;
} {
  const fields: Field[] = Object.entries(columns).map(([name, codec]) => ({ name, codec }));
  for (const { name, codec } of fields) {
    if (typeof codec?.parse === "function" && typeof codec.format === "function") continue;
    throw new MillraceError(
      "wrong-job",
      `ndjson({ fields }) needs for ${JSON.stringify(name)} a codec with a text form, such as utf8 or uint`,
    );
  }
  return {
    reader() {
      const scanner = new JsonScanner(fields.map(({ name }) => name));
      return (line) => readFields(line, fields, scanner);
    },
    write: (record) => writeFields(record, fields),
  };
}

function readFields(line: string, fields: readonly Field[], scanner: JsonScanner): unknown {
  if (!scanner.scan(line)) parseInto(line, fields, scanner);
  const record: Record<string, unknown> = {};
  for (let i = 0; i < fields.length; i++) {
    const { name, codec } = fields[i]!;
    setField(record, name, fieldValue(name, codec, scanner.kinds[i]!, scanner.texts[i]!));
  }
  return record;
}

/** What the scanner leaves alone, with the same result. */
function parseInto(line: string, fields: readonly Field[], { kinds, texts }: JsonScanner): void {
  const object = parseObject(line);
  for (const [i, { name }] of fields.entries()) {
    const value = Object.hasOwn(object, name) ? (object as Record<string, unknown>)[name] : undefined;
    kinds[i] = kindOf(value);
    texts[i] = String(value);
  }
}

function kindOf(value: unknown): JsonKind {
  if (value === undefined) return "missing";
  if (value === null) return "null";
  const type = typeof value;
  return type === "string" || type === "number" || type === "boolean" ? type : "other";
}

function parseObject(line: string): object {
  const value = parseJson(line);
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw new MillraceError("bad-input", `the line is not a JSON object, but ${excerptOf(value)}`);
}

export function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (thrown) {
    if (!(thrown instanceof SyntaxError)) throw thrown;
    throw new MillraceError("bad-input", `the line is not JSON: ${thrown.message}`);
  }
}

/** Plain assignment, but `__proto__` as a property like any other. */
export function setField(record: Record<string, unknown>, name: string, value: unknown): void {
  if (name === "__proto__") {
    Object.defineProperty(record, name, { value, enumerable: true, writable: true, configurable: true });
  } else {
    record[name] = value;
  }
}

/**
 * The codec reads its text form, so a JSON string for a number's codec would pass: what comes out must be of the JSON value's
 * own type. Dates and bigints have no JSON form of their own and are taken from strings, bigints also from exact numbers.
 */
function fieldValue(name: string, codec: ColumnCodec<unknown>, kind: JsonKind, text: string): unknown {
  switch (kind) {
    case "string": {
      const value = parseField(name, codec, text);
      if (typeof value !== "number" && typeof value !== "boolean") return value;
      break;
    }
    case "number": {
      const value = parseField(name, codec, text);
      if (typeof value === "number" || (typeof value === "bigint" && Number.isSafeInteger(Number(text)))) return value;
      if (typeof value !== "bigint") break;
      throw new MillraceError(
        "bad-input",
        `field ${JSON.stringify(name)} is a number beyond 2^53, which JSON readers round: it must be a string to be a bigint`,
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
      throw new MillraceError("bad-input", `field ${JSON.stringify(name)} is ${kind}; nullable(…) reads that as null`);
  }
  const shown = kind === "other" ? "an object or array" : kind === "string" ? excerptOf(text) : text;
  throw new MillraceError("bad-input", `field ${JSON.stringify(name)} is of the wrong type: ${shown}`);
}

function parseField(name: string, codec: ColumnCodec<unknown>, text: string): unknown {
  try {
    return codec.parse(text);
  } catch (thrown) {
    throw new MillraceError("bad-input", `field ${JSON.stringify(name)}: ${messageOf(thrown)}`);
  }
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** Whether the codec reads an empty text as null, as `nullable` does. */
function takesNull(codec: ColumnCodec<unknown>): boolean {
  try {
    return codec.parse("") === null;
  } catch {
    return false; // A codec without an empty text form throws an error of its own.
  }
}

function writeFields(record: unknown, fields: readonly Field[]): string {
  if (typeof record !== "object" || record === null) {
    throw new MillraceError("bad-output", `ndjson({ fields }) writes objects, not ${excerptOf(record)}`);
  }
  let json = "{";
  for (const { name, codec } of fields) {
    const value: unknown = (record as Record<string, unknown>)[name];
    json += `${json === "{" ? "" : ","}${JSON.stringify(name)}:${fieldJson(name, codec, value)}`;
  }
  return `${json}}`;
}

function fieldJson(name: string, codec: ColumnCodec<unknown>, value: unknown): string {
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
