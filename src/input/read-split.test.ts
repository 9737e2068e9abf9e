import { gunzipSync, gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { memoryInputs } from "../../test/support/memory-inputs.ts";
import { MillraceError } from "../base/error.ts";
import { KiB, limits } from "../base/limits.ts";
import { wholeFiles } from "../format/binary/whole-files.ts";
import { BadRecord, type InputFormat, type ReadFrom } from "../format/format.ts";
import { text } from "../format/lines/text.ts";
import { BadRecordIn } from "./bad-record.ts";
import type { PlannedFile, Split } from "./plan.ts";
import { type ReadSplitOptions, readSplit } from "./read-split.ts";
import { readSample } from "./sample.ts";

const contents = { "a.txt": "one\ntwo\n", "b.txt": "three\nfour\n", "c.txt": "five" };
const signal = new AbortController().signal;

function optionsFor(
  files: Readonly<Record<string, string | Uint8Array>>,
  more: Partial<Omit<ReadSplitOptions, "storage">> & {
    readonly compressed?: boolean;
    readonly chunkBytes?: number;
  } = {},
) {
  const { compressed = false, chunkBytes = 7, ...rest } = more;
  const storage = memoryInputs(files, chunkBytes);
  const plannedFiles = Object.entries(files).map(([path, content]): PlannedFile => {
    const bytes = Buffer.from(content).length;
    return { path, source: path, bytes, version: "1", hosts: [], input: 0, compression: compressed ? "gzip" : "none" };
  });
  const split: Split = plannedFiles.map(({ bytes }, file) => ({ file, start: 0, end: bytes }));
  const formatOf = () => text() as InputFormat<unknown>;
  return { split, formatOf, decompress: inflate, signal, ...rest, storage, files: plannedFiles };
}

/** Inflates everything in one go, in chunks of 3 bytes. */
async function* inflate(_: string, chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const parts: Buffer[] = [];
  for await (const chunk of chunks) parts.push(Buffer.from(chunk));
  const content = gunzipSync(Buffer.concat(parts));
  for (let at = 0; at < content.length; at += 3) yield content.subarray(at, at + 3);
}

async function read(options: ReadSplitOptions): Promise<string[]> {
  const found: string[] = [];
  for await (const { source, fileIndex, batch } of readSplit(options)) {
    for (const [i, record] of batch.records.entries())
      found.push(`${fileIndex}:${source}:${batch.starts[i]}:${record}`);
  }
  return found;
}

const all = ["0:a.txt:0:one", "0:a.txt:4:two", "1:b.txt:0:three", "1:b.txt:6:four", "2:c.txt:0:five"];

describe("reading a split", () => {
  test("goes through its pieces in order and says where each record is from", async () => {
    expect(await read(optionsFor(contents))).toEqual(all);
  });

  test("goes on where it is told to", async () => {
    for (const [from, count] of [
      [{ file: 0, offset: 4 }, 4],
      [{ file: 1, offset: 0 }, 3],
      [{ file: 1, offset: 11 }, 1],
      [{ file: 2, offset: 4 }, 0],
    ] as const) {
      expect(await read(optionsFor(contents, { from }))).toEqual(all.slice(all.length - count));
    }
  });

  test("reads a piece that ends inside a record to that record's end", async () => {
    const options = optionsFor({ f: "one\ntwo\nthree\n" });
    expect(await read({ ...options, split: [{ file: 0, start: 4, end: 5 }] })).toEqual(["0:f:4:two"]);
  });

  test("opens a file once, and reads nothing behind a piece that ends with a record's end", async () => {
    const options = optionsFor(contents);
    await read(options);
    expect(options.storage.reads.map(({ path }) => path)).toEqual(["a.txt", "b.txt", "c.txt"]);
    expect(options.storage.openMost).toBe(1);
    expect(options.storage.open).toBe(0);
  });

  test("gives the format the file's head, wherever the piece begins, compressed or not", async () => {
    const heads: ReadFrom[] = [];
    const watching: InputFormat<unknown> = {
      ...text(),
      read(chunks, from) {
        heads.push(from);
        return text().read(chunks, from);
      },
    };
    const content = `first line\n${"x".repeat(70 * KiB)}\nlast\n`;
    const head = Buffer.from(content).subarray(0, limits.headBytes);
    const plain = optionsFor({ f: content }, { formatOf: () => watching });
    await read(plain);
    await read({ ...plain, split: [{ file: 0, start: content.length - 5, end: content.length }] });
    await read(optionsFor({ f: gzipSync(content) }, { formatOf: () => watching, compressed: true }));
    expect(heads).toHaveLength(3);
    for (const from of heads) expect(Buffer.from(from.head).equals(head)).toBe(true);
    expect(heads.map(({ start, end }) => [start, end])).toEqual([
      [0, content.length],
      [content.length - 5, content.length],
      [0, Number.POSITIVE_INFINITY],
    ]);
  });

  test("positions in a compressed file are those of its content, also for going on", async () => {
    const zipped = { "a.gz": gzipSync("one\ntwo\nthree\n"), "b.gz": gzipSync("") };
    expect(await read(optionsFor(zipped, { compressed: true }))).toEqual([
      "0:a.gz:0:one",
      "0:a.gz:4:two",
      "0:a.gz:8:three",
    ]);
    expect(await read(optionsFor(zipped, { compressed: true, from: { file: 0, offset: 8 } }))).toEqual([
      "0:a.gz:8:three",
    ]);
  });

  test("whole files are one record each; fault 70: an empty one none", async () => {
    expect(
      (await read(optionsFor({ a: "xy\nz", b: "", c: "w" }, { formatOf: () => wholeFiles() }))).map((line) =>
        line.slice(0, 5),
      ),
    ).toEqual(["0:a:0", "2:c:0"]);
  });

  test("a record that the format refuses is thrown with its file, after those before it, and reading goes on behind it", async () => {
    const files = { "a.txt": "good\n", "b.txt": Buffer.from("fine\n\xff\xff\nafter\n", "latin1") };
    const found: string[] = [];
    const options = optionsFor(files);
    const bad = await (async () => {
      for await (const { batch } of readSplit(options)) found.push(...(batch.records as string[]));
    })().catch((thrown: unknown) => thrown);
    expect(found).toEqual(["good", "fine"]);
    expect(bad).toBeInstanceOf(BadRecord);
    expect(bad).toBeInstanceOf(BadRecordIn);
    const { file, source, start, end } = bad as BadRecordIn;
    expect({ file, source, start, end }).toEqual({ file: 1, source: "b.txt", start: 5, end: 8 });
    expect(await read({ ...options, from: { file, offset: end! } })).toEqual(["1:b.txt:8:after"]);
    expect(options.storage.open).toBe(0);
  });

  test("errors of formats and decompressors get the file's name", async () => {
    const decompress = () => {
      throw new MillraceError("bad-input", "the data is cut off");
    };
    await expect(read(optionsFor({ "x.gz": "..." }, { compressed: true, decompress }))).rejects.toMatchObject({
      code: "bad-input",
      message: "x.gz: the data is cut off",
    });
  });

  test("files are closed when the reader stops, when the format fails, and when it never reads", async () => {
    const failing = (message: string): InputFormat<unknown> => ({
      split: "whole-file",
      // biome-ignore lint/correctness/useYield: it fails first
      async *read() {
        throw new Error(message);
      },
    });
    const options = optionsFor({ f: "x\n".repeat(100) });
    await expect(read({ ...options, formatOf: () => failing("at once") })).rejects.toThrow("at once");
    for await (const _ of readSplit(options)) break;
    expect(options.storage.open).toBe(0);
  });

  test("an aborted signal ends it", async () => {
    await expect(read(optionsFor(contents, { signal: AbortSignal.abort() }))).rejects.toMatchObject({
      code: "cancelled",
    });
  });
});

describe("a sample", () => {
  const sampled = async (
    files: Readonly<Record<string, string | Uint8Array>>,
    more: Parameters<typeof optionsFor>[1] = {},
  ) => {
    const options = optionsFor(files, more);
    const found: string[] = [];
    for await (const { source, batch } of readSample(options)) {
      found.push(...batch.records.map((record, i) => `${source}:${batch.starts[i]}:${record}`));
    }
    return { found, storage: options.storage };
  };

  test("of a small input is all of it, in order", async () => {
    const { found } = await sampled(contents);
    expect(found).toEqual(all.map((line) => line.slice(2)));
    expect((await sampled({ f: "" })).found).toEqual([]);
  });

  test("of a large input is 32 records at each of 256 places, spread evenly", async () => {
    const lines = Array.from({ length: 200_000 }, (_, i) => String(i).padStart(9, "0"));
    const { found, storage } = await sampled({ f: `${lines.join("\n")}\n` }, { chunkBytes: 4096 });
    expect(found).toHaveLength(256 * 32);
    expect(new Set(found).size).toBe(found.length);
    const numbers = found.map((line) => Number(line.split(":")[2]));
    expect(numbers).toEqual(numbers.slice().sort((a, b) => a - b));
    // The file's head, which no single place covers, is read once and not for each place.
    expect(storage.reads.filter(({ start, end }) => start === 0 && end === limits.headBytes)).toHaveLength(1);
    for (let part = 0; part < 10; part++) {
      const inPart = numbers.filter((number) => Math.floor(number / 20_000) === part).length;
      expect(Math.abs(inPart - 819)).toBeLessThan(70);
    }
    expect(storage.open).toBe(0);
  });

  test("takes many small files together, and the beginning of what can't be cut, in proportion", async () => {
    const line = (i: number) => `${i}\n`.padStart(10, " ");
    const many = Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`f${i}`, line(i).repeat(10)]));
    const count = (await sampled(many, { chunkBytes: 4096 })).found.length;
    expect(count).toBeGreaterThan(7000);
    expect(count).toBeLessThan(9000);
    const zipped = { "a.gz": gzipSync(line(1).repeat(50_000)), "b.gz": gzipSync(line(2).repeat(50_000)) };
    const fromEach = (await sampled(zipped, { compressed: true })).found;
    expect(fromEach.length).toBeGreaterThan(200 * 32);
    expect(fromEach.length).toBeLessThanOrEqual(256 * 32);
    expect(fromEach.filter((found) => found.startsWith("a.gz"))).toHaveLength(fromEach.length / 2);
  });

  test("leaves out the rest of a place behind a record that the format refuses", async () => {
    const { found } = await sampled({ a: Buffer.from("ok\n\xff\nlost\n", "latin1"), b: "fine\n" });
    expect(found).toContain("b:0:fine");
    expect(found.some((line) => line.includes("\xff"))).toBe(false);
  });
});
