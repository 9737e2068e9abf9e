import { describe, expect, it } from "vitest";
import {
  mapAttempt,
  openRef,
  readCursor,
  reduceAttempt,
  sortPairs,
  type TestPair,
  writeRun,
} from "../../test/support/pairs.ts";
import { smallKernel } from "../../test/support/small-kernel.ts";
import { MillraceError } from "../base/error.ts";
import { measureFiles } from "../sort/measured-files.ts";
import { createMemoryFiles, type MemoryFiles } from "../sort/memory-files.ts";
import type { RunRef } from "../sort/run.ts";
import { openRun } from "../sort/run-reader.ts";
import { type GatherOptions, gather } from "./gather.ts";
import { SegmentLost } from "./segment-lost.ts";

/** Outputs of `count` map tasks; some of them have nothing in partition 1. */
function mapOutputs(files: MemoryFiles, count: number): { readonly runs: RunRef[]; readonly pairs: TestPair[] } {
  const pairs: TestPair[] = [];
  const runs = Array.from({ length: count }, (_, map) => {
    const own = sortPairs(
      Array.from({ length: 5 + (map % 4) }, (_, i) => ({
        partition: map % 5 === 0 ? 0 : i % 2,
        key: `k${(map + i) % 11}`,
        value: `${map}.${i}`,
      })),
    );
    pairs.push(...own);
    return writeRun(files, `map-${map}`, mapAttempt(map), own, 60);
  });
  return { runs, pairs };
}

/** Each attempt has its own number, so none uses another's names. */
let attempts = 0;

function options(files: MemoryFiles, runs: readonly RunRef[], over: Partial<GatherOptions> = {}): GatherOptions {
  const kernel = smallKernel(8);
  const open = (run: RunRef) => openRef(files, run);
  return { kernel, files, fold: undefined, attempt: reduceAttempt(1, ++attempts), partition: 1, runs, open, ...over };
}

/** What gathering and reading everything throws. */
function thrownBy(given: GatherOptions): unknown {
  let gathered: ReturnType<typeof gather> | undefined;
  try {
    gathered = gather(given);
    gathered.cursor.drain();
  } catch (error) {
    gathered?.cursor.close();
    return error;
  }
  return undefined;
}

describe("gather", () => {
  it("gives one partition of all map outputs, values in the order of the maps", () => {
    const files = createMemoryFiles();
    const { runs, pairs } = mapOutputs(files, 40);
    const measured = measureFiles(files);
    const gathered = gather(options(files, runs, { files: measured }));
    const expected = sortPairs(pairs).filter(({ partition }) => partition === 1);
    expect(gathered.pairs).toBe(expected.length);
    expect(readCursor(gathered.cursor, 1)).toEqual(expected);
    expect(measured.memoryBytes).toBeGreaterThan(0); // 32 of them have the partition: more than 8
    expect(files.paths).toHaveLength(40);
    expect(files.opened).toBe(0);
  });

  it("opens no more files at once than it merges, however many maps there are", () => {
    const files = createMemoryFiles();
    const { runs, pairs } = mapOutputs(files, 2_000);
    let most = 0;
    const open = (run: RunRef) => {
      const reader = openRef(files, run);
      most = Math.max(most, files.opened);
      return reader;
    };
    const { cursor } = gather(options(files, runs, { open }));
    expect(readCursor(cursor, 1)).toEqual(sortPairs(pairs).filter(({ partition }) => partition === 1));
    expect(most).toBeLessThanOrEqual(8);
    expect(files.opened).toBe(0);
  });

  it("fault 59: names the map attempt whose output is damaged, at whichever byte", () => {
    const files = createMemoryFiles();
    const { runs } = mapOutputs(files, 12);
    const victim = runs[7]!;
    const { offset, bytes } = openRef(files, victim).segment(1)!;
    const stored = files.bytesOf(victim.path);
    const before = files.paths.length;
    for (let at = offset; at < offset + bytes; at++) {
      stored[at]! ^= 4;
      const error = thrownBy(options(files, runs));
      expect(error).toBeInstanceOf(SegmentLost);
      expect(error).toMatchObject({ code: "segment-lost", map: victim.writtenBy, retry: "elsewhere" });
      expect((error as Error).message).toMatch(/^the output of map-00007\.1\.1 is lost: map-7: /);
      stored[at]! ^= 4;
      expect(files.paths.length).toBe(before);
    }
    expect(thrownBy(options(files, runs))).toBeUndefined();
  });

  it("names the map attempt whose output is gone, before or while it is read", () => {
    const files = createMemoryFiles();
    const { runs } = mapOutputs(files, 12);
    files.remove(runs[3]!.path);
    expect(thrownBy(options(files, runs))).toMatchObject({ map: runs[3]!.writtenBy });
    const again = createMemoryFiles();
    const outputs = mapOutputs(again, 12);
    let opened = 0;
    const open = (run: RunRef) => {
      // All footers were read; now one run goes away.
      if (++opened === 13) again.remove(outputs.runs[11]!.path);
      return openRef(again, run);
    };
    expect(thrownBy(options(again, outputs.runs, { open }))).toMatchObject({ map: outputs.runs[11]!.writtenBy });
    expect(again.opened).toBe(0);
    expect(again.paths).toHaveLength(11);
  });

  it("names all whose outputs are gone, damaged at the end or not those reported, as each by itself would cost an attempt", () => {
    const files = createMemoryFiles();
    const { runs } = mapOutputs(files, 12);
    for (const map of [3, 9]) files.remove(runs[map]!.path);
    files.bytesOf(runs[5]!.path)[files.bytesOf(runs[5]!.path).length - 20]! ^= 1;
    const reported = runs.with(11, { ...runs[11]!, pairs: 99 });
    expect(thrownBy(options(files, reported))).toMatchObject({
      map: runs[3]!.writtenBy,
      how: "missing",
      others: [5, 9, 11].map((map) => runs[map]!.writtenBy),
    });
  });

  it("fault 53: a whole run of another attempt, or with another count, is not what was reported", () => {
    const files = createMemoryFiles();
    const { runs } = mapOutputs(files, 3);
    const stranger = writeRun(files, "other", mapAttempt(1, 9), [{ partition: 1, key: "a", value: "b" }]);
    const wrongAttempt = runs.with(1, { ...runs[1]!, path: stranger.path });
    expect(thrownBy(options(files, wrongAttempt))).toMatchObject({ code: "segment-lost", map: mapAttempt(1) });
    // The same when the given `open` does not check.
    const trusting = (run: RunRef) => openRun(files.open(run.path), undefined, run.path);
    const sameCount = wrongAttempt.with(1, { ...wrongAttempt[1]!, pairs: 1 });
    expect(thrownBy(options(files, sameCount, { open: trusting }))).toMatchObject({ map: mapAttempt(1) });
    const wrongCount = runs.with(1, { ...runs[1]!, pairs: 1 });
    expect(thrownBy(options(files, wrongCount))).toMatchObject({ code: "segment-lost", map: mapAttempt(1) });
    expect(files.opened).toBe(0);
  });

  it("what is wrong with this machine is not blamed on a map", () => {
    const files = createMemoryFiles();
    const { runs } = mapOutputs(files, 3);
    const busy = new MillraceError("io-error", "too many open files");
    const open = () => {
      throw busy;
    };
    expect(thrownBy(options(files, runs, { open }))).toBe(busy);
  });

  it("no maps, no pairs", () => {
    const files = createMemoryFiles();
    const { cursor, pairs, bytes } = gather(options(files, []));
    expect([cursor.advance(), pairs, bytes]).toEqual([false, 0, 0]);
  });
});
