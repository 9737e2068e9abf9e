// From stored records back to the scheduler's state. Running attempts are not stored: their workers report them.
import { assert } from "../base/assert.ts";
import type { Instant, JobId, WorkerId } from "../base/ids.ts";
import { decodeDecision, decodePlan } from "../rpc/convert.ts";
import { endedRecord, failureRecord, jobRecord, planRecord } from "../rpc/convert-records.ts";
import { decodeTaskRecord } from "../rpc/task-record.ts";
import { StringTable } from "../rpc/wire.ts";
import type { StoredRecord } from "../state/store.ts";
import { noteRate, ratesKept } from "./backup.ts";
import { type Cluster, newCluster, note, watchLease } from "./cluster.ts";
import { reopen } from "./commit.ts";
import { discardedAt, isKept } from "./discard.ts";
import { boundEnded, watchKept } from "./ended.ts";
import { type Job, newJob, setPlan, taskOf, update } from "./job.ts";
import { holderOf } from "./lost.ts";
import { drainRecord, failuresKept, parseKey, type RecordKey, type TaskRecord } from "./records.ts";
import type { SchedulerOptions } from "./step.ts";
import type { Task } from "./task.ts";
import { stateOf } from "./view.ts";
import { newWorker } from "./worker.ts";

/** Names of workers, their addresses, of counters and outputs: once in memory, as there may be a million tasks. */
const sharedNames = 65_536;

/** The records of one job, as they are found. */
interface Found {
  spec: Uint8Array | undefined;
  planValid: Uint8Array | undefined;
  decision: Uint8Array | undefined;
  ended: Uint8Array | undefined;
  readonly plan: Map<number, Uint8Array>;
  readonly tasks: { readonly key: Extract<RecordKey, { kind: "task" }>; readonly value: Uint8Array }[];
  readonly failures: Uint8Array[];
  /** All keys but those that stay when the job is over. */
  readonly keys: string[];
  /** Of those that stay, all but the job's own. */
  readonly shownKeys: string[];
}

export function recoverCluster(
  records: Iterable<StoredRecord>,
  epoch: number,
  options: SchedulerOptions,
  now: Instant,
): Cluster {
  const cluster = newCluster(epoch, options, now);
  const jobs = [...findJobs(cluster, records)].flatMap(([id, found]) => {
    const job = buildJob(id, found, options.order);
    if (job !== undefined) return [{ job, found }];
    sweepLater(cluster, id, [...found.keys, ...found.shownKeys]); // nothing but what a forgotten job has left is stored without it
    return [];
  });
  for (const { job, found } of jobs.sort((a, b) => a.job.number - b.job.number)) {
    cluster.jobs.set(job.id, job);
    cluster.jobNumber = Math.max(cluster.jobNumber, job.number + 1);
    cluster.endNumber = Math.max(cluster.endNumber, (job.ended?.number ?? 0) + 1);
    if (isKept(job)) keepAgain(cluster, job);
    else if (job.ended !== undefined) leaveBehind(cluster, job, found.keys);
  }
  // Of all jobs first: which life of a worker is its newest is known only then.
  for (const { job } of jobs) if (job.ended === undefined) findHolders(cluster, job);
  for (const { job } of jobs) {
    if (job.ended !== undefined) continue;
    recoverRates(job);
    reopen(cluster, job);
    note(cluster, { kind: "job-recovered", job: job.id, state: stateOf(job) });
  }
  boundEnded(cluster);
  return cluster;
}

function findJobs(cluster: Cluster, records: Iterable<StoredRecord>): Map<JobId, Found> {
  const jobs = new Map<JobId, Found>();
  for (const { key, value } of records) {
    const parsed = parseKey(key);
    if (parsed === undefined) continue; // of a later version
    if (parsed.kind === "drain") {
      recoverDrain(cluster, parsed.worker, drainRecord.decode(value));
      continue;
    }
    let found = jobs.get(parsed.job);
    if (found === undefined) {
      found = {
        spec: undefined,
        planValid: undefined,
        decision: undefined,
        ended: undefined,
        plan: new Map(),
        tasks: [],
        failures: [],
        keys: [],
        shownKeys: [],
      };
      jobs.set(parsed.job, found);
    }
    if (parsed.kind === "ended" || parsed.kind === "failure") found.shownKeys.push(key);
    else if (parsed.kind !== "spec") found.keys.push(key);
    keep(found, parsed, value);
  }
  return jobs;
}

/** It has a lease from now on to be heard of. */
function recoverDrain(cluster: Cluster, id: WorkerId, incarnation: number): void {
  const worker = newWorker(id, incarnation, cluster.now);
  worker.isToDrain = true;
  cluster.workers.set(id, worker);
  watchLease(cluster, worker);
}

