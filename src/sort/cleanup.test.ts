// Every call to the file system fails once, in turn: the error is one of ours, or the failure goes unnoticed and the
// result is right; in no case does a file or a descriptor stay behind.
import { describe, expect, it } from "vitest";
import { createFakeTierFiles } from "../../test/support/fake-tier-files.ts";
import {
  emitAll,
  explicitOptions,
  mapAttempt,
  openRef,
  readCursor,
  readRun,
  reduceAttempt,
  sortPairs,
  type TestPair,
  writeRun,
} from "../../test/support/pairs.ts";
import { smallKernel } from "../../test/support/small-kernel.ts";
import { MillraceError } from "../base/error.ts";
import { limits } from "../base/limits.ts";
import { gather } from "../shuffle/gather.ts";
import { SegmentLost } from "../shuffle/segment-lost.ts";
import { createTier, type Tier } from "../tier/tier.ts";
import { createCollector } from "./collector.ts";

/** The memory tier holds a part of the runs, all, or none. */
const memories = [0, 1_500, 1_000_000];

function tierWith(memory: number) {
  const fs = createFakeTierFiles({
    capacity: { "/memory": memory + limits.memoryTierSpareBytes, "/disk": 1_000_000 },
  });
  const tier = createTier({ memoryDirectory: "/memory", memoryBytesMax: 10_000_000, diskDirectory: "/disk", fs });
  return { fs, tier };
}

const given: TestPair[] = Array.from({ length: 60 }, (_, i) => ({
  partition: i % 3,
  key: `k${(i * 7) % 5}`,
  value: `${i}`.padEnd(i % 11 === 0 ? 300 : 5),
}));

const kernel = smallKernel(3, { batchBytes: 512 });

/** Collects with ten spills, so that merging takes several passes. One run stays. */
function collectAll(tier: Tier) {
  const collector = createCollector({ kernel, files: tier, attempt: mapAttempt(0), options: explicitOptions(3) });
  try {
    for (let at = 0; at < given.length; at += 6) {
      emitAll(collector, given.slice(at, at + 6));
      collector.spill();
    }
    return { collector, run: collector.finish() };
  } catch (error) {
    collector.abort();
    throw error;
  }
}

describe("cleaning up", () => {
  it("fault 60, 61: a collector leaves nothing, whichever call fails", () => {
    for (const memory of memories) {
      const good = tierWith(memory);
      collectAll(good.tier);
      const calls = good.fs.calls.length;
      expect(calls).toBeGreaterThan(100);
      let failed = 0;
      let unnoticed = 0;
      for (let call = 0; call < calls; call++) {
        for (const code of ["EIO", "ENOSPC"]) {
          const { fs, tier } = tierWith(memory);
          fs.failAt(call, code);
          const where = `${good.fs.calls[call]}, call ${call} of ${calls}, ${code}, memory ${memory}`;
          try {
            const { collector, run } = collectAll(tier);
            unnoticed++;
            expect(fs.paths, where).toEqual([run.path]);
            const reader = openRef(tier, run);
            expect(readRun(reader), where).toEqual(sortPairs(given));
            reader.close();
            collector.abort();
          } catch (error) {
            if (!(error instanceof MillraceError)) throw error;
            failed++;
          }
          expect(fs.paths, where).toEqual([]);
          expect(fs.openCount, where).toBe(0);
          expect(tier.memoryBytesUsed, where).toBe(0);
        }
      }
      expect(failed).toBeGreaterThan(100);
      if (memory > 0) expect(unnoticed).toBeGreaterThan(0); // a full memory tier is no failure
    }
  });

  it("fault 60, 61: gathering leaves nothing but the map outputs, whichever call fails", () => {
    const scenario = (memory: number, prepare: (fs: ReturnType<typeof tierWith>["fs"]) => void) => {
      const { fs, tier } = tierWith(memory);
      const runs = Array.from({ length: 9 }, (_, map) =>
        writeRun(tier, `map-${map}`, mapAttempt(map), sortPairs(given.slice(map * 6, map * 6 + 6)), 60),
      );
      const before = fs.paths.length;
      const first = fs.calls.length;
      prepare(fs);
      let cursor: ReturnType<typeof gather>["cursor"] | undefined;
      let outcome: unknown;
      try {
        const open = (run: (typeof runs)[number]) => openRef(tier, run);
        const options = { kernel, files: tier, fold: undefined, attempt: reduceAttempt(0), partition: 1, runs, open };
        cursor = gather(options).cursor;
        outcome = readCursor(cursor, 1);
      } catch (error) {
        outcome = error;
      } finally {
        cursor?.close();
      }
      return { fs, before, first, outcome };
    };
    const expected = sortPairs(given.slice(0, 54)).filter(({ partition }) => partition === 1);
    for (const memory of memories) {
      const good = scenario(memory, () => {});
      expect(good.outcome).toEqual(expected);
      expect(good.fs.calls.length - good.first).toBeGreaterThan(80);
      const outcomes = { lost: 0, other: 0, unnoticed: 0 };
      for (let call = good.first; call < good.fs.calls.length; call++) {
        const { fs, before, outcome } = scenario(memory, (fs) => fs.failAt(call, "EIO"));
        const where = `${good.fs.calls[call]}, call ${call} of ${good.fs.calls.length}, memory ${memory}`;
        if (outcome instanceof SegmentLost) outcomes.lost++;
        else if (outcome instanceof MillraceError) outcomes.other++;
        else {
          outcomes.unnoticed++;
          expect(outcome, where).toEqual(expected);
        }
        expect(fs.paths.length, where).toBe(before);
        expect(fs.openCount, where).toBe(0);
      }
      expect(outcomes.lost).toBeGreaterThan(9);
      expect(outcomes.other).toBeGreaterThan(9);
    }
  });

  it("fault 60: a disk that is full at any point of collecting is no-space, and nothing stays", () => {
    const whole = tierWith(0);
    const { run } = collectAll(whole.tier);
    let failed = 0;
    for (let disk = 0; disk < run.bytes * 3; disk += 211) {
      const fs = createFakeTierFiles({ capacity: { "/disk": disk } });
      const tier = createTier({ memoryDirectory: undefined, memoryBytesMax: 0, diskDirectory: "/disk", fs });
      try {
        collectAll(tier).collector.abort();
      } catch (error) {
        expect(error).toMatchObject({ code: "no-space" });
        failed++;
      }
      expect(fs.paths).toEqual([]);
      expect(fs.openCount).toBe(0);
    }
    expect(failed).toBeGreaterThan(10);
  });
});
