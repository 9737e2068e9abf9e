import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { mask64 } from "../../src/base/bytes/xxh64.ts";
import { MiB } from "../../src/base/limits.ts";
import { seededRandom } from "../../src/base/system/random.ts";
import type { Kernel, KernelFold, KernelOptions } from "../../src/kernel/kernel.ts";
import { pairBytes, pairDigest } from "../../src/kernel/pair.ts";
import { nastyKey } from "./kernel-collect.ts";
import {
  collectAll,
  drain,
  type Emitted,
  emit,
  firstFold,
  joinFold,
  lastFold,
  MemorySource,
  modelResult,
  pairsOf,
  plain,
  show,
  sized,
  sourceOf,
  sumFold,
} from "./kernel-driver.ts";

const minFold: KernelFold = { on: "f64", by: "min", integers: true };
const maxFold: KernelFold = { on: "f64", by: "max", integers: true };

/** A source that says how much it holds. */
const sizedSourceOf = (pairs: readonly Emitted[], blockBytes?: number) =>
  sized(
    sourceOf(pairs, blockBytes),
    pairs.length,
    pairs.reduce((sum, { key, value }) => sum + pairBytes(key.length, value.length), 0),
  );

/** Sorted by key, keeping the order of equal ones. */
const sorted = (pairs: readonly Emitted[]) => modelResult(plain, pairs);

