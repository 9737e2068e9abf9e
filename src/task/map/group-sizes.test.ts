import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { runTasks } from "../../../test/support/run-tasks.ts";
import { ByteBuffer } from "../../base/bytes/byte-buffer.ts";
import { keyExcerptOf } from "../../base/excerpt.ts";
import { limits } from "../../base/limits.ts";
import { seededRandom } from "../../base/system/random.ts";
import { text } from "../../format/lines/text.ts";
import { uint } from "../../job/codecs/numbers.ts";
import { tuple } from "../../job/codecs/tuple.ts";
import { utf8 } from "../../job/codecs/utf8.ts";
import { sum } from "../../job/combine.ts";
import { defineJob } from "../../job/define-job.ts";
import { words } from "../../job/mappers.ts";
import { prefix } from "../../job/partition.ts";
import { GroupSizes } from "./group-sizes.ts";

/** Pairs as they lie in a batch, each with a value of 8 bytes, in batches of about that many bytes. */
function* batches(keys: Iterable<string>, batchBytes = 64 * 1024): Generator<Buffer> {
  let batch = new ByteBuffer();
  for (const key of keys) {
    const bytes = Buffer.from(key);
    batch.writeVarint(bytes.length);
    batch.writeVarint(8);
    batch.writeBytes(bytes);
    batch.writeBytes(Buffer.alloc(8));
    if (batch.length < batchBytes) continue;
    yield Buffer.from(batch.view());
    batch = new ByteBuffer();
  }
  if (batch.length > 0) yield Buffer.from(batch.view());
}

function sizesOf(keys: readonly string[], seed = 1) {
  const sizes = new GroupSizes(undefined, 0, seed);
  for (const batch of batches(keys)) sizes.takePairs(batch, 0, batch.length);
  const { groups, ...bounds } = sizes.largest(keys.length);
  return { ...bounds, groups: groups.map(({ key, pairs }) => [Buffer.from(key).toString(), pairs] as const) };
}

function counted(keys: readonly string[]): (readonly [string, number])[] {
  const counts = new Map<string, number>();
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  return [...counts].sort(([a, one], [b, other]) => other - one || (a < b ? -1 : 1));
}

/** Words as a text has them: the n-th is 1/n as frequent as the first. */
function zipf(pairs: number, seed: number): string[] {
  const random = seededRandom(seed, 1);
  return Array.from({ length: pairs }, () => `word ${Math.floor(Math.exp(random() * Math.log(50_000)))}`);
}

describe("the largest groups of a map", () => {
  it("are exact where it emits few pairs", () => {
    const keys = fc.array(fc.stringMatching(/^[a-f]{0,2}$/), { minLength: 1, maxLength: 2000 });
    fc.assert(
      fc.property(keys, (all) => {
        const expected = counted(all);
        const { groups, othersMax, isEstimate } = sizesOf(all);
        expect(isEstimate).toBe(false);
        expect(groups).toEqual(expected.slice(0, limits.largestGroupsMax));
        expect(othersMax).toBe(expected[limits.largestGroupsMax]?.[1] ?? 0);
      }),
    );
  });

  it.each([1, 2, 3, 4, 5])("are estimated by a sample where it emits many, in any order: seed %i", (seed) => {
    const keys = zipf(1_000_000, seed);
    const [[first, most]] = counted(keys) as [readonly [string, number]];
    for (const all of [keys, keys.toSorted()]) {
      const { groups, isEstimate } = sizesOf(all, seed);
      expect(isEstimate).toBe(true);
      const [found, pairs] = groups[0]!;
      expect(found).toBe(first);
      expect(pairs / most).toBeGreaterThan(0.7);
      expect(pairs / most).toBeLessThan(1.4);
    }
  });

  it("are estimated alike for keys that come in turns", () => {
    const keys = Array.from({ length: 600_000 }, (_, i) => `key ${i % 16}`);
    const { groups } = sizesOf(keys);
    expect(groups).toHaveLength(limits.largestGroupsMax);
    for (const [, pairs] of groups) {
      expect(pairs).toBeGreaterThan(600_000 / 16 / 2);
      expect(pairs).toBeLessThan((600_000 / 16) * 2);
    }
  });

  it("are none where no key has many pairs, and then their bound is small", () => {
    const { groups, othersMax } = sizesOf(Array.from({ length: 500_000 }, (_, i) => `key ${i}`));
    expect(groups).toEqual([]);
    expect(othersMax).toBeLessThan(500_000 / 50);
  });

  it("say the same each time, and hold no more keys than they may", () => {
    const keys = zipf(300_000, 7).map((key, i) => (i % 3 === 0 ? `${key} ${i}` : key));
    expect(sizesOf(keys, 3)).toEqual(sizesOf(keys, 3));
  });

  it("have a bound for keys that are too long to be counted", () => {
    const keys = Array.from({ length: 600 }, (_, i) => (i % 2 === 0 ? "x".repeat(1025) : "y".repeat(1024)));
    const { groups, othersMax } = sizesOf(keys);
    expect(groups).toEqual([["y".repeat(1024), 300]]);
    expect(othersMax).toBe(300);
  });
});

