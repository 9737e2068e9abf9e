// Values of the scheduler's tests, short to write: specs, plans, results, reports.
import type { AttemptId, Position } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import type { Plan } from "../../src/input/plan.ts";
import type { JobSpec } from "../../src/job/spec.ts";
import type {
  Assignment,
  AttemptDone,
  AttemptResult,
  Failure,
  FailureText,
  WorkerReport,
} from "../../src/protocol/messages.ts";
import { type AttemptStats, noStats } from "../../src/protocol/stats.ts";
import type { SchedulerOptions } from "../../src/schedule/step.ts";

export const options: SchedulerOptions = {
  leaseMs: 10_000,
  backupSlowdown: 3,
  failuresPerWorkerMax: 5,
  infrastructureFailuresMax: 16,
  digestRollbacksMax: 3,
  manifest: ({ files, counters }) => new TextEncoder().encode(JSON.stringify({ files: files.length, counters })),
};

export function spec(change: Partial<JobSpec> = {}): JobSpec {
  return {
    name: "words",
    bundle: "b0",
    inputs: [{ name: "", paths: ["/in"] }],
    directory: "/",
    standardInput: undefined,
    files: [],
    output: "/out",
    writes: "formats",
    partitions: undefined,
    splitBytes: undefined,
    attemptsMax: 4,
    maxSlots: undefined,
    skipBad: 0,
    params: "{}",
    taskTimeoutMs: limits.taskTimeoutMs,
    checkpointMs: 0,
    taskLimitMs: undefined,
    nondeterministic: "rerun",
    replaces: undefined,
    environment: {},
    startedAt: "2026-01-01T00:00:00.000Z",
    ...change,
  };
}

/** One file of 100 bytes per split; those of split n lie on the n-th of the hosts, if any are named. */
export function plan(maps: number, partitions: number, hosts: readonly string[] = []): Plan {
  return {
    files: Array.from({ length: maps }, (_, index) => ({
      path: `/in/${index}`,
      bytes: 100,
      version: "v1",
      hosts: hosts[index] === undefined ? [] : [hosts[index]],
      input: 0,
      source: `in/${index}`,
      compression: "none" as const,
    })),
    splits: Array.from({ length: maps }, (_, file) => [{ file, start: 0, end: 100 }]),
    boundaries: [],
    partitions,
  };
}

export function stats(change: Partial<AttemptStats> = {}): AttemptStats {
  return {
    ...noStats,
    recordsIn: 10,
    bytesIn: 100,
    pairs: 20,
    memoryRunBytes: 50,
    wallMs: 5,
    ...change,
  };
}

export interface DoneOptions {
  /** The plan, for a plan attempt. */
  readonly plan?: Plan;
  readonly digest?: bigint;
  readonly deadLetters?: readonly Position[];
  readonly mapVersion?: number;
  /** For a map that has reduces: it writes a file, too. */
  readonly file?: boolean;
}

/** What a worker that works reports of an assignment. */
export function done(assignment: Assignment, change: DoneOptions = {}): AttemptDone {
  const { attempt, work } = assignment;
  const base = { attempt, ok: true as const, staged: [], deadLetters: change.deadLetters ?? [], counters: {} };
  switch (work.phase) {
    case "plan":
      return { ...base, plan: change.plan ?? plan(2, 1), stats: stats({ recordsIn: 0 }) };
    case "map":
      if (work.partitions === 0)
        return { ...base, counters: { records: 10 }, staged: [staged(attempt)], stats: stats() };
      return {
        ...base,
        counters: { records: 10 },
        run: { writtenBy: attempt, path: `/runs/${attempt.epoch}.${attempt.attempt}`, bytes: 50, pairs: 20 },
        staged: change.file === true ? [staged(attempt)] : [],
        emissionDigest: change.digest ?? BigInt(attempt.index + 1),
        stats: stats(),
      };
    case "reduce":
      return {
        ...base,
        counters: { groups: 3 },
        staged: [staged(attempt)],
        mapVersion: change.mapVersion ?? work.mapVersion,
        stats: stats({ recordsIn: 3, groups: 3, groupMax: attempt.index + 1, recordsOut: 3 }),
      };
  }
}

export function failed(attempt: AttemptId, reason: Failure): AttemptResult {
  return { attempt, ok: false, reason };
}

export function text(message: string, code = "user-error"): FailureText {
  return { code, message, stack: undefined, where: undefined, excerpt: undefined };
}

export function report(worker: string, sequence: number, change: Partial<WorkerReport> = {}): WorkerReport {
  return {
    worker,
    incarnation: 1,
    sequence,
    holdersKnown: {},
    address: `${worker}:1`,
    slots: 1,
    slotsFree: 1,
    slotsAhead: 0,
    draining: false,
    running: [],
    finished: [],
    offered: [],
    settled: [],
    late: [],
    ...change,
  };
}

function staged(attempt: AttemptId) {
  const name = `part-${attempt.phase === "map" ? "m-" : ""}${String(attempt.index).padStart(5, "0")}.tsv`;
  return {
    output: "main",
    name,
    bytes: 30,
    records: 3,
    sha256: "0".repeat(64),
    token: `/stage/${attempt.epoch}.${attempt.attempt}`,
  };
}
