// Between the last winner and the decision: what must be so before a job's output may be published. The stage is not stored: a
// master that takes over finds every task won and nothing decided, closes the job again and asks again.
//
//   working ─► closing ─► (every gate is open) publishing       closing ─► working (a task has lost its winner), failed, cancelled
import type { JobId, WorkerId } from "../base/ids.ts";
import type { WorkerReport } from "../protocol/messages.ts";
import { holderOf } from "./lost.ts";
import { revoke } from "./state/attempt.ts";
import { note, tell } from "./state/cluster.ts";
import { isOpen, stagedFolders } from "./state/job.ts";
import type { Attempt, Closing, Cluster, Job, Worker } from "./state/state.ts";

type Gate = (cluster: Cluster, job: Job, closing: Closing) => boolean;

/** Asked in each step, until all are open: then the job is decided. Each waits for those before it. */
const gates: readonly Gate[] = [haveAnswered, areFilesThere];

/** Every task has a winner. What still runs of the job is of no use any more. */
export function beginClosing(cluster: Cluster, job: Job): void {
  job.stage = "closing";
  job.view = undefined;
  cluster.turns.delete(job.id);
  cluster.closing.add(job);
  for (const attempt of [...job.attempts]) revoke(cluster, attempt, "its job needs it no more");
  const unanswered = new Set<WorkerId>();
  job.closing = { unanswered, look: undefined, areFilesThere: false };
  for (const [id, life] of job.ran) if (job.answered.get(id) !== life) unanswered.add(id);
  if (haveAnswered(cluster, job, job.closing)) return;
  note(cluster, { kind: "job-closing", job: job.id, workers: unanswered.size });
  for (const id of unanswered) {
    const worker = cluster.workers.get(id);
    if (worker?.isSilent === false) tell(cluster, worker);
  }
}

/** The worker is heard again after it was silent: jobs that close wait for it again. */
export function askAgain(cluster: Cluster, worker: Worker): void {
  for (const { closing } of cluster.closing) if (closing?.unanswered.has(worker.id)) tell(cluster, worker);
}

/** It is decided, it is over, or a task of it runs again. */
export function endClosing(cluster: Cluster, job: Job): void {
  job.closing = undefined;
  cluster.closing.delete(job);
}

export function mayBeDecided(cluster: Cluster, job: Job): boolean {
  const { closing } = job;
  if (closing === undefined) return false;
  if (gates.every((isOpenNow) => isOpenNow(cluster, job, closing))) return true;
  if (!haveAnswered(cluster, job, closing)) forgetLook(closing);
  return false;
}

/** Someone came back who has to answer: until then a file that was there may be gone. */
function forgetLook(closing: Closing): void {
  closing.look = undefined;
  closing.areFilesThere = false;
}

/** Each worker has answered, has lost its lease, is forgotten, or is in another life. */
function haveAnswered(cluster: Cluster, job: Job, { unanswered }: Closing): boolean {
  for (const id of unanswered) {
    const worker = cluster.workers.get(id);
    if (worker === undefined || worker.isSilent) continue; // it may come back
    if (worker.incarnation === job.ran.get(id)) return false;
    unanswered.delete(id);
  }
  return true;
}

/** Last, so that little time is left for one to get lost: what vanishes from here on ends the job. */
function areFilesThere(cluster: Cluster, job: Job, closing: Closing): boolean {
  if (closing.areFilesThere || closing.look !== undefined) return closing.areFilesThere;
  const folders = stagedFolders(job).filter(({ files }) => files.length > 0);
  closing.areFilesThere = folders.length === 0;
  if (closing.areFilesThere) return true;
  closing.look = cluster.lookNumber++;
  cluster.commands.push({ kind: "look-at-files", job: job.id, folders, look: closing.look });
  return false;
}

/** Jobs that the worker is asked about: those that close, and those whose last tasks run, there too. */
export function askedOf(cluster: Cluster, worker: Worker): JobId[] {
  const asked = new Set<JobId>();
  for (const { id, closing } of cluster.closing) if (closing?.unanswered.has(worker.id)) asked.add(id);
  for (const { state, task } of worker.attempts.values())
    if (state !== "stopping" && isEnding(task.job)) asked.add(task.job.id);
  return [...asked];
}

/** All that is left to do of it is given out: who is asked now can answer with the last result. */
function isEnding({ stage, maps, reduces, mapsLive, reducesWon, underway }: Job): boolean {
  return stage === "working" && mapsLive + reducesWon + underway === maps.length + reduces.length;
}

/** What a worker's newest report says of jobs, after what it runs. */
export function takeAnswers(cluster: Cluster, worker: Worker, report: WorkerReport): void {
  for (const id of report.settled) {
    const job = cluster.jobs.get(id);
    if (job === undefined || !isOpen(job) || hasAttempts(worker, id)) continue;
    job.answered.set(worker.id, worker.incarnation);
    job.closing?.unanswered.delete(worker.id);
  }
}

/** An answer is of no account while the worker has, or was just given, something of the job. */
function hasAttempts(worker: Worker, id: JobId): boolean {
  for (const { task } of worker.attempts.values()) if (task.job.id === id) return true;
  return worker.strays.some(({ job }) => job === id);
}

/**
 * A report of the worker lists an attempt that it was given, or the attempt's result. Who was given one and never says so is not
 * asked: it may not hear (simulation, seed 173). Nor is who only claims to have something of the job: it could hold it up for ever.
 */
export function noteRan(cluster: Cluster, { task, worker }: Attempt): void {
  const { job } = task;
  if (!isOpen(job) || job.ran.get(worker.id) === worker.incarnation) return;
  job.workers.add(worker.id);
  job.ran.set(worker.id, worker.incarnation);
  if (job.closing === undefined) return;
  job.closing.unanswered.add(worker.id);
  tell(cluster, worker);
}

/** The workers that ran the winners of a job that is active again, after a master change or a resume: each has a lease to be heard. */
export function findWorkers(cluster: Cluster, job: Job): void {
  const { plannedBy } = job;
  if (plannedBy !== undefined && plannedBy.worker !== "") foundAt(cluster, job, plannedBy);
  for (const tasks of [job.maps, job.reduces])
    for (const { winner } of tasks) if (winner !== undefined) foundAt(cluster, job, winner);
}

function foundAt(cluster: Cluster, job: Job, at: { readonly worker: WorkerId; readonly incarnation: number }): void {
  job.workers.add(at.worker);
  job.ran.set(at.worker, Math.max(job.ran.get(at.worker) ?? 0, at.incarnation));
  holderOf(cluster, at);
}
