import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { expect, test } from "vitest";
import { memoryInputs } from "../../test/support/memory-inputs.ts";
import { records } from "../format/binary/records.ts";
import { wholeFiles } from "../format/binary/whole-files.ts";
import { decompress, detectCompression } from "../format/compression/compress.ts";
import type { InputFormat } from "../format/format.ts";
import { ndjson } from "../format/json/ndjson.ts";
import { lines } from "../format/lines/lines.ts";
import { text } from "../format/lines/text.ts";
import { csv } from "../format/table/csv.ts";
import { findRecord } from "./find-record.ts";

async function find(format: unknown, content: string | Uint8Array, offset: number, chunkBytes = 1 << 16) {
  const bytes = Buffer.from(content);
  const storage = memoryInputs({ f: bytes }, chunkBytes);
  const info = (await storage.stat("f"))!;
  const file = { ...info, source: "f", input: 0, compression: detectCompression(bytes) };
  const signal = new AbortController().signal;
  return await findRecord({ storage, file, format: format as InputFormat<unknown>, decompress, signal }, offset);
}

const between = (before: number | undefined, next: number | undefined) => ({ kind: "between", before, next });

test("the record that begins at the offset is found, in plain and in compressed files", async () => {
  for (const content of ["one\ntwo\nthree", gzipSync("one\ntwo\nthree")]) {
    expect(await find(text(), content, 4)).toEqual({ kind: "record", record: "two" });
    expect(await find(text(), content, 8)).toEqual({ kind: "record", record: "three" });
    expect(await find(text(), content, 5)).toEqual(between(4, 8));
    expect(await find(text(), content, 12)).toEqual(between(8, undefined));
    expect(await find(text(), content, 13)).toEqual({ kind: "past-end", bytes: 13 });
    expect(await find(text(), content, 1e9)).toEqual({ kind: "past-end", bytes: 13 });
  }
});

test("a header is no record, and the first one begins behind it", async () => {
  const format = csv({ header: true });
  expect(await find(format, "id,name\n1,a\n2,b\n", 0)).toEqual(between(undefined, 8));
  expect(await find(format, "id,name\n1,a\n2,b\n", 12)).toMatchObject({ kind: "record" });
});

test("a line end inside of quotes begins no record", async () => {
  const format = csv({ header: false, multiline: true });
  expect(await find(format, 'a,"x\ny"\nb,z\n', 5)).toEqual(between(0, 8));
  expect(await find(format, 'a,"x\ny"\nb,z\n', 8)).toMatchObject({ kind: "record" });
});

test("records of fixed length begin at multiples of it", async () => {
  expect(await find(records(3), "aaabbbccc", 6)).toEqual({ kind: "record", record: new Uint8Array([99, 99, 99]) });
  expect(await find(records(3), "aaabbbccc", 7)).toEqual(between(6, undefined));
});

test("a whole file is one record", async () => {
  expect(await find(wholeFiles(), "all of it", 0)).toMatchObject({ kind: "record" });
  expect(await find(wholeFiles(), "all of it", 3)).toEqual(between(0, undefined));
});

test("a record that the format refuses is found as such, and does not hide those behind it", async () => {
  const content = '{"a":1}\n{"a":\n{"a":3}\n';
  expect(await find(ndjson(), content, 8)).toMatchObject({ kind: "refused", bad: { start: 8 } });
  expect(await find(ndjson(), content, 10)).toEqual(between(8, 14));
  expect(await find(ndjson(), content, 14)).toEqual({ kind: "record", record: { a: 3 } });
});

test("an empty file has no records", async () => {
  expect(await find(text(), "", 0)).toEqual({ kind: "past-end", bytes: 0 });
});

test("a record far into a file is found without reading the file from its start", async () => {
  const content = Buffer.alloc(3_000_000, `${"x".repeat(99)}\n`);
  const storage = memoryInputs({ f: content }, 1 << 16);
  const file = { ...(await storage.stat("f"))!, source: "f", input: 0, compression: "none" as const };
  const format = text() as InputFormat<unknown>;
  const signal = new AbortController().signal;
  const found = await findRecord({ storage, file, format, decompress, signal }, 2_500_000);
  expect(found).toEqual({ kind: "record", record: "x".repeat(99) });
  // Only the head and a window around the record are read.
  expect(storage.reads.reduce((sum, { start, end }) => sum + end - start, 0)).toBeLessThan(1_000_000);
});

test("a record longer than the step back is found from its beginning", async () => {
  const content = `first\n${"y".repeat(300_000)}\nlast\n`;
  expect(await find(lines(), content, 250_000)).toEqual(between(6, 300_007));
});

test("whatever the lines and the offset, it is what reading from the start says", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.stringMatching(/^[ab|]{0,9}$/), { maxLength: 12 }),
      fc.constantFrom("\n", "||", "a|b"),
      fc.nat(60),
      fc.integer({ min: 1, max: 9 }),
      async (parts, delimiter, offset, chunkBytes) => {
        const content = parts.join(delimiter);
        const pieces = content === "" ? [] : content.split(delimiter);
        const starts: number[] = [];
        let at = 0;
        for (const piece of pieces) {
          if (at < content.length) starts.push(at);
          at += piece.length + delimiter.length;
        }
        const found = await find(text({ delimiter }), content, offset, chunkBytes);
        const index = starts.indexOf(offset);
        const before = starts.findLast((start) => start < offset);
        const next = starts.find((start) => start > offset);
        if (offset >= content.length) expect(found).toEqual({ kind: "past-end", bytes: content.length });
        else if (index >= 0) expect(found).toEqual({ kind: "record", record: pieces[index] });
        else expect(found).toEqual(between(before, next));
      },
    ),
    { numRuns: 300 },
  );
});
