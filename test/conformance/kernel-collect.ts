import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { mask64 } from "../../src/base/bytes/xxh64.ts";
import { limits, MiB } from "../../src/base/limits.ts";
import { seededRandom } from "../../src/base/system/random.ts";
import type { CollectOptions, Kernel, KernelOptions, KernelPartitioner, PartShape } from "../../src/kernel/kernel.ts";
import { pairDigest } from "../../src/kernel/pair.ts";
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
  pairsOf,
  plain,
  show,
  sumFold,
  utf8,
} from "./kernel-driver.ts";

/** Keys that find mistakes: empty, NUL and FF bytes, prefixes of each other, long common prefixes. */
export const nastyKey: fc.Arbitrary<Uint8Array> = fc.oneof(
  fc.uint8Array({ maxLength: 20, size: "max" }),
  fc.array(fc.constantFrom(0x00, 0xff, 0x61), { maxLength: 12, size: "max" }).map((bytes) => Uint8Array.from(bytes)),
  fc
    .tuple(fc.nat(40), fc.uint8Array({ maxLength: 3, size: "max" }))
    .map(([length, tail]) => Uint8Array.from([...new Uint8Array(length).fill(0x61), ...tail])),
  fc.nat(30).map((n) => utf8(`https://example.org/a/rather/long/common/path/${n}`)),
);

