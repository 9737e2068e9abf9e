import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { memoryInputs } from "../../test/support/memory-inputs.ts";
import { limits, MiB } from "../base/limits.ts";
import { records } from "../format/binary/records.ts";
import type { InputFormat } from "../format/format.ts";
import { lines } from "../format/lines/lines.ts";
import { text } from "../format/lines/text.ts";
import { csv } from "../format/table/csv.ts";
import type { PlannedFile, Split } from "./plan.ts";
import { readSplit } from "./read-split.ts";
import { defaultPartitions, defaultSplitBytes, planSplits } from "./split.ts";

const never = new AbortController().signal;

function planned(path: string, bytes: number, more: Partial<PlannedFile> = {}): PlannedFile {
  return { path, source: path, bytes, version: "1", hosts: [], input: 0, compression: "none", ...more };
}

/** The records of all splits, one after the other, as "file:offset:record". */
async function readAll(
  contents: Readonly<Record<string, string | Uint8Array>>,
  format: InputFormat<unknown>,
  splitBytes: number | undefined,
  chunkBytes = 7,
): Promise<{ readonly records: string[]; readonly splits: readonly Split[] }> {
  const storage = memoryInputs(contents, chunkBytes);
  const files = Object.entries(contents).map(([path, content]) => planned(path, Buffer.from(content).length));
  const formatOf = () => format;
  const splits = await planSplits({ storage, files, formatOf, splitBytes });
  const found: string[] = [];
  for (const split of splits) {
    const decompress = () => expect.unreachable();
    for await (const { source, batch } of readSplit({ split, files, formatOf, storage, decompress, signal: never })) {
      for (const [i, record] of batch.records.entries()) found.push(`${source}:${batch.starts[i]}:${show(record)}`);
    }
  }
  expect(storage.open).toBe(0);
  return { records: found, splits };
}

function show(record: unknown): string {
  return record instanceof Uint8Array ? Buffer.from(record).toString("latin1") : JSON.stringify(record);
}

/** What a plain reader of its own, which knows nothing of splits, finds. */
function linesOf(contents: Readonly<Record<string, string>>): string[] {
  const found: string[] = [];
  for (const [path, content] of Object.entries(contents)) {
    let offset = 0;
    const parts = content.split("\n");
    const last = parts.pop()!;
    // A byte order mark is not a record.
    const unended = parts.length === 0 ? last.replace(/^\uFEFF$/, "") : last;
    const ended = parts.map((part) => ({ part, record: part.replace(/\r$/, "") }));
    for (const { part, record } of unended === "" ? ended : [...ended, { part: unended, record: unended }]) {
      found.push(`${path}:${offset}:${JSON.stringify(offset === 0 ? record.replace(/^\uFEFF/, "") : record)}`);
      offset += Buffer.byteLength(part) + 1;
    }
  }
  return found;
}

