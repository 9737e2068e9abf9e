import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  mapAttempt,
  openRef,
  readCursor,
  reduceAttempt,
  sortPairs,
  type TestPair,
  writeRun,
} from "../../test/support/pairs.ts";
import { smallKernel } from "../../test/support/small-kernel.ts";
import type { Kernel, KernelFold, PairBlock } from "../kernel/kernel.ts";
import { createMemoryFiles } from "./memory-files.ts";
import { mergeRuns } from "./merge.ts";
import { createFanIn, nextWindow } from "./merge-plan.ts";
import type { RunReader } from "./run.ts";

const attempt = reduceAttempt(0);

/** Runs of map tasks 0, 1, …; each pair's value says where it comes from. */
const someRuns = fc.array(
  fc.array(
    fc.record({
      partition: fc.integer({ min: 0, max: 2 }),
      key: fc.oneof(fc.constantFrom("", "a", "aa", "b"), fc.string({ maxLength: 6 })),
      bytes: fc.oneof(fc.nat(30), fc.nat(600)),
    }),
    { maxLength: 25 },
  ),
  { maxLength: 20 },
);

function write(files: ReturnType<typeof createMemoryFiles>, runs: readonly (readonly TestPair[])[]): RunReader[] {
  return runs.map((pairs, index) =>
    openRef(files, writeRun(files, `map-${index}`, mapAttempt(index), sortPairs(pairs), 100 + index * 10)),
  );
}

describe("merge of runs", () => {
  it("is the stable sort of all runs in their order, with any fan-in, on the heap or in the arena", () => {
    fc.assert(
      fc.property(
        someRuns,
        fc.integer({ min: 2, max: 6 }),
        fc.constantFrom(50, 150, 400, 10_000),
        fc.integer({ min: 0, max: 3 }),
        (shapes, fanIn, blockBytesMax, partition) => {
          const files = createMemoryFiles();
          const runs = shapes.map((shape, run) =>
            shape.map(({ partition, key, bytes }, i) => ({ partition, key, value: `${run}.${i}`.padEnd(bytes, ".") })),
          );
          const readers = write(files, runs);
          const kernel = smallKernel(fanIn, { blockBytesMax });
          const cursor = mergeRuns(readers, partition, { kernel, fold: undefined, files, attempt });
          const expected = sortPairs(runs.flat()).filter((pair) => pair.partition === partition);
          expect(readCursor(cursor, partition)).toEqual(expected);
          expect(files.paths).toHaveLength(runs.length); // no intermediate run stays
          expect(files.opened).toBe(0);
          expect(files.unfinished).toBe(0);
        },
      ),
      { numRuns: 300 },
    );
  });

  it("keeps the order of values through several passes, the last runs being long ones", () => {
    const files = createMemoryFiles();
    const runs = Array.from({ length: 100 }, (_, run) =>
      Array.from({ length: run > 95 ? 500 : 3 }, (_, i) => ({
        partition: 0,
        key: i % 2 === 0 ? "hot" : `k${i % 5}`,
        value: `${run}/${i}`,
      })),
    );
    const kernel = smallKernel(4);
    const cursor = mergeRuns(write(files, runs), 0, { kernel, fold: undefined, files, attempt });
    expect(readCursor(cursor, 0)).toEqual(sortPairs(runs.flat()));
    expect(kernel.merges.length).toBe(33); // as many as 100 runs need at 4 at once
    expect(Math.max(...kernel.merges)).toBe(4);
  });

  it("says that it is alive at each block of each pass", () => {
    const files = createMemoryFiles();
    const runs = Array.from({ length: 9 }, (_, run) => [{ partition: 0, key: `${run}`, value: "v".repeat(100) }]);
    let beats = 0;
    const options = { kernel: smallKernel(3), fold: undefined, files, attempt, beat: () => beats++ };
    const cursor = mergeRuns(write(files, runs), 0, options);
    const before = beats;
    expect(before).toBe(9); // three passes of three blocks each, before the last
    expect(readCursor(cursor, 0)).toHaveLength(9);
    expect(beats).toBe(18);
  });

  it("folds in every pass, from left to right", () => {
    const fold: KernelFold = { on: "bytes", by: (a, b) => Buffer.concat([a, b]) };
    const files = createMemoryFiles();
    const runs = Array.from({ length: 26 }, (_, run) => [
      { partition: 0, key: "all", value: String.fromCharCode(97 + run) },
      { partition: 0, key: `of ${run % 2}`, value: String.fromCharCode(65 + run) },
    ]);
    const cursor = mergeRuns(write(files, runs), 0, { kernel: smallKernel(3), fold, files, attempt });
    expect(readCursor(cursor, 0)).toEqual([
      { partition: 0, key: "all", value: "abcdefghijklmnopqrstuvwxyz" },
      { partition: 0, key: "of 0", value: "ACEGIKMOQSUWY" },
      { partition: 0, key: "of 1", value: "BDFHJLNPRTVXZ" },
    ]);
  });

  it("fault 59: notices a kernel that loses, doubles or changes pairs, in whichever pass", () => {
    const damage: Record<string, (block: PairBlock) => PairBlock> = {
      fewer: (block) => ({ ...block, pairs: block.pairs - 1 }),
      more: (block) => ({ ...block, pairs: block.pairs + 1 }),
      others: (block) => ({ ...block, digest: block.digest + 1n }),
    };
    for (const change of Object.values(damage)) {
      for (const broken of [0, 1, 2]) {
        const files = createMemoryFiles();
        const runs = Array.from({ length: 5 }, (_, run) => [{ partition: 0, key: `${run}`, value: "v" }]);
        const inner = smallKernel(3);
        let merges = 0;
        const kernel: Kernel = {
          ...inner,
          merge(sources, fold) {
            const stream = inner.merge(sources, fold);
            const breaks = merges++ === broken;
            const next = () => {
              const block = stream.next();
              return block && breaks ? change(block) : block;
            };
            return { next };
          },
        };
        const readers = write(files, runs);
        const readAll = () => readCursor(mergeRuns(readers, 0, { kernel, fold: undefined, files, attempt }), 0);
        if (broken < 2) expect(readAll).toThrow(/millrace bug: a merge hands out/);
        else expect(readAll()).toHaveLength(5); // 5 runs at 3 at once are two merges: the third is not there to break
      }
    }
  });

  it("drain reads what is left, so that damage behind the last pair that was asked for is found", () => {
    const files = createMemoryFiles();
    const pairs = Array.from({ length: 200 }, (_, i) => ({ partition: 0, key: `k${i}`, value: `${i}` }));
    const run = writeRun(files, "map-0", mapAttempt(0), sortPairs(pairs), 100);
    const reader = openRef(files, run);
    const { offset, bytes } = reader.segment(0)!;
    files.bytesOf(run.path)[offset + bytes - 1]! ^= 1;
    const cursor = mergeRuns([reader], 0, { kernel: smallKernel(4), fold: undefined, files, attempt });
    expect(cursor.advance()).toBe(true);
    expect(() => cursor.drain()).toThrow(expect.objectContaining({ code: "corrupt-run" }));
    cursor.close();
    expect(files.opened).toBe(0);
  });

  it("close lets go of all files and intermediate runs without reading on", () => {
    const files = createMemoryFiles();
    const runs = Array.from({ length: 30 }, (_, run) => [{ partition: 0, key: `${run}`, value: "v" }]);
    const cursor = mergeRuns(write(files, runs), 0, { kernel: smallKernel(3), fold: undefined, files, attempt });
    cursor.advance();
    expect(files.paths.length).toBeGreaterThan(30);
    cursor.close();
    expect(files.paths).toHaveLength(30);
    expect(files.opened).toBe(0);
    expect(cursor.advance()).toBe(false);
  });

  it("without runs, or without pairs of the partition, there is nothing", () => {
    const files = createMemoryFiles();
    const options = { kernel: smallKernel(3), fold: undefined, files, attempt };
    expect(mergeRuns([], 0, options).advance()).toBe(false);
    const readers = write(files, [[{ partition: 1, key: "a", value: "b" }], []]);
    expect(mergeRuns(readers, 0, options).advance()).toBe(false);
    expect(files.opened).toBe(0);
  });
});

