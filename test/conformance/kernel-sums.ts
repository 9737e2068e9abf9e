import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MiB } from "../../src/base/limits.ts";
import { seededRandom } from "../../src/base/system/random.ts";
import type { CollectOptions, Kernel, KernelOptions } from "../../src/kernel/kernel.ts";
import { nastyKey } from "./kernel-collect.ts";
import {
  addAll,
  collectAll,
  type Emitted,
  emit,
  flushed,
  mergeRuns,
  modelDigest,
  modelResult,
  number,
  plain,
  show,
  sumFold,
  utf8,
} from "./kernel-driver.ts";

const summed: CollectOptions = { ...plain, partitions: 3, fold: sumFold, sums: true };

export function sumsConformance(create: (options: KernelOptions) => Kernel): void {
  describe("the emission digest of sums", () => {
    const kernel = create({ arenaBytes: 2 * MiB });
    const digest = (options: CollectOptions, ...pairs: readonly Emitted[]) =>
      collectAll(kernel, options, pairs).emissionDigest;

    it("is that of the contract, whatever flushes, batches, partitioners and ways of combining", () => {
      const value = fc.oneof(
        fc.integer({ min: -3, max: 3 }),
        fc.maxSafeInteger().map((n) => Math.trunc(n / 1000)),
      );
      const how = fc.record({
        combining: fc.constantFrom("auto" as const, "always" as const, "never" as const),
        partitioner: fc.constantFrom(
          { kind: "hash" } as const,
          { kind: "explicit" } as const,
          { kind: "range", boundaries: [utf8("a"), utf8("aaaaaaaaaa")] } as const,
        ),
        fold: fc.constantFrom(sumFold, undefined),
      });
      const cuts = fc.record({
        flushEvery: fc.integer({ min: 1, max: 200 }),
        batchEvery: fc.integer({ min: 1, max: 50 }),
      });
      const items = fc.array(fc.tuple(nastyKey, value, fc.nat(2)), { maxLength: 150, size: "max" });
      const property = fc.property(items, how, cuts, (given, chosen, where) => {
        const options: CollectOptions = { ...summed, ...chosen };
        const isExplicit = chosen.partitioner.kind === "explicit";
        const pairs = given.map(([key, n, partition]) => emit(key, n, isExplicit ? partition : undefined));
        const { runs, emissionDigest, emissions } = collectAll(kernel, options, pairs, where);
        expect(emissionDigest).toBe(modelDigest(options, pairs));
        expect(emissions).toBe(pairs.length);
        expect(show(mergeRuns(kernel, runs, sumFold), true)).toEqual(
          show(modelResult({ ...options, fold: sumFold }, pairs), true),
        );
      });
      fc.assert(property, { seed: 4, numRuns: 150 });
    });

    it("is the same when combining is given up in the middle", () => {
      const random = seededRandom(8, 8);
      const pairs = Array.from({ length: 150_000 }, (_, i) =>
        emit(i < 20_000 ? `old ${i % 300}` : `new ${Math.floor(random() * 1e9)}`, (i % 5) - 1),
      );
      const { runs, emissionDigest } = collectAll(create({ arenaBytes: 4 * MiB }), summed, pairs);
      expect(runs.length).toBeGreaterThan(1);
      expect(emissionDigest).toBe(modelDigest(summed, pairs));
    });

    it("does not tell apart what has the same sums, in another order or in other parts", () => {
      const one = digest(summed, emit("a", 3), emit("b", 4));
      expect(digest(summed, emit("b", 4), emit("a", 3))).toBe(one);
      expect(digest(summed, emit("b", 1), emit("a", 1), emit("b", 3), emit("a", 2))).toBe(one);
    });

    it("tells apart other sums, another key and another partition", () => {
      const options: CollectOptions = { ...summed, partitioner: { kind: "explicit" } };
      const lists = [
        [emit("a", 3, 0), emit("b", 4, 0)],
        [emit("a", 4, 0), emit("b", 3, 0)],
        [emit("a", 3, 0), emit("b", 5, 0)],
        [emit("a", 3, 0), emit("c", 4, 0)],
        [emit("a", 3, 0), emit("b", 4, 1)],
        [emit("a", 3, 0), emit("b", 4 + 2 ** 52, 0)],
        [emit("a", 3, 0), emit("b", -4, 0)],
      ];
      expect(new Set(lists.map((pairs) => digest(options, ...pairs))).size).toBe(lists.length);
    });

    it("sees keys whose values are nothing, or come to nothing", () => {
      const lists = [[], [emit("a", 0)], [emit("b", 0)], [emit("a", 1), emit("a", -1)], [emit("b", 1), emit("b", -1)]];
      expect(new Set(lists.map((pairs) => digest(summed, ...pairs))).size).toBe(lists.length);
    });

    it("counts pairs past the batch, and those that no arena holds", () => {
      for (const value of [7, 0, -7]) {
        const large = emit("k".repeat(300_000), value);
        const beyond = emit("j".repeat(3 * MiB), value);
        const pairs = [emit("a", 1), large, large, emit("a", 1), beyond];
        const collect = kernel.collect(summed);
        addAll(collect, kernel, summed, pairs.slice(0, 4), () => flushed(collect, kernel));
        expect(collect.addLarge(beyond.key, number(value), undefined)).toBe("full");
        flushed(collect, kernel);
        collect.placeLarge(beyond.key, number(value), undefined);
        expect(collect.emissionDigest).toBe(modelDigest(summed, pairs));
        expect(collect.emissions).toBe(5);
      }
    });
  });
}
