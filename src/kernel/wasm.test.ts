import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { kernelConformance } from "../../test/conformance/kernel.ts";
import { nastyKey } from "../../test/conformance/kernel-collect.ts";
import { Columns } from "../../test/conformance/kernel-columns.ts";
import {
  type Block,
  collectAll,
  drain,
  emit,
  firstFold,
  joinFold,
  MemorySource,
  mergeRuns,
  plain,
  sized,
  sumFold,
} from "../../test/conformance/kernel-driver.ts";
import { KiB, MiB } from "../base/limits.ts";
import type { BlockSource, CollectOptions, Kernel, PairBlock } from "./kernel.ts";
import { layoutOf } from "./layout.ts";
import { createReferenceKernel } from "./reference.ts";
import { createWasmKernel } from "./wasm.ts";
import { mayAggregate } from "./wasm-aggregate.ts";
import { kernelModule } from "./wasm-exports.ts";

describe("WebAssembly kernel", () => {
  kernelConformance(createWasmKernel);

  it("compiles its module once per process", () => {
    expect(kernelModule()).toBe(kernelModule());
  });

  it("folds numbers in the table where it is known that all of it fits, and by a built-in fold only", () => {
    const layout = layoutOf({ arenaBytes: 1 * MiB });
    const source = (pairs: number, bytes: number) => sized(new MemorySource([]), pairs, bytes);
    const may = (sources: readonly BlockSource[], fold: CollectOptions["fold"] = sumFold) =>
      mayAggregate(layout, sources, fold);
    expect(may([source(1000, 20_000), source(1000, 20_000)])).toBe(true);
    expect(may([source(1000, 20_000)])).toBe(false); // nothing is folded
    expect(may([source(1000, 20_000), source(1000, 900_000)])).toBe(false);
    expect(may([source(1000, 20_000), source(20_000, 20_000)])).toBe(false);
    expect(may([source(1000, 20_000), new MemorySource([])])).toBe(false);
    expect(may([source(1, 1), source(1, 1)], firstFold)).toBe(false);
    expect(may([source(1, 1), source(1, 1)], joinFold)).toBe(false);
    expect(mayAggregate(layout, [source(1, 1), source(1, 1)], undefined)).toBe(false);
  });

  it.each<[string, readonly number[], number]>([
    ["integers", [1, 2, 2 ** 52, -7], 0],
    ["fractions", [0.1, 1e16, -3.7, 1e-9], 0],
    ["an infinity among others", [0.1, Number.POSITIVE_INFINITY, 3, 4], 1],
    ["sums beyond 2^1000", [1e300, 1e308, 3, 4], 1],
    ["a sum of very many parts", Array.from({ length: 40 }, (_, i) => 2 ** (i * 40 - 800)), 1],
  ])("folds columns of %s, and calls the fold back only for what it can't hold", (_, numbers, callsMin) => {
    for (const combining of ["always", "never"] as const) {
      const columns = new Columns("count", "sum", "min", "max");
      const kernel = createWasmKernel({ arenaBytes: 1 * MiB });
      const pairs = Array.from({ length: 400 }, (_, i) => emit(`${i % 3}`, columns.lift(numbers[i % numbers.length]!)));
      const options: CollectOptions = { ...plain, fold: columns.fold, combining };
      const { runs } = collectAll(kernel, options, pairs, { flushEvery: 150 });
      expect(runs.filter((run) => run.length > 0).length).toBe(3);
      expect(mergeRuns(kernel, runs, columns.fold).length).toBe(3);
      if (callsMin === 0) expect(columns.calls).toBe(0);
      else expect(columns.calls).toBeGreaterThanOrEqual(callsMin);
    }
  });

  it("holds any number of values of few keys without a flush, where they are columns", () => {
    const columns = new Columns("count", "sum", "squares");
    const kernel = createWasmKernel({ arenaBytes: 1 * MiB });
    const values = Array.from({ length: 100 }, (_, i) => columns.lift(i / 7));
    const pairs = Array.from({ length: 100_000 }, (_, i) => emit(`${i % 50}`, values[i % 100]!));
    const { runs } = collectAll(kernel, { ...plain, fold: columns.fold }, pairs);
    expect(runs.length).toBe(1);
    expect(columns.calls).toBe(0);
  });

  it.each([
    [64, 64 * KiB, 1 * MiB],
    [16, 64 * KiB, 512 * KiB],
    [1, 32 * KiB, 32 * KiB],
  ])(
    "takes larger batches of numbers that it folds, as far as an arena of %i MiB goes",
    (mebibytes, others, folded) => {
      for (const create of [createWasmKernel, createReferenceKernel]) {
        const kernel = create({ arenaBytes: mebibytes * MiB });
        const batchBytes = (options: CollectOptions) => {
          const { batchStart, batchEnd } = kernel.collect(options);
          return batchEnd - batchStart;
        };
        expect(batchBytes(plain)).toBe(others);
        expect(batchBytes({ ...plain, fold: joinFold })).toBe(others);
        expect(batchBytes({ ...plain, fold: sumFold })).toBe(folded);
        expect(batchBytes({ ...plain, fold: new Columns("sum").fold })).toBe(folded);
      }
    },
  );

  it("never grows its memory", () => {
    const kernel = createWasmKernel({ arenaBytes: 1 * MiB });
    const { buffer } = kernel.arena;
    const pairs = Array.from({ length: 50_000 }, (_, i) => emit(`${i}`, "v".repeat(i % 90)));
    expect(collectAll(kernel, plain, pairs).runs.length).toBeGreaterThan(1);
    expect(kernel.arena.buffer).toBe(buffer);
    expect(buffer.byteLength).toBe(1 * MiB);
  });
});

