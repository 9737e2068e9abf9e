import { readFileSync } from "node:fs";
import { crc32 } from "node:zlib";
import { describe, expect, it } from "vitest";
import { mapAttempt, openRef, readRun, type TestPair, writeRun } from "../../test/support/pairs.ts";
import { MillraceError } from "../base/error.ts";
import { createMemoryFiles } from "./memory-files.ts";
import type { RunBytes } from "./run.ts";
import { openRun } from "./run-reader.ts";
import { createRunWriter } from "./run-writer.ts";

const pairs: readonly TestPair[] = [
  { partition: 0, key: "a", value: "1" },
  { partition: 0, key: "a", value: "2" },
  { partition: 0, key: "b", value: "a value that is a little longer" },
  { partition: 2, key: "c", value: "" },
  { partition: 2, key: "d", value: "4" },
  { partition: 2, key: "e", value: "5" },
];
const attempt = mapAttempt(3, 12);

function smallRun(): { readonly bytes: Buffer; readonly path: string } {
  const files = createMemoryFiles();
  const run = writeRun(files, "small", attempt, pairs, 10);
  return { bytes: Buffer.from(files.bytesOf(run.path)), path: run.path };
}

/** A run with one pair in each partition. */
function manyPartitions(partitions: number): Buffer {
  const files = createMemoryFiles();
  const pairs = Array.from({ length: partitions }, (_, partition) => ({ partition, key: `k${partition}`, value: "v" }));
  return Buffer.from(files.bytesOf(writeRun(files, "x", attempt, pairs).path));
}

function inMemory(bytes: Uint8Array): RunBytes {
  return {
    size: bytes.length,
    read(target, at, length, position) {
      const piece = bytes.subarray(position, position + length);
      target.set(piece, at);
      return piece.length;
    },
    close() {},
  };
}

const readAll = (bytes: Uint8Array) => readRun(openRun(inMemory(bytes), attempt, "small"));

/** What reading damaged bytes gives: an error that says so, or the pairs. Anything else is thrown. */
function readDamaged(bytes: Uint8Array): "detected" | readonly TestPair[] {
  try {
    return readAll(bytes);
  } catch (error) {
    if (!(error instanceof MillraceError) || error.code !== "corrupt-run") throw error;
    expect(error.message).toContain("small");
    return "detected";
  }
}

