// Whole records by the table of shapes against `JSON.parse`, line by line: the same records, names in the same order,
// starts and errors.
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chunksOf } from "../../../test/conformance/format.ts";
import { constants, file, names, readAll, type Seen } from "../../../test/support/json-lines.ts";
import { blockBytes } from "../blocks/block.ts";
import { ndjson, wholeRecords } from "./ndjson.ts";
import { JsonShapes, noShape, type ShapeName } from "./shapes.ts";
import type { RecordReading } from "./whole.ts";

const readBy = (reading: RecordReading, bytes: Uint8Array, chunkSize?: number): Promise<Seen[]> =>
  readAll(wholeRecords(undefined, reading), bytes, chunkSize);

async function expectSame(bytes: Uint8Array, chunkSize?: number): Promise<void> {
  const found = await readBy("shapes", bytes, chunkSize);
  const wanted = await readBy("lines", bytes, chunkSize);
  expect(found.length).toBe(wanted.length);
  // Not toStrictEqual, which reads the records' `constructor`: here that is a name like any other.
  expect(found.filter((one, i) => !isDeepStrictEqual(one, wanted[i]))).toEqual([]);
}

const fileOf = (lines: readonly string[]): Buffer => Buffer.from(lines.join("\n"));
const words = (list: string): string[] => list.trim().split(/\s+/);

/** "a", or "a{b,c}" where it holds an object. */
const shown = (names: readonly ShapeName[]): string[] =>
  names.map(({ name, object }) => (object === undefined ? name : `${name}{${shown(object).join()}}`));
const namesOf = (record: object): string[] =>
  Object.entries(record).map(([name, one]) =>
    typeof one === "object" ? `${name}{${namesOf(one as object).join()}}` : name,
  );
const parsed = (lines: readonly string[]): unknown[] => lines.map((line) => JSON.parse(line) as unknown);
const recordsOf = (seen: readonly Seen[]): unknown[] => seen.map(([, record]) => record);

