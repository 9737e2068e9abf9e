import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { mapAttempt, openRef, reduceAttempt, sortPairs, type TestPair, writeRun } from "../../test/support/pairs.ts";
import { smallKernel } from "../../test/support/small-kernel.ts";
import { Groups } from "./group.ts";
import { createMemoryFiles } from "./memory-files.ts";
import { mergeRuns } from "./merge.ts";
import type { Cursor } from "./run.ts";

/** A cursor over given pairs. */
class ListCursor implements Cursor {
  bytes: Uint8Array = new Uint8Array(0);
  keyStart = 0;
  keyEnd = 0;
  valueEnd = 0;
  readonly isLast = true;
  closed = false;
  readonly #pairs: readonly { readonly key: Uint8Array; readonly value: Uint8Array }[];
  #at = -1;

  constructor(pairs: readonly { readonly key: Uint8Array; readonly value: Uint8Array }[]) {
    this.#pairs = pairs;
  }

  advance(): boolean {
    const pair = this.#pairs[++this.#at];
    if (pair === undefined) return false;
    // The pair stands between foreign bytes, in memory that is reused for the next pair.
    this.bytes.fill(0xee);
    this.bytes = Buffer.concat([Buffer.from("??"), pair.key, pair.value, Buffer.from("??")]);
    this.keyStart = 2;
    this.keyEnd = 2 + pair.key.length;
    this.valueEnd = this.keyEnd + pair.value.length;
    return true;
  }

  lasting(start: number, end: number): Uint8Array {
    return Uint8Array.from(this.bytes.subarray(start, end));
  }

  drain(): void {}

  close(): void {
    this.closed = true;
  }
}

const textPairs = (pairs: readonly (readonly [string, string])[]) =>
  new ListCursor(pairs.map(([key, value]) => ({ key: Buffer.from(key), value: Buffer.from(value) })));

const shownKey = (groups: Groups) => Buffer.from(groups.key.subarray(groups.keyStart, groups.keyEnd)).toString();
const shownValue = (groups: Groups) =>
  Buffer.from(groups.bytes.subarray(groups.valueStart, groups.valueEnd)).toString();

function readAll(groups: Groups): Record<string, string[]>[] {
  const all: Record<string, string[]>[] = [];
  while (groups.nextGroup()) {
    const values: string[] = [];
    while (groups.nextValue()) values.push(shownValue(groups));
    all.push({ [shownKey(groups)]: values });
  }
  return all;
}

