// The table in WebAssembly against JavaScript, line by line: the same records, starts and errors, whatever is in a
// file.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chunksOf } from "../../../test/conformance/format.ts";
import { constants, file, names, readAll, type Seen } from "../../../test/support/json-lines.ts";
import { bigint } from "../../job/codecs/bigint.ts";
import { bool } from "../../job/codecs/bool.ts";
import { date } from "../../job/codecs/date.ts";
import { nullable } from "../../job/codecs/nullable.ts";
import { float64, int, uint } from "../../job/codecs/numbers.ts";
import { utf8 } from "../../job/codecs/utf8.ts";
import type { Columns } from "../../job/table.ts";
import { blockBytes } from "../blocks/block.ts";
import type { RecordTexts } from "../format.ts";
import type { FieldReading } from "./block.ts";
import { jsonFields } from "./fields.ts";
import { cell } from "./rows.ts";
import { JsonTable } from "./table.ts";

async function readBy(columns: Columns, bytes: Uint8Array, reading: FieldReading, chunkSize?: number): Promise<Seen[]> {
  return readAll(jsonFields(columns, reading).read, bytes, chunkSize);
}

async function expectSame(columns: Columns, bytes: Uint8Array, chunkSize?: number): Promise<void> {
  const found = await readBy(columns, bytes, "table", chunkSize);
  expect(found).toStrictEqual(await readBy(columns, bytes, "lines", chunkSize));
}