describe("run format", () => {
  it("reads back what was written", () => {
    const files = createMemoryFiles();
    const run = writeRun(files, "x", attempt, pairs, 10);
    const reader = openRef(files, run);
    expect(readRun(reader)).toEqual(pairs);
    expect(reader.writtenBy).toEqual(attempt);
    expect(reader.pairs).toBe(6);
    expect(reader.emissionDigest).toBe(7n);
    expect(reader.segments.map(({ partition, pairs }) => [partition, pairs])).toEqual([
      [0, 3],
      [2, 3],
    ]);
    expect(reader.source(1)).toBeUndefined();
    expect(reader.source(3)).toBeUndefined();
    expect(reader.blockBytesMax).toBe(34);
    expect(reader.segment(2)!.blockBytesMax).toBe(7);
    reader.close();
  });

  it("fault 59: detects every flipped bit of a run, wherever it is", () => {
    const { bytes } = smallRun();
    expect(readAll(bytes)).toEqual(pairs);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const damaged = Buffer.from(bytes);
      damaged[bit >>> 3]! ^= 1 << (bit & 7);
      expect(readDamaged(damaged), `bit ${bit & 7} of byte ${bit >>> 3}`).toBe("detected");
    }
  });

  it("fault 53: detects a run that was cut off at any byte", () => {
    const { bytes } = smallRun();
    for (let length = 0; length < bytes.length; length++) {
      expect(readDamaged(bytes.subarray(0, length)), `${length} bytes`).toBe("detected");
    }
  });

  it("fault 53: detects bytes behind the end, be they a run's own", () => {
    const { bytes } = smallRun();
    for (const more of [Buffer.from([0]), Buffer.alloc(100), bytes, bytes.subarray(-16)]) {
      expect(readDamaged(Buffer.concat([bytes, more]))).toBe("detected");
    }
  });

  it("fault 53: detects blocks that change places, are missing, or come twice, though each is whole", () => {
    const { bytes } = smallRun();
    const starts = blockStarts(bytes);
    const blocks = starts.slice(0, -1).map((start, i) => bytes.subarray(start, starts[i + 1]));
    expect(blocks.length).toBe(4);
    const end = bytes.subarray(starts.at(-1));
    const rebuilt = (order: readonly number[]) =>
      Buffer.concat([bytes.subarray(0, 8), ...order.map((i) => blocks[i]!), end]);
    expect(readDamaged(rebuilt([0, 1, 2, 3]))).toEqual(pairs);
    for (const order of [
      [1, 0, 2, 3],
      [0, 1, 3, 2],
      [0, 0, 1, 2, 3],
      [0, 1, 2],
      [2, 3, 0, 1],
      [0, 1, 2, 2],
    ]) {
      expect(readDamaged(rebuilt(order)), order.join()).toBe("detected");
    }
  });

  it("fault 53: refuses a block of another partition that is whole and stands in the right place", () => {
    const files = createMemoryFiles();
    const same = [0, 1].map((partition) => ({ partition, key: "k", value: "v" }));
    const bytes = Buffer.from(files.bytesOf(writeRun(files, "x", attempt, same).path));
    const [first, second, end] = blockStarts(bytes) as [number, number, number];
    const swapped = [
      bytes.subarray(0, 8),
      bytes.subarray(second, end),
      bytes.subarray(first, second),
      bytes.subarray(end),
    ];
    expect(() => readAll(Buffer.concat(swapped))).toThrow("small: partition 0, byte 8: the block is of partition 1");
  });

  it("fault 53: detects a block of another attempt, partition or place whose bytes are whole", () => {
    const other = createMemoryFiles();
    const at = (attempt: ReturnType<typeof mapAttempt>) =>
      Buffer.from(other.bytesOf(writeRun(other, JSON.stringify(attempt), attempt, pairs, 10).path));
    const { bytes } = smallRun();
    const end = blockStarts(bytes)[1]!;
    for (const strange of [
      mapAttempt(4, 12),
      mapAttempt(3, 13),
      { ...attempt, job: "job-2" },
      { ...attempt, epoch: 2 },
      { ...attempt, phase: "reduce" as const },
    ]) {
      const damaged = Buffer.from(bytes);
      at(strange).copy(damaged, 8, 8, end);
      expect(readDamaged(damaged), JSON.stringify(strange)).toBe("detected");
    }
  });

  it("says whose run it is when it is not the one expected", () => {
    const { bytes } = smallRun();
    expect(() => openRun(inMemory(bytes), mapAttempt(3, 13), "small")).toThrow(
      /small: written by map-00003\.1\.12 of job job-1, not by map-00003\.1\.13/,
    );
    expect(openRun(inMemory(bytes), undefined, "small").writtenBy).toEqual(attempt);
  });

  it("closes the file when it can't be opened as a run", () => {
    let closed = 0;
    const bytes: RunBytes = { ...inMemory(Buffer.alloc(100)), close: () => closed++ };
    expect(() => openRun(bytes, attempt, "x")).toThrow("does not end like a run");
    expect(closed).toBe(1);
  });

  it("refuses a block larger than the footer declares", () => {
    // A whole block with a right checksum, in a segment whose footer entry says smaller: only the bound tells.
    const { bytes } = smallRun();
    const damaged = Buffer.from(bytes);
    const footerAt = blockStarts(bytes).at(-1)!;
    const headEnd = footerAt + 48 + attempt.job.length;
    const entryAt = headEnd + 4;
    expect(damaged.readUInt32LE(entryAt + 4)).toBe(34);
    damaged.writeUInt32LE(20, entryAt + 4);
    damaged.writeUInt32LE(20, footerAt + 4);
    damaged.writeUInt32LE(crc32(damaged.subarray(footerAt, headEnd)), headEnd);
    const crcAt = damaged.length - 12;
    damaged.writeUInt32LE(crc32(damaged.subarray(footerAt, crcAt)), crcAt);
    expect(() => readAll(damaged)).toThrow("a payload of 34 bytes can't be here");
  });

  it.each([
    ["pairs of the run", "head", 8],
    ["epoch", "head", 24],
    ["attempt", "head", 32],
    ["offset", "entry", 8],
    ["bytes", "entry", 16],
    ["pairs of the segment", "entry", 24],
  ] as const)("refuses a footer whose %s is near 2^64, with right checksums", (_, part, field) => {
    for (const isHeld of [true, false]) {
      // A footer of more than 8 KiB is read entry by entry; a small one is held whole.
      const partitions = isHeld ? 3 : 400;
      const bytes = manyPartitions(partitions);
      const size = bytes.length;
      const footerAt = size - 16 - bytes.readUInt32LE(size - 16);
      const headEnd = footerAt + 48 + attempt.job.length;
      for (let partition = 0; partition < partitions; partition += isHeld ? 1 : 399) {
        const damaged = Buffer.from(bytes);
        const entryAt = headEnd + 4 + partition * 48;
        damaged.writeBigUInt64LE(2n ** 64n - 3n, (part === "head" ? footerAt : entryAt) + field);
        damaged.writeUInt32LE(crc32(damaged.subarray(footerAt, headEnd)), headEnd);
        damaged.writeUInt32LE(crc32(damaged.subarray(entryAt, entryAt + 44)), entryAt + 44);
        damaged.writeUInt32LE(crc32(damaged.subarray(footerAt, size - 12)), size - 12);
        expect(() => openRun(inMemory(damaged), undefined, "x").segment(partition)).toThrow(
          expect.objectContaining({ code: "corrupt-run" }),
        );
      }
    }
  });

  it("checks counts and digests of what a reader took out of the blocks", () => {
    const files = createMemoryFiles();
    const reader = openRef(files, writeRun(files, "x", attempt, pairs, 1000));
    const { digest } = reader.segment(0)!;
    const target = new Uint8Array(1000);
    const read = () => {
      const source = reader.source(0)!;
      while (source.read(target, 0) > 0);
      return source;
    };
    expect(() => read().end(3, digest)).not.toThrow();
    expect(() => read().end(2, digest)).toThrow("2 pairs were read, 3 written");
    expect(() => read().end(3, digest + 1n)).toThrow("their digests differ");
  });

  it("holds a pair larger than a block and larger than the write buffer, in a block of its own", () => {
    const files = createMemoryFiles();
    const writer = createRunWriter(files, "x", attempt);
    const value = Buffer.alloc(3_000_000, 7);
    writer.largePair(0, Buffer.from("key"), value, 5n);
    const reader = openRef(files, writer.finish(0n));
    const target = new Uint8Array(reader.blockBytesMax + 10);
    const source = reader.source(0)!;
    expect(source.read(target, 10)).toBe(value.length + 3 + 5);
    expect(Buffer.from(target.subarray(10, 18))).toEqual(Buffer.from([3, 0xc0, 0x8d, 0xb7, 1, 0x6b, 0x65, 0x79]));
    expect(Buffer.compare(target.subarray(18), value)).toBe(0);
    expect(source.read(target, 0)).toBe(0);
    source.end(1, 5n);
  });
  it("is what docs/run-format.md shows", () => {
    const page = readFileSync(new URL("../../docs/run-format.md", import.meta.url), "utf8");
    const dump = /```hex\n(.*?)```/s.exec(page)![1]!;
    const shown = Buffer.from(dump.replace(/^[0-9a-f]{4} /gm, "").replace(/\s/g, ""), "hex");
    const example: readonly TestPair[] = [
      { partition: 0, key: "a", value: "1" },
      { partition: 0, key: "ab", value: "2" },
      { partition: 4, key: "b", value: "" },
    ];
    const files = createMemoryFiles();
    const writtenBy = { job: "j1", phase: "map", index: 3, epoch: 1, attempt: 12 } as const;
    const run = writeRun(files, "x", writtenBy, example, 65_536);
    expect(shown.toString("hex")).toBe(Buffer.from(files.bytesOf(run.path)).toString("hex"));
    expect(readRun(openRun(inMemory(shown), writtenBy, "the page"))).toEqual(example);
  });

  it("reads tiny segments of one run many at a time, and in any order", () => {
    const files = createMemoryFiles();
    const many = Array.from({ length: 1_000 }, (_, i) => ({ partition: i, key: `k${i}`, value: "v".repeat(i % 300) }));
    const run = writeRun(files, "x", attempt, many);
    let reads = 0;
    const bytes = files.open(run.path);
    const counting: RunBytes = {
      size: bytes.size,
      close: () => bytes.close(),
      read(target, at, length, position) {
        reads++;
        return bytes.read(target, at, length, position);
      },
    };
    const reader = openRun(counting, attempt, run.path);
    reads = 0;
    expect(readRun(reader)).toEqual(many);
    expect(run.bytes).toBeGreaterThan(200_000);
    expect(reads).toBeLessThan(10);
    const target = new Uint8Array(1_000);
    const sizeOf = (partition: number) => reader.source(partition)!.read(target, 0);
    for (const partition of [999, 0, 500, 499, 501, 7, 998]) {
      expect(sizeOf(partition), `${partition}`).toBe(reader.segment(partition)!.bytes - 64);
    }
    const two = [reader.source(3)!, reader.source(900)!];
    for (const source of two) expect(source.read(target, 0)).toBeGreaterThan(0);
    for (const source of two) expect(source.read(target, 0)).toBe(0);
  });

  describe("of many partitions", () => {
    const partitions = Array.from({ length: 600 }, (_, i) => i * 2 + (i > 300 ? 100 : 0));
    const sparse = partitions.map((partition, i) => ({ partition, key: `k${i}`, value: "v".repeat(i % 9) }));
    const run = () => {
      const files = createMemoryFiles();
      return Buffer.from(files.bytesOf(writeRun(files, "x", attempt, sparse).path));
    };

    it("reads of its footer what it needs for one segment", () => {
      const bytes = run();
      const reads: number[] = [];
      const counting: RunBytes = {
        ...inMemory(bytes),
        read(target, at, length, position) {
          reads.push(length);
          return inMemory(bytes).read(target, at, length, position);
        },
      };
      for (const [partition, found] of [
        [600, true],
        [0, true],
        [partitions.at(-1)!, true],
        [601, false],
        [650, false],
        [5000, false],
      ] as const) {
        reads.length = 0;
        const reader = openRun(counting, attempt, "x");
        expect(reader.segment(partition)?.partition, `${partition}`).toBe(found ? partition : undefined);
        expect(reads.reduce((sum, length) => sum + length)).toBeLessThan(10_000);
        expect(reads.length).toBeLessThan(15);
      }
    });

    it("finds every segment, and none that is not there, however many are asked for", () => {
      const bytes = run();
      const whole = openRun(inMemory(bytes), attempt, "x");
      const bySegment = new Map(whole.segments.map((segment) => [segment.partition, segment]));
      expect([...bySegment.keys()]).toEqual(partitions);
      const through = openRun(inMemory(bytes), attempt, "x");
      for (let partition = 0; partition < 1400; partition++) {
        const alone = openRun(inMemory(bytes), attempt, "x");
        expect(alone.segment(partition)).toEqual(bySegment.get(partition));
        expect(through.segment(partition)).toEqual(bySegment.get(partition));
      }
    });

    it("fault 59: a flipped bit of its footer is seen, or is not where the segment is looked for", () => {
      const bytes = run();
      const footerAt = blockStarts(bytes).at(-1)!;
      const wanted = openRun(inMemory(bytes), attempt, "x").segment(300);
      let seen = 0;
      for (let at = footerAt; at < bytes.length; at++) {
        const damaged = Buffer.from(bytes);
        damaged[at]! ^= 1 << (at & 7);
        try {
          expect(openRun(inMemory(damaged), attempt, "small").segment(300)).toEqual(wanted);
        } catch (error) {
          if (!(error instanceof MillraceError) || error.code !== "corrupt-run") throw error;
          seen++;
        }
        expect(() => openRun(inMemory(damaged), attempt, "small").checkFooter()).toThrow("small");
      }
      // The head, two entries (the one in the middle is the second that is read), and the trailer without its checksum
      // of everything.
      expect(seen).toBe(48 + attempt.job.length + 4 + 2 * 48 + 12);
    });
  });

  it("an empty run is a run", () => {
    const files = createMemoryFiles();
    const reader = openRef(files, writeRun(files, "x", attempt, []));
    expect(reader.segments).toEqual([]);
    expect(reader.pairs).toBe(0);
    expect(readRun(reader)).toEqual([]);
  });

  it("reads footers of any number of partitions, and blocks on either side of every buffer size", () => {
    for (const count of [1, 300, 1700, 5000]) {
      const files = createMemoryFiles();
      const many = Array.from({ length: count }, (_, i) => ({
        partition: i * 2,
        key: `k${i}`,
        value: "v".repeat(((i * 7919) % 97) * ((i % 50 === 7 ? 1 : 0) * 400 + 1)),
      }));
      const reader = openRef(files, writeRun(files, "x", attempt, many, 300));
      expect(readRun(reader)).toEqual(many);
      expect(reader.segments.length).toBe(count);
    }
  });
});

/** Offsets of all blocks, and of the footer behind them. */
function blockStarts(bytes: Buffer): number[] {
  const starts: number[] = [];
  let at = 8;
  while (bytes.toString("latin1", at, at + 4) === "MBLK") {
    starts.push(at);
    at += 64 + bytes.readUInt32LE(at + 8);
  }
  return [...starts, at];
}
