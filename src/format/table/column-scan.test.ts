import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { expectTexts } from "../../../test/conformance/format.ts";
import type { ColumnCodec } from "../../job/codec.ts";
import { bool } from "../../job/codecs/bool.ts";
import { nullable } from "../../job/codecs/nullable.ts";
import { float64, int, uint } from "../../job/codecs/numbers.ts";
import { utf8 } from "../../job/codecs/utf8.ts";
import { BadRecord, type InputFormat, type RecordTexts } from "../format.ts";
import { ColumnScanner } from "./column-scan.ts";
import { csv } from "./csv.ts";
import { tsv } from "./tsv.ts";

type Read = readonly (
  | readonly [start: number, record: unknown]
  | readonly ["bad", number, number | undefined, string]
)[];

/** What is read of `bytes`, as if they stood at offset `at` of a file; offsets count from there. */
async function readAll(format: InputFormat<unknown>, bytes: Uint8Array, at: number): Promise<Read> {
  const read: Read[number][] = [];
  const from = { start: at, end: at + bytes.length, head: bytes };
  const chunks = (async function* () {
    yield bytes;
  })();
  try {
    for await (const { records, starts, texts } of format.read(chunks, from)) {
      for (const [i, record] of records.entries()) {
        read.push([starts[i]! - at, record]);
        if (texts !== undefined) expectTexts(record, texts, i);
      }
    }
  } catch (thrown) {
    if (!(thrown instanceof BadRecord)) throw thrown;
    const { start, end, message } = thrown;
    read.push([
      "bad",
      start - at,
      end === undefined ? undefined : end - at,
      message.replace(/(?<=offset )\d+/, (offset) => `${Number(offset) - at}`),
    ]);
  }
  return read;
}

/** The first block of a file, which may have a header or a mark, is read line by line; later blocks are scanned. */
const scannedAt = 1_000_000;

const columnSets: readonly Readonly<Record<string, ColumnCodec<unknown>>>[] = [
  { a: utf8, b: uint },
  { b: int, a: utf8, c: float64 },
  { a: utf8 },
  { n: nullable(uint), t: nullable(utf8), b: bool },
] as never;

const cell = fc.oneof(
  { weight: 4, arbitrary: fc.stringMatching(/^[a-z0-9 .-]{0,12}$/) },
  { weight: 4, arbitrary: fc.nat({ max: 10 ** 9 }).map(String) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      "",
      "0",
      "007",
      "+5",
      "-1",
      "1e3",
      "0.5",
      "9007199254740993",
      "true",
      "ü",
      "日本",
      "\r",
      "a\rb",
    ),
  },
  { weight: 2, arbitrary: fc.string({ maxLength: 8 }).map((text) => `"${text.replaceAll('"', '""')}"`) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '"',
      'a"b',
      '"a"b',
      '"a""b"',
      '""',
      '"\n"',
      '"\r\n"',
      "\\t",
      "a\\nb",
      "\\x",
      "|",
      "\ufeff",
    ),
  },
);
/** Mostly text that the column's codec reads. */
const cellOf = (codec: ColumnCodec<unknown>) =>
  fc.oneof(
    { weight: 30, arbitrary: codec === bool ? fc.constant("false") : fc.nat({ max: 10 ** 9 }).map(String) },
    { weight: codec === utf8 ? 20 : 1, arbitrary: cell },
  );
const lineEnd = fc.constantFrom("\n", "\n", "\n", "\r\n", "\n\n", "\r\n\r\n");
const table = fc.constantFrom(...columnSets).chain((columns) => {
  const row = fc.tuple(...Object.values(columns).map(cellOf)).map((cells) => cells.join("\u0000"));
  const other = fc.array(cell, { maxLength: 5 }).map((cells) => cells.join("\u0000"));
  const line = fc.oneof({ weight: 40, arbitrary: row }, { weight: 1, arbitrary: other });
  return fc.record({ columns: fc.constant(columns), lines: fc.array(fc.tuple(line, lineEnd), { maxLength: 12 }) });
});

