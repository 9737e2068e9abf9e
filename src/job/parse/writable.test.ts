import { describe, expect, it } from "vitest";
import { ByteBuffer } from "../../base/bytes/byte-buffer.ts";
import { records } from "../../format/binary/records.ts";
import type { OutputFormat } from "../../format/format.ts";
import { ndjson } from "../../format/json/ndjson.ts";
import { lines } from "../../format/lines/lines.ts";
import { text } from "../../format/lines/text.ts";
import { csv } from "../../format/table/csv.ts";
import { tsv } from "../../format/table/tsv.ts";
import { auto } from "../codecs/auto.ts";
import { bigint } from "../codecs/bigint.ts";
import { bool } from "../codecs/bool.ts";
import { day } from "../codecs/bucket.ts";
import { bytes } from "../codecs/bytes.ts";
import { date } from "../codecs/date.ts";
import { desc } from "../codecs/desc.ts";
import { fields } from "../codecs/fields.ts";
import { json } from "../codecs/json.ts";
import { nullable } from "../codecs/nullable.ts";
import { float64, int, uint } from "../codecs/numbers.ts";
import { tuple } from "../codecs/tuple.ts";
import { utf8 } from "../codecs/utf8.ts";
import { defineJob } from "../define-job.ts";
import { eachKey } from "../mappers.ts";

const define = defineJob as unknown as (options: object) => unknown;

/** Codecs that say what they give, each with a value of it. */
const known: readonly (readonly [name: string, codec: object, value: unknown])[] = [
  ["utf8", utf8, "a"],
  ["uint", uint, 1],
  ["int", int, -1],
  ["float64", float64, 0.5],
  ["bigint", bigint, 1n],
  ["bool", bool, true],
  ["date", date, new Date(0)],
  ["bytes", bytes, Uint8Array.of(97)],
  ["nullable(utf8)", nullable(utf8), "a"],
  ["nullable(bytes)", nullable(bytes), Uint8Array.of(97)],
  ["desc(date)", desc(date), new Date(0)],
  ["desc(bytes)", desc(bytes), Uint8Array.of(97)],
  ["tuple(utf8, uint)", tuple(utf8, uint), ["a", 1]],
  ["desc(tuple(utf8, date))", desc(tuple(utf8, date)), ["a", new Date(0)]],
  ["tuple(nullable(bigint), bool)", tuple(nullable(bigint), bool), [1n, true]],
  ["tuple(utf8, bytes)", tuple(utf8, bytes), ["a", Uint8Array.of(97)]],
  ["tuple(utf8, tuple(utf8))", tuple(utf8, tuple(utf8)), ["a", ["b"]]],
  ["tuple()", tuple(), []],
  ["tuple(utf8, day)", tuple(utf8, day), ["a", new Date(0)]],
  ["fields({ a: utf8, b: uint })", fields({ a: utf8, b: uint }), { a: "a", b: 1 }],
  ["fields({ x: utf8, y: date })", fields({ x: utf8, y: date }), { x: "a", y: new Date(0) }],
  ["fields({ x: nullable(bytes) })", fields({ x: nullable(bytes) }), { x: Uint8Array.of(97) }],
  ["fields({ x: tuple(utf8) })", fields({ x: tuple(utf8) }), { x: ["a"] }],
  ["tuple(utf8, fields({ x: utf8 }))", tuple(utf8, fields({ x: utf8 })), ["a", { x: "a" }]],
];

const outputs: readonly (readonly [name: string, format: OutputFormat<never>])[] = [
  ["tsv()", tsv()],
  ["csv()", csv()],
  ["csv({ delimiter })", csv({ delimiter: ";" })],
  ["tsv({ columns })", tsv({ columns: { a: utf8, b: uint } })],
  ["csv({ columns }) by index", csv({ columns: { 0: utf8, 1: uint }, header: false })],
  ["csv({ header })", csv({ header: true })],
  ["ndjson()", ndjson()],
  ["ndjson with bigints", ndjson({ integers: "bigint" })],
  ["ndjson({ fields })", ndjson({ fields: { a: utf8 } })],
  ["text()", text()],
  ["text({ delimiter })", text({ delimiter: "||" })],
  ["lines()", lines()],
  ["records()", records()],
  ["records(1)", records(1)],
];