export function mergeConformance(create: (options: KernelOptions) => Kernel): void {
  const small = () => create({ arenaBytes: 1 * MiB });

  describe("merging", () => {
    it("gives all pairs in key order, equal keys in source order, and tells each source what it gave", () => {
      const property = fc.property(
        fc.array(fc.array(nastyKey, { maxLength: 40, size: "max" }), { maxLength: 9, size: "max" }),
        fc.integer({ min: 1, max: 300 }),
        (given, blockBytes) => {
          const lists = given.map((keys, s) => sorted(keys.map((key, i) => emit(key, `${s}.${i}`))));
          const sources = lists.map((pairs) => sourceOf(pairs, blockBytes));
          const kernel = create({ arenaBytes: 1 * MiB, blockBytes: 128 });
          expect(show(drain(kernel.merge(sources, undefined), kernel))).toEqual(show(sorted(lists.flat())));
          for (const [s, source] of sources.entries()) {
            const digest = lists[s]!.reduce((sum, pair) => (sum + pairDigest(pair.key, pair.value)) & mask64, 0n);
            expect(source.ended).toEqual({ pairs: lists[s]!.length, digest });
          }
        },
      );
      fc.assert(property, { seed: 5, numRuns: 150 });
    });

    it("folds across sources and blocks, in source order", () => {
      const pair = fc.tuple(nastyKey, fc.nat(1000));
      const property = fc.property(
        fc.array(fc.array(pair, { maxLength: 30, size: "max" }), { maxLength: 6, size: "max" }),
        fc.constantFrom(sumFold, firstFold, lastFold, joinFold),
        fc.integer({ min: 1, max: 200 }),
        fc.boolean(),
        (given, fold, blockBytes, isSized) => {
          const numbers = fold.on === "f64";
          const lists = given.map((pairs) =>
            sorted(pairs.map(([key, value]) => emit(key, numbers ? value : String(value)))),
          );
          const sources = lists.map((pairs) => (isSized ? sizedSourceOf : sourceOf)(pairs, blockBytes));
          const kernel = create({ arenaBytes: 1 * MiB, blockBytes: 100 });
          const expected = modelResult({ ...plain, fold }, lists.flat());
          expect(show(drain(kernel.merge(sources, fold), kernel), numbers)).toEqual(show(expected, numbers));
          for (const [s, source] of sources.entries()) {
            const digest = lists[s]!.reduce((sum, { key, value }) => (sum + pairDigest(key, value)) & mask64, 0n);
            expect(source.ended).toEqual({ pairs: lists[s]!.length, digest });
          }
        },
      );
      fc.assert(property, { seed: 6, numRuns: 150 });
    });

    it.each<[string, number, number]>([
      ["that most sources have", 700, 20],
      ["that one source has each", 1_000_000_000, 6],
      ["that are long, past the first sources", 5_000, 300],
    ])("folds numbers of keys %s alike, whether sources say how much they hold or not", (_, keys, pad) => {
      const random = seededRandom(keys, pad);
      for (const fold of [sumFold, minFold, maxFold]) {
        const lists = Array.from({ length: 7 }, () => {
          const pairs = Array.from({ length: 900 }, () => {
            const key = `${Math.floor(random() * keys)}`.padStart(pad, "k");
            return emit(random() < 0.1 ? `${key}${"x".repeat(150)}` : key, Math.floor(random() * 100) - 50);
          });
          return modelResult({ ...plain, fold }, pairs);
        });
        const kernel = create({ arenaBytes: 4 * MiB, blockBytes: 2000 });
        const blocksOf = (sources: readonly MemorySource[]) => {
          const stream = kernel.merge(sources, fold);
          const blocks: string[] = [];
          for (let block = stream.next(); block !== undefined; block = stream.next()) {
            const { bytes, start, end, pairs, prefixBytes, digest } = block;
            blocks.push(`${pairs} ${prefixBytes} ${digest} ${Buffer.from(bytes.slice(start, end)).toString("hex")}`);
          }
          return blocks;
        };
        const sources = lists.map((pairs) => sizedSourceOf(pairs));
        const found = blocksOf(sources);
        expect(found.length).toBeGreaterThan(3);
        expect(found).toEqual(blocksOf(lists.map((pairs) => sourceOf(pairs))));
        for (const [s, source] of sources.entries()) {
          const digest = lists[s]!.reduce((sum, { key, value }) => (sum + pairDigest(key, value)) & mask64, 0n);
          expect(source.ended).toEqual({ pairs: lists[s]!.length, digest });
        }
      }
    });

    it("merges no, one, empty and many sources", () => {
      const kernel = small();
      expect(drain(kernel.merge([], undefined), kernel)).toEqual([]);
      const empty = sourceOf([]);
      expect(drain(kernel.merge([empty], sumFold), kernel)).toEqual([]);
      expect(empty.ended).toEqual({ pairs: 0, digest: 0n });
      const pairs = [emit("a", "1"), emit("a", "2"), emit("b", "3")];
      expect(show(drain(kernel.merge([sourceOf(pairs, 1)], undefined), kernel))).toEqual(show(pairs));
      expect(show(drain(kernel.merge([sourceOf([]), sourceOf(pairs), sourceOf([])], undefined), kernel))).toEqual(
        show(pairs),
      );
      const many = Array.from({ length: 64 }, (_, s) => sourceOf([emit("k", `${s}`), emit(`k${s}`, "")]));
      const merged = show(drain(kernel.merge(many, undefined), kernel));
      expect(merged.slice(0, 64)).toEqual(Array.from({ length: 64 }, (_, s) => `0 k=${s}`));
      expect(merged.length).toBe(128);
    });

    it("tells keys of FF bytes from the end of a source", () => {
      // The first key of each list keeps the keys from sharing a prefix, which would be skipped.
      const keys = [7, 8, 9, 20].map((length) => Buffer.alloc(length, 0xff));
      const lists = [
        [emit("a", "0")],
        [emit("a", "1"), ...keys.map((key) => emit(key, "1"))],
        [],
        [emit("b", "2")],
        [emit("c", "3"), emit(keys[1]!, "3"), emit(keys[3]!, "3")],
      ];
      const kernel = small();
      for (const order of [lists, [...lists].reverse()]) {
        expect(
          show(
            drain(
              kernel.merge(
                order.map((pairs) => sourceOf(pairs)),
                undefined,
              ),
              kernel,
            ),
          ),
        ).toEqual(show(sorted(order.flat())));
      }
    });

    it("merges thousands of pairs with long and changing common prefixes", () => {
      const random = seededRandom(8, 8);
      const lists = Array.from({ length: 13 }, (_, s) =>
        sorted(
          Array.from({ length: 400 }, (_, i) => {
            const path = random() < 0.3 ? "" : `https://example.org/${"deep/".repeat(Math.floor(random() * 4))}`;
            return emit(`${path}${Math.floor(random() * 200)}`, `${s}.${i}`);
          }),
        ),
      );
      const kernel = create({ arenaBytes: 1 * MiB, blockBytes: 2000 });
      const sources = lists.map((pairs) => sourceOf(pairs, 500));
      expect(show(drain(kernel.merge(sources, undefined), kernel))).toEqual(show(sorted(lists.flat())));
    });

    it("passes on pairs larger than a block, each in a block of its own", () => {
      const kernel = create({ arenaBytes: 8 * MiB });
      const long = "k".repeat(500_000);
      const lists = [
        sorted([emit("a", "1"), emit(long, "2"), emit("m", "v".repeat(300_000)), emit("z", "3")]),
        sorted([emit(long, "4"), emit("m", "w".repeat(100_000)), emit("n", "5")]),
      ];
      const merged = drain(
        kernel.merge(
          lists.map((pairs) => sourceOf(pairs)),
          undefined,
        ),
        kernel,
      );
      expect(show(merged)).toEqual(show(sorted(lists.flat())));
      const numbers = lists.map((pairs) => sorted(pairs.map(({ key }, i) => emit(key, i))));
      const summed = drain(
        kernel.merge(
          numbers.map((pairs) => sourceOf(pairs)),
          sumFold,
        ),
        kernel,
      );
      expect(show(summed, true)).toEqual(show(modelResult({ ...plain, fold: sumFold }, numbers.flat()), true));
      const joined = drain(
        kernel.merge(
          lists.map((pairs) => sourceOf(pairs)),
          joinFold,
        ),
        kernel,
      );
      expect(show(joined)).toEqual(show(modelResult({ ...plain, fold: joinFold }, lists.flat())));
    });

    it("says which merges fit, and refuses the others", () => {
      const kernel = small();
      expect(kernel.mergeFits(64, kernel.blockBytes)).toBe(true);
      expect(kernel.mergeFits(1, 400_000)).toBe(true);
      expect(kernel.mergeFits(1, 2 * MiB)).toBe(false);
      expect(kernel.mergeFits(100_000, 1)).toBe(false);
      let widest = 1;
      while (kernel.mergeFits(widest + 1, 10_000)) widest++;
      const pairs = [emit("k", "v".repeat(9990))];
      const sources = (count: number) => Array.from({ length: count }, () => new MemorySource([block(pairs)], 10_000));
      expect(drain(kernel.merge(sources(widest), undefined), kernel).length).toBe(widest);
      expect(() => kernel.merge(sources(widest * 2), undefined)).toThrow(
        expect.objectContaining({ code: "over-limit" }),
      );
    });

    it("reads back the runs of a collect in the same arena", () => {
      const random = seededRandom(12, 12);
      const pairs = Array.from({ length: 5000 }, (_, i) => emit(`${Math.floor(random() * 900)}`, `${i}`));
      const kernel = small();
      const { runs } = collectAll(kernel, plain, pairs, { flushEvery: 700 });
      const sources = runs.map((run) => new MemorySource(run.map(({ payload }) => payload)));
      expect(show(drain(kernel.merge(sources, undefined), kernel))).toEqual(show(sorted(pairs)));
      expect(show(pairsOf(collectAll(kernel, plain, pairs).runs.flat()))).toEqual(show(sorted(pairs)));
    });

    it("refuses to go on with a merge that another has replaced", () => {
      const kernel = small();
      const stream = kernel.merge([sourceOf([emit("a", "1")])], undefined);
      kernel.collect(plain);
      expect(() => stream.next()).toThrow(/over/);
    });
  });

  describe("merging damaged blocks", () => {
    const corrupt = expect.objectContaining({ code: "corrupt-run" });
    const read = (payload: Uint8Array, blockBytesMax = payload.length, fold = false, isSized = false) => {
      const kernel = small();
      const good = (isSized ? sizedSourceOf : sourceOf)([emit("a", 1), emit("m", 2), emit("z", 3)]);
      const bad = new MemorySource([payload], blockBytesMax);
      if (isSized) sized(bad, 1, payload.length);
      const stream = kernel.merge([good, bad], fold ? sumFold : undefined);
      let pairs = 0;
      for (let found = stream.next(); found !== undefined; found = stream.next()) pairs += found.pairs;
      return pairs;
    };

    it.each<[string, readonly number[]]>([
      ["ends inside a varint", [0x80]],
      ["ends between lengths", [0x01]],
      ["has a key beyond its end", [0x05, 0x00, 0x61]],
      ["has a value beyond its end", [0x01, 0x05, 0x61]],
      ["has an endless varint", [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01, 0x00]],
      ["has a length near 2^32", [0xff, 0xff, 0xff, 0xff, 0x0f, 0x01, 0x61]],
      ["has lengths that add up to 2^32", [0x85, 0x80, 0x80, 0x80, 0x08, 0xff, 0xff, 0xff, 0xff, 0x07, 0x61, 0x61]],
      ["has a length over 2^32", [0xff, 0xff, 0xff, 0xff, 0x7f, 0x01, 0x61]],
      ["has a length that is right in its lowest 32 bits", [0x81, 0x80, 0x80, 0x80, 0x10, 0x00, 0x61]],
      ["goes wrong after good pairs", [0x01, 0x01, 0x61, 0x62, 0x01, 0x01, 0x63, 0x64, 0x7f]],
    ])("that %s is an error", (_, bytes) => {
      expect(() => read(Uint8Array.from(bytes))).toThrow(corrupt);
    });

    it("longer than announced is an error, and changes nothing else", () => {
      const kernel = small();
      const lying = new MemorySource([block([emit("b", "x".repeat(100))])], 20);
      expect(() => drain(kernel.merge([lying], undefined), kernel)).toThrow();
      const liar = { blockBytesMax: 20, read: () => 4_000_000_000, end() {} };
      expect(() => drain(kernel.merge([liar], undefined), kernel)).toThrow(corrupt);
    });

    it("with a number that is not 8 bytes is an error", () => {
      for (const isSized of [false, true]) {
        expect(() => read(block([emit("b", "1234567")]), undefined, true, isSized)).toThrow(corrupt);
        expect(read(block([emit("b", 7)]), undefined, true, isSized)).toBe(4);
      }
    });

    it("that hold more than their source said are an error, or all of them are there", () => {
      const many = block(Array.from({ length: 3000 }, (_, i) => emit(String(i).padStart(5, "0"), 1)));
      const kernel = create({ arenaBytes: 1 * MiB });
      const source = () => sized(new MemorySource([many], many.length), 1, 1);
      expect(drain(kernel.merge([source(), source()], sumFold), kernel)).toHaveLength(3000);
      const distinct = Array.from({ length: 9 }, (_, s) =>
        block(Array.from({ length: 3000 }, (_, i) => emit(`${s}${String(i).padStart(7, "0")}`, 1))),
      );
      const sources = [0, 1].map(() => sized(new MemorySource(distinct, distinct[0]!.length), 1, 1));
      try {
        expect(drain(kernel.merge(sources, sumFold), kernel)).toHaveLength(27_000);
      } catch (error) {
        expect(error).toEqual(corrupt);
      }
    });

    it("ends for any bytes at all", () => {
      const property = fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 60, size: "max" }),
        fc.boolean(),
        fc.boolean(),
        (bytes, fold, isSized) => {
          try {
            read(bytes, bytes.length, fold, isSized);
          } catch (error) {
            expect(error).toEqual(corrupt);
          }
        },
      );
      fc.assert(property, { seed: 13, numRuns: 400 });
    });

    it("with keys out of order still gives every pair once", () => {
      const kernel = small();
      const stream = kernel.merge(
        [new MemorySource([block(["zz", "a", "zzzzzzzzzzzz", "", "zb"].map((key) => emit(key, "1")))])],
        undefined,
      );
      let pairs = 0;
      for (let found = stream.next(); found !== undefined; found = stream.next()) pairs += found.pairs;
      expect(pairs).toBe(5);
    });
  });
}

function block(pairs: readonly Emitted[]): Uint8Array {
  const source = sourceOf(pairs, Number.POSITIVE_INFINITY);
  const bytes = new Uint8Array(source.blockBytesMax);
  source.read(bytes, 0);
  return bytes;
}
