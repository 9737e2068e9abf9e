import fc from "fast-check";
import { expect, it } from "vitest";
import { limits } from "../../base/limits.ts";
import type { LargestGroups } from "../../protocol/largest-groups.ts";
import type { Winner } from "../../protocol/records.ts";
import { noStats } from "../../protocol/stats.ts";
import { largestGroupOf } from "./largest-group.ts";

function won(largestGroups: LargestGroups | undefined, stats: Partial<typeof noStats> = {}): { winner: Winner } {
  return {
    winner: {
      attempt: { job: "j", phase: "map", index: 0, epoch: 1, attempt: 1 },
      worker: "w",
      incarnation: 1,
      address: "",
      run: undefined,
      emissionDigest: undefined,
      mapVersion: undefined,
      staged: [],
      deadLetters: [],
      lastAside: undefined,
      largestGroups,
      counters: {},
      stats: { ...noStats, ...stats },
      runLost: undefined,
    },
  };
}

const reduces = [won(undefined)];

/** What a map that counts all its pairs reports. */
function exact(counts: Readonly<Record<string, number>>): LargestGroups {
  const sorted = Object.entries(counts).sort(([, a], [, b]) => b - a);
  return {
    groups: sorted.slice(0, limits.largestGroupsMax).map(([key, pairs]) => ({ key, hash: key.length, pairs })),
    othersMax: sorted[limits.largestGroupsMax]?.[1] ?? 0,
    isEstimate: false,
  };
}

it("what is called exact is the largest group, and what is called an estimate is no more than it has", () => {
  const counts = fc.array(
    fc.dictionary(fc.constantFrom("a", "b", "c", "d", "e", "f", "g"), fc.integer({ min: 1, max: 9 })),
    { minLength: 1, maxLength: 6 },
  );
  let exactly = 0;
  fc.assert(
    fc.property(counts, (all) => {
      const totals = new Map<string, number>();
      for (const one of all)
        for (const [key, pairs] of Object.entries(one)) totals.set(key, (totals.get(key) ?? 0) + pairs);
      const maps = all.map((one) => won(exact(one)));
      const found = largestGroupOf({ maps, reduces });
      expect(largestGroupOf({ maps: maps.toReversed(), reduces })?.pairs).toBe(found?.pairs);
      if (found === undefined) return;
      if (found.isEstimate) {
        expect(found.pairs).toBeLessThanOrEqual(totals.get(found.key)!);
      } else {
        exactly++;
        expect(found.pairs).toBe(Math.max(...totals.values()));
        expect(totals.get(found.key)).toBe(found.pairs);
      }
    }),
    { numRuns: 500 },
  );
  expect(exactly).toBeGreaterThan(50);
});

it("keys with the same excerpt are not taken for one", () => {
  const group = (hash: number, pairs: number) => ({ key: '"https://example.com/…', hash, pairs });
  const report = { groups: [group(1, 30), group(2, 20)], othersMax: 0, isEstimate: false };
  expect(largestGroupOf({ maps: [won(report), won(report)], reduces })).toMatchObject({ pairs: 60 });
});

it("no key is named where one that no map has listed could have more", () => {
  const groups = [{ key: "a", hash: 1, pairs: 50 }];
  const maps = [won({ groups, othersMax: 40, isEstimate: true }), won({ groups: [], othersMax: 40, isEstimate: true })];
  expect(largestGroupOf({ maps, reduces })).toBeUndefined();
  expect(largestGroupOf({ maps: [maps[0]!, won(undefined, { pairs: 90 })], reduces })).toBeUndefined();
  expect(largestGroupOf({ maps: maps.slice(0, 1), reduces })).toEqual({
    key: "a",
    pairs: 50,
    isEstimate: true,
  });
});

it("it is the one that reduce knows of, unless that may have been another", () => {
  const of = (key: string, pairs: number) =>
    won({ groups: [{ key, hash: 1, pairs }], othersMax: pairs, isEstimate: false }, { groupMax: pairs });
  const maps = [won(exact({ x: 99 }))];
  expect(largestGroupOf({ maps, reduces: [of("a", 3), of("b", 5), of("c", 5)] })).toEqual({
    key: "b",
    pairs: 5,
    isEstimate: false,
  });
  expect(largestGroupOf({ maps, reduces: [of("a", 3), won(undefined, { groupMax: 4 })] })).toBeUndefined();
  expect(largestGroupOf({ maps, reduces: [] })).toBeUndefined();
});