describe("merge plan", () => {
  const uniform = (sizes: readonly number[]) => sizes.map((bytes) => ({ bytes, blockBytesMax: 1 }));

  it("merges no more than is needed, and of that the fewest bytes", () => {
    expect(nextWindow(uniform([1, 1, 1]), () => 3)).toBeUndefined();
    expect(nextWindow(uniform([9, 9, 2, 3, 9]), () => 4)).toEqual({ start: 2, end: 4, bytes: 5 });
    expect(nextWindow(uniform([9, 5, 1, 5, 9, 9]), () => 4)).toEqual({ start: 1, end: 4, bytes: 11 });
    expect(nextWindow(uniform(Array(20).fill(1)), () => 4)).toMatchObject({ start: 0, end: 4 });
  });

  it("merges inputs with small blocks first, by themselves, where others allow only few at once", () => {
    const inputs = [1, 1, 1, 99, 1, 1, 1, 1].map((blockBytesMax) => ({ bytes: 10, blockBytesMax }));
    const fanIn = (largest: number) => (largest > 50 ? 2 : 8);
    expect(nextWindow(inputs, fanIn)).toMatchObject({ start: 4, end: 8 });
  });

  it("always ends: each window has at least two inputs and fits", () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ bytes: fc.nat(100), blockBytesMax: fc.integer({ min: 1, max: 9 }) }), { maxLength: 60 }),
        fc.integer({ min: 2, max: 8 }),
        (given, widest) => {
          const fanIn = (largest: number) => Math.max(2, Math.floor((widest * 2) / largest));
          let left = given;
          for (let window = nextWindow(left, fanIn); window !== undefined; window = nextWindow(left, fanIn)) {
            const inputs = left.slice(window.start, window.end);
            expect(inputs.length).toBeGreaterThanOrEqual(2);
            const blockBytesMax = Math.max(...inputs.map((input) => input.blockBytesMax));
            expect(inputs.length).toBeLessThanOrEqual(fanIn(blockBytesMax));
            const merged = { bytes: inputs.reduce((sum, input) => sum + input.bytes, 0), blockBytesMax };
            left = [...left.slice(0, window.start), merged, ...left.slice(window.end)];
          }
          expect(left.length).toBeLessThanOrEqual(
            left.length === 0 ? 0 : fanIn(Math.max(...left.map((input) => input.blockBytesMax))),
          );
        },
      ),
    );
  });

  it("asks the kernel how many inputs fit, at most 64, and has a way for blocks that no arena takes", () => {
    const fanIn = createFanIn(smallKernel(1_000, { blockBytesMax: 100_000 }));
    expect(fanIn(64)).toBe(64);
    expect(fanIn(100_000)).toBe(9); // in an arena of 1 MiB
    expect(fanIn(100_001)).toBe(64);
    expect(fanIn(20 * 1024 * 1024)).toBe(3);
    expect(fanIn(65 * 1024 * 1024)).toBe(2);
  });
});
