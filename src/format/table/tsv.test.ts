import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatConformance, readAll, writeAll } from "../../../test/conformance/format.ts";
import { bigint } from "../../job/codecs/bigint.ts";
import { bool } from "../../job/codecs/bool.ts";
import { date } from "../../job/codecs/date.ts";
import { nullable } from "../../job/codecs/nullable.ts";
import { float64, int, uint } from "../../job/codecs/numbers.ts";
import { utf8 } from "../../job/codecs/utf8.ts";
import type { Row } from "../../job/table.ts";
import { BadRecord } from "../format.ts";
import { tsv } from "./tsv.ts";

const hostile = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 12 }),
  fc.string({ unit: fc.constantFrom("\t", "\n", "\r", "\\", "t", "n", '"', ",", " ", "é", "😀", "\0"), maxLength: 12 }),
  fc.constantFrom("__proto__", "constructor", "\\N", "NULL", "-0", "\u2028"),
);
const shown = (record: Row) =>
  record.map((cell) => (cell === null ? "" : cell instanceof Date ? cell.toISOString() : String(cell)));

describe("tsv()", () => {
  formatConformance({
    format: tsv(),
    samples: [
      {
        name: "rows of any number of cells",
        content: "a\tb\n\nc\t\t\r\nd",
        records: [["a", "b"], [""], ["c", "", ""], ["d"]],
        starts: [0, 4, 5, 10],
      },
      { name: "escapes", content: "\\t\\n\t\\r\\\\n\tж\\\\\n", records: [["\t\n", "\r\\n", "ж\\"]] },
      { name: "an empty file (fault 70)", content: "", records: [] },
    ],
    written: {
      records: fc
        .array(
          fc.oneof(
            hostile,
            fc.double({ noNaN: true }),
            fc.bigInt(),
            fc.boolean(),
            fc.constant(null),
            fc.date({ noInvalidDate: true }),
          ),
          { minLength: 1, maxLength: 4 },
        )
        .filter((row) => !String(row[0]).startsWith("\ufeff")),
      readAs: shown,
    },
  });

  it.each([
    [[], /no cells/],
    [{ a: 1 }, /arrays of cells/],
    ["text", /arrays of cells/],
    [[1, undefined], /cell 2 is undefined/],
    [[Number.NaN], /cell 1 is NaN/],
    [[new Date(Number.NaN)], /cell 1 is/],
    [[{}], /cell 1 is \{\}/],
    [new Array(1), /cell 1 is undefined/],
    [["\ud800"], /surrogate/],
  ])("refuses to write %o (fault 82)", (record, message) => {
    expect(() => writeAll(tsv(), [record as unknown as Row])).toThrow(message);
  });

  it("refuses escapes that it does not know, with the record's place", async () => {
    await expect(readAll(tsv(), Buffer.from("ok\nC:\\dir\n"))).rejects.toMatchObject({ start: 3, end: 10 });
    await expect(readAll(tsv(), Buffer.from("C:\\"))).rejects.toThrow(/not an escape of tsv/);
  });
});

const columns = { id: uint, name: utf8, at: date, ok: bool, n: bigint, x: float64, y: nullable(int) };
const typed = fc.record({
  id: fc.maxSafeNat(),
  name: hostile,
  at: fc.date({ noInvalidDate: true, min: new Date("0000-01-01"), max: new Date("9999-12-31") }),
  ok: fc.boolean(),
  n: fc.bigInt(),
  x: fc.double({ noNaN: true }).map((x) => x + 0),
  y: fc.option(fc.maxSafeInteger()),
});

describe.each([true, false])("tsv({ columns, header: %j })", (header) => {
  formatConformance({
    format: tsv({ columns, header }),
    samples: header ? [{ name: "nothing but a header", content: "id\tname\tat\tok\tn\tx\ty\n", records: [] }] : [],
    written: { records: typed },
  });
});