describe("whole records of JSON lines", () => {
  it("are what they are line by line, with the same errors", async () => {
    await fc.assert(
      fc.asyncProperty(file, fc.constantFrom(1 << 20, 7, 64), (bytes, size) => expectSame(bytes, size)),
      { numRuns: 600 },
    );
  });

  it("are so for every odd value, alone and among others", async () => {
    const lines = constants.flatMap((json) =>
      [...names, ""].flatMap((name) => [
        `{${JSON.stringify(name)}:${json}}`,
        `{"o":1,${JSON.stringify(name)}:${json},"p":2}`,
      ]),
    );
    await expectSame(fileOf(lines));
  });

  it("are what JSON.parse makes of them: any value, any order of names", async () => {
    const record = fc.dictionary(fc.string({ maxLength: 12 }), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 12 });
    await fc.assert(
      fc.asyncProperty(fc.array(record, { maxLength: 20 }), async (records) => {
        const lines = records.map((one) => JSON.stringify(one));
        const seen = await readBy("shapes", fileOf(lines));
        expect(recordsOf(seen)).toStrictEqual(parsed(lines));
        expect(seen.map(([, , json]) => json)).toEqual(lines);
      }),
      { numRuns: 300 },
    );
  });

  it("keep -0, names that are numbers or __proto__, and the last of two values of one name", async () => {
    const lines = [
      '{"a":-0,"b":-0.0,"c":0}',
      '{"2":"two","b":1,"1":"one","__proto__":{"x":1}}',
      '{"__proto__":1,"constructor":2,"toString":3}',
      '{"a":1,"b":2,"a":3}',
      '{"a":{"a":1,"a":2}}',
      '{"":1}',
      "{}",
    ];
    const seen = await readBy("shapes", fileOf([...lines, ...lines]));
    expect(recordsOf(seen)).toStrictEqual(parsed([...lines, ...lines]));
    expect(seen.map(([, , json]) => json)).toEqual(parsed([...lines, ...lines]).map((one) => JSON.stringify(one)));
    expect(Object.getPrototypeOf(seen[1]![1])).toBe(Object.prototype);
    expect(Object.keys(seen[1]![1] as object)).toEqual(["1", "2", "b", "__proto__"]);
  });

  it.each([
    ['{"s":"a","u":1}', ["s", "u"]],
    [' {\t"s" : "a b" , "x":[{"s":"}"},"]"],"u": 1e300 }\r', ["s", "x", "u"]],
    ['{"é":"日\\ud83c","n":null,"t":true}', ["é", "n", "t"]],
    ["{}", []],
    ['{"a name of 16 byt":1,"a name of 16 byT":2}', ["a name of 16 byt", "a name of 16 byT"]],
    ['{"s":{"a":{},"b":1},"t":{"a":[{}]} }', ["s{a{},b}", "t{a}"]],
    ['{"s":{"a":1,"s":{"s":2}},"a":3}', ["s{a,s{s}}", "a"]],
    ['{"s":{"a":1,"b":{},"a":2}}', undefined],
    [`${'{"a":'.repeat(33)}1${"}".repeat(33)}`, [`${"a{".repeat(32)}a${"}".repeat(32)}`]],
    [`${'{"a":'.repeat(34)}1${"}".repeat(34)}`, undefined],
    ['{"s":{"a":1}', undefined],
    ['{"s":{"a":1}}}', undefined],
    ['{"s":{"a":1,}}', undefined],
    ['{"s":{},}', undefined],
    ['{"s":{,}}', undefined],
    ['{"s":{}"t":1}', undefined],
    ['{"s":"a","s":"b"}', undefined],
    ['{"\\u0073":"a"}', undefined],
    ["[1]", undefined],
    ['{"s":"a",}', undefined],
    [`{"${"long".repeat(30)}":1}`, undefined],
  ])("are read by the table itself, or not: %s", (content, shape) => {
    const table = new JsonShapes();
    for (let turn = 0; turn < 2; turn++) {
      table.scan(Buffer.from(`\n${content}\n`), 0, 0);
      expect(table.rows).toBe(1);
      if (shape === undefined) expect(table.shapes[0]).toBe(noShape);
      else expect(shown(table.names(table.shapes[0]!))).toEqual(shape);
    }
  });

  it("of some layouts in turns have one shape each", () => {
    const table = new JsonShapes();
    const lines = words(`
      {"a":1,"b":2} {"b":2,"a":1} {"a":1} {"a":1,"b":2,"c":3} {} {"a":1,"c":3} {"a":{}} {"a":{"a":1}} {"a":{"a":{"b":2}}}
      {"a":{"a":{},"b":2}} {"a":{},"b":2} {"a":{"b":1,"c":2},"b":{"c":3},"c":4}
    `);
    table.scan(fileOf([...lines, ...lines]), 0, 0);
    const shapes = [...table.shapes.subarray(0, 2 * lines.length)];
    expect(shapes.slice(0, lines.length)).toEqual(shapes.slice(lines.length));
    expect(new Set(shapes).size).toBe(lines.length);
    expect(shapes.slice(0, lines.length).map((shape) => shown(table.names(shape)))).toEqual(
      lines.map((line) => namesOf(JSON.parse(line) as object)),
    );
  });

  it("are read when there are more names and layouts than are remembered", async () => {
    const lines = Array.from(
      { length: 3000 },
      (_, i) => `{"name ${i}":{},"${"n".repeat(i % 130)}":[],"s":"${i}","u":${i}}`,
    );
    const usual = Array.from({ length: 3000 }, (_, i) => `{"s":"${i}","u":${i}}`);
    const all = [...usual, ...lines, ...usual, ...usual];
    expect(recordsOf(await readBy("shapes", fileOf(all)))).toStrictEqual(parsed(all));
  });

  it("are read in a file in which every line is odd, and in what follows", async () => {
    const odd = Array.from({ length: 200_000 }, (_, i) => (i % 2 === 0 ? `{"\\u0061":${i}}` : `[${i}]`));
    const plain = Array.from({ length: 50_000 }, (_, i) => `{"a":${i}}`);
    const all = [...odd, ...plain];
    expect(recordsOf(await readBy("shapes", fileOf(all)))).toEqual(parsed(all));
  });

  it("come in several batches where the table is full, with all starts", async () => {
    await expectSame(Buffer.from("{}\n".repeat(20_000)));
    await expectSame(Buffer.from(`\ufeff${"{}\n\n".repeat(20_000)}`));
    const many = Array.from({ length: 400 }, (_, i) => `"${i.toString(36)}":1`).join(",");
    await expectSame(Buffer.from(`{${many}}\n`.repeat(100)));
  });

  it("are read at the edge of a block and of the memory, and where a line is longer", async () => {
    const lines = ['{"s":"é\\n","u":1,"o":[{"s":"}"}]}', '{"u":-0,"s":"plain"}', '{"o":"no end', '{"s":"Ā","u":2}'];
    for (let pad = 0; pad < 40; pad++) {
      const behind = `${lines.join("\n")}\n${lines.join("\r\n")}`;
      const filled = Buffer.byteLength(behind) - pad;
      const first = `{"s":"${"x".repeat(blockBytes - filled - 15)}","u":3}\n`;
      await expectSame(Buffer.from(first + behind));
      await expectSame(Buffer.from(`${first}${behind}\n${first}${first}`));
    }
    const long = (bytes: number) => `{"s":"${"y".repeat(bytes)}","u":3}`;
    await expectSame(fileOf(['{"s":"a"}', long(blockBytes - 16), long(blockBytes - 15), long(3 * blockBytes), "{}"]));
  });

  it("have the ASCII strings of their first fields at hand", async () => {
    const lines = [
      '{"a":1,"s":"plain text"}',
      '{"s":"another","t":"more","u":"text"}',
      '{"s":"é"}',
      '{"\\u0073":"parsed"}',
    ];
    const bytes = Buffer.from(`${lines.join("\n")}\n`);
    const read = wholeRecords(undefined);
    for await (const { records, texts } of read(chunksOf(bytes, 1 << 20), {
      start: 0,
      end: bytes.length,
      head: bytes,
    })) {
      const found = records.map((record, i) =>
        Object.values(record as object).filter((one) => typeof one === "string" && texts!.startOf(one, i) >= 0),
      );
      expect(found).toEqual([["plain text"], ["another", "more", "text"], [], []]);
      expect(texts!.startOf("another", 0)).toBe(-1);
    }
  });

  it("go through a schema, whose refusals are bad records with their places", async () => {
    const schema = {
      "~standard": {
        version: 1,
        vendor: "test",
        validate: (value: unknown) =>
          (value as { u?: number }).u === 2 ? { issues: [{ message: "two", path: ["u"] }] } : { value: { is: value } },
      },
    } as const;
    const bytes = Buffer.from('{"u":1}\n{"u":2}\n{"\\u0075":2}\n{"u":3}');
    expect(await readAll(ndjson(schema).read, bytes)).toEqual([
      [0, { is: { u: 1 } }, '{"is":{"u":1}}'],
      [8, 16, expect.stringContaining("u: two"), '{"u":2}\n'],
      [16, 29, expect.stringContaining("u: two"), '{"\\u0075":2}\n'],
      [29, { is: { u: 3 } }, '{"is":{"u":3}}'],
    ]);
  });
});
