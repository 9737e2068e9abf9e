import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decode, encode } from "../../../test/conformance/codec.ts";
import { chunksOf, formatConformance, readAll, writeAll } from "../../../test/conformance/format.ts";
import { sameValue } from "../../base/value/same-value.ts";
import type { AutoValue } from "../../job/codec.ts";
import { autoValue } from "../../job/codecs/auto.ts";
import { bool } from "../../job/codecs/bool.ts";
import { nullable } from "../../job/codecs/nullable.ts";
import { float64, int, uint } from "../../job/codecs/numbers.ts";
import { utf8 } from "../../job/codecs/utf8.ts";
import type { Row } from "../../job/table.ts";
import { hasLoneReturn, hasOddQuotes } from "../blocks/quotes.ts";
import type { BadRecord } from "../format.ts";
import { csv } from "./csv.ts";
import { findQuotedStarts } from "./csv-starts.ts";
import { tsv } from "./tsv.ts";

const hostile = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 8 }),
  fc.string({ unit: fc.constantFrom(",", '"', "\n", "\r", "a", " ", "é", "😀", "\ufeff"), maxLength: 8 }),
);

it("rows with a header, which inherit nothing, are plain objects to who carries any value; classes are not", async () => {
  const { records } = await readAll(csv({ header: true }), Buffer.from("__proto__,a\n1,x\n"));
  const carried = (value: unknown) => decode(autoValue, encode(autoValue, value as AutoValue));
  const back = carried(records[0]);
  expect(Object.entries(back as object)).toEqual([
    ["__proto__", "1"],
    ["a", "x"],
  ]);
  expect(sameValue(back, records[0])).toBe(true);
  class Point {
    x = 1;
  }
  const bare = Object.create(Object.create(null, { inherited: { value: 1 } }));
  for (const value of [new Point(), Object.create({ a: 1 }), bare]) expect(() => carried(value)).toThrow(/can't carry/);
});

describe("csv()", () => {
  formatConformance({
    format: csv(),
    samples: [
      {
        name: "rows",
        content: "a,b\n1,2,\r\n,,\nlast",
        records: [["a", "b"], ["1", "2", ""], ["", "", ""], ["last"]],
        starts: [0, 4, 10, 13],
      },
      {
        name: "quotes, doubled quotes and line ends in quotes",
        content: '"a","b ""x"""\r\n"line\nfeed","cr\r\nlf"\n"",""\nп,"р\n,ж"\n',
        records: [
          ["a", 'b "x"'],
          ["line\nfeed", "cr\r\nlf"],
          ["", ""],
          ["п", "р\n,ж"],
        ],
        starts: [0, 15, 36, 42],
      },
      { name: "empty lines, which are no rows", content: '\n\na\n\r\n""\n\n', records: [["a"], [""]], starts: [2, 6] },
      { name: "a byte order mark before a quote", content: '\ufeff"a\n",b\n', records: [["a\n", "b"]], starts: [0] },
      { name: "an empty file (fault 70)", content: "", records: [] },
    ],
    written: {
      records: fc.array(fc.oneof(hostile, fc.integer(), fc.constant(null)), { minLength: 1, maxLength: 3 }),
      readAs: (row) => (row as Row).map((cell) => String(cell ?? "")),
    },
  });

  it.each([
    ['a,"b', /quote at character 3 of the row is not closed/, 2, 6],
    ['"a"b,c', /cell 1: text behind the closing quote, at character 4 of the row/, 2, 8],
    ['a,b"c"\nz', /cell 2: a quote at character 2 of a cell/, 2, 9],
    ['xxxxxxxxxx,5" pipe\nz"', /cell 2: a quote at character 2 of a cell/, 2, 23],
    ['"a" ,c', /behind the closing quote/, 2, 8],
  ])("refuses the stray quotes of %j", async (row, message, start, end) => {
    const bad = (await readAll(csv(), Buffer.from(`x\n${row}`)).catch((error: unknown) => error)) as BadRecord;
    expect(bad.message).toMatch(message);
    expect(bad).toMatchObject({ start, end });
  });

  it("names an unclosed quote as what may be wrong with a record over the limit", async () => {
    const open = Buffer.alloc(70 << 20, "a\n");
    open[0] = 0x22;
    const bad = (await readAll(csv(), open).catch((error: unknown) => error)) as BadRecord;
    expect(bad.message).toMatch(/73,400,320 bytes, more than the limit of 64.0 MiB; a quote may not be closed/);
    expect(bad.bytes.length).toBeLessThan(1 << 20);
  });
});

describe.each([";", "||", "\t"])("csv({ delimiter: %j })", (delimiter) => {
  formatConformance({
    format: csv({ delimiter }),
    samples: [{ name: "rows", content: `a${delimiter}"b${delimiter}"\n`, records: [["a", `b${delimiter}`]] }],
    written: {
      records: fc.array(fc.string({ unit: fc.constantFrom(...delimiter, '"', "a", ",") }), {
        minLength: 1,
        maxLength: 3,
      }),
    },
  });
});

describe("csv({ multiline: false })", () => {
  formatConformance({
    format: csv({ multiline: false }),
    samples: [
      {
        name: "rows",
        content: 'a,"b ""x"", y"\r\n"",c\n',
        records: [
          ["a", 'b "x", y'],
          ["", "c"],
        ],
        starts: [0, 16],
      },
    ],
    written: {
      records: fc.array(
        hostile.filter((cell) => !/[\r\n]/.test(cell)),
        { minLength: 1, maxLength: 3 },
      ),
    },
  });

  it("refuses line ends in cells", async () => {
    expect(() => writeAll(csv({ multiline: false }), [["a\nb"]])).toThrow(/line end in a cell/);
    await expect(readAll(csv({ multiline: false }), Buffer.from('"a\nb"\n'))).rejects.toThrow(/not closed/);
  });
});

describe("csv({ columns })", () => {
  const format = csv({ columns: { id: uint, "full name": nullable(utf8) } });
  formatConformance({
    format,
    samples: [
      {
        name: "a header behind empty lines, with a line end in quotes",
        content: '\n\r\nnote,"full\nname",id,full name\n"x\ny",a,1,\n,,2,"b"\n',
        records: [
          { id: 1, "full name": null },
          { id: 2, "full name": "b" },
        ],
        starts: [33, 44],
      },
      { name: "nothing but a header", content: "id,full name", records: [] },
    ],
    written: {
      records: fc.record({ id: fc.maxSafeNat(), "full name": fc.option(hostile.filter((name) => name !== "")) }),
    },
  });

  it("takes empty lines for rows where there is one column", async () => {
    const one = csv({ columns: { name: utf8 } });
    expect((await readAll(one, Buffer.from("name\na\n\nb\n"))).records).toEqual([
      { name: "a" },
      { name: "" },
      { name: "b" },
    ]);
  });

  it("reads of every cell what the column's codec reads of it, and refuses what that refuses", async () => {
    const codecs = { uint, int, float64, utf8, bool, maybe: nullable(uint), text: nullable(utf8) };
    const cell = fc.oneof(
      fc.constantFrom("", "0", "-0", "007", "+1", "1e3", "1.50", " 1", "1 ", "true", "a", "٣", "/", ":"),
      fc.constantFrom("999999999999999", "000000000000000", "1000000000000000", "9007199254740991", "9007199254740992"),
      fc.integer().map(String),
      fc.double({ noNaN: true }).map(String),
    );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...Object.entries(codecs)), cell, async ([name, codec], text) => {
        const reading = readAll(csv({ columns: { [name]: codec, b: utf8 } }), Buffer.from(`${name},b\n${text},x\n`));
        let expected: unknown;
        try {
          expected = codec.parse(text);
        } catch (thrown) {
          await expect(reading).rejects.toThrow(`column ${JSON.stringify(name)}: ${(thrown as Error).message}`);
          return;
        }
        expect((await reading).records).toStrictEqual([{ [name]: expected, b: "x" }]);
      }),
      { numRuns: 400 },
    );
  });

  it("refuses a ragged row with the counts", async () => {
    await expect(readAll(format, Buffer.from("id,full name\n1,a\n2\n"))).rejects.toMatchObject({
      message: "the row has 1 cell, expected 2",
      start: 17,
      end: 19,
    });
  });

  it("makes a header that is no UTF-8 a reason to stop: else the next row would be taken for it", async () => {
    const content = Buffer.concat([Buffer.from("id,full name,"), Buffer.of(0xff), Buffer.from("\n1,a,x\n2,b,x\n")]);
    await expect(readAll(format, content)).rejects.toMatchObject({
      start: 0,
      end: undefined,
      message: expect.stringMatching(/^the header: the record is not UTF-8/),
    });
  });

  it("makes a malformed header a reason to stop, lest the next row be taken for it", async () => {
    for (const content of ['id,"full" name\n1,a\n', "id,full name,id\n1,a,2\n"]) {
      await expect(readAll(format, Buffer.from(content))).rejects.toMatchObject({ start: 0, end: undefined });
    }
  });

  it("refuses a header that its head cuts off", async () => {
    const long = Buffer.from(`id,full name,${"x".repeat(100_000)}\n1,a,b\n`);
    const reading = async () => {
      for await (const _ of format.read(chunksOf(long.subarray(100_014), 10), {
        start: 100_014,
        end: long.length,
        head: long.subarray(0, 65536),
      }));
    };
    await expect(reading()).rejects.toThrow(/goes on behind the head/);
    expect((await readAll(format, long)).records).toEqual([{ id: 1, "full name": "a" }]);
  });
});

