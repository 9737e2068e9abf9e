import { expect, test } from "vitest";
import type { AttemptId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { createReferenceKernel } from "../../kernel/reference.ts";
import { createCollector } from "../../sort/collector.ts";
import type { MemoryFiles } from "../../sort/memory-files.ts";
import type { RunRef } from "../../sort/run.ts";
import { Chance } from "../chance.ts";
import { Disk } from "../disk.ts";
import { openOn, RunsOnDisk } from "./runs.ts";

function attemptOf(index: number, phase: AttemptId["phase"] = "map"): AttemptId {
  return { job: "j", phase, index, epoch: 1, attempt: index + 1 };
}

function filesOn(disk: Disk, attempt: AttemptId): MemoryFiles {
  const runs = new RunsOnDisk(attempt);
  disk.write(runs);
  return runs.files;
}

/** A run of no pairs: its footer is all there is. */
function written(disk: Disk, attempt: AttemptId): RunRef {
  const collector = createCollector({
    kernel: createReferenceKernel({ arenaBytes: limits.arenaBytesMin }),
    files: filesOn(disk, attempt),
    attempt,
    options: {
      partitions: 2,
      partitioner: { kind: "hash" },
      group: undefined,
      fold: undefined,
      combining: "auto",
      firstEmission: 0,
    },
  });
  return collector.finish();
}

test("a finished map output outlives its worker and is offered again; what is not finished or of a reduce is not", () => {
  const disk = new Disk("w0");
  const run = written(disk, attemptOf(0));
  filesOn(disk, attemptOf(1));
  written(disk, attemptOf(2, "reduce"));
  expect(disk.offered().map((offer) => offer.run)).toEqual([run]);
  const reader = openOn(disk, run);
  expect(reader.writtenBy).toEqual(run.writtenBy);
  reader.close();
});

test("what is lost is said to be gone, what is damaged fails its checks and is not offered", () => {
  const disk = new Disk("w0");
  const [lost, damaged] = [written(disk, attemptOf(0)), written(disk, attemptOf(1))];
  disk.lose(lost.writtenBy);
  expect(() => openOn(disk, lost)).toThrow("is gone");
  disk.find(damaged.writtenBy)!.damage(new Chance(1, 1));
  expect(() => openOn(disk, damaged)).toThrow(expect.objectContaining({ code: "corrupt-run" }));
  expect(disk.offered()).toEqual([]);
  expect(disk.any(new Chance(1, 1))).toBeUndefined();
});

test("a failed attempt leaves nothing, a winner its run, a job that is over nothing", () => {
  const disk = new Disk("w0");
  const store = disk.runStore();
  const [failed, won] = [written(disk, attemptOf(0)), written(disk, attemptOf(1))];
  store.end(failed.writtenBy, { isFailed: true, kept: undefined });
  store.end(won.writtenBy, { isFailed: false, kept: won });
  expect(disk.offered().map(({ run }) => run)).toEqual([won]);
  expect(store.jobs()).toEqual(["j"]);
  store.discard("j");
  expect(store.jobs()).toEqual([]);
});

test("a disk that is full takes nothing, and says so", () => {
  const disk = new Disk("w0");
  disk.isFull = true;
  expect(() => disk.write(new RunsOnDisk(attemptOf(0)))).toThrow(expect.objectContaining({ code: "no-space" }));
  expect(() => disk.runStore().begin(attemptOf(0), "s0")).toThrow(expect.objectContaining({ code: "no-space" }));
});
