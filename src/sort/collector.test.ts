import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import {
  emitAll,
  explicitOptions,
  mapAttempt,
  openRef,
  readRun,
  sortPairs,
  type TestPair,
} from "../../test/support/pairs.ts";
import { smallKernel } from "../../test/support/small-kernel.ts";
import { KiB, MiB } from "../base/limits.ts";
import { createKernel } from "../kernel/create-kernel.ts";
import type { Kernel, KernelFold } from "../kernel/kernel.ts";
import { type CollectorOptions, createCollector } from "./collector.ts";
import { createMemoryFiles } from "./memory-files.ts";
import type { RunRef } from "./run.ts";

const arenaBytes = 1 * MiB;

/** The kernel that the tests below are about. They share one, as a slot does. */
let kernel: Kernel;

function collector(over: Partial<CollectorOptions> = {}) {
  const files = createMemoryFiles();
  const made = createCollector({ kernel, files, attempt: mapAttempt(0), options: explicitOptions(10), ...over });
  return { files, made };
}

/** Pairs of all sizes: some fill a batch, some a block, some the arena. */
const pairs = (count: number) =>
  fc.array(
    fc.record({
      partition: fc.integer({ min: 0, max: 9 }),
      key: fc.oneof(
        fc.constantFrom("", "a", "b", "ab", "key"),
        fc.string({ maxLength: 12 }),
        fc.integer({ min: 1, max: 400 }).map((n) => "long-common-prefix-".repeat(n)),
      ),
      value: fc.oneof(
        fc.string({ maxLength: 20 }),
        fc.integer({ min: 0, max: 150_000 }).map((n) => `${n}:`.padEnd(n, "v")),
      ),
    }),
    { maxLength: count, size: "max" },
  );

/** Joins the values of equal keys. */
function foldText(sorted: readonly TestPair[]): TestPair[] {
  const folded: TestPair[] = [];
  for (const pair of sorted) {
    const last = folded.at(-1);
    if (last === undefined || last.partition !== pair.partition || last.key !== pair.key) folded.push(pair);
    else folded[folded.length - 1] = { ...last, value: last.value + pair.value };
  }
  return folded;
}