describe("declared columns", () => {
  const formats = {
    csv: (columns: never) => csv({ columns, header: false }),
    "csv without line ends in cells": (columns: never) => csv({ columns, header: false, multiline: false }),
    "csv with |": (columns: never) => csv({ columns, header: false, delimiter: "|" }),
    tsv: (columns: never) => tsv({ columns, header: false }),
  };
  for (const [name, make] of Object.entries(formats)) {
    it(`of ${name} are found in a pass over the bytes as they are line by line, with the same errors`, async () => {
      const delimiter = name === "tsv" ? "\t" : name === "csv with |" ? "|" : ",";
      const scan = vi.spyOn(ColumnScanner.prototype, "read");
      await fc.assert(
        fc.asyncProperty(table, fc.boolean(), fc.nat({ max: 9 }), async ({ columns, lines }, isOpen, broken) => {
          let text = lines.map(([row, end]) => row.replaceAll("\u0000", delimiter) + end).join("");
          if (isOpen) text = text.replace(/\r?\n$/, "");
          const bytes = Buffer.from(text);
          if (broken === 0 && bytes.length > 3) bytes[bytes.length >> 1] = 0xc3;
          if (bytes[0] === 0xef) return;
          const format = make(columns as never) as InputFormat<unknown>;
          const byLine = await readAll(format, bytes, 0);
          expect(await readAll(format, bytes, scannedAt)).toEqual(byLine);
        }),
        { numRuns: 1500 },
      );
      const scanned = scan.mock.results.reduce((sum, { value }) => sum + value.batch.records.length, 0);
      scan.mockRestore();
      expect(scanned).toBeGreaterThan(2000);
    });
  }

  it("of whole numbers of any length are what the codec reads", async () => {
    const format = csv({ columns: { n: uint }, header: false }) as InputFormat<unknown>;
    for (const text of [
      "0",
      "00",
      "9",
      "10",
      "999999999999999",
      "1000000000000000",
      "9007199254740991",
      "9007199254740992",
      "",
      " 1",
      "1 ",
    ]) {
      const bytes = Buffer.from(`${text}\n`);
      expect(await readAll(format, bytes, scannedAt), text).toEqual(await readAll(format, bytes, 0));
    }
  });

  it("have their texts at hand until the next batch is read", async () => {
    const row = '"quoted, and more",7,plain text,é,"a ""b"""\n';
    const bytes = Buffer.from(row.repeat(5000));
    const format = csv({ columns: { q: utf8, n: uint, t: utf8, u: utf8, d: utf8 } });
    const from = { start: scannedAt, end: scannedAt + bytes.length, head: Buffer.from("q,n,t,u,d\n") };
    let batches = 0;
    let last: RecordTexts | undefined;
    const chunks = (async function* () {
      yield bytes;
    })();
    for await (const { records, texts } of format.read(chunks, from)) {
      for (const [i, record] of records.entries()) {
        const found = Object.values(record).filter((one) => typeof one === "string" && texts!.startOf(one, i) >= 0);
        expect(found).toEqual(["quoted, and more", "plain text"]);
        expectTexts(record, texts!, i);
        expect(last?.startOf("plain text", i) ?? -1).toBe(-1);
      }
      last = texts;
      batches++;
    }
    expect(batches).toBeGreaterThan(2);
  });

  it("of rows larger than a block, or wider than the table, are read all the same", async () => {
    const wide = (cells: number) => `${"x,".repeat(cells - 1)}7\n`;
    const columns = (last: number) =>
      Object.fromEntries(Array.from({ length: last }, (_, i) => [`c${i}`, i === last - 1 ? uint : utf8]));
    for (const [width, text] of [
      [2, `a,1\n${"b".repeat(200_000)},2\n"${"c\n".repeat(50_000)}",3\nd,4\n`],
      [300, wide(300)],
      [9000, wide(9000)],
    ] as const) {
      const format = csv({ columns: columns(width) as never, header: false }) as InputFormat<unknown>;
      const bytes = Buffer.from(text);
      const read = await readAll(format, bytes, scannedAt);
      expect(read).toEqual(await readAll(format, bytes, 0));
      expect(read.length).toBe(width === 2 ? 4 : 1);
    }
  });

  it("of two files that are read in turn are each of their own file", async () => {
    const format = tsv({ columns: { a: utf8, b: uint }, header: false }) as InputFormat<unknown>;
    // A row with an escape is left to another reader, so that blocks are handed out in pieces.
    const rows = (letter: string) => Buffer.from(`${`${letter}\t1\n`.repeat(999)}${letter}\\\\t\t1\n`.repeat(60));
    const open = (bytes: Buffer) => {
      const chunks = (async function* () {
        for (let at = 0; at < bytes.length; at += 50_000) yield bytes.subarray(at, at + 50_000);
      })();
      const from = { start: scannedAt, end: scannedAt + bytes.length, head: bytes };
      return format.read(chunks, from)[Symbol.asyncIterator]();
    };
    const files = ["a", "b"].map((letter) => ({ letter, batches: open(rows(letter)), rows: 0 }));
    for (let open = files; open.length > 0; ) {
      const going: typeof files = [];
      for (const file of open) {
        const { done, value } = await file.batches.next();
        if (done === true) continue;
        for (const record of value.records as { a: string }[]) expect(record.a[0]).toBe(file.letter);
        file.rows += value.records.length;
        going.push(file);
      }
      open = going;
    }
    expect(files.map(({ rows }) => rows)).toEqual([60_000, 60_000]);
  });

  it("are own properties, be they called __proto__", async () => {
    const columns = Object.defineProperty({ constructor: uint }, "__proto__", { value: utf8, enumerable: true });
    const format = csv({ columns: columns as never, header: false }) as InputFormat<unknown>;
    const [[, record]] = (await readAll(format, Buffer.from("1,a\n"), scannedAt)) as [[number, object]];
    expect(Object.getOwnPropertyNames(record)).toEqual(["constructor", "__proto__"]);
    expect(Object.getPrototypeOf(record)).toBe(Object.prototype);
  });
});
