import { expect, test } from "vitest";
import { systemClock } from "../base/system/clock.ts";
import { noLog } from "../base/system/log.ts";
import type { JobSpec } from "../job/spec.ts";
import { keys } from "../protocol/records.ts";
import type { JobState, JobView } from "../protocol/view.ts";
import { createMemoryStore } from "../state/memory.ts";
import { jobRecord } from "../wire/stored/records.ts";
import type { DiskBlobs } from "./blobs.ts";
import type { History } from "./history.ts";
import { tidy } from "./housekeeping.ts";
import type { Master } from "./master.ts";

function spec(bundle: string, file: string): JobSpec {
  return {
    name: "job",
    bundle,
    inputs: [{ name: "", paths: ["in"] }],
    directory: "/",
    standardInput: undefined,
    files: [{ name: "f", path: "/f", sha256: file }],
    output: "/out",
    writes: "formats",
    partitions: 1,
    splitBytes: undefined,
    attemptsMax: 4,
    maxSlots: undefined,
    skipBad: 0,
    params: "{}",
    taskTimeoutMs: 1000,
    checkpointMs: 0,
    taskLimitMs: undefined,
    nondeterministic: "rerun",
    replaces: undefined,
    environment: {},
    startedAt: "2026-01-01T00:00:00.000Z",
  };
}

test("blobs stay while a job that may go on needs them, event logs while the job is known", async () => {
  const store = createMemoryStore();
  const leader = await store.lead("test", new AbortController().signal);
  const jobs: [string, JobState][] = [
    ["a", "mapping"],
    ["ab", "succeeded"], // its key begins like another's
    ["c", "failed"],
    ["d", "cancelled"],
  ];
  for (const [number, [job]] of jobs.entries()) {
    const value = jobRecord.encode({ spec: spec(`bundle ${job}`, `file ${job}`), idempotencyKey: job, number });
    await leader.commit([
      { put: { key: keys.spec(job), value } },
      { put: { key: keys.task(job, "map", 0), value: new Uint8Array([1]) } },
    ]);
  }
  const names = ["a", "ab", "c", "d"].flatMap((job) => [`bundle ${job}`, `file ${job}`]);
  const removed: string[] = [];
  const known: Record<string, boolean> = {};
  await tidy({
    master: { view: () => ({ jobs: jobs.map(([job, state]) => ({ job, state }) as JobView) }) } as unknown as Master,
    store,
    blobs: {
      sweep: async (isNeeded) => {
        removed.push(...names.filter((name) => !isNeeded(name)));
        return removed;
      },
    } as Pick<DiskBlobs, "sweep"> as DiskBlobs,
    history: {
      sweep: async (isLive) => {
        for (const job of ["a", "c", "z"]) known[job] = isLive(job);
      },
    } as Pick<History, "sweep"> as History,
    clock: systemClock,
    log: noLog,
  });
  expect(removed).toEqual(["bundle ab", "file ab", "bundle d", "file d"]);
  expect(known).toEqual({ a: true, c: true, z: false });
});