const columnSets: readonly Columns[] = [
  { u: uint },
  { i: int },
  { x: float64 },
  { s: utf8 },
  { url: utf8, bytes: uint },
  { s: utf8, u: uint, i: int, x: float64 },
  {
    s: nullable(utf8),
    u: nullable(uint),
    i: nullable(int),
    x: nullable(float64),
    b: nullable(bool),
    é: nullable(utf8),
  },
  Object.fromEntries([
    ["__proto__", nullable(utf8)],
    ["7", nullable(int)],
    ["a name of 15 b.", nullable(utf8)],
    ["a name of 16 byt", nullable(utf8)],
    ["constructor", nullable(bigint)],
    ["when", nullable(date)],
    ["s", nullable(utf8)],
    ["x", nullable(float64)],
    ["u", nullable(uint)],
  ]),
  {},
];
describe("JSON lines by the table", () => {
  it.each(columnSets)("are what they are line by line, with the same errors: %o", async (columns) => {
    await fc.assert(
      fc.asyncProperty(file, fc.constantFrom(1 << 20, 7, 64), (bytes, size) => expectSame(columns, bytes, size)),
      { numRuns: 200 },
    );
  });

  it.each(columnSets)("are so for every odd value in every field, alone and among others: %o", async (columns) => {
    const lines = constants.flatMap((json) =>
      [...names, "none"].flatMap((name) => [
        `{${JSON.stringify(name)}:${json}}`,
        `{"o":1,${JSON.stringify(name)}:${json},"p":2}`,
      ]),
    );
    await expectSame(columns, Buffer.from(lines.join("\n")));
  });

  it("are so where a line that lacks a field is no JSON either", async () => {
    for (const line of ['{"s":-}', '{"s":1x}', "{,}", '{"s" 1}', "{}", "[]", "7", "null"])
      await expectSame({ u: uint, url: utf8 }, Buffer.from(`${line}\n{}`));
  });

  it("are so where a number that is not asked for has, or has not, as many digits as the ones before", async () => {
    const tails = ["", "5", "a", " ", ".5", "e3", "\n", "}", ",", '"', "-"];
    const odd = tails.flatMap((tail) =>
      [1, 3, 15, 16, 17].map((digits) => `{"n":${"7".repeat(digits)}${tail},"s":"x"}`),
    );
    const steady = (digits: number) => `{"n":${"1".repeat(digits)},"s":"a"}`;
    const lines = odd.flatMap((line) => [1, 3, 15, 16].flatMap((digits) => [steady(digits), steady(digits), line]));
    await expectSame({ s: nullable(utf8) }, Buffer.from(lines.join("\n")));
    await expectSame({ s: utf8 }, Buffer.from(lines.map((line) => `${line.slice(0, -9)}}`).join("\n")));
  });

  it("are so where names begin alike", async () => {
    const alike = ["a name of 16 byt", "a name of 16 byT", "a name of 16 bytes", "a name of 16 by", "a name of 15 b."];
    const lines = alike.flatMap((a) => alike.flatMap((b) => [`{"${a}":"1","${b}":"2"}`, `{"${b}":"3"}`]));
    for (const name of alike) await expectSame({ [name]: nullable(utf8) }, Buffer.from(lines.join("\n")));
  });

  it("end where they end, whatever stands in the next one", async () => {
    const halves = [
      '{"s":"\\',
      '{"o":"\\',
      '{"s":"',
      '{"o":"a',
      '{"o":["',
      '{"o":[',
      '{"o',
      '{"o":"a"',
      '{"s":"a"} x',
      '{"s":"a"}}',
      "{",
    ];
    const nexts = ['","s":"b"}', '":"b"}', '],"s":"b"}', '"],"s":"b"}', ',"s":"b"}', '"s":"b"}'];
    const lines = halves.flatMap((half) => nexts.flatMap((next) => [half, next, '{"s":"c"}']));
    await expectSame({ s: nullable(utf8) }, Buffer.from(lines.join("\n")));
  });

  it.each([
    ['{"s":"a","u":1}', [cell.asciiString, cell.number]],
    [' {\t"s" : "a b" , "x":[{"s":"}"},"]"],"u": 9007199254740991 }\r', [cell.asciiString, cell.number]],
    [
      '{"t":true,"f":false,"n":null,"x":-1.5e-3,"s":"\\u00e9\\n","u":9007199254740992}',
      [cell.narrowString, cell.numberText],
    ],
    ['{"s":"é","s":"日\\ud83c","u":"7"}', [cell.wideString, cell.asciiString]],
    ['{"s":{},"u":null}', [cell.other, cell.null]],
    ['{"é":"\\"","u":true}', [cell.missing, cell.true]],
    ["{}", [cell.missing, cell.missing]],
    ['{"s":false}', [cell.false, cell.missing]],
  ])("are read by the table itself: %s", (content, kinds) => {
    const table = new JsonTable([
      { name: "s", want: "string" },
      { name: "u", want: "uint" },
    ]);
    table.scan(Buffer.from(`\n${content}\n`), 0, 0);
    expect([table.rows, ...table.kinds.subarray(0, 3)]).toEqual([1, 0, ...kinds]);
  });

  it("are read at the edge of a block and of the memory, at any alignment", async () => {
    const columns = { s: utf8, u: uint };
    const lines = [
      '{"s":"é\\n","u":1,"o":[{"s":"}"}]}',
      '{"u":9007199254740991,"s":"plain"}',
      '{"o":"no end',
      '{"s":"Ā","u":2}',
    ];
    for (let pad = 0; pad < 40; pad++) {
      const behind = `${lines.join("\n")}\n${lines.join("\r\n")}`;
      const filled = Buffer.byteLength(behind) - pad;
      const first = `{"s":"${"x".repeat(blockBytes - filled - 15)}","u":3}\n`;
      await expectSame(columns, Buffer.from(first + behind));
      await expectSame(columns, Buffer.from(`${first}${behind}\n${first}${first}`));
    }
  });

  it("are read where a line is longer than the memory", async () => {
    const columns = { s: utf8, u: uint };
    const long = (bytes: number) => `{"s":"${"y".repeat(bytes)}","u":3}`;
    const lines = [
      '{"s":"a","u":1}',
      long(blockBytes - 16),
      long(blockBytes - 15),
      long(3 * blockBytes),
      '{"s":"b","u":2}',
    ];
    const seen = await readBy(columns, Buffer.from(lines.join("\n")), "table", 100_000);
    expect(seen.map(([, record]) => record)).toEqual(lines.map((content) => JSON.parse(content) as unknown));
  });

  it("come in several batches where the table is full, with all starts", async () => {
    const columns: Columns = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`n${i}`, nullable(uint)]));
    const lines = Array.from({ length: 3000 }, (_, i) => `{"n${i % 250}":${i}}`);
    await expectSame(columns, Buffer.from(lines.join("\n")));
    await expectSame({ a: nullable(uint) }, Buffer.from("{}\n".repeat(20_000)));
    await expectSame({ a: nullable(uint) }, Buffer.from(`\ufeff${"{}\n\n".repeat(20_000)}`));
  });

  it("have more names than are remembered", async () => {
    const lines = Array.from(
      { length: 3000 },
      (_, i) => `{"name ${i}":{},"${"n".repeat(i % 130)}":[],"s":"${i}","u":${i}}`,
    );
    const seen = await readBy({ s: utf8, u: uint }, Buffer.from(lines.join("\n")), "table");
    expect(seen.map(([, record]) => record)).toEqual(lines.map((_, i) => ({ s: String(i), u: i })));
  });

  it("do not need a table for names that their bytes don't tell, or too many fields", async () => {
    const half = { "\ud800": nullable(utf8), "\ufffd": nullable(utf8), s: utf8 };
    await expectSame(half, Buffer.from('{"\ufffd":"a","s":"b"}\n{"\\ud800":"c","s":"d"}\n'));
    expect(JsonTable.takes([{ name: "\ud800", want: "string" }])).toBe(false);
    const many = Array.from({ length: 257 }, (_, i) => ({ name: `n${i}`, want: "any" }) as const);
    expect([JsonTable.takes(many), JsonTable.takes(many.slice(1))]).toEqual([false, true]);
    await expectSame(
      Object.fromEntries(many.map(({ name }) => [name, nullable(uint)])),
      Buffer.from('{"n256":1,"n0":2}\n'),
    );
    const name = "é".repeat(51);
    await expectSame({ [name]: utf8 }, Buffer.from(`{"${name}":"a"}\n`));
    await expectSame({ [`${name}a`]: utf8 }, Buffer.from(`{"${name}a":"a"}\n`));
  });

  it("have their ASCII strings at hand until the next batch is read", async () => {
    const lines = [
      '{"s":"plain text"}',
      '{"s":"caf\\u00e9"}',
      '{"s":"é"}',
      '{"\\u0073":"not by the table"}',
      '{"s":"another"}',
    ];
    const bytes = Buffer.from(`${lines.join("\n")}\n`.repeat(2000));
    const format = jsonFields({ s: utf8 });
    const from = { start: 0, end: bytes.length, head: bytes };
    let batches = 0;
    let last: RecordTexts | undefined;
    for await (const { records, texts } of format.read(chunksOf(bytes, 1 << 20), from)) {
      const strings = records.map((record) => (record as { s: string }).s);
      const found = strings.filter((string, i) => texts!.startOf(string, i) >= 0);
      expect(found).toEqual(strings.filter((string) => ["plain text", "another"].includes(string)));
      expect(texts!.startOf("plain tex", 0)).toBe(-1);
      expect([texts!.isCurrent, last?.isCurrent ?? false]).toEqual([true, false]);
      expect(strings.map((string, i) => last?.startOf(string, i) ?? -1).every((start) => start === -1)).toBe(true);
      last = texts;
      batches++;
    }
    expect(batches).toBeGreaterThan(2);
    await readBy({ s: utf8 }, bytes, "table");
    expect(last!.isCurrent).toBe(true);
  });

  it("of two files that are read in turns do not mix", async () => {
    const format = jsonFields({ s: utf8 });
    const read = (name: string) => {
      const bytes = Buffer.from(`{"s":"${name}"}\n`.repeat(20_000));
      return format
        .read(chunksOf(bytes, 1 << 20), { start: 0, end: bytes.length, head: bytes })
        [Symbol.asyncIterator]();
    };
    const files = [read("one"), read("two")] as const;
    for (let turn = 0; turn < 4; turn++) {
      const [one, two] = [await files[0].next(), await files[1].next()];
      expect(new Set(one.value.records.map((record: { s: string }) => record.s))).toEqual(new Set(["one"]));
      expect(new Set(two.value.records.map((record: { s: string }) => record.s))).toEqual(new Set(["two"]));
    }
  });
});