describe("a map's report of its largest groups", () => {
  const base = { name: "t", input: text(), value: uint, combine: sum } as const;

  it("has excerpts of keys as the job has them, before combining", async () => {
    const job = defineJob({
      ...base,
      key: tuple(utf8, uint),
      map: (line, emit) => {
        for (const word of line.split(" ")) emit([word, word.length], 1);
      },
    });
    const { maps, reduces } = await runTasks(job, { files: { a: "to be or not to be\nto to\n" } });
    expect(maps[0]!.largestGroups).toMatchObject({ isEstimate: false, othersMax: 0 });
    expect(maps[0]!.largestGroups!.groups.map(({ key, pairs }) => [key, pairs])).toEqual([
      ["[ 'to', 2 ]", 4],
      ["[ 'be', 2 ]", 2],
      ["[ 'not', 3 ]", 1],
      ["[ 'or', 2 ]", 1],
    ]);
    expect(reduces.every(({ stats }) => stats.groupMax <= 1)).toBe(true);
  });

  it.each(["spaces", "letters"] as const)(
    "leaves words that are counted to the reduce, which has sums: %s",
    async (by) => {
      const word = fc.constantFrom("a", "bb", "ccc", "d-d", "E", "ä", "");
      const lines = fc.array(fc.tuple(fc.array(word, { maxLength: 6 }), fc.constantFrom("\n", "\r\n")), {
        maxLength: 40,
      });
      const property = fc.asyncProperty(lines, fc.boolean(), async (all, marked) => {
        const content = (marked ? "\ufeff" : "") + all.map(([line, end]) => line.join(" ") + end).join("");
        const map = words(by);
        const emitted: string[] = [];
        for (const [line] of all) map(line.join(" "), (key) => void emitted.push(key));
        const expected = counted(emitted).map(([key, pairs]) => [keyExcerptOf(key), pairs] as const);
        const { maps, reduces } = await runTasks(defineJob({ ...base, key: utf8, map }), { files: { a: content } });
        for (const one of maps) expect(one).not.toHaveProperty("largestGroups");
        const found = reduces.flatMap(({ largestGroups }) => largestGroups?.groups ?? []);
        for (const { key, pairs } of found) expect(expected).toContainEqual([key, pairs]);
        expect(Math.max(0, ...found.map(({ pairs }) => pairs))).toBe(expected[0]?.[1] ?? 0);
        // The same by a function that no one recognises, which emits pairs.
        const named = (line: string, emit: (key: string, value: number) => void) => map(line, emit);
        const plain = await runTasks(defineJob({ ...base, key: utf8, map: named }), { files: { a: content } });
        const listed = plain.maps.flatMap(({ largestGroups }) => largestGroups?.groups ?? []);
        expect(listed.map(({ key, pairs }) => [key, pairs])).toEqual(expected.slice(0, limits.largestGroupsMax));
        for (const one of plain.reduces) expect(one).not.toHaveProperty("largestGroups");
      });
      await fc.assert(property, { numRuns: 50 });
    },
  );

  it("is missing where nothing is combined, as reduce sees every value", async () => {
    const { maps, reduces } = await runTasks(
      defineJob({
        name: "t",
        input: text(),
        key: utf8,
        value: uint,
        map: (line, emit) => emit(line, 1),
        reduce: (key, values, emit) => emit(`${key} ${[...values].length}`),
        output: text(),
      }),
      { files: { a: "x\ny\nx\n" }, spec: { partitions: 1 } },
    );
    expect(maps[0]).not.toHaveProperty("largestGroups");
    expect(reduces[0]!.largestGroups!.groups).toMatchObject([{ key: '"x"', pairs: 2 }]);
  });

  it("is of the part of a key by which the job groups", async () => {
    const { reduces } = await runTasks(
      defineJob({
        name: "t",
        input: text(),
        key: tuple(utf8, uint),
        group: prefix(1),
        value: uint,
        map: (line, emit, ctx) => emit([line, ctx.offset], 1),
        reduce: (key, values, emit) => emit(`${key} ${[...values].length}`),
        output: text(),
      }),
      { files: { a: "x\ny\nx\n" }, spec: { partitions: 1 } },
    );
    expect(reduces[0]!.largestGroups!.groups).toMatchObject([{ key: "[ 'x' ]", pairs: 2 }]);
  });
});