describe("tsv({ header: true })", () => {
  formatConformance({
    format: tsv({ header: true }),
    samples: [
      {
        name: "rows as objects by the header's names",
        content: "\ufeff__proto__\tb\r\n1\t2\n3\t4",
        records: [
          Object.fromEntries([
            ["__proto__", "1"],
            ["b", "2"],
          ]),
          Object.fromEntries([
            ["__proto__", "3"],
            ["b", "4"],
          ]),
        ],
        starts: [16, 20],
      },
    ],
  });

  it("makes objects that inherit nothing (fault 81)", async () => {
    const { records } = await readAll(tsv({ header: true }), Buffer.from("__proto__\tvalueOf\n1\t2\n"));
    const record = records[0] as Record<string, string>;
    expect(record["constructor"]).toBeUndefined();

    expect(Object.entries(record)).toEqual([
      ["__proto__", "1"],
      ["valueOf", "2"],
    ]);
  });
});

describe("columns", () => {
  const read = (content: string, format = tsv({ columns: { id: uint, name: utf8 } })) =>
    readAll(format, Buffer.from(content));

  it("are matched by name with a header, in any order, beside others", async () => {
    expect((await read("name\tother\tid\nann\tx\t7\n")).records).toEqual([{ id: 7, name: "ann" }]);
  });

  it("are matched by position without", async () => {
    const format = tsv({ header: false, columns: { id: uint, name: utf8 } });
    expect((await read("7\tann\n", format)).records).toEqual([{ id: 7, name: "ann" }]);
    await expect(read("7\tann\tx\n", format)).rejects.toThrow(/3 cells, expected 2/);
  });

  it("that the header lacks or repeats make the whole file unreadable", async () => {
    const error = await read("name\tkey\n1\t2\n").catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(BadRecord);
    expect(error).toMatchObject({
      message: 'the header has no column "id"; it names "name", "key"',
      start: 0,
      end: undefined,
    });
    await expect(read("id\tname\tid\n1\t2\t3\n")).rejects.toThrow(/more than one column "id"/);
  });

  it("that are misspelt, or separated by something else, are told with what may be meant", async () => {
    await expect(read("ID\tnam\n1\t2\n")).rejects.toThrow(
      'the header has no column "id" (did you mean "ID"?); it names "ID", "nam"',
    );
    for (const [delimiter, how] of [
      [";", '";", as csv({ delimiter: ";" })'],
      ["|", '"|", as csv({ delimiter: "|" })'],
      [",", '",", as csv()'],
    ] as const) {
      const words = `Its cells may be separated by ${how} reads them`;
      await expect(read(`id${delimiter}name\n1${delimiter}a\n`)).rejects.toThrow(words);
      const rows = tsv({ header: false, columns: { id: uint, name: utf8 } });
      await expect(read(`1${delimiter}a\n`, rows)).rejects.toThrow(`the row has 1 cell, expected 2. ${words}`);
    }
    await expect(read("name\nx\n")).rejects.toThrow(/it names "name"$/);
  });

  it("refuse a ragged row or a wrong cell with the counts or the column, and where reading may go on", async () => {
    await expect(read("id\tname\n1\n2\tb\n")).rejects.toMatchObject({
      message: "the row has 1 cell, expected 2",
      start: 8,
      end: 10,
    });
    await expect(read("id\tname\nx\ty\n")).rejects.toThrow(
      'column "id": uint reads an integer from 0 to 2^53-1, not "x"',
    );
  });

  it("refuse records of the wrong shape", () => {
    const format = tsv({ columns: { id: uint } });
    expect(() => writeAll(format, [{} as { id: number }])).toThrow(/column "id": uint takes/);
    expect(() => writeAll(format, ["x" as unknown as { id: number }])).toThrow(/writes objects/);
    expect(() => writeAll(tsv({ header: true }), [{ id: 1 }])).toThrow(/only with `columns`/);
    expect(() => tsv({ columns: {} })).toThrow(/no column/);
  });
});