describe("both kernels", () => {
  const kernels = () =>
    [createWasmKernel, createReferenceKernel].map((create) => create({ arenaBytes: 2 * MiB, blockBytes: 256 }));

  it("hand out the same blocks, byte for byte", () => {
    // Sums that grow only: one that shrinks may leave a merge's block shorter than it could be.
    const columns = new Columns("count", "sum", "max");
    const valueFor = (fold: CollectOptions["fold"], value: number) =>
      fold === sumFold ? value : fold === columns.fold ? columns.lift(value / 8) : "v".repeat(value % 40);
    const how = fc.record({
      partitions: fc.integer({ min: 1, max: 7 }),
      fold: fc.constantFrom(undefined, sumFold, joinFold, columns.fold),
      combining: fc.constantFrom("auto" as const, "always" as const, "never" as const),
      firstEmission: fc.nat(1000),
      group: fc.constantFrom(undefined, [1], ["ascending"] as const),
    });
    const given = fc.array(fc.tuple(nastyKey, fc.nat(500)), { maxLength: 200, size: "max" });
    const property = fc.property(how, given, fc.integer({ min: 20, max: 300 }), (options, items, flushEvery) => {
      const collectOptions: CollectOptions = { ...plain, ...options };
      const pairs = items.map(([key, value]) => emit(key, valueFor(options.fold, value)));
      const [fast, reference] = kernels().map((kernel) => collectAll(kernel, collectOptions, pairs, { flushEvery }));
      expect(fast!.emissionDigest).toBe(reference!.emissionDigest);
      expect(fast!.runs.map(blockTexts)).toEqual(reference!.runs.map(blockTexts));
      const merged = kernels().map((kernel) => mergedTexts(kernel, fast!.runs, options.fold));
      expect(merged[0]).toEqual(merged[1]);
    });
    fc.assert(property, { seed: 99, numRuns: 120 });
  });

  it("fail alike on damaged blocks, or not at all", () => {
    const damaged = fc.array(fc.oneof(fc.nat(12), fc.nat(255)), { minLength: 1, maxLength: 80, size: "max" });
    const property = fc.property(damaged, damaged, fc.boolean(), (a, b, folds) => {
      const ends = kernels().map((kernel) => {
        const sources = [a, b].map((bytes) => new MemorySource([Uint8Array.from(bytes)]));
        try {
          return mergeTexts(kernel, sources, folds ? joinFold : undefined).length > 0 ? "pairs" : "none";
        } catch (error) {
          return String(error);
        }
      });
      expect(ends[0]).toBe(ends[1]);
    });
    fc.assert(property, { seed: 98, numRuns: 500 });
  });

  it("never read or write outside the arena for keys out of order", () => {
    // Blocks that parse, with keys shorter than what first and last key of the block share.
    const kernel = createWasmKernel({ arenaBytes: 1 * MiB });
    const long = "k".repeat(100_000);
    const block = (...keys: readonly string[]) => {
      const { runs } = collectAll(
        createWasmKernel({ arenaBytes: 2 * MiB }),
        plain,
        keys.map((key) => emit(key, "")),
        { flushEvery: 1 },
      );
      return Buffer.concat(runs.flat().map(({ payload }) => payload));
    };
    const sources = [block(long, "a", "", long), block(long, "", long)].map((bytes) => new MemorySource([bytes]));
    const stream = kernel.merge(sources, undefined);
    let pairs = 0;
    for (let found = stream.next(); found !== undefined; found = stream.next()) pairs += found.pairs;
    expect(pairs).toBe(7);
    expect(() => drain(kernel.merge([], undefined), kernel)).not.toThrow();
  });
});

function blockTexts(blocks: readonly Block[]): readonly string[] {
  return blocks.map(
    ({ partition, payload, pairs, digest }) =>
      `${partition} ${pairs} ${digest} ${Buffer.from(payload).toString("hex")}`,
  );
}

function mergedTexts(
  kernel: Kernel,
  runs: readonly (readonly Block[])[],
  fold: CollectOptions["fold"],
): readonly string[] {
  const partitions = [...new Set(runs.flat().map(({ partition }) => partition))].sort((a, b) => a - b);
  return partitions.flatMap((partition) => {
    const payloads = runs.map((run) =>
      run.filter((block) => block.partition === partition).map(({ payload }) => payload),
    );
    return mergeTexts(
      kernel,
      payloads.map((blocks) => new MemorySource(blocks)),
      fold,
    );
  });
}

function mergeTexts(kernel: Kernel, sources: readonly BlockSource[], fold: CollectOptions["fold"]): readonly string[] {
  const stream = kernel.merge(sources, fold);
  const texts: string[] = [];
  for (let block: PairBlock | undefined = stream.next(); block !== undefined; block = stream.next()) {
    const { bytes, start, end, pairs, prefixBytes, digest } = block;
    texts.push(`${pairs} ${prefixBytes} ${digest} ${Buffer.from(bytes.slice(start, end)).toString("hex")}`);
  }
  return texts;
}