describe("splits", () => {
  const awkward = {
    "a.txt": "one\r\ntwo\r\n\r\nthree – „vier“ 日本\n",
    "bom.txt": "\uFEFFfirst\nsecond",
    "c.txt": "\n\nx\n\n",
    "empty.txt": "",
    "d.txt": "no end",
    "e.txt": "🎉\n🎉🎉\r\n",
  };

  test("fault 71: for every split size, the records and their offsets are those of one reader", async () => {
    const expected = linesOf(awkward);
    const total = Object.values(awkward).reduce((sum, content) => sum + Buffer.byteLength(content), 0);
    for (let splitBytes = 1; splitBytes <= total; splitBytes++) {
      const { records: found, splits } = await readAll(awkward, text(), splitBytes, 1 + (splitBytes % 9));
      expect(found, `split size ${splitBytes}`).toEqual(expected);
      if (splitBytes === total) expect(splits).toHaveLength(1);
      expect(splits.flat().every((piece) => piece.end > piece.start)).toBe(true);
    }
  });

  test("the same for any text, any split size and any chunks", async () => {
    const line = fc.string({ unit: fc.constantFrom("a", "b", "é", "日", "🎉", "\r", " ", "\t"), maxLength: 12 });
    const content = fc
      .tuple(fc.boolean(), fc.array(line, { maxLength: 8 }), fc.boolean())
      .map(([bom, parts, ended]) => (bom ? "\uFEFF" : "") + parts.join("\n") + (ended ? "\n" : ""));
    await fc.assert(
      fc.asyncProperty(
        fc.array(content, { maxLength: 4 }),
        fc.integer({ min: 1, max: 80 }),
        fc.integer({ min: 1, max: 20 }),
        async (files, splitBytes, chunkBytes) => {
          const contents = Object.fromEntries(files.map((file, i) => [`f${i}`, file]));
          expect((await readAll(contents, text(), splitBytes, chunkBytes)).records).toEqual(linesOf(contents));
        },
      ),
      { numRuns: 300 },
    );
  });

  test.each([
    ["lines", lines(), "a\nbb\r\n\nccc\n\n"],
    ["text with a delimiter of two letters", text({ delimiter: "ab" }), "xabyyababzaab"],
    ["records of 3 bytes", records(3), "abcdefghijkl"],
    [
      "csv with line ends in quotes",
      csv({ header: false, multiline: true }),
      'a,b\n"x\ny",""""\n"\n\n",c\nlast,"1\n2"\n',
    ],
    ["csv with a header", csv({ header: true }), "name,count\nab,1\ncd,22\nef,333\n"],
  ])("of every size give the same records: %s", async (_, format, content) => {
    const contents = { one: content, two: content };
    const whole = await readAll(contents, format, 1000);
    expect(whole.records.length).toBeGreaterThan(5);
    let most = 0;
    for (let splitBytes = 1; splitBytes <= content.length; splitBytes++) {
      const { records: found, splits } = await readAll(contents, format, splitBytes);
      expect(found, `split size ${splitBytes}`).toEqual(whole.records);
      most = Math.max(most, splits.length);
    }
    expect(most).toBeGreaterThan(5);
  });

  test("a record belongs to the split its first byte is in, so a long record makes the splits inside it vanish", async () => {
    const { splits } = await readAll({ f: `a\n${"x".repeat(100)}\nb\n` }, text(), 10);
    expect(splits).toEqual([[{ file: 0, start: 0, end: 103 }], [{ file: 0, start: 103, end: 105 }]]);
  });

  test("fault 77: a record over the limit is left to its reader, and planning reads no more than it must", async () => {
    const file = planned("huge", 400 * MiB);
    let read = 0;
    const storage = {
      ...memoryInputs({}),
      async *read(_file: unknown, start: number, end: number) {
        for (let at = start; at < end; at += MiB) {
          const chunk = Buffer.alloc(Math.min(MiB, end - at), "x");
          read += chunk.length;
          for (const feed of [290 * MiB, 310 * MiB]) if (at <= feed && feed < at + chunk.length) chunk[feed - at] = 10;
          yield chunk;
        }
      },
    };
    const splits = await planSplits({ storage, files: [file], formatOf: () => text(), splitBytes: 100 * MiB });
    expect(splits).toEqual([
      [{ file: 0, start: 0, end: 310 * MiB + 1 }],
      [{ file: 0, start: 310 * MiB + 1, end: 400 * MiB }],
    ]);
    expect(read).toBeLessThan(400 * MiB);
  });

  test("what was looked through for one cut is not for the next, and a record that begins where that ends is found", async () => {
    const { recordBytesMax } = limits;
    const file = planned("huge", recordBytesMax + 40 * MiB);
    // The file ends exactly where the first cut gives up, after a record as long as many lines' delimiters.
    const feed = 10 * MiB + recordBytesMax;
    let read = 0;
    const storage = {
      ...memoryInputs({}),
      async *read(_file: unknown, start: number, end: number) {
        read += end - start;
        const bytes = Buffer.alloc(end - start, "x");
        if (start <= feed && feed < end) bytes[feed - start] = 10;
        yield bytes;
      },
    };
    const splits = await planSplits({ storage, files: [file], formatOf: () => text(), splitBytes: 10 * MiB });
    expect(splits).toEqual([[{ file: 0, start: 0, end: feed + 1 }], [{ file: 0, start: feed + 1, end: file.bytes }]]);
    expect(read).toBeLessThan(4 * recordBytesMax);
  });

  test("compressed files, and those of formats that are read from their start, stay whole", async () => {
    const storage = memoryInputs({});
    const files = [planned("a.gz", 100, { compression: "gzip" }), planned("b", 50)];
    expect(await planSplits({ storage, files, formatOf: () => records(), splitBytes: 30 })).toEqual([
      [{ file: 0, start: 0, end: 100 }],
      [{ file: 1, start: 0, end: 50 }],
    ]);
    const [compressed] = await planSplits({
      storage,
      files: files.slice(0, 1),
      formatOf: () => text(),
      splitBytes: 30,
    });
    expect(compressed).toEqual([{ file: 0, start: 0, end: 100 }]);
    expect(storage.reads).toEqual([]);
  });

  test("small files share splits in their order, but not those of two inputs, and ordinals follow the inputs", async () => {
    const files = [
      planned("a", 4),
      planned("b", 4),
      planned("c", 4),
      planned("d", 1, { input: 1 }),
      planned("e", 0, { input: 1 }),
    ];
    const splits = await planSplits({ storage: memoryInputs({}), files, formatOf: () => text(), splitBytes: 8 });
    expect(splits.map((split) => split.map((piece) => piece.file))).toEqual([[0, 1], [2], [3]]);
  });

  test("fault 76: 100,000 tiny files make few splits, none with too many pieces", async () => {
    const files = Array.from({ length: 100_000 }, (_, i) => planned(`f${i}`, 100));
    const splits = await planSplits({
      storage: memoryInputs({}),
      files,
      formatOf: () => text(),
      splitBytes: undefined,
    });
    expect(splits.length).toBeLessThan(30);
    expect(Math.max(...splits.map((split) => split.length))).toBeLessThanOrEqual(limits.piecesPerSplitMax);
    expect(splits.flat().map((piece) => piece.file)).toEqual(files.map((_, i) => i));
  });

  test("no bytes make no splits", async () => {
    expect(
      await planSplits({
        storage: memoryInputs({}),
        files: [planned("a", 0)],
        formatOf: () => text(),
        splitBytes: undefined,
      }),
    ).toEqual([]);
    expect(
      await planSplits({ storage: memoryInputs({}), files: [], formatOf: () => text(), splitBytes: undefined }),
    ).toEqual([]);
  });
});

test("defaults depend on the input's bytes only", () => {
  expect([0, 1, 32 * MiB, 64 * MiB, 2048 * MiB, 1e15].map(defaultSplitBytes)).toEqual([
    MiB,
    MiB,
    MiB,
    2 * MiB,
    64 * MiB,
    64 * MiB,
  ]);
  expect([0, 1, 64 * MiB, 64 * MiB + 1, 64 * 64 * MiB, 1e15].map(defaultPartitions)).toEqual([1, 1, 1, 2, 64, 64]);
});
