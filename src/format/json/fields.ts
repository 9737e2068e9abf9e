// Declared fields of JSON objects: `ndjson({ fields })`.
import { types } from "node:util";
import { MillraceError } from "../../base/error.ts";
import { excerptOf } from "../../base/excerpt.ts";
import type { Columns } from "../../job/table.ts";
import type { ReadFrom, RecordBatch } from "../format.ts";
import { FieldReader, type FieldReading } from "./block.ts";
import { fieldJson } from "./field.ts";
import { type Field, fieldOf } from "./line-fields.ts";
import { readJson } from "./reader.ts";

/** How lines become objects of these fields, and back. */
export interface JsonFields {
  /** Records of lines, as blocks of bytes. */
  read(chunks: AsyncIterable<Uint8Array>, from: ReadFrom): AsyncIterable<RecordBatch<unknown>>;
  write(record: unknown): string;
}

export function jsonFields(columns: Columns, reading: FieldReading = "table"): JsonFields {
  const fields = Object.entries(columns).map(([name, codec]) => fieldOf(name, codec));
  for (const { name, codec } of fields) {
    if (typeof codec?.parse === "function" && typeof codec.format === "function") continue;
    throw new MillraceError(
      "wrong-job",
      `ndjson({ fields }) needs for ${JSON.stringify(name)} a codec with a text form, such as utf8 or uint`,
    );
  }
  /** Created when it is needed, as a format may be used only to write. */
  let reader: FieldReader | undefined;
  return {
    read(chunks, from) {
      reader ??= new FieldReader(fields, reading);
      return readJson(chunks, from, reader);
    },
    write: (record) => writeFields(record, fields),
  };
}

function notObject(record: unknown): MillraceError {
  return new MillraceError("bad-output", `ndjson({ fields }) writes objects, not ${excerptOf(record)}`);
}

function writeFields(record: unknown, fields: readonly Field[]): string {
  if (typeof record !== "object" || record === null) {
    throw notObject(record);
  }
  let json = "{";
  try {
    for (const { name, codec } of fields) {
      const value: unknown = (record as Record<string, unknown>)[name];
      json += `${json === "{" ? "" : ","}${JSON.stringify(name)}:${fieldJson(name, codec, value)}`;
    }
  } catch (thrown) {
    throw types.isPromise(record) ? notObject(record) : thrown;
  }
  return `${json}}`;
}