describe("record starts of csv", () => {
  it("are those of a plain loop over the bytes, for any bytes, chunks and offsets", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom(0x22, 0x0a, 0x61, 0xa2, 0x23, 0), { maxLength: 60 }),
        fc.array(fc.nat(64), { maxLength: 5 }),
        fc.integer({ min: 1, max: 20 }),
        async (values, offsets, size) => {
          const bytes = Uint8Array.from(values);
          const starts = [0];
          let quotes = 0;
          for (const [i, value] of values.entries()) {
            if (value === 0x22) quotes++;
            if (value === 0x0a && quotes % 2 === 0) starts.push(i + 1);
          }
          const wanted = offsets.map((offset) => Math.min(offset, bytes.length)).sort((a, b) => a - b);
          const expected = wanted.map((offset) => starts.find((start) => start >= offset) ?? bytes.length);
          expect(await findQuotedStarts(chunksOf(bytes, size), wanted, bytes.length)).toEqual(expected);
        },
      ),
      { numRuns: 1000 },
    );
  });

  it("count quotes in any range of any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70 }), fc.nat(70), fc.nat(70), fc.nat(3), (noise, a, b, shift) => {
        const memory = Buffer.from([
          ...new Array(shift).fill(0x22),
          ...noise.map((byte) => (byte < 128 ? 0x22 : byte)),
        ]);
        const bytes = memory.subarray(shift);
        const from = Math.min(a, b, bytes.length);
        const to = Math.min(Math.max(a, b), bytes.length);
        expect(hasOddQuotes(bytes, from, to)).toBe(
          bytes.subarray(from, to).filter((byte) => byte === 0x22).length % 2 === 1,
        );
      }),
    );
    const long = Buffer.alloc(200_000, 'a"b');
    for (let to = 199_000; to < 200_000; to += 7)
      expect(hasOddQuotes(long, 0, to)).toBe(Math.floor((to + 1) / 3) % 2 === 1);
  });
});

