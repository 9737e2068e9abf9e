// One JSON value per line: `ndjson()`. Described in docs/formats/ndjson.md.
import { asBuffer } from "../base/bytes.ts";
import { MillraceError } from "../base/error.ts";
import { strictJson } from "../base/strict-json.ts";
import type { Jsonable, JsonValue } from "../job/codec.ts";
import type { SchemaInput, SchemaOutput, StandardSchema } from "../job/params.ts";
import type { Columns, ColumnsOf } from "../job/table.ts";
import type { TextFormat } from "./content.ts";
import type { Format, InputFormat } from "./format.ts";
import { jsonFields } from "./json-fields.ts";
import { readJson } from "./json-reader.ts";
import { RecordReader, type RecordReading } from "./json-whole.ts";

/** One JSON value per line. Writing takes any object; what JSON would lose (a Date, a Map) is an error at run time. */
export function ndjson(): Format<JsonValue, null | boolean | number | string | object>;
/** One JSON value per line; its type is taken on trust. */
export function ndjson<T extends Jsonable<T>>(): Format<T>;
/** One JSON value per line, checked (and converted, when reading) by a schema of any Standard Schema library. */
export function ndjson<S extends StandardSchema>(schema: S): Format<SchemaOutput<S>, SchemaInput<S>>;
/** One JSON object per line, of which only these fields are read, and checked. Faster than the others. */
export function ndjson<C extends Columns>(options: { readonly fields: C }): Format<ColumnsOf<C>>;
export function ndjson(options?: StandardSchema | { readonly fields: Columns }): Format<unknown> {
  if (options === undefined) return jsonLines(wholeRecords(undefined), writeJson);
  if ("~standard" in options) return jsonLines(wholeRecords(checkedBy(options)), writeJson);
  if (typeof options === "object" && typeof options.fields === "object" && options.fields !== null) {
    const { read, write } = jsonFields(options.fields);
    return jsonLines(read, write);
  }
  throw new MillraceError(
    "wrong-job",
    "ndjson() takes nothing, a Standard Schema (zod, valibot, arktype, …) or { fields: { name: codec } }.",
  );
}

/** What `JSON.parse` makes of each line, or `check` of that. */
export function wholeRecords(
  check: ((value: unknown) => unknown) | undefined,
  reading: RecordReading = "shapes",
): InputFormat<unknown>["read"] {
  /** Made when it is needed, as a format may be there only to write. */
  let reader: RecordReader | undefined;
  return (chunks, from) => {
    reader ??= new RecordReader(check, reading);
    return readJson(chunks, from, reader);
  };
}

function jsonLines(
  read: InputFormat<unknown>["read"],
  print: (record: unknown) => string,
): Format<unknown> & TextFormat {
  return {
    split: "anywhere",
    readsText: { zeroBytes: false },
    extension: "ndjson",
    recordStart: (bytes) => asBuffer(bytes).indexOf(10) + 1 || -1,
    read,
    write(record, out) {
      out.writeUtf8(print(record));
      out.writeUint8(10);
    },
  };
}

function writeJson(record: unknown): string {
  return strictJson(record, "ndjson()");
}

function checkedBy(schema: StandardSchema): (value: unknown) => unknown {
  const { validate, vendor } = schema["~standard"];
  return (parsed) => {
    const result: unknown = validate(parsed);
    if (result instanceof Promise) {
      result.catch(() => {}); // It is refused either way.
      throw new MillraceError(
        "not-supported",
        `the schema (${vendor}) validates asynchronously, which reading can't wait for: leave asynchronous checks out, or make them in map`,
      );
    }
    const { issues, value } = result as { readonly issues?: readonly SchemaIssue[]; readonly value?: unknown };
    if (issues === undefined) return value;
    throw new MillraceError(
      "bad-input",
      `the record does not match its schema (${vendor}): ${issues.slice(0, 3).map(issueText).join("; ")}${issues.length > 3 ? `; and ${issues.length - 3} more` : ""}`,
    );
  };
}

interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

function issueText({ message, path = [] }: SchemaIssue): string {
  const at = path.map((step) => String(typeof step === "object" ? step.key : step)).join(".");
  return at === "" ? message : `${at}: ${message}`;
}
