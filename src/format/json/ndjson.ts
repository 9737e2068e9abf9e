// One JSON value per line: `ndjson()`. docs/formats/ndjson.md describes it.
import { asBuffer } from "../../base/bytes/bytes.ts";
import { MillraceError } from "../../base/error.ts";
import { excerptOf } from "../../base/excerpt.ts";
import { checkOptions, type OptionNames } from "../../base/value/known-options.ts";
import { hasValidate } from "../../base/value/standard-schema.ts";
import { strictJson } from "../../base/value/strict-json.ts";
import type { Jsonable, JsonableWithBigints, JsonValue, JsonValueWithBigints } from "../../job/codec.ts";
import type { SchemaInput, SchemaOutput, StandardSchema } from "../../job/params/params.ts";
import type { Columns, ColumnsOf } from "../../job/table.ts";
import type { TextFormat } from "../blocks/content.ts";
import { checkedBy } from "../checked.ts";
import type { Format, InputFormat } from "../format.ts";
import { type Refusal, refuses, shownPart, shownShape, writesProperties } from "../writable.ts";
import { jsonFields } from "./fields.ts";
import type { Integers } from "./numbers.ts";
import { readJson } from "./reader.ts";
import { RecordReader, type RecordReading } from "./whole.ts";

/** Options of `ndjson`, for records that are read whole. */
export interface NdjsonOptions {
  /**
   * What becomes of integers beyond ±(2^53-1). "refuse": a record with one that a number would change is a bad record.
   * "round": it becomes the nearest number. "bigint": each is a bigint, and bigints are written as digits. Default
   * "refuse".
   */
  readonly integers?: Integers;
}
interface WithBigints extends NdjsonOptions {
  /** Integers beyond ±(2^53-1) are bigints, and bigints are written as digits. */
  readonly integers: "bigint";
}
interface NoBigints {
  /** Integers beyond ±(2^53-1): "refuse" makes the record a bad record, "round" reads the nearest number. */
  readonly integers: "refuse" | "round";
}

/**
 * One JSON value per line. Any object can be written; what JSON would lose (a Date, a Map) is an error at run time.
 * @throws `wrong-job` for options that do not fit.
 */
export function ndjson(): Format<JsonValue, null | boolean | number | string | object>;
/**
 * One JSON value per line; its type is taken on trust. Give a schema or `fields` to have it checked.
 * @throws `wrong-job` for options that do not fit.
 * @example input: ndjson<{ user: string; amount: number }>()
 */
export function ndjson<T extends Jsonable<T>>(): Format<T>;
/** One JSON value per line, with bigints for integers beyond 2^53. */
export function ndjson(
  options: WithBigints,
): Format<JsonValueWithBigints, null | boolean | number | bigint | string | object>;
/** One JSON value per line, with bigints for integers beyond 2^53; its type is taken on trust. */
export function ndjson<T extends JsonableWithBigints<T>>(options: WithBigints): Format<T>;
/** One JSON value per line, with integers beyond 2^53 refused or rounded. */
export function ndjson(
  options: NdjsonOptions & NoBigints,
): Format<JsonValue, null | boolean | number | string | object>;
/** One JSON value per line, with integers beyond 2^53 refused or rounded; its type is taken on trust. */
export function ndjson<T extends Jsonable<T>>(options: NdjsonOptions & NoBigints): Format<T>;
/**
 * One JSON value per line, checked (and converted, when reading) by a schema of any Standard Schema library. A record
 * that the schema refuses is a bad record.
 * @throws `wrong-job` when it is not a schema, or for options that do not fit.
 * @example input: ndjson(z.object({ user: z.string(), amount: z.number() }))
 */
export function ndjson<S extends StandardSchema>(
  schema: S,
  options?: NdjsonOptions,
): Format<SchemaOutput<S>, SchemaInput<S>>;
/**
 * One JSON object per line, of which only these fields are read and checked. This is the fastest way to read JSON.
 * @throws `wrong-job` for options that do not fit.
 * @example input: ndjson({ fields: { user: utf8, amount: float64 } })
 */