describe("carriage returns that end no line", () => {
  const named = { columns: { id: uint, name: utf8 } };

  it.each([
    ["csv, named by a header", csv({ header: true }), "id,name\r1,ann\r2,bea\r"],
    ["csv of columns", csv(named), "id,name\r1,ann\r2,bea\r"],
    ["tsv, named by a header", tsv({ header: true }), "id\tname\r1\tann\r2\tbea\r"],
  ])("in place of all line ends make a file unreadable: %s", async (_name, format, content) => {
    await expect(readAll(format, Buffer.from(content))).rejects.toMatchObject({
      message: expect.stringMatching(/carriage return at character \d+ .*tr /),
      end: undefined,
    });
  });

  it.each([
    ["rows of cells", csv(), "1,ann\r2,bea\r3,cat"],
    ["declared columns", csv({ ...named, header: false }), "1,ann\r2,bea\r3,cat"],
    ["tsv", tsv(), "1\tann\r2\tbea\r3\tcat"],
  ])("count as line ends of the record that they make of many: %s", async (_name, format, content) => {
    await expect(readAll(format, Buffer.from(content))).rejects.toMatchObject({ start: 0, lines: 2 });
  });

  it("are refused row by row among others, in quick blocks of columns too, and kept in quotes", async () => {
    const rows = Array.from({ length: 5000 }, (_, i) => `${i},n${i}\r\n`);
    const content = (row: string) => Buffer.from(`id,name\r\n${rows.join("")}${row}${rows.join("")}`);
    const format = csv(named);
    expect((await readAll(format, content(""))).records).toHaveLength(10_000);
    expect((await readAll(format, content('7,"a\rb"\n'))).records[5000]).toEqual({ id: 7, name: "a\rb" });
    const start = 9 + rows.join("").length;
    await expect(readAll(format, content("7,a\rb\n"))).rejects.toMatchObject({ start, end: start + 6, lines: 1 });
  });

  it("are found wherever they stand", () => {
    const line = fc.stringMatching(/^[a\r]{0,40}$/);
    fc.assert(
      fc.property(fc.array(line, { maxLength: 20 }), fc.constantFrom("\n", "\r\n"), (lines, end) => {
        const content = lines.map((text) => text + end).join("");
        expect(hasLoneReturn(Buffer.from(content))).toBe(/\r(?!\n)/.test(content));
      }),
      { numRuns: 2000 },
    );
    const large = Buffer.alloc(200_000, "x\r\n");
    expect(hasLoneReturn(large)).toBe(/\r(?!\n)/.test(large.toString()));
    for (const at of [65_535, 65_536, 131_071, 199_998]) {
      const bytes = Buffer.alloc(200_000, "x");
      bytes.write("\r\n", at);
      expect(hasLoneReturn(bytes), `CR LF at ${at}`).toBe(false);
      bytes.write("\ry", at);
      expect(hasLoneReturn(bytes), `CR at ${at}`).toBe(true);
    }
  });
});