function refusal(options: object): string | undefined {
  const map = () => {};
  try {
    define({ name: "job", input: text(), map, ...options });
    return undefined;
  } catch (error) {
    expect(error).toMatchObject({ code: "wrong-job" });
    return (error as Error).message;
  }
}

function writes(format: OutputFormat<never>, record: unknown): boolean {
  try {
    format.header?.(new ByteBuffer());
    format.write(record as never, new ByteBuffer());
    return true;
  } catch {
    return false;
  }
}

describe.each(outputs)("an output %s", (name, output) => {
  it.each(known)("is refused with the key %s where it could not write it, and only there", (_, key, first) => {
    for (const [, value, second] of known) {
      const refused = refusal({ key, value, output });
      // A column by index has a codec of its own, which is asked when there is a value.
      if (name.includes("by index")) expect(refused).toBeUndefined();
      else expect(refused === undefined, refused).toBe(writes(output, [first, second]));
    }
    if (name.includes("by index")) return;
    const sorted = refusal({ key, value: uint, reduce: eachKey, output });
    expect(sorted === undefined, sorted).toBe(writes(output, first));
  });

  it("is not refused where the job's own code makes its records, or no codec says what they are", () => {
    const never = name === "csv({ header })";
    if (!never) expect(refusal({ key: bytes, value: bytes, reduce() {}, output })).toBeUndefined();
    expect(refusal({ reducers: 0, output })).toBeUndefined();
    const copy = { ...output, write: () => {} };
    expect(refusal({ key: bytes, value: bytes, output: copy })).toBeUndefined();
  });
});

it("an output of rows may be able to write what has no known type", () => {
  const own = { ...utf8 };
  for (const output of [tsv(), csv(), ndjson()]) {
    for (const codec of [auto, own, tuple(utf8, auto), nullable(own)])
      for (const value of [undefined, json(), tuple(uint, json())])
        expect(refusal({ key: codec, value, output })).toBeUndefined();
  }
});

it("a tuple that may be null is refused in a row, as it would be one cell or several", () => {
  expect(refusal({ key: nullable(tuple(utf8, uint)), value: uint })).toMatch(/the key: null would be one cell/);
  expect(refusal({ key: nullable(tuple(utf8, uint)), value: uint, output: ndjson() })).toBeUndefined();
});

it.each([
  [
    { key: bytes, value: uint },
    /tsv\(\) can't write the key: it is a Uint8Array, and a cell is a string, .*add a reduce/,
  ],
  [{ key: utf8, value: tuple(utf8, tuple(uint)) }, /the value: of its part 2, it is a tuple in a tuple/],
  [{ key: utf8, value: uint, output: text() }, /text\(\) writes strings, and a record is the array \[key, value\]/],
  [{ key: utf8, value: uint, output: { main: lines(), others: text() } }, /lines\(\) writes Uint8Arrays/],
  [{ key: utf8, value: uint, output: csv({ columns: { a: utf8, b: uint } }) }, /writes objects of a, b, and a record/],
  [{ key: tuple(utf8, date), value: uint, output: ndjson() }, /part 2 of the key of a record is a Date/],
  [{ key: bigint, value: uint, output: ndjson() }, /the key of a record is a bigint, which ndjson\(\{ integers/],
  [{ key: utf8, value: uint, reduce: eachKey }, /\(eachKey writes keys\): tsv\(\) writes arrays of cells/],
  [{ key: utf8, value: uint, output: csv({ header: true }) }, /can be written only with `columns`/],
])("says of a job %# what its output can't write, and where it is", (options, message) => {
  expect(refusal(options)).toMatch(/^job "job": its output can't be written \(/);
  expect(refusal(options)).toMatch(message);
});
