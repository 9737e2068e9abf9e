import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MiB } from "../../src/base/limits.ts";
import { seededRandom } from "../../src/base/system/random.ts";
import type { CollectOptions, Kernel, KernelFold, KernelOptions } from "../../src/kernel/kernel.ts";
import { nastyKey } from "./kernel-collect.ts";
import {
  addAll,
  type Block,
  collectAll,
  drain,
  type Emitted,
  emit,
  firstFold,
  flushed,
  joinFold,
  lastFold,
  mergeRuns,
  modelDigest,
  modelResult,
  pairsOf,
  plain,
  show,
  sized,
  sourceOf,
  sumFold,
  utf8,
} from "./kernel-driver.ts";

const floats = (by: "sum" | "min" | "max" | ((a: number, b: number) => number)): KernelFold => ({
  on: "f64",
  by,
  integers: false,
});

export function foldConformance(create: (options: KernelOptions) => Kernel): void {
  const small = () => create({ arenaBytes: 1 * MiB });
  const folded = (fold: KernelFold, pairs: readonly Emitted[], combining: CollectOptions["combining"] = "auto") =>
    show(pairsOf(collectAll(small(), { ...plain, fold, combining }, pairs).runs.flat()), fold.on === "f64");

  describe("folding numbers", () => {
    it.each<[string, KernelFold, string]>([
      ["sum", floats("sum"), "6.5"],
      ["min", floats("min"), "-3"],
      ["max", floats("max"), "8"],
      ["a function", floats((a, b) => a * 3 + b), "12.5"],
      ["first", floats((a) => a), "1.5"],
      ["last", floats((_, b) => b), "8"],
    ])("by %s gives one pair a key, in the table or after the sort", (_, fold, expected) => {
      const pairs = [emit("k", 1.5), emit("j", 1), emit("k", -3), emit("k", 8)];
      for (const combining of ["auto", "always", "never"] as const) {
        expect(folded(fold, pairs, combining)).toEqual(["0 j=1", `0 k=${expected}`]);
      }
    });

    it("agrees with the model for any keys, cuts and ways of combining", () => {
      const pair = fc.tuple(nastyKey, fc.integer({ min: -1000, max: 1000 }));
      const fold = fc.constantFrom(sumFold, firstFold, lastFold, floats("min"), floats("max"));
      const how = fc.record({
        combining: fc.constantFrom("auto" as const, "always" as const, "never" as const),
        partitions: fc.integer({ min: 1, max: 5 }),
        flushEvery: fc.integer({ min: 1, max: 200 }),
        batchEvery: fc.integer({ min: 1, max: 50 }),
      });
      const property = fc.property(
        fc.array(pair, { maxLength: 150, size: "max" }),
        fold,
        how,
        (given, by, { combining, partitions, ...cuts }) => {
          const pairs = given.map(([key, value]) => emit(key, value));
          const options: CollectOptions = { ...plain, fold: by, combining, partitions };
          const kernel = small();
          const { runs, emissionDigest } = collectAll(kernel, options, pairs, cuts);
          expect(emissionDigest).toBe(modelDigest(options, pairs));
          expect(show(mergeRuns(kernel, runs, by), true)).toEqual(show(modelResult(options, pairs), true));
        },
      );
      fc.assert(property, { seed: 2, numRuns: 100 });
    });

    it("tells apart keys that differ in length, in zeros at their end or in one byte, wherever that is", () => {
      const length = fc.constantFrom(0, 1, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 48, 127, 128, 129, 16_383, 16_384);
      const key = fc
        .tuple(length, fc.constantFrom(0x00, 0x61, 0xff), fc.nat(60), fc.constantFrom(0x00, 0x01, 0x61))
        .map(([bytes, fill, at, other]) => new Uint8Array(bytes).fill(fill).fill(other, at, at + 1));
      const pair = fc.tuple(key, fc.integer({ min: -9, max: 9 }), fc.nat(2));
      const how = fc.record({
        fold: fc.constantFrom(sumFold, lastFold, floats("max")),
        partitioner: fc.constantFrom({ kind: "hash" } as const, { kind: "explicit" } as const),
        flushEvery: fc.integer({ min: 20, max: 200 }),
      });
      const kernel = create({ arenaBytes: 4 * MiB });
      const property = fc.property(fc.array(pair, { maxLength: 120, size: "max" }), how, (given, chosen) => {
        const { flushEvery, ...rest } = chosen;
        const isExplicit = rest.partitioner.kind === "explicit";
        const options: CollectOptions = { ...plain, ...rest, partitions: 3, combining: "always" };
        const pairs = given.map(([k, value, partition]) => emit(k, value, isExplicit ? partition : undefined));
        const { runs, emissionDigest } = collectAll(kernel, options, pairs, { flushEvery });
        expect(emissionDigest).toBe(modelDigest(options, pairs));
        expect(show(mergeRuns(kernel, runs, rest.fold), true)).toEqual(show(modelResult(options, pairs), true));
      });
      fc.assert(property, { seed: 5, numRuns: 100 });
    });

    it("takes up where it was full, in the middle of any group, and begins anew with a table of the last one's size", () => {
      const random = seededRandom(31, 1);
      const kernel = small();
      for (const distinct of [40_000, 40, 40_000]) {
        const pairs = Array.from({ length: 40_000 }, () => emit(`key ${Math.floor(random() * distinct)}`, 1));
        const options: CollectOptions = { ...plain, partitions: 2, fold: sumFold, combining: "always" };
        const { runs, emissionDigest, emissions } = collectAll(kernel, options, pairs);
        expect(runs.length > 1).toBe(distinct > 40);
        expect(emissions).toBe(pairs.length);
        expect(emissionDigest).toBe(modelDigest(options, pairs));
        const texts = [mergeRuns(kernel, runs, sumFold), modelResult(options, pairs)].map((list) =>
          show(list, true).join("\n"),
        );
        expect(texts[0] === texts[1]).toBe(true);
      }
    });

    it("keeps the order of a fold while combining is given up and tried again", () => {
      const random = seededRandom(21, 1);
      // Repeating keys, then a long stretch of new ones, then the old ones again.
      const values: string[] = [];
      for (let i = 0; i < 5_000; i++) values.push(`old ${Math.floor(random() * 400)}`);
      for (let i = 0; i < 80_000; i++)
        values.push(`${random() < 0.05 ? "old" : "new"} ${Math.floor(random() * 1e7) % (i % 7 === 0 ? 400 : 1e7)}`);
      for (let i = 0; i < 5_000; i++) values.push(`old ${i % 400}`);
      // A number that holds the first and the last of what it was folded from: associative, and any wrong order shows.
      const scale = 2 ** 20;
      const ends: KernelFold = { on: "f64", by: (a, b) => Math.floor(a / scale) * scale + (b % scale), integers: true };
      const pairs = values.map((key, i) => emit(key, i * scale + i));
      const options: CollectOptions = { ...plain, fold: ends };
      const kernel = create({ arenaBytes: 4 * MiB });
      const { runs } = collectAll(kernel, options, pairs);
      expect(runs.length).toBeGreaterThan(1);
      const texts = [mergeRuns(kernel, runs, ends), modelResult(options, pairs)].map((list) =>
        show(list, true).join("\n"),
      );
      expect(texts[0] === texts[1]).toBe(true);
    });

    it("holds any number of pairs of few keys without a flush", () => {
      const kernel = small();
      const options = { ...plain, fold: sumFold };
      const pairs = Array.from({ length: 10_000 }, (_, i) => emit(`${i % 100}`, 1));
      const many = Array.from({ length: 20 }, () => pairs).flat();
      const { runs } = collectAll(kernel, options, many);
      expect(runs.length).toBe(1);
      expect(show(pairsOf(runs[0]!), true).every((line) => line.endsWith("=2000"))).toBe(true);
    });

    it("keeps one pair per key while its table grows", () => {
      const random = seededRandom(31, 1);
      const pairs = Array.from({ length: 60_000 }, (_, i) =>
        emit(`${i < 20_000 ? i : Math.floor(random() * 20_000)}`, i),
      );
      for (const partitioner of [{ kind: "hash" } as const, { kind: "explicit" } as const]) {
        const options: CollectOptions = { ...plain, fold: sumFold, combining: "always", partitions: 3, partitioner };
        const placed =
          partitioner.kind === "hash" ? pairs : pairs.map((pair) => ({ ...pair, partition: pair.key[0]! % 3 }));
        const { runs } = collectAll(create({ arenaBytes: 4 * MiB }), options, placed);
        expect(runs.length).toBe(1);
        expect(show(pairsOf(runs.flat()), true)).toEqual(show(modelResult(options, placed), true));
      }
    });

    it("holds long keys without the table in their way", () => {
      const kernel = small();
      const options: CollectOptions = { ...plain, fold: sumFold };
      const collect = kernel.collect(options);
      const pairs: Emitted[] = [];
      // Long keys fill the arena up to the table; a key of zeros, where slots would look free, and short ones come
      // then.
      for (let length = 400_000; length > 100; ) {
        const pair = emit(`${pairs.length} ${"k".repeat(length)}`, 1);
        if (collect.addLarge(pair.key, pair.value, undefined) === "taken") pairs.push(pair);
        else length = Math.floor(length / 2);
      }
      const blocks: Block[] = [];
      const short = Array.from({ length: 2000 }, (_, i) => emit(i === 0 ? "\0".repeat(5000) : `${i % 700}`, 1));
      addAll(collect, kernel, options, short, () => blocks.push(...flushed(collect, kernel)));
      const runs = [blocks, flushed(collect, kernel)];
      const expected = modelResult(options, [...pairs, ...short]);
      const texts = [mergeRuns(create({ arenaBytes: 8 * MiB }), runs, sumFold), expected].map((list) =>
        show(list, true).join("\n"),
      );
      expect(texts[0] === texts[1]).toBe(true);
    });

    it("gives combining up while keys don't repeat, and tries again after the next flush", () => {
      const options: CollectOptions = { ...plain, fold: sumFold };
      const unlike = Array.from({ length: 80_000 }, (_, i) => emit(`${i}`, 1));
      const alike = Array.from({ length: 1000 }, () => emit("0", 1));
      const heldMore = (combining: CollectOptions["combining"], flushes: boolean) => {
        const kernel = create({ arenaBytes: 6 * MiB });
        const collect = kernel.collect({ ...options, combining });
        const full = () => expect.fail("80,000 small pairs fit into 6 MiB");
        addAll(collect, kernel, options, unlike, full);
        if (flushes) collect.flush({ block() {} });
        addAll(collect, kernel, options, [emit("0", 1)], full);
        const before = collect.held;
        addAll(collect, kernel, options, alike, full);
        const more = collect.held - before;
        const expected = flushes ? [emit("0", 1001)] : modelResult(options, [...unlike, emit("0", 1001)]);
        const texts = [pairsOf(flushed(collect, kernel)), expected].map((pairs) => show(pairs, true).join("\n"));
        expect(texts[0] === texts[1], "keys are folded, also those from before and after giving up").toBe(true);
        return more;
      };
      expect(heldMore("always", false)).toBe(0);
      expect(heldMore("auto", false)).toBe(1000);
      expect(heldMore("auto", true)).toBe(0);
      expect(heldMore("never", true)).toBe(1000);
    });

    it("spills more keys than the arena holds, and merges them to the right sums", () => {
      const random = seededRandom(4, 4);
      const pairs = Array.from({ length: 60_000 }, () => emit(`${Math.floor(random() * 30_000)}`, 1));
      const options: CollectOptions = { ...plain, fold: sumFold, combining: "always", partitions: 2 };
      const kernel = small();
      const { runs } = collectAll(kernel, options, pairs);
      expect(runs.length).toBeGreaterThan(1);
      expect(show(mergeRuns(kernel, runs, sumFold), true)).toEqual(show(modelResult(options, pairs), true));
    });

    it("names the sum that is beyond 2^53, in the table, after the sort and in a merge", () => {
      const near = 2 ** 53 - 2;
      const error = expect.objectContaining({
        code: "over-limit",
        message: expect.stringMatching(/sum for the key "total" is beyond 2\^53/),
      });
      const pairs = [emit("total", near), emit("other", near), emit("total", 1), emit("total", 1)];
      for (const combining of ["auto", "never"] as const) {
        expect(folded(sumFold, pairs.slice(0, 3), combining)).toEqual([`0 other=${near}`, `0 total=${near + 1}`]);
        expect(() => folded(sumFold, pairs, combining)).toThrow(error);
      }
      const kernel = small();
      const sources = () => [sourceOf([emit("total", -near)]), sourceOf([emit("total", -2)])];
      expect(() => drain(kernel.merge(sources(), sumFold), kernel)).toThrow(error);
      const bySize = sources().map((source) => sized(source, 1, 20));
      expect(() => drain(kernel.merge(bySize, sumFold), kernel)).toThrow(error);
      expect(folded(floats("sum"), pairs)).toEqual([`0 other=${near}`, `0 total=${2 ** 53}`]);
    });

    it.each<[string, KernelFold, string]>([
      ["NaN", floats(() => Number.NaN), "wrong-value"],
      ["no number", floats(() => undefined as never), "wrong-value"],
      ["a fraction among integers", { on: "f64", by: () => 0.5, integers: true }, "wrong-value"],
      ["a large integer", { on: "f64", by: () => 2 ** 53, integers: true }, "over-limit"],
      ["infinities that cancel", floats("sum"), "wrong-value"],
    ])("refuses a function that gives %s, and names the key", (_, fold, code) => {
      const pairs = [
        emit("k", fold.by === "sum" ? Number.POSITIVE_INFINITY : 1),
        emit("k", fold.by === "sum" ? Number.NEGATIVE_INFINITY : 2),
      ];
      const error = expect.objectContaining({ code, message: expect.stringContaining('"k"') });
      for (const combining of ["auto", "never"] as const) expect(() => folded(fold, pairs, combining)).toThrow(error);
      const kernel = small();
      const sources = pairs.map((pair) => sourceOf([pair]));
      expect(() => drain(kernel.merge(sources, fold), kernel)).toThrow(error);
    });

    it("passes on what a user's function throws", () => {
      const thrown = new TypeError("mine");
      const fold = floats(() => {
        throw thrown;
      });
      expect(() => folded(fold, [emit("k", 1), emit("k", 2)])).toThrow(thrown);
    });

    it("writes -0 as 0", () => {
      expect(
        folded(
          floats(() => -0),
          [emit("k", 1), emit("k", 2)],
        ),
      ).toEqual(["0 k=0"]);
      const [pair] = pairsOf(
        collectAll(small(), { ...plain, fold: floats(() => -0) }, [emit("k", 1), emit("k", 2)]).runs.flat(),
      );
      expect(pair!.value).toEqual(emit("k", 0).value);
    });

    it("takes infinities and the smallest doubles", () => {
      const values = [
        Number.NEGATIVE_INFINITY,
        -Number.MAX_VALUE,
        -Number.MIN_VALUE,
        0,
        Number.MIN_VALUE,
        Number.POSITIVE_INFINITY,
      ];
      const pairs = values.map((value) => emit("k", value));
      expect(folded(floats("min"), pairs)).toEqual(["0 k=-Infinity"]);
      expect(folded(floats("max"), pairs)).toEqual(["0 k=Infinity"]);
      expect(folded(floats("sum"), pairs.slice(2, 5))).toEqual(["0 k=0"]);
    });
  });

  describe("folding bytes", () => {
    it("joins the values of a key in input order, whatever the flushes", () => {
      const property = fc.property(
        fc.array(fc.tuple(nastyKey, fc.nat(99)), { maxLength: 100, size: "max" }),
        fc.integer({ min: 1, max: 150 }),
        fc.integer({ min: 1, max: 3 }),
        (given, flushEvery, partitions) => {
          const pairs = given.map(([key, value]) => emit(key, String(value)));
          const options = { ...plain, fold: joinFold, partitions };
          const kernel = small();
          const { runs } = collectAll(kernel, options, pairs, { flushEvery });
          expect(show(mergeRuns(kernel, runs, joinFold))).toEqual(show(modelResult(options, pairs)));
        },
      );
      fc.assert(property, { seed: 3, numRuns: 60 });
    });

    it("makes values larger than a block, and then smaller again", () => {
      const kernel = small();
      const pairs: Emitted[] = [];
      for (const [key, count] of [
        ["a", 3],
        ["b", 400],
        ["c", 1],
        ["d", 200],
        ["e", 2],
      ] as const) {
        for (let i = 0; i < count; i++) pairs.push(emit(key, `${key}${i}`.padEnd(60, ".")));
      }
      const options = { ...plain, fold: joinFold };
      const { runs } = collectAll(kernel, options, pairs);
      expect(show(pairsOf(runs.flat()))).toEqual(show(modelResult(options, pairs)));
      const halves = [0, 1].map((half) =>
        sourceOf(
          modelResult(
            plain,
            pairs.filter((_, i) => i % 2 === half),
          ),
        ),
      );
      const merged = drain(kernel.merge(halves, joinFold), kernel);
      expect(merged.map((pair) => pair.value.length)).toEqual(
        modelResult(options, pairs).map((pair) => pair.value.length),
      );
    });

    it("may shrink, empty or return one of its arguments", () => {
      const pairs = ["x", "yy", "zzz", "w"].map((value) => emit("k", value));
      expect(folded({ on: "bytes", by: (a) => a }, pairs)).toEqual(["0 k=x"]);
      expect(folded({ on: "bytes", by: (_, b) => b }, pairs)).toEqual(["0 k=w"]);
      expect(folded({ on: "bytes", by: (a, b) => (a.length > b.length ? a : b) }, pairs)).toEqual(["0 k=zzz"]);
      expect(folded({ on: "bytes", by: () => utf8("") }, pairs)).toEqual(["0 k="]);
    });

    it("passes on what a user's function throws", () => {
      const fold: KernelFold = {
        on: "bytes",
        by: () => {
          throw new RangeError("mine");
        },
      };
      expect(() => folded(fold, [emit("k", "1"), emit("k", "2")])).toThrow(/mine/);
    });
  });
}
