// Clears away what jobs that are over leave behind: immediately, or, for a failed job, when it can't be resumed any
// more. Nothing stays of the oldest jobs, so that a master that runs for years stays small.
import { assert } from "../base/assert.ts";
import type { Instant, JobId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { type EndedRecord, keys } from "../protocol/records.ts";
import { endedRecord } from "../wire/stored/records.ts";
import { discardedAt, discardFrom, discardKept, discardStaged, isKept, noteStragglers } from "./discard.ts";
import { note, put } from "./state/cluster.ts";
import type { Cluster, Job } from "./state/state.ts";

import { isLeaving } from "./state/worker.ts";

/** Keys that one step deletes. */
const sweepKeysMax = 1000;

/** Removes everything of a job, except for what is shown of it. */
export function clearAway(cluster: Cluster, job: Job): void {
  discardStaged(cluster, job);
  noteStragglers(cluster, job);
  for (const id of job.workers) discardFrom(cluster, id, job.id);
  cluster.sweeps.set(job.id, { at: discardedAt(cluster), keys: keysOf(job) });
  forgetTasks(cluster, job);
}

/** Keeps a failed job, to be resumed. Workers that leave don't wait for it. */
export function keepFailed(cluster: Cluster, job: Job): void {
  for (const id of job.workers) {
    const worker = cluster.workers.get(id);
    if (worker !== undefined && isLeaving(worker)) discardKept(cluster, job, worker);
  }
  watchKept(cluster, job);
}

export function watchKept(cluster: Cluster, job: Job): void {
  job.keptUntil = cluster.now + (cluster.options.keepFailedMs ?? limits.keepFailedMs);
  cluster.kept.push({ at: job.keptUntil, job });
}

/** Gives up failed jobs that were kept long enough. */
export function expireKept(cluster: Cluster): void {
  const { kept, now } = cluster;
  let isAny = false;
  for (let next = kept.peek(); next !== undefined && next.at <= now; next = kept.peek()) {
    kept.pop();
    if (!isKept(next.job) || next.job.keptUntil !== next.at) continue;
    giveUp(cluster, next.job);
    isAny = true;
  }
  if (isAny) boundEnded(cluster);
}

/** Gives up a kept job. That it can't be resumed any more is stored before the first of its records is deleted. */
function giveUp(cluster: Cluster, job: Job): void {
  job.ended = { ...endOf(job), kept: false };
  job.view = undefined;
  put(cluster, keys.ended(job.id), endedRecord.encode(job.ended));
  note(cluster, { kind: "job-forgotten", job: job.id, isShown: true });
  cluster.leftBehind.add(job.id); // after a change of masters not every worker with files of it is known
  clearAway(cluster, job);
}

/** Forgets the jobs that ended first when there are too many. */
export function boundEnded(cluster: Cluster): void {
  const kept: Job[] = [];
  const over: Job[] = [];
  for (const job of cluster.jobs.values()) if (job.ended !== undefined) (isKept(job) ? kept : over).push(job);
  kept.sort(byEnd);
  for (const job of kept.slice(0, Math.max(0, kept.length - limits.failedJobsKept))) {
    giveUp(cluster, job);
    over.push(job);
  }
  const surplus = over.length - (cluster.options.endedJobsKept ?? limits.endedJobsKept);
  if (surplus <= 0) return;
  over.sort(byEnd);
  for (const job of over.slice(0, surplus)) forgetJob(cluster, job);
}

function byEnd(a: Job, b: Job): number {
  return endOf(a).number - endOf(b).number;
}

/** How a job ended that is over. */
function endOf({ ended }: Job): EndedRecord {
  assert(ended !== undefined, "a job is cleared away before it is over");
  return ended;
}

/**
 * Forgets a job. Its spec is deleted first: records without it mean nothing, and a master that finds them removes them.
 */
function forgetJob(cluster: Cluster, job: Job): void {
  cluster.changes.push({ delete: keys.spec(job.id) });
  const failures = Math.min(limits.failuresKept, job.failureNumber);
  for (let number = 0; number < failures; number++) cluster.changes.push({ delete: keys.failure(job.id, number) });
  cluster.changes.push({ delete: keys.ended(job.id) });
  cluster.jobs.delete(job.id);
  note(cluster, { kind: "job-forgotten", job: job.id, isShown: false });
}

/** Deletes a portion of what ended jobs have left in the store. Called in each step. */
export function sweep(cluster: Cluster): void {
  const [first] = cluster.sweeps;
  if (first !== undefined && first[1].at <= cluster.now) sweepJob(cluster, first[0], sweepKeysMax);
}

/**
 * Deletes everything of a job immediately. Called when the same job is submitted again, as nothing of it may be deleted
 * later.
 */
export function sweepAll(cluster: Cluster, job: JobId): void {
  sweepJob(cluster, job, Infinity);
}

export function nextSweepAt(cluster: Cluster): Instant | undefined {
  for (const { at } of cluster.sweeps.values()) return at;
  return undefined;
}

function sweepJob(cluster: Cluster, job: JobId, keysMax: number): void {
  const sweep = cluster.sweeps.get(job);
  for (let count = 0; sweep !== undefined && count < keysMax; count++) {
    const next = sweep.keys.next();
    if (next.done === true) {
      cluster.sweeps.delete(job);
      cluster.leftBehind.delete(job);
      return;
    }
    cluster.changes.push({ delete: next.value });
  }
}

/**
 * The keys of all records except for those that say what the job was, how it ended and what failed. The counts are
 * taken now, as the tasks are forgotten; keys are made one by one, as there may be a million.
 */
function keysOf({ id, planChunks, maps, reduces }: Job): Iterator<string> {
  return keysOfTasks(id, planChunks, maps.length, reduces.length);
}

function* keysOfTasks(id: JobId, chunks: number, maps: number, reduces: number): Iterator<string> {
  yield keys.decision(id);
  yield keys.planValid(id);
  for (let chunk = 0; chunk < chunks; chunk++) yield keys.planChunk(id, chunk);
  yield keys.task(id, "plan", 0);
  for (let index = 0; index < maps; index++) yield keys.task(id, "map", index);
  for (let index = 0; index < reduces; index++) yield keys.task(id, "reduce", index);
}

/** Frees the memory of the tasks of a job that is over. What is shown of it is in `ended`. */
function forgetTasks(cluster: Cluster, job: Job): void {
  for (const task of job.maps) {
    if (task.winner !== undefined) cluster.workers.get(task.winner.worker)?.runs.delete(task);
  }
  job.maps = [];
  job.reduces = [];
  job.plan = undefined;
  job.plannedBy = undefined;
  job.ran.clear();
  job.answered.clear();
  job.holders = undefined;
  job.sum = undefined;
  job.decision = undefined;
}