describe("groups", () => {
  it("hands out each key once, with its values in their order", () => {
    const groups = new Groups(
      textPairs([
        ["", "0"],
        ["a", "1"],
        ["a", ""],
        ["ab", "3"],
        ["b", "4"],
        ["b", "5"],
      ]),
      undefined,
    );
    expect(readAll(groups)).toEqual([{ "": ["0"] }, { a: ["1", ""] }, { ab: ["3"] }, { b: ["4", "5"] }]);
    expect([groups.groups, groups.pairs, groups.groupMax]).toEqual([4, 6, 2]);
    expect(groups.nextGroup()).toBe(false);
    expect(groups.nextValue()).toBe(false);
  });

  it("of nothing there are none", () => {
    const groups = new Groups(textPairs([]), undefined);
    expect(groups.nextValue()).toBe(false);
    expect(groups.nextGroup()).toBe(false);
    expect(groups.nextGroup()).toBe(false);
    expect([groups.groups, groups.pairs, groups.groupMax]).toEqual([0, 0, 0]);
    expect(groups.largestKey).toBeUndefined();
  });

  it("counts values that nobody read", () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom("a", "b", "c", "dd", "x".repeat(300), `${"x".repeat(300)}y`), { maxLength: 40 }),
        fc.array(fc.nat(5), { minLength: 6, maxLength: 6 }),
        (keys, reads) => {
          const sorted = keys.toSorted();
          const groups = new Groups(textPairs(sorted.map((key, i) => [key, `${i}`])), undefined);
          const seen: string[] = [];
          while (groups.nextGroup()) {
            const values: string[] = [];
            for (let left = reads[groups.groups - 1]!; left > 0 && groups.nextValue(); left--)
              values.push(shownValue(groups));
            const key = shownKey(groups);
            expect(values).toEqual(
              sorted.flatMap((other, i) => (other === key ? [`${i}`] : [])).slice(0, reads[groups.groups - 1]),
            );
            seen.push(key);
          }
          const distinct = [...new Set(sorted)];
          expect(seen).toEqual(distinct);
          expect(groups.pairs).toBe(keys.length);
          const counts = distinct.map((key) => sorted.filter((other) => other === key).length);
          expect(groups.groupMax).toBe(Math.max(0, ...counts));
          // The first one of that size.
          const largest = distinct[counts.indexOf(groups.groupMax)];
          expect(groups.largestKey?.toString()).toBe(largest);
        },
      ),
    );
  });

  it("fault 79: says when values were taken before, once per group", () => {
    const groups = new Groups(
      textPairs([
        ["a", "1"],
        ["b", "2"],
      ]),
      undefined,
    );
    groups.nextGroup();
    expect([groups.takeValues(), groups.takeValues(), groups.takeValues()]).toEqual([true, false, false]);
    groups.nextGroup();
    expect([groups.takeValues(), groups.takeValues()]).toEqual([true, false]);
  });

  it("groups by a prefix of a tuple key: fixed, ascending and descending parts", () => {
    const bytes = (...list: number[]) => Buffer.from(list);
    const value = Buffer.from("v");
    const sizes = (keys: readonly Buffer[], shapes: ConstructorParameters<typeof Groups>[1]) => {
      const groups = new Groups(new ListCursor(keys.map((key) => ({ key, value }))), shapes);
      const list: [string, number][] = [];
      while (groups.nextGroup()) {
        let count = 0;
        while (groups.nextValue()) count++;
        list.push([Buffer.from(groups.key.subarray(groups.keyStart, groups.keyEnd)).toString("hex"), count]);
      }
      return list;
    };
    expect(sizes([bytes(1, 2, 3), bytes(1, 2, 4), bytes(1, 3, 0)], [2])).toEqual([
      ["0102", 2],
      ["0103", 1],
    ]);
    // 61 00 ff 62 is "a", an escaped 00, "b".
    const a = [bytes(0x61, 0, 0, 7), bytes(0x61, 0, 0, 8), bytes(0x61, 0, 0xff, 0x62, 0, 0, 9)];
    expect(sizes(a, ["ascending"])).toEqual([
      ["610000", 2],
      ["6100ff620000", 1],
    ]);
    const d = [bytes(0x9e, 0xff, 0, 0x9d, 0xff, 0xff, 1), bytes(0x9e, 0xff, 0xff, 1), bytes(0x9e, 0xff, 0xff, 2)];
    expect(sizes(d, ["descending"])).toEqual([
      ["9eff009dffff", 1],
      ["9effff", 2],
    ]);
    expect(
      sizes([bytes(5, 0x61, 0, 0, 1), bytes(5, 0x61, 0, 0, 2), bytes(5, 0x62, 0, 0, 1)], [1, "ascending"]),
    ).toEqual([
      ["05610000", 2],
      ["05620000", 1],
    ]);
  });

  it("fault 79: memory does not grow with the values of a key", () => {
    const files = createMemoryFiles();
    // 20 runs of 16 MB in total, of one key: more than the reading side may ever hold.
    const runs = Array.from({ length: 20 }, (_, run) =>
      openRef(
        files,
        writeRun(
          files,
          `map-${run}`,
          mapAttempt(run),
          Array.from({ length: 200 }, (_, i) => ({ partition: 0, key: "hot", value: `${run}.${i}`.padEnd(4_000) })),
          8_192,
        ),
      ),
    );
    const cursor = mergeRuns(runs, 0, {
      kernel: smallKernel(64, { blockBytes: 8_192 }),
      fold: undefined,
      files,
      attempt: reduceAttempt(0),
    });
    const groups = new Groups(cursor, undefined);
    expect(groups.nextGroup()).toBe(true);
    let largest = 0;
    let bytes = 0;
    while (groups.nextValue()) {
      bytes += groups.valueEnd - groups.valueStart;
      largest = Math.max(largest, groups.bytes.length);
    }
    expect(bytes).toBe(20 * 200 * 4_000);
    // A group keeps only its key; its values stay in the kernel's memory, which is fixed.
    expect(largest).toBeLessThanOrEqual(1024 * 1024);
    expect(groups.key.length).toBe(256);
    expect(groups.nextGroup()).toBe(false);
    expect([groups.groups, groups.pairs, groups.groupMax]).toEqual([1, 4_000, 4_000]);
    expect(groups.largestKey?.toString()).toBe("hot");
  });

  it("drain reads and counts all that is left; close lets go", () => {
    const pairs: [string, string][] = [
      ["a", "1"],
      ["b", "2"],
      ["b", "3"],
      ["c", "4"],
    ];
    const drained = new Groups(textPairs(pairs), undefined);
    drained.nextGroup();
    drained.drain();
    expect([drained.groups, drained.pairs, drained.groupMax]).toEqual([3, 4, 2]);
    const cursor = textPairs(pairs);
    const closed = new Groups(cursor, undefined);
    closed.nextGroup();
    closed.close();
    expect(cursor.closed).toBe(true);
    expect(closed.nextValue()).toBe(false);
    expect(closed.nextGroup()).toBe(false);
  });

  it("groups are those of a sort of all pairs, also when merged from many runs", () => {
    const files = createMemoryFiles();
    const runs: TestPair[][] = Array.from({ length: 30 }, (_, run) =>
      Array.from({ length: 20 }, (_, i) => ({ partition: 0, key: `${(run * i) % 13}`, value: `${run}.${i}` })),
    );
    const readers = runs.map((pairs, run) =>
      openRef(files, writeRun(files, `map-${run}`, mapAttempt(run), sortPairs(pairs))),
    );
    const options = { kernel: smallKernel(4), fold: undefined, files, attempt: reduceAttempt(0) };
    const expected = new Map<string, string[]>();
    for (const { key, value } of sortPairs(runs.flat())) expected.set(key, [...(expected.get(key) ?? []), value]);
    expect(readAll(new Groups(mergeRuns(readers, 0, options), undefined))).toEqual(
      [...expected].map(([key, values]) => ({ [key]: values })),
    );
  });
});
