// Rebuilds the scheduler's state from stored records. Running attempts are not stored, as their workers report them.

import type { Instant, JobId, WorkerId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { type DrainWish, drainRecord, parseKey } from "../protocol/records.ts";
import type { StoredRecord } from "../state/store.ts";
import { StringTable } from "../wire/protobuf/string-table.ts";
import { noteRate } from "./assign/backup.ts";
import { findWorkers } from "./closing.ts";
import { reopen } from "./commit.ts";
import { discardedAt, discardStaged, isKept } from "./discard.ts";
import { boundEnded, watchKept } from "./ended.ts";
import { newCluster, note, watchLease } from "./state/cluster.ts";
import type { Cluster, Job } from "./state/state.ts";

import { newWorker } from "./state/worker.ts";
import type { SchedulerOptions } from "./step.ts";
import { StoredJob } from "./stored-job.ts";
import { stateOf } from "./view.ts";

/** Names of workers, addresses, counters and outputs that are held once in memory, as there may be a million tasks. */
const sharedNames = 65_536;

export function recoverCluster(
  records: Iterable<StoredRecord>,
  epoch: number,
  options: SchedulerOptions,
  now: Instant,
): Cluster {
  const cluster = newCluster(epoch, options, now);
  const jobs = findJobs(cluster, records).flatMap((found) => {
    const job = found.finish();
    if (job !== undefined) return [{ job, found }];
    sweepLater(cluster, found.id, [...found.keys, ...found.shownKeys]);
    return [];
  });
  for (const { job, found } of jobs.sort((a, b) => a.job.number - b.job.number)) {
    cluster.jobs.set(job.id, job);
    cluster.jobNumber = Math.max(cluster.jobNumber, job.number + 1);
    cluster.endNumber = Math.max(cluster.endNumber, (job.ended?.number ?? 0) + 1);
    if (isKept(job)) keepAgain(cluster, job);
    else if (job.ended !== undefined) leaveBehind(cluster, job, found.keys);
  }
  // After all jobs were read, as only then the newest life of each worker is known.
  for (const { job } of jobs) if (job.ended === undefined) findWorkers(cluster, job);
  for (const { job } of jobs) {
    if (job.ended !== undefined) continue;
    recoverRates(job);
    reopen(cluster, job);
    note(cluster, { kind: "job-recovered", job: job.id, state: stateOf(job) });
  }
  boundEnded(cluster);
  return cluster;
}

function findJobs(cluster: Cluster, records: Iterable<StoredRecord>): StoredJob[] {
  const names = new StringTable(sharedNames);
  const jobs: StoredJob[] = [];
  let job: StoredJob | undefined;
  for (const { key: name, value } of inOrder(records)) {
    const key = parseKey(name);
    if (key === undefined) continue; // a record of a later version
    if (key.kind === "drain") {
      recoverDrain(cluster, key.worker, drainRecord.decode(value));
      continue;
    }
    // The keys of one job follow each other, as they begin alike.
    if (job?.id !== key.job) jobs.push((job = new StoredJob(key.job, cluster.options.order, names)));
    job.add(key, name, value);
  }
  return jobs;
}

/** The records in the order of their keys, as a store gives them. Other callers give few, which are sorted. */
function inOrder(records: Iterable<StoredRecord>): Iterable<StoredRecord> {
  const all = Array.isArray(records) ? (records as readonly StoredRecord[]) : [...records];
  const isSorted = all.every(({ key }, index) => index === 0 || all[index - 1]!.key <= key);
  return isSorted ? all : all.toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
}

/** Restores an administrator's wish. The worker has a lease from now on to be heard. */
function recoverDrain(cluster: Cluster, id: WorkerId, { incarnation, withinMs }: DrainWish): void {
  const worker = newWorker(id, incarnation, cluster.now);
  worker.isToDrain = true;
  worker.drainWithinMs = withinMs;
  cluster.workers.set(id, worker);
  watchLease(cluster, worker);
}

/** Restores the rates of winners, so that slow tasks are recognised from the beginning. */
function recoverRates(job: Job): void {
  for (const tasks of [job.maps, job.reduces]) {
    for (let at = tasks.length - 1, left = limits.ratesKept; at >= 0 && left > 0; at--) {
      const task = tasks[at]!;
      if (task.winner === undefined) continue;
      noteRate(task, task.winner.stats.bytesIn, task.winner.stats.wallMs);
      left--;
    }
  }
}

/** Notes what is left of a job that was over already, to be cleared away now. */
function leaveBehind(cluster: Cluster, job: Job, keys: readonly string[]): void {
  job.stage = "over";
  job.maps = [];
  job.reduces = [];
  job.plan = undefined;
  job.decision = undefined;
  if (keys.length === 0) return;
  discardStaged(cluster, job);
  cluster.leftBehind.add(job.id);
  sweepLater(cluster, job.id, keys);
}

function sweepLater(cluster: Cluster, job: JobId, keys: readonly string[]): void {
  cluster.sweeps.set(job, { at: discardedAt(cluster), keys: keys[Symbol.iterator]() });
}

/** Finds the workers that have files of a kept failed job. */
function keepAgain(cluster: Cluster, job: Job): void {
  job.stage = "over";
  for (const { winner } of [...job.maps, ...job.reduces]) if (winner !== undefined) job.workers.add(winner.worker);
  watchKept(cluster, job);
}