describe.each(["wasm", "reference"] as const)("collector with the %s kernel", (kind) => {
  beforeAll(() => {
    kernel = createKernel({ arenaBytes }, kind);
  });

  it("makes one run that is the stable sort of all that was emitted, whatever its budget", () => {
    fc.assert(
      fc.property(pairs(40), (given) => {
        const { files, made } = collector();
        emitAll(made, given);
        const run = made.finish();
        expect(readRun(openRef(files, run))).toEqual(sortPairs(given));
        expect(run.pairs).toBe(given.length);
        expect(files.paths).toEqual([run.path]);
      }),
      { numRuns: 15 },
    );
  });

  it("is the same wherever it spills, however few runs are merged at once, in the arena or on the heap", () => {
    const small = fc.record({
      partition: fc.integer({ min: 0, max: 3 }),
      key: fc.oneof(fc.constantFrom("", "a", "b"), fc.string({ maxLength: 8 })),
      value: fc.oneof(
        fc.string({ maxLength: 8 }),
        fc.nat(400).map((n) => `${n}`.padEnd(n, "v")),
      ),
    });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(small, fc.boolean()), { maxLength: 60 }),
        fc.integer({ min: 2, max: 5 }),
        fc.constantFrom(100, 300, 100_000),
        fc.boolean(),
        (emitted, fanIn, blockBytesMax, folded) => {
          const concatenate: KernelFold = { on: "bytes", by: (a, b) => Buffer.concat([a, b]) };
          const fold = folded ? concatenate : undefined;
          const kernel = smallKernel(fanIn, { blockBytesMax, batchBytes: 512, kind });
          const { files, made } = collector({ kernel, options: explicitOptions(4, fold) });
          for (const [pair, spill] of emitted) {
            emitAll(made, [pair]);
            if (spill) made.spill();
          }
          const run = made.finish();
          const sorted = sortPairs(emitted.map(([pair]) => pair));
          expect(readRun(openRef(files, run))).toEqual(folded ? foldText(sorted) : sorted);
          expect(made.emissions).toBe(emitted.length);
          expect(files.paths).toEqual([run.path]);
          expect(files.opened).toBe(1); // by this test
        },
      ),
      { numRuns: 200 },
    );
  });

  it("flushes straight into the last run where nothing was spilled", () => {
    const { files, made } = collector();
    emitAll(made, [
      { partition: 1, key: "b", value: "1" },
      { partition: 0, key: "z", value: "2" },
    ]);
    const run = made.finish();
    expect(made.stats).toEqual({ spills: 0, memoryRunBytes: run.bytes, diskRunBytes: 0 });
    expect(made.runs).toEqual([run]);
    expect(run.path).toBe("map-00000.1.1.run");
    expect(files.paths).toEqual([run.path]);
  });

  it("keeps values of a key in order of emission through many spills and several passes", () => {
    const { files, made } = collector();
    const given = Array.from({ length: 450 }, (_, i) => ({
      partition: i % 3,
      key: `key-${i % 7}`,
      value: `${i}`.padEnd(50_000 + (i % 5) * 500, "."),
    }));
    emitAll(made, given);
    const run = made.finish();
    // An arena of 1 MiB merges about 16 blocks of 50 kB at once, so each partition has intermediate runs.
    expect(made.stats.spills).toBeGreaterThan(16);
    const leastBytes = 2 * run.bytes;
    expect(made.stats.memoryRunBytes).toBeGreaterThan(leastBytes * 1.1);
    expect(readRun(openRef(files, run))).toEqual(sortPairs(given));
    expect(files.paths).toEqual([run.path]);
    expect(files.opened).toBe(1); // by this test
  });

  it("fault 80: one key, all keys distinct, one partition, more partitions than keys", () => {
    const of = (key: (i: number) => string, partition: (i: number) => number, partitions: number) => {
      const given = Array.from({ length: 10_000 }, (_, i) => ({
        partition: partition(i),
        key: key(i),
        value: `${i}`.padEnd(100),
      }));
      const { files, made } = collector({ options: explicitOptions(partitions) });
      emitAll(made, given);
      expect(made.stats.spills).toBeGreaterThan(0);
      expect(readRun(openRef(files, made.finish()))).toEqual(sortPairs(given));
    };
    of(
      () => "same",
      () => 0,
      1,
    );
    of(
      (i) => `distinct-${i}`,
      (i) => i % 10,
      10,
    );
    of(
      (i) => `${i % 5}`,
      () => 6,
      7,
    );
    of(
      (i) => `${i % 3}`,
      (i) => (i % 3) * 3_000,
      10_000,
    );
  });

  it("gives the pair that no arena holds a run of its own, between what came before and after", () => {
    const { files, made } = collector();
    const giant = (name: string) => name.repeat(2 * MiB);
    const given: TestPair[] = [
      { partition: 3, key: "k", value: "first" },
      { partition: 3, key: "k", value: giant("x") },
      { partition: 3, key: "k", value: "second" },
      { partition: 3, key: "a", value: "third" },
      { partition: 1, key: "k", value: giant("y") },
      { partition: 3, key: "k", value: giant("z") },
      { partition: 3, key: "k", value: "last" },
    ];
    emitAll(made, given);
    expect(made.emissions).toBe(7);
    const run = made.finish();
    const read = readRun(openRef(files, run));
    expect(read.map(({ partition, key, value }) => `${partition}${key}${value.slice(0, 6)}`)).toEqual(
      sortPairs(given).map(({ partition, key, value }) => `${partition}${key}${value.slice(0, 6)}`),
    );
    expect(read.map(({ value }) => value.length)).toEqual(sortPairs(given).map(({ value }) => value.length));
    expect(files.paths).toEqual([run.path]);
  });

  it("its emission digest depends on what was emitted, not on arenas, spills and folds", () => {
    const given = Array.from({ length: 5_000 }, (_, i) => ({
      partition: i % 4,
      key: `k${i % 50}`,
      value: `${i}`.padEnd(100 + (i % 3) * 300, "-"),
    }));
    const fold: KernelFold = { on: "bytes", by: (a, b) => (a.length >= b.length ? a : b) };
    const digest = (bytes: number, emitted: readonly TestPair[], withFold?: KernelFold) => {
      const files = createMemoryFiles();
      const kernel = createKernel({ arenaBytes: bytes }, kind);
      const made = createCollector({ kernel, files, attempt: mapAttempt(0), options: explicitOptions(4, withFold) });
      emitAll(made, emitted);
      const run = made.finish();
      const inFooter = openRef(files, run).emissionDigest;
      expect(made.emissionDigest).toBe(inFooter);
      return { digest: inFooter, spills: made.stats.spills };
    };
    const small = digest(1 * MiB, given);
    const large = digest(16 * MiB, given);
    expect(small.spills).toBeGreaterThan(1);
    expect(large.spills).toBe(0);
    expect(small.digest).toBe(large.digest);
    expect(digest(1 * MiB, given, fold).digest).toBe(large.digest);
    expect(digest(16 * MiB, given.toReversed()).digest).not.toBe(large.digest);
    expect(digest(16 * MiB, given.slice(1)).digest).not.toBe(large.digest);
  });

  it("folds equal keys across spills, from left to right", () => {
    const fold: KernelFold = { on: "bytes", by: (a, b) => Buffer.concat([a, b]) };
    const { files, made } = collector({ options: explicitOptions(2, fold) });
    const given = Array.from({ length: 40 }, (_, i) => ({
      partition: i % 2,
      key: i % 4 < 2 ? "a" : "b",
      value: `${i}`.padEnd(60_000, "."),
    }));
    emitAll(made, given);
    expect(made.stats.spills).toBeGreaterThan(1);
    expect(readRun(openRef(files, made.finish()))).toEqual(foldText(sortPairs(given)));
  });

  it("goes on from the runs of an earlier attempt, and neither changes nor removes them", () => {
    const given = Array.from({ length: 8_000 }, (_, i) => ({
      partition: i % 2,
      key: `k${i % 9}`,
      value: `${i}`.padEnd(300),
    }));
    const files = createMemoryFiles();
    const options = explicitOptions(2);
    const first = createCollector({ kernel, files, attempt: mapAttempt(0, 1), options });
    emitAll(first, given.slice(0, 5_000));
    first.spill();
    const earlier: { runs: readonly RunRef[]; emissionDigest: bigint } = {
      runs: first.runs,
      emissionDigest: first.emissionDigest,
    };
    const second = createCollector({
      kernel,
      files,
      attempt: mapAttempt(0, 2),
      options: { ...options, firstEmission: first.emissions },
      earlier,
    });
    emitAll(second, given.slice(5_000));
    const run = second.finish();
    expect(readRun(openRef(files, run))).toEqual(sortPairs(given));
    expect(files.paths.toSorted()).toEqual([...earlier.runs.map(({ path }) => path), run.path].toSorted());
    const whole = collector({ options });
    emitAll(whole.made, given);
    whole.made.finish();
    expect(second.emissionDigest).toBe(whole.made.emissionDigest);
    expect(second.emissions).toBe(8_000);
    second.abort();
    expect(files.paths.toSorted()).toEqual(earlier.runs.map(({ path }) => path).toSorted());
    first.abort();
    expect(files.paths).toEqual([]);
  });

  it("a fold that throws is the caller's error, and abort leaves nothing behind", () => {
    const boom = new Error("the user's");
    const fold: KernelFold = {
      on: "bytes",
      by() {
        throw boom;
      },
    };
    const { files, made } = collector({ options: explicitOptions(10, fold) });
    const given = Array.from({ length: 100 }, () => ({ partition: 0, key: "k", value: "v".repeat(15_000) }));
    expect(() => emitAll(made, given)).toThrow(boom);
    made.abort();
    expect(files.paths).toEqual([]);
    expect(files.unfinished).toBe(0);
  });

  it("spill leaves all that was taken in runs, and nothing where nothing is held", () => {
    const { files, made } = collector();
    made.spill();
    expect(made.runs).toEqual([]);
    emitAll(made, [{ partition: 0, key: "a", value: "1" }]);
    made.spill();
    made.spill();
    expect(made.runs.map((run) => readRun(openRef(files, run)))).toEqual([[{ partition: 0, key: "a", value: "1" }]]);
  });

  it("an attempt that emits nothing has a run without pairs", () => {
    const { files, made } = collector();
    const run = made.finish();
    expect(run.pairs).toBe(0);
    expect(readRun(openRef(files, run))).toEqual([]);
    expect(run.bytes).toBeLessThan(1 * KiB);
  });
});
