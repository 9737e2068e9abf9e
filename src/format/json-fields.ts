// Declared fields of JSON objects: `ndjson({ fields })`.
import { MillraceError } from "../base/error.ts";
import { excerptOf } from "../base/excerpt.ts";
import type { ColumnCodec } from "../job/codec.ts";
import type { Columns } from "../job/table.ts";

interface Field {
  readonly name: string;
  readonly codec: ColumnCodec<unknown>;
}

/** How lines become objects of these fields, and back. */
export function jsonFields(columns: Columns): { read(line: string): unknown; write(record: unknown): string } {
  const fields: Field[] = Object.entries(columns).map(([name, codec]) => ({ name, codec }));
  for (const { name, codec } of fields) {
    if (typeof codec?.parse !== "function" || typeof codec.format !== "function") {
      throw new MillraceError(
        "wrong-job",
        `ndjson({ fields }) needs for ${JSON.stringify(name)} a codec with a text form, such as utf8 or uint`,
      );
    }
  }
  return { read: (line) => readFields(line, fields), write: (record) => writeFields(record, fields) };
}

function readFields(line: string, fields: readonly Field[]): unknown {
  const object = parseObject(line);
  const record: Record<string, unknown> = {};
  for (const { name, codec } of fields) setField(record, name, fieldValue(object, name, codec));
  return record;
}

function parseObject(line: string): object {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (thrown) {
    if (!(thrown instanceof SyntaxError)) throw thrown;
    throw new MillraceError("bad-input", `the line is not JSON: ${thrown.message}`);
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw new MillraceError("bad-input", `the line is not a JSON object, but ${excerptOf(value)}`);
}

/** Plain assignment, but `__proto__` as a property like any other. */
export function setField(record: Record<string, unknown>, name: string, value: unknown): void {
  if (name === "__proto__")
    Object.defineProperty(record, name, { value, enumerable: true, writable: true, configurable: true });
  else record[name] = value;
}

/**
 * The codec reads its text form, so a JSON string for a number's codec would pass: what comes out must be of the JSON value's
 * own type. Dates and bigints have no JSON form of their own and are taken from strings, bigints also from numbers.
 */
function fieldValue(object: object, name: string, codec: ColumnCodec<unknown>): unknown {
  const value: unknown = Object.hasOwn(object, name) ? (object as Record<string, unknown>)[name] : undefined;
  switch (typeof value) {
    case "string": {
      const read = parseField(name, codec, value);
      if (typeof read !== "number" && typeof read !== "boolean") return read;
      break;
    }
    case "number": {
      const read = parseField(name, codec, String(value));
      if (typeof read === "number" || typeof read === "bigint") return read;
      break;
    }
    case "boolean": {
      const read = parseField(name, codec, String(value));
      if (typeof read === "boolean") return read;
      break;
    }
    case "undefined":
    case "object":
      if (value === null || value === undefined) {
        const read = nullOf(codec);
        if (read === null) return null;
        throw new MillraceError(
          "bad-input",
          `field ${JSON.stringify(name)} is ${value === null ? "null" : "missing"}; nullable(…) takes that as null`,
        );
      }
  }
  throw new MillraceError("bad-input", `field ${JSON.stringify(name)} is of the wrong type: ${excerptOf(value)}`);
}

function parseField(name: string, codec: ColumnCodec<unknown>, text: string): unknown {
  try {
    return codec.parse(text);
  } catch (thrown) {
    throw new MillraceError(
      "bad-input",
      `field ${JSON.stringify(name)}: ${thrown instanceof Error ? thrown.message : String(thrown)}`,
    );
  }
}

/** null where the codec takes an empty text for it, as `nullable` does. */
function nullOf(codec: ColumnCodec<unknown>): unknown {
  try {
    return codec.parse("");
  } catch {
    return undefined; // A codec without an empty text form throws its own error.
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
    throw new MillraceError(
      "bad-output",
      `field ${JSON.stringify(name)}: ${thrown instanceof Error ? thrown.message : String(thrown)}`,
    );
  }
  if (value === null) return "null";
  if (typeof value === "boolean") return text;
  if (typeof value !== "number") return JSON.stringify(text);
  if (Number.isFinite(value)) return text;
  throw new MillraceError("bad-output", `field ${JSON.stringify(name)} is ${value}, which JSON has no number for`);
}
