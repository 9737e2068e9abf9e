import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chunksOf, formatConformance, readAll, writeAll } from "../../test/conformance/format.ts";
import { bool } from "../job/codecs/bool.ts";
import { nullable } from "../job/codecs/nullable.ts";
import { float64, int, uint } from "../job/codecs/numbers.ts";
import { utf8 } from "../job/codecs/utf8.ts";
import type { Row } from "../job/table.ts";
import { csv } from "./csv.ts";
import { findQuotedStarts } from "./csv-starts.ts";
import type { BadRecord } from "./format.ts";
import { hasOddQuotes } from "./quotes.ts";

const hostile = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 8 }),
  fc.string({ unit: fc.constantFrom(",", '"', "\n", "\r", "a", " ", "é", "😀", "\ufeff"), maxLength: 8 }),
);

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
    ['a,"b', /quote at character 3 is not closed/, 2, 6],
    ['"a"b,c', /text behind the closing quote at character 4/, 2, 8],
    ['a,b"c"\nz', /cell 2: a quote at character 4/, 2, 9],
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

  it("makes a malformed header a reason to stop, lest the next row be taken for it", async () => {
    for (const content of ['id,"full" name\n1,a\n', "id,full name,id\n1,a,2\n"]) {
      await expect(readAll(format, Buffer.from(content))).rejects.toMatchObject({ start: 0, end: undefined });
    }
  });

  it("says when the header is longer than what is kept of a file's beginning", async () => {
    const long = Buffer.from(`id,full name,${"x".repeat(100_000)}\n1,a,b\n`);
    const reading = async () => {
      for await (const _ of format.read(chunksOf(long.subarray(100_014), 10), {
        start: 100_014,
        end: long.length,
        head: long.subarray(0, 65536),
      }));
    };
    await expect(reading()).rejects.toThrow(/no header line/);
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