export function collectConformance(create: (options: KernelOptions) => Kernel): void {
  const small = () => create({ arenaBytes: 1 * MiB });

  describe("placing", () => {
    const explicit: KernelPartitioner = { kind: "explicit" };
    const range = (...boundaries: readonly string[]): KernelPartitioner => ({
      kind: "range",
      boundaries: boundaries.map(utf8),
    });
    const place = (options: Partial<CollectOptions>, pairs: readonly Emitted[]) =>
      show(pairsOf(collectAll(small(), { ...plain, ...options }, pairs).runs.flat()));

    it("by hash puts the published vectors where they always were", () => {
      const pairs = ["", "a", "abc", "the", "naïve", "Œuvre"].map((key) => emit(key, ""));
      const found = place({ partitions: 10_000 }, pairs).map((line) => line.split(" ")[0]);
      expect(found).toEqual(["2684", "2933", "4298", "7517", "8215", "9346"]);
    });

    it("by range counts the boundaries that are not above the key", () => {
      const pairs = ["", "b", "ba", "a", "c", "d", "zzzzzzzzzzzz", "bbbbbbbba", "bbbbbbbbb"].map((key) =>
        emit(key, ""),
      );
      expect(place({ partitions: 5, partitioner: range("b", "bbbbbbbbb", "d") }, pairs)).toEqual([
        ...["0 =", "0 a=", "1 b=", "1 ba=", "1 bbbbbbbba=", "2 bbbbbbbbb=", "2 c=", "3 d=", "3 zzzzzzzzzzzz="],
      ]);
      expect(place({ partitions: 5, partitioner: range() }, pairs.slice(0, 2))).toEqual(["0 =", "0 b="]);
    });

    it("explicitly does as told, also for one key in several partitions", () => {
      const pairs = [emit("b", "1", 2), emit("a", "2", 2), emit("b", "3", 0), emit("b", "4", 2)];
      expect(place({ partitions: 3, partitioner: explicit }, pairs)).toEqual(["0 b=3", "2 a=2", "2 b=1", "2 b=4"]);
      const numbers = pairs.map(({ key, partition }) => emit(key, 1, partition));
      const { runs } = collectAll(small(), { ...plain, partitions: 3, partitioner: explicit, fold: sumFold }, numbers);
      expect(show(pairsOf(runs.flat()), true)).toEqual(["0 b=1", "2 a=1", "2 b=2"]);
    });

    it("by range compares boundaries of any length, shared prefixes and zero bytes included", () => {
      const property = fc.property(
        fc.array(nastyKey, { maxLength: 40, size: "max" }),
        fc.array(nastyKey, { maxLength: 30, size: "max" }),
        (keys, cuts) => {
          const boundaries = cuts
            .sort(Buffer.compare)
            .filter((key, i) => i === 0 || Buffer.compare(cuts[i - 1]!, key) !== 0);
          const options: CollectOptions = { ...plain, partitions: 31, partitioner: { kind: "range", boundaries } };
          const pairs = keys.map((key) => emit(key, ""));
          expect(show(pairsOf(collectAll(small(), options, pairs).runs.flat()))).toEqual(
            show(modelResult(options, pairs)),
          );
        },
      );
      fc.assert(property, { seed: 7, numRuns: 60 });
    });

    it("takes boundaries that are larger than the arena", () => {
      const boundaries = Array.from({ length: 40 }, (_, i) =>
        Buffer.concat([Buffer.alloc(50_000, 0x61), Buffer.from([i])]),
      );
      const options: CollectOptions = { ...plain, partitions: 41, partitioner: { kind: "range", boundaries } };
      const pairs = [...boundaries.slice(0, 5), ...boundaries.slice(38)].map((key) => emit(key, ""));
      expect(pairsOf(collectAll(small(), options, pairs).runs.flat()).map((pair) => pair.partition)).toEqual([
        1, 2, 3, 4, 5, 39, 40,
      ]);
    });

    it.each<[string, readonly PartShape[], readonly (readonly [string, string])[]]>([
      ["fixed", [2, 1], [["abcX", "abcYY"]]],
      ["ascending", ["ascending"], [["a\0\xffb\0\0X", "a\0\xffb\0\0YY"]]],
      ["descending", ["descending"], [["a\xff\0b\xff\xffX", "a\xff\0b\xff\xffYY"]]],
      ["mixed", ["ascending", 1, "descending"], [["\0\0q\xff\xffX", "\0\0q\xff\xffYY"]]],
      ["unfinished ascending", ["ascending", "descending"], [["a\0", "a\0"]]],
      ["unfinished descending", ["descending"], [["a\xff", "a\xff"]]],
    ])("of %s parts looks at the grouping prefix only", (_, group, alike) => {
      for (const keys of alike) {
        // What lies behind the key must not be taken for a part's end.
        const values = ["", "\0\0", "\xff\xff"].map((value) => Buffer.from(value, "latin1"));
        const pairs = keys.flatMap((key) => values.map((value) => emit(Buffer.from(key, "latin1"), value)));
        const options = { ...plain, partitions: 10_000, group };
        const placed = pairsOf(collectAll(small(), options, pairs).runs.flat());
        expect(new Set(placed.map((pair) => pair.partition))).toEqual(
          new Set([modelResult(options, pairs)[0]!.partition]),
        );
      }
    });

    it("of random tuple keys agrees with the model", () => {
      const shape = fc.oneof(fc.nat(4), fc.constant<PartShape>("ascending"), fc.constant<PartShape>("descending"));
      const property = fc.property(
        fc.array(nastyKey, { maxLength: 30, size: "max" }),
        fc.array(shape, { minLength: 1, maxLength: 4, size: "max" }),
        (keys, group) => {
          const pairs = keys.map((key) => emit(key, ""));
          for (const partitioner of [{ kind: "hash" } as const, range("\0a", "a", "aa", "https")]) {
            const options = { ...plain, partitions: 100, group, partitioner };
            const { runs, emissionDigest } = collectAll(small(), options, pairs);
            expect(show(pairsOf(runs.flat()))).toEqual(show(modelResult(options, pairs)));
            expect(emissionDigest).toBe(modelDigest(options, pairs));
          }
        },
      );
      fc.assert(property, { seed: 11, numRuns: 60 });
    });
  });

  describe("collecting", () => {
    it("sorts by partition, key bytes and emission, whatever the keys", () => {
      const property = fc.property(
        fc.array(nastyKey, { maxLength: 120, size: "max" }),
        fc.integer({ min: 1, max: 5 }),
        (keys, partitions) => {
          const pairs = keys.map((key, i) => emit(key, String(i)));
          const { runs } = collectAll(small(), { ...plain, partitions }, pairs);
          expect(show(pairsOf(runs.flat()))).toEqual(show(modelResult({ ...plain, partitions }, pairs)));
        },
      );
      fc.assert(property, { seed: 1, numRuns: 150 });
    });

    it("sorts thousands of keys of every kind", () => {
      const random = seededRandom(3, 3);
      const kinds: readonly (() => string)[] = [
        () => String(Math.floor(random() * 500)),
        () => `https://example.org/${"section/".repeat(3)}${Math.floor(random() * 3000)}`,
        () => "a".repeat(Math.floor(random() * 300)),
        // Keys that go on being equal for longer than is worth taking apart by prefixes.
        () => `${"b".repeat(Math.floor(random() * 900))}${random() < 0.5 ? "c" : ""}`,
        () => "\0".repeat(Math.floor(random() * 900)),
        () => `${"\0".repeat(Math.floor(random() * 9))}${random() < 0.1 ? "a" : ""}`,
        () => "one key",
        () => `${"x".repeat(Math.floor(random() * 3) * 8)}${"\0".repeat(Math.floor(random() * 12))}`,
        () => String.fromCharCode(...Array.from({ length: 10 }, () => random() * 256)),
      ];
      for (const kind of [...kinds, () => kinds[Math.floor(random() * kinds.length)]!()]) {
        const pairs = Array.from({ length: 3000 }, (_, i) => emit(Buffer.from(kind(), "latin1"), String(i)));
        const { runs } = collectAll(create({ arenaBytes: 4 * MiB }), { ...plain, partitions: 3 }, pairs);
        expect(runs.length).toBe(1);
        expect(show(pairsOf(runs.flat()))).toEqual(show(modelResult({ ...plain, partitions: 3 }, pairs)));
      }
    });

    it("is full in the middle of a batch, goes on after a flush, and loses nothing: fault 80", () => {
      const random = seededRandom(5, 5);
      const pairs = Array.from({ length: 40_000 }, (_, i) =>
        emit(`key ${Math.floor(random() * 1e6)}`, `${i} ${"v".repeat(i % 60)}`),
      );
      const options = { ...plain, partitions: 7 };
      const kernel = small();
      const { runs, emissionDigest, emissions } = collectAll(kernel, options, pairs);
      expect(runs.length).toBeGreaterThan(2);
      expect(emissions).toBe(pairs.length);
      expect(emissionDigest).toBe(modelDigest(options, pairs));
      expect(show(mergeRuns(kernel, runs, undefined))).toEqual(show(modelResult(options, pairs)));
    });

    it("uses at least 70 % of the arena for pairs of 100 bytes", () => {
      const kernel = create({ arenaBytes: 16 * MiB });
      const pairs = Array.from({ length: 200_000 }, (_, i) => emit(String(i).padStart(10, "0"), new Uint8Array(90)));
      const collect = kernel.collect(plain);
      let held = 0;
      addAll(collect, kernel, plain, pairs, () => {
        held = Math.max(held, collect.held);
        collect.flush({ block() {} });
      });
      expect(held * 102).toBeGreaterThan(0.7 * 16 * MiB);
    });

    it("spreads over 10,000 partitions in the smallest arena", () => {
      const options = { ...plain, partitions: limits.partitionsMax };
      const pairs = Array.from({ length: 30_000 }, (_, i) => emit(`k${i}`, String(i)));
      const kernel = small();
      const { runs } = collectAll(kernel, options, pairs);
      const total = runs.flat().reduce((sum, block) => sum + block.pairs, 0);
      expect(total).toBe(pairs.length);
      for (const run of runs) {
        for (const pair of pairsOf(run)) expect(pair.partition).toBe(modelResult(options, [pair])[0]!.partition);
      }
    });

    it("hands out nothing for nothing", () => {
      const { runs, emissionDigest } = collectAll(small(), { ...plain, partitions: 9 }, []);
      expect(runs).toEqual([[]]);
      expect(emissionDigest).toBe(0n);
    });

    it("counts held pairs and emissions from the first one", () => {
      const kernel = small();
      const options = { ...plain, firstEmission: 2 ** 40 };
      const collect = kernel.collect(options);
      addAll(collect, kernel, options, [emit("a", "1"), emit("a", "2")], () => {});
      expect(collect.held).toBe(2);
      expect(collect.emissions).toBe(2 ** 40 + 2);
      expect(collect.emissionDigest).toBe(modelDigest(options, [emit("a", "1"), emit("a", "2")]));
    });

    it("refuses to go on with a collect that another has replaced", () => {
      const kernel = small();
      const collect = kernel.collect(plain);
      kernel.collect(plain);
      expect(() => collect.addBatch(collect.batchStart)).toThrow(/over/);
      expect(() => collect.flush({ block() {} })).toThrow(/over/);
    });

    it("can collect again, with other options, in an arena that was used", () => {
      const kernel = small();
      collectAll(
        kernel,
        { ...plain, partitions: 50, fold: sumFold },
        Array.from({ length: 5000 }, (_, i) => emit(`${i}`, i)),
      );
      const pairs = [emit("b", "1"), emit("a", "2")];
      expect(show(pairsOf(collectAll(kernel, plain, pairs).runs.flat()))).toEqual(["0 a=2", "0 b=1"]);
    });
  });

  describe("the emission digest", () => {
    it("does not depend on flushes, batch cuts, combining or the arena", () => {
      const random = seededRandom(9, 9);
      const pairs = Array.from({ length: 3000 }, () =>
        emit(`w${Math.floor(random() * 700)}`, Math.floor(random() * 1000)),
      );
      for (const fold of [undefined, sumFold]) {
        const options = { ...plain, partitions: 5, fold };
        const digests = [
          collectAll(small(), options, pairs),
          collectAll(small(), { ...options, combining: "never" }, pairs),
          collectAll(small(), { ...options, combining: "always" }, pairs, { batchEvery: 7 }),
          collectAll(create({ arenaBytes: 2 * MiB, batchBytes: 256, blockBytes: 512 }), options, pairs, {
            flushEvery: 100,
          }),
        ].map((collected) => collected.emissionDigest);
        expect(new Set(digests)).toEqual(new Set([modelDigest(options, pairs)]));
      }
    });

    it("tells apart what was emitted in another order, to another partition, or with another cut between key and value", () => {
      const options: CollectOptions = { ...plain, partitions: 2, partitioner: { kind: "explicit" } };
      const digest = (...pairs: Emitted[]) => collectAll(small(), options, pairs).emissionDigest;
      const one = digest(emit("a", "1", 0), emit("a", "2", 0));
      expect(digest(emit("a", "2", 0), emit("a", "1", 0))).not.toBe(one);
      expect(digest(emit("a", "1", 1), emit("a", "2", 0))).not.toBe(one);
      expect(digest(emit("a1", "", 0), emit("a", "2", 0))).not.toBe(one);
    });
  });

  describe("large pairs", () => {
    it("go past the batch and keep their place in the order", () => {
      const kernel = create({ arenaBytes: 8 * MiB });
      const huge = "k".repeat(limits.keyBytesMax);
      const pairs = [
        emit("b", "1"),
        emit("b", "x".repeat(200_000)),
        emit("b", "3"),
        emit(huge, "4"),
        emit(`${huge.slice(1)}j`, "5"),
        emit("", "6"),
      ];
      const { runs, emissionDigest } = collectAll(kernel, plain, pairs);
      expect(runs.length).toBe(1);
      expect(show(pairsOf(runs.flat()))).toEqual(show(modelResult(plain, pairs)));
      expect(emissionDigest).toBe(modelDigest(plain, pairs));
      // One too large for a block has one of its own.
      expect(runs[0]!.map((block) => block.pairs)).toEqual([2, 1, 1, 1, 1]);
    });

    it("that fit no arena are placed and counted, and nothing else", () => {
      const kernel = small();
      const options = { ...plain, partitions: 10 };
      const collect = kernel.collect(options);
      const pair = emit("large", new Uint8Array(2 * MiB).fill(7));
      expect(collect.addLarge(pair.key, pair.value, undefined)).toBe("full");
      expect(collect.emissions).toBe(0);
      const placed = collect.placeLarge(pair.key, pair.value, undefined);
      expect(placed).toEqual({
        partition: modelResult(options, [pair])[0]!.partition,
        digest: pairDigest(pair.key, pair.value),
      });
      expect(collect.emissions).toBe(1);
      expect(collect.held).toBe(0);
      addAll(collect, kernel, options, [emit("next", "1")], () => {});
      expect(collect.emissionDigest).toBe(modelDigest(options, [pair, emit("next", "1")]) & mask64);
      expect(show(pairsOf(flushed(collect, kernel)).map((found) => ({ ...found, partition: 0 })))).toEqual([
        "0 next=1",
      ]);
    });

    it("are folded like small ones", () => {
      const kernel = create({ arenaBytes: 8 * MiB });
      const key = "k".repeat(300_000);
      const options = { ...plain, fold: sumFold };
      const collect = kernel.collect(options);
      for (const value of [1, 2, 4]) expect(collect.addLarge(utf8(key), number(value), undefined)).toBe("taken");
      expect(show(pairsOf(flushed(collect, kernel)), true)).toEqual([`0 ${key}=7`]);
    });
  });
}
