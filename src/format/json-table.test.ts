// The table in WebAssembly against JavaScript, line by line: the same records, starts and errors, whatever stands in a file.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chunksOf } from "../../test/conformance/format.ts";
import { bigint } from "../job/codecs/bigint.ts";
import { bool } from "../job/codecs/bool.ts";
import { date } from "../job/codecs/date.ts";
import { nullable } from "../job/codecs/nullable.ts";
import { float64, int, uint } from "../job/codecs/numbers.ts";
import { utf8 } from "../job/codecs/utf8.ts";
import type { Columns } from "../job/table.ts";
import { blockBytes } from "./block-reader.ts";
import { BadRecord, type RecordTexts } from "./format.ts";
import type { FieldReading } from "./json-block.ts";
import { jsonFields } from "./json-fields.ts";
import { cell, JsonTable } from "./json-table.ts";

type Seen =
  | readonly [start: number, record: unknown]
  | readonly [bad: number, end: number, message: string, bytes: string];

/** All there is in the file, each record that is refused passed over. */
async function readAll(
  columns: Columns,
  bytes: Uint8Array,
  reading: FieldReading,
  chunkSize = 1 << 20,
): Promise<Seen[]> {
  const seen: Seen[] = [];
  const format = jsonFields(columns, reading);
  for (let start = 0; start < bytes.length; ) {
    const from = { start, end: bytes.length, head: bytes.subarray(0, 65536) };
    try {
      for await (const { records, starts, texts } of format.read(chunksOf(bytes.subarray(start), chunkSize), from)) {
        for (const [i, record] of records.entries()) {
          seen.push([starts[i]!, record]);
          if (texts !== undefined) expectTexts(record as object, texts, i);
        }
      }
      start = bytes.length;
    } catch (thrown) {
      if (!(thrown instanceof BadRecord)) throw thrown;
      seen.push([thrown.start, thrown.end!, thrown.message, Buffer.from(thrown.bytes).toString("latin1")]);
      start = thrown.end!;
    }
  }
  return seen;
}

/** Strings that are said to be at hand are. */
function expectTexts(record: object, texts: RecordTexts, index: number): void {
  const { view } = texts;
  for (const string of Object.values(record)) {
    const start = typeof string === "string" ? texts.startOf(string, index) : -1;
    if (start < 0) continue;
    expect(Buffer.from(view.buffer, view.byteOffset + start, string.length).toString("latin1")).toBe(string);
    expect(start + string.length + 3).toBeLessThanOrEqual(view.byteLength);
  }
}

async function expectSame(columns: Columns, bytes: Uint8Array, chunkSize?: number): Promise<void> {
  const found = await readAll(columns, bytes, "table", chunkSize);
  expect(found).toStrictEqual(await readAll(columns, bytes, "lines", chunkSize));
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
const names = [...new Set(columnSets.flatMap((columns) => Object.keys(columns)))];

const quotedName = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom(...names).map((name) => JSON.stringify(name)) },
  fc.constantFrom(
    '"\\u0073"',
    '"s\\n"',
    '"',
    "s",
    '""',
    '"s\t"',
    `"${"long ".repeat(30)}"`,
    '"日本"',
    '"a name of 16 byT"',
  ),
  fc.string({ maxLength: 18 }).map((name) => JSON.stringify(name)),
);
/** One text per word: no value here holds a space. */
const words = (list: string) => list.trim().split(/\s+/);
const numbers = words(`
  0 -0 7 007 -7 1e3 1E+2 1.5 -2.25 0.1 0.30000000000000004 1. .5 - +1 1.5.2 1-2 E5 5e 00.5 1.0 4.35 -0.0 1e400 -1e-400
  9007199254740991 9007199254740992 -9007199254740991 -9007199254740993 123456789012345 12345678 999999999999999
  1234567890123456 12345678901234567 123456789012345678901234567890 12345678901234.5 1234567.12345678 1234567.123456789
  9.392764501491793 9.893314938912905 0.000000000000001 0.1234567890123456 9007199254740993.5 1/2
`);
const texts = ["\t", "\u0001", "\\\t", "\\\u0001", "\u007f", "\u0080", "ÿ", "Ā"].map((odd) => `"a${odd}b"`);
texts.push(
  ...words(String.raw`"" " "\x" "\u12" "\u12G4" "\ "\" "\\" "a\"b" "\u0000" "\ud800" "2024-01-01" "true" "7"`),
);
texts.push(...[14, 15, 16, 17, 31, 32].map((length) => `"${"x".repeat(length)}"`));
const others = words(
  String.raw`true false null nul tru falsy nulls truefalse {} [ ] {] [[]] undefined ["]"] ["\"]"] {"s":["}{"]} [\u0001] {"a":}`,
);
const constants = [...numbers, ...texts, ...others, ""];
const value = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...constants) },
  fc.maxSafeInteger().map(String),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
  fc.tuple(fc.nat(1e6), fc.nat(999)).map(([whole, rest]) => `${whole}.${rest}`),
  fc.string({ maxLength: 40 }).map((text) => JSON.stringify(text)),
  fc.string({ unit: "grapheme", maxLength: 40 }).map((text) => JSON.stringify(text)),
  fc
    .string({
      unit: fc.constantFrom("a", "é", "ÿ", "Ā", "日", "🎉", "\\u0041", "\\ud83c", "\\udf89", "\\/", "\\\\"),
      maxLength: 24,
    })
    .map((text) => `"${text}"`),
  fc.jsonValue({ maxDepth: 2 }).map((json) => JSON.stringify(json)),
);
const blank = fc.constantFrom("", "", "", "", " ", "\t", "\r", "  ");
const object = fc
  .tuple(blank, fc.array(fc.tuple(quotedName, blank, blank, value, blank), { maxLength: 8 }), blank)
  .map(([before, parts, behind]) => {
    const body = parts.map(([name, a, b, json, c]) => `${name}${a}:${b}${json}${c}`).join(`,${before}`);
    return `${before}{${behind}${body}}${behind}`;
  });
const line = fc.oneof(
  { weight: 12, arbitrary: object },
  { weight: 2, arbitrary: fc.tuple(object, fc.nat(200)).map(([whole, length]) => whole.slice(0, length)) },
  fc.constantFrom(
    "",
    " ",
    "\t\r",
    "7",
    "[1]",
    "null",
    "{}",
    "{",
    "}",
    "{,}",
    '{"s":"a",}',
    '{"s" "a"}',
    '{"s":"a"}}',
    '{"s":"a"} x',
  ),
);
const file = fc
  .tuple(
    fc.constantFrom("", "", "\ufeff", "\ufeff\n"),
    fc.array(fc.tuple(line, fc.constantFrom("\n", "\n", "\r\n", "\n\n")), { maxLength: 12 }),
    fc.oneof(fc.constant(""), line),
    fc.option(fc.tuple(fc.nat(), fc.nat(255)), { freq: 4 }),
  )
  .map(([mark, lines, last, garbage]) => {
    const bytes = Buffer.from(`${mark}${lines.map(([content, end]) => content + end).join("")}${last}`);
    if (garbage !== null && bytes.length > 0) bytes[garbage[0] % bytes.length] = garbage[1];
    return bytes;
  });

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
    const seen = await readAll(columns, Buffer.from(lines.join("\n")), "table", 100_000);
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
    const seen = await readAll({ s: utf8, u: uint }, Buffer.from(lines.join("\n")), "table");
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
    await readAll({ s: utf8 }, bytes, "table");
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