export function ndjson<C extends Columns>(options: {
  /** Codecs by the names of the fields. `nullable(…)` makes a field optional. */
  readonly fields: C;
}): Format<ColumnsOf<C>>;
export function ndjson(
  first: StandardSchema | { readonly fields: Columns } | NdjsonOptions = { integers: "refuse" },
  more?: NdjsonOptions,
): Format<unknown> {
  if (first === null || (typeof first === "object" && Object.keys(first).length === 0 && !("~standard" in first)))
    throw wrongOptions();
  // A schema may be a function.
  const isHolder = typeof first === "object" || typeof first === "function";
  const schema = isHolder && "~standard" in first ? first : undefined;
  if (schema === undefined) {
    checkOptions("ndjson()", first, { ...recordOptions, fields: true } satisfies OptionNames<AnyOptions>);
    if (more !== undefined) throw wrongOptions();
  } else checkOptions("ndjson(schema)", more, recordOptions);
  if (schema === undefined && "fields" in first) {
    if ("integers" in first) throw wrongOptions();
    if (typeof first.fields !== "object" || first.fields === null || Array.isArray(first.fields)) {
      throw new MillraceError(
        "wrong-job",
        `ndjson({ fields }) takes an object of codecs by name, such as { id: utf8 }, not ${excerptOf(first.fields)}`,
      );
    }
    const { read, write } = jsonFields(first.fields);
    return refuses(jsonLines(read, write), writesProperties("ndjson({ fields })", Object.keys(first.fields)));
  }
  const { integers = "refuse" } = (schema === undefined ? (first as NdjsonOptions) : more) ?? {};
  if (!isOneOf(integers)) {
    throw new MillraceError(
      "wrong-job",
      `ndjson({ integers }) takes "refuse", "round" or "bigint", not ${excerptOf(integers)}`,
    );
  }
  if (schema !== undefined && !hasValidate(schema)) throw wrongOptions();
  const check = schema === undefined ? undefined : checkedBy(schema);
  const write = integers === "bigint" ? writeBigints : writeJson;
  return refuses(jsonLines(wholeRecords(check, "shapes", integers), write), refusesJson(integers === "bigint"));
}

const recordOptions = { integers: true } satisfies OptionNames<NdjsonOptions>;
type AnyOptions = NdjsonOptions & { readonly fields: Columns };

function isOneOf(integers: unknown): integers is Integers {
  return integers === "refuse" || integers === "round" || integers === "bigint";
}

function wrongOptions(): MillraceError {
  return new MillraceError(
    "wrong-job",
    'ndjson() takes nothing, a Standard Schema (zod, valibot, arktype, …), { integers: "refuse", "round" or "bigint" }, or both, or { fields: { name: codec } }.',
  );
}

/** Reads what `JSON.parse` makes of each line, or what `check` makes of that. */
export function wholeRecords(
  check: ((value: unknown) => unknown) | undefined,
  reading: RecordReading = "shapes",
  integers: Integers = "refuse",
): InputFormat<unknown>["read"] {
  /** Created when it is needed, as a format may be used only to write. */
  let reader: RecordReader | undefined;
  return (chunks, from) => {
    reader ??= new RecordReader(check, reading, integers);
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

/** Refuses records that are known to hold what JSON would lose or change. */
function refusesJson(bigints: boolean): Refusal {
  const refusal: Refusal = (shape) => {
    if (shape.kind === "nullable") return refusal(shape.of);
    if (shape.kind === "array") {
      for (const [i, part] of shape.parts.entries()) {
        const why = refusal(part);
        if (why !== undefined) return why.replace("a record", `${shownPart(shape, i)} of a record`);
      }
    }
    if (shape.kind === "object") {
      for (const [i, part] of shape.parts.entries()) {
        const why = refusal(part);
        if (why !== undefined) return why.replace("a record", `${JSON.stringify(shape.names[i])} of a record`);
      }
    }
    const isLost = shape.kind === "date" || shape.kind === "bytes" || (shape.kind === "bigint" && !bigints);
    if (!isLost) return undefined;
    const advice =
      shape.kind === "bigint"
        ? ', which ndjson({ integers: "bigint" }) writes'
        : shape.kind === "date"
          ? ", which ndjson({ fields: { … } }) writes by its codec"
          : "";
    return `ndjson() writes JSON, and a record is ${shownShape(shape)}${advice}`;
  };
  return refusal;
}

function writeJson(record: unknown): string {
  return strictJson(record, "ndjson()");
}

function writeBigints(record: unknown): string {
  return strictJson(record, "ndjson()", { bigints: true });
}