describe("a quote that is not closed", () => {
  const rows = (from: number, to: number) =>
    Array.from({ length: to - from + 1 }, (_, i) => `${from + i},fine,${from + i}\n`).join("");
  const content = Buffer.from(`id,note,n\n1,ok,1\n2,5" pipe,2\n${rows(3, 2000)}`);

  it("makes one bad record of the lines that it takes along, which says how many and what ends rows at line ends", async () => {
    for (const format of [csv({ columns: { id: uint, n: uint } }), csv({ header: true })]) {
      await expect(readAll(format, content)).rejects.toMatchObject({
        start: 17,
        end: content.length,
        lines: 1998,
        message: expect.stringMatching(/goes on over 1,999 lines.*multiline: false/),
      });
    }
  });

  it("is one bad line where every line is a row", async () => {
    const format = csv({ columns: { id: uint, n: uint }, multiline: false });
    await expect(readAll(format, content)).rejects.toMatchObject({ start: 17, end: 29, lines: 0 });
  });

  it("counts the lines of a record that is over the limit too", async () => {
    const open = Buffer.alloc(70 << 20, "a\n");
    open[0] = 0x22;
    await expect(readAll(csv(), open)).rejects.toMatchObject({ lines: (35 << 20) - 1 });
  });

  it("of records that hold line ends rightly it is known how many, when they are asked for", async () => {
    const format = csv({ columns: { id: uint, note: utf8 } });
    const many = Buffer.from(`id,note\n1,plain\n2,"two\nlines"\n\n3,"a\r\nb\nc"\n4,x`);
    const seen: number[] = [];
    for await (const { records, lines } of format.read(chunksOf(many, 1000), {
      start: 0,
      end: many.length,
      head: many,
    })) {
      for (const i of records.keys()) seen.push(lines?.(i) ?? 0);
    }
    expect(seen).toEqual([0, 1, 2, 0]);
  });
});
