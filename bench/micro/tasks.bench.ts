// All tasks of a benchmark's job in this one process, one after the other, for profilers: no slots, no master, no
// messages. Run: JOB=word-count INPUT=bench/.work/text-200.dat [PARTITIONS=2000] node --cpu-prof bench/micro/run.mjs
// tasks
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { AttemptId, Phase } from "../../src/base/ids.ts";
import { MiB } from "../../src/base/limits.ts";
import { systemClock } from "../../src/base/system/clock.ts";
import { jobDefinition } from "../../src/job/define-job.ts";
import type { JobSpec } from "../../src/job/spec.ts";
import { createKernel } from "../../src/kernel/create-kernel.ts";
import type { Assignment, AttemptDone } from "../../src/protocol/messages.ts";
import type { RunRef } from "../../src/sort/run.ts";
import { openRun } from "../../src/sort/run-reader.ts";
import { createLocalStorage } from "../../src/storage/local/local.ts";
import type { TaskEnvironment } from "../../src/task/environment.ts";
import { runAttempt } from "../../src/task/run-attempt.ts";
import { createTier } from "../../src/tier/tier.ts";
import csv from "../jobs/csv.ts";
import ndjson from "../jobs/ndjson.ts";
import ndjsonParse from "../jobs/ndjson-parse.ts";
import sort from "../jobs/sort.ts";
import sortBuiltin from "../jobs/sort-builtin.ts";
import wordCount from "../jobs/word-count.ts";
import wordCountBuiltin from "../jobs/word-count-builtin.ts";

const jobs: Readonly<Record<string, unknown>> = {
  csv,
  ndjson,
  "ndjson-parse": ndjsonParse,
  sort,
  "sort-builtin": sortBuiltin,
  "word-count": wordCount,
  "word-count-builtin": wordCountBuiltin,
};
const job = jobDefinition(jobs[process.env["JOB"] ?? "word-count"]);
const input = process.env["INPUT"]!;
const memory = mkdtempSync("/dev/shm/millrace-bench-");
const disk = mkdtempSync(join("/tmp", "millrace-bench-"));
const spec = {
  name: job.name,
  bundle: "0".repeat(64),
  inputs: [{ name: "", paths: [input] }],
  directory: process.cwd(),
  standardInput: undefined,
  files: [],
  output: join(disk, "out"),
  writes: "formats",
  partitions: process.env["PARTITIONS"] === undefined ? undefined : Number(process.env["PARTITIONS"]),
  splitBytes: undefined,
  attemptsMax: 4,
  maxSlots: undefined,
  skipBad: 0,
  params: "{}",
  taskTimeoutMs: 600_000,
  checkpointMs: 0,
  taskLimitMs: undefined,
  nondeterministic: "rerun",
  replaces: undefined,
  environment: {},
  startedAt: "2020-01-02T03:04:05.678Z",
} as JobSpec;
const tier = createTier({ memoryDirectory: memory, memoryBytesMax: 2048 * MiB, diskDirectory: disk });
const env: TaskEnvironment = {
  job,
  storage: createLocalStorage(),
  kernel: createKernel({ arenaBytes: 192 * MiB }),
  runs: tier,
  status: { write() {} },
  clock: systemClock,
  signal: new AbortController().signal,
  file: () => "",
  log() {},
};
let attempts = 0;
async function attempt(
  phase: Phase,
  index: number,
  work: Assignment["work"],
  runs?: readonly RunRef[],
): Promise<AttemptDone> {
  const id: AttemptId = { job: "job", phase, index, epoch: 1, attempt: ++attempts };
  const inputs = runs && {
    mapVersion: 1,
    runs,
    open: (run: RunRef) => openRun(tier.open(run.path), run.writtenBy, run.path),
  };
  const result = await runAttempt({ attempt: id, spec, careful: false, work }, env, inputs as never);
  if (!result.ok) throw new Error(JSON.stringify(result.reason));
  return result;
}
const seconds = () => performance.now() / 1000;
try {
  let at = seconds();
  const lap = (name: string) => {
    console.log(name.padEnd(8), (seconds() - at).toFixed(3), "s");
    at = seconds();
  };
  const plan = (await attempt("plan", 0, { phase: "plan" })).plan!;
  lap("plan");
  const runs: RunRef[] = [];
  for (const [index, split] of plan.splits.entries()) {
    const done = await attempt("map", index, {
      phase: "map",
      split,
      files: Object.fromEntries(split.map((piece) => [piece.file, plan.files[piece.file]!])),
      partitions: plan.partitions,
      boundaries: plan.boundaries,
      skip: [],
      skipBad: 0,
    });
    runs.push(done.run!);
  }
  lap("map");
  for (let index = 0; index < plan.partitions; index++)
    await attempt("reduce", index, { phase: "reduce", partitions: plan.partitions, mapVersion: 1 }, runs);
  lap("reduce");
} finally {
  rmSync(memory, { recursive: true });
  rmSync(disk, { recursive: true });
}
