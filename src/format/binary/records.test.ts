import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chunksOf, formatConformance, readAll, readRange, writeAll } from "../../../test/conformance/format.ts";
import { limits } from "../../base/limits.ts";
import { BadRecord, type ScannedFormat } from "../format.ts";
import { records } from "./records.ts";
import { wholeFiles } from "./whole-files.ts";

const bytes = (...values: number[]) => Uint8Array.from(values);
const anyBytes = fc.uint8Array({ maxLength: 12 }).map((record) => Uint8Array.from(record));

describe("records(3)", () => {
  formatConformance({
    format: records(3),
    samples: [
      {
        name: "records, one after the other",
        content: "abcdef\n\r\0",
        records: [bytes(97, 98, 99), bytes(100, 101, 102), bytes(10, 13, 0)],
        starts: [0, 3, 6],
      },
      { name: "an empty file (fault 70)", content: "", records: [] },
    ],
    written: { records: fc.uint8Array({ minLength: 3, maxLength: 3 }).map((record) => Uint8Array.from(record)) },
  });

  it("finds record starts without reading the file", async () => {
    const never: AsyncIterable<Uint8Array> = {
      [Symbol.asyncIterator]: () => {
        throw new Error("was read");
      },
    };
    const format = records(3) as unknown as ScannedFormat;
    expect(await format.findStarts(never, [1, 3, 4, 8, 9, 10], 10)).toEqual([3, 3, 6, 9, 9, 10]);
  });

  it("refuses a file that ends inside a record, after the records before it", async () => {
    const seen: unknown[] = [];
    const reading = (async () => {
      for await (const batch of records(3).read(chunksOf(bytes(1, 2, 3, 4), 2), { start: 0, end: 4, head: bytes() }))
        seen.push(...batch.records);
    })();
    await expect(reading).rejects.toMatchObject({
      start: 3,
      end: undefined,
      message: "the file ends inside a record: 1 of its 3 bytes are there",
    });
    expect(seen).toEqual([bytes(1, 2, 3)]);
  });

  it("refuses records of other lengths, and lengths that make no sense", () => {
    expect(() => writeAll(records(3), [bytes(1, 2)])).toThrow(/of 3 bytes, not of 2/);
    for (const length of [0, -1, 1.5, Number.NaN, limits.recordBytesMax + 1])
      expect(() => records(length)).toThrow(/length of a record/);
  });
});

describe("records()", () => {
  formatConformance({
    format: records(),
    samples: [
      {
        name: "records behind their lengths",
        content: bytes(0, 0, 0, 2, 10, 255, 0, 0, 0, 0, 0, 0, 0, 1, 7),
        records: [bytes(10, 255), bytes(), bytes(7)],
        starts: [0, 6, 10],
      },
      { name: "an empty file (fault 70)", content: "", records: [] },
    ],
    written: { records: anyBytes },
  });

  it.each([
    [bytes(0, 0, 0), /3 of its 4-byte length/],
    [bytes(0, 0, 0, 5, 1), /5 of its 9 bytes/],
    [bytes(255, 0, 0, 0, 1), /length is 4,278,190,080 bytes/],
  ])("refuses the damaged end %o", async (end, message) => {
    for (const size of [1, 2, 100]) {
      const bad = await readAll(records(), Buffer.concat([bytes(0, 0, 0, 1, 9), end]), size).catch(
        (error: unknown) => error,
      );
      expect(bad).toBeInstanceOf(BadRecord);
      expect(bad).toMatchObject({ start: 5, end: undefined });
      expect((bad as BadRecord).message).toMatch(message);
    }
  });

  it("cuts batches of many records, with true offsets", async () => {
    const wanted = Array.from({ length: 5000 }, (_, i) => new Uint8Array(i % 100).fill(i));
    const all = await readAll(records(), writeAll(records(), wanted), 100_000);
    expect(all.records).toEqual(wanted);
    expect(all.starts.at(-1)).toBe(wanted.slice(0, -1).reduce((sum, record) => sum + 4 + record.length, 0));
  });

  it("refuses to write what is too long or no bytes", () => {
    expect(() => writeAll(records(), [new Uint8Array(limits.recordBytesMax + 1)])).toThrow(/limit/);
    expect(() => writeAll(records(), ["a" as unknown as Uint8Array])).toThrow(/writes Uint8Array/);
  });
});

describe("wholeFiles()", () => {
  formatConformance({
    format: wholeFiles(),
    samples: [
      { name: "all bytes", content: bytes(1, 10, 0, 255), records: [bytes(1, 10, 0, 255)], starts: [0] },
      { name: "an empty file (fault 70)", content: "", records: [] },
    ],
  });

  it("refuses a file over the limit (fault 77)", async () => {
    const reading = readRange(
      wholeFiles(),
      new Uint8Array(limits.recordBytesMax + 1),
      0,
      Number.POSITIVE_INFINITY,
      16 << 20,
    );
    await expect(reading).rejects.toThrow(/limit of a record/);
  });
});