function keep(found: Found, key: Exclude<RecordKey, { kind: "drain" }>, value: Uint8Array): void {
  switch (key.kind) {
    case "spec":
      found.spec = value;
      return;
    case "plan":
      found.plan.set(key.number, value);
      return;
    case "plan-valid":
      found.planValid = value;
      return;
    case "task":
      found.tasks.push({ key, value });
      return;
    case "failure":
      found.failures.push(value);
      return;
    case "decision":
      found.decision = value;
      return;
    case "ended":
      found.ended = value;
      return;
  }
}

function buildJob(id: JobId, found: Found, order: SchedulerOptions["order"]): Job | undefined {
  if (found.spec === undefined) return undefined;
  const job = newJob(id, jobRecord.decode(found.spec), order);
  job.failures.push(...found.failures.map(failureRecord.decode).sort((a, b) => a.number - b.number));
  job.failures.splice(0, job.failures.length - failuresKept);
  job.failureNumber = (job.failures.at(-1)?.number ?? -1) + 1;
  if (found.ended !== undefined) job.ended = endedRecord.decode(found.ended);
  // Of a job that is over the rest may be deleted in part.
  if (job.ended !== undefined && !isKept(job)) return job;
  if (found.planValid !== undefined) readPlan(job, found.planValid, found.plan);
  const names = new StringTable(sharedNames);
  for (const { key, value } of found.tasks) {
    const task = taskOf(job, key.phase, key.index);
    assert(task !== undefined || job.ended !== undefined, `a record of ${key.phase} ${key.index}, which no plan names`);
    if (task !== undefined) readTask(task, decodeTaskRecord(value, names));
  }
  for (const task of job.maps) job.mapVersionMin = Math.max(job.mapVersionMin, task.digestVersion);
  for (const task of job.reduces) {
    const version = task.winner?.mapVersion;
    if (version !== undefined && version < job.mapVersionMin) update(task, () => (task.winner = undefined));
  }
  if (found.decision !== undefined) job.decision = decodeDecision(found.decision);
  job.sum = undefined;
  return job;
}

function readPlan(job: Job, planValid: Uint8Array, chunks: ReadonlyMap<number, Uint8Array>): void {
  const { chunks: count } = planRecord.decode(planValid);
  const parts: Uint8Array[] = [];
  for (let index = 0; index < count; index++) {
    const part = chunks.get(index);
    if (part === undefined && job.ended !== undefined) return;
    assert(part !== undefined, `part ${index} of a valid plan is missing`);
    parts.push(part);
  }
  setPlan(job, decodePlan(parts), count);
}

function readTask(task: Task, record: TaskRecord): void {
  update(task, () => {
    task.winner = record.winner;
    task.placements = record.placements;
    task.digestVersion = record.digestVersion;
    task.digestRollbacks = record.digestRollbacks;
    task.failures = record.failures;
    task.infrastructureFailures = record.infrastructureFailures;
    task.careful = record.careful;
    task.skip = record.skip;
    task.diedAt = record.diedAt;
    task.userFailure = record.userFailure;
  });
}

/** So that slow tasks are told from others at once. */
function recoverRates(job: Job): void {
  for (const tasks of [job.maps, job.reduces]) {
    for (let at = tasks.length - 1, left = ratesKept; at >= 0 && left > 0; at--) {
      const task = tasks[at]!;
      if (task.winner === undefined) continue;
      noteRate(task, task.winner.stats.bytesIn, task.winner.stats.wallMs);
      left--;
    }
  }
}

/** It was over already: what its master did not get to clear away is cleared away now. */
function leaveBehind(cluster: Cluster, job: Job, keys: readonly string[]): void {
  job.stage = "over";
  job.maps = [];
  job.reduces = [];
  job.plan = undefined;
  job.decision = undefined;
  if (keys.length === 0) return;
  cluster.commands.push({ kind: "discard-job", job: job.id, destination: job.spec.output });
  cluster.leftBehind.add(job.id);
  sweepLater(cluster, job.id, keys);
}

function sweepLater(cluster: Cluster, job: JobId, keys: readonly string[]): void {
  cluster.sweeps.set(job, { at: discardedAt(cluster), keys: keys[Symbol.iterator]() });
}

/** The workers that have files of a job that may be resumed, or given up. */
function keepAgain(cluster: Cluster, job: Job): void {
  job.stage = "over";
  for (const { winner } of [...job.maps, ...job.reduces]) if (winner !== undefined) job.workers.add(winner.worker);
  watchKept(cluster, job);
}

function findHolders(cluster: Cluster, job: Job): void {
  for (const { winner } of job.maps) {
    if (winner === undefined) continue;
    job.workers.add(winner.worker);
    if (winner.run !== undefined) holderOf(cluster, winner);
  }
}
