// The stage between the last winner and the decision: the gates that must be open before a job's output may be
// published. The stage is not stored: a master that takes over finds every task won and nothing decided, closes the job
// again and asks again.
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

/**
 * The gates, which are asked in each step until all are open: then the job is decided. Each waits for those before it.
 */
const gates: readonly Gate[] = [haveAnswered, areFilesThere];

/** Called when every task has a winner. Attempts of the job that still run are revoked. */
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

/** Called when a silent worker is heard again: jobs that close wait for it again. */
export function askAgain(cluster: Cluster, worker: Worker): void {
  for (const { closing } of cluster.closing) if (closing?.unanswered.has(worker.id)) tell(cluster, worker);
}

/** Called when the job is decided, is over, or has a task to do again. */
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

/** Forgets that the files were there, as a worker came back that has to answer: until it has, a file may vanish. */
function forgetLook(closing: Closing): void {
  closing.look = undefined;
  closing.areFilesThere = false;
}

/** Whether each worker has answered, has lost its lease, is forgotten, or is in another life. */
function haveAnswered(cluster: Cluster, job: Job, { unanswered }: Closing): boolean {
  for (const id of unanswered) {
    const worker = cluster.workers.get(id);
    if (worker === undefined || worker.isSilent) continue; // it may come back
    if (worker.incarnation === job.ran.get(id)) return false;
    unanswered.delete(id);
  }
  return true;
}

/**
 * Whether all staged files exist. It is the last gate, so that little time is left to lose one: a file that vanishes
 * later ends the job.
 */
function areFilesThere(cluster: Cluster, job: Job, closing: Closing): boolean {
  if (closing.areFilesThere || closing.look !== undefined) return closing.areFilesThere;
  const folders = stagedFolders(job).filter(({ files }) => files.length > 0);
  closing.areFilesThere = folders.length === 0;
  if (closing.areFilesThere) return true;
  closing.look = cluster.lookNumber++;
  cluster.commands.push({ kind: "look-at-files", job: job.id, folders, look: closing.look });
  return false;
}

/** Jobs that the worker is asked about: those that close, and those whose last tasks run, if it runs some of them. */
export function askedOf(cluster: Cluster, worker: Worker): JobId[] {
  const asked = new Set<JobId>();
  for (const { id, closing } of cluster.closing) if (closing?.unanswered.has(worker.id)) asked.add(id);
  for (const { state, task } of worker.attempts.values())
    if (state !== "stopping" && isEnding(task.job)) asked.add(task.job.id);
  return [...asked];
}

/**
 * Whether all remaining work of the job is given out: a worker that is asked now can answer together with the last
 * result.
 */
function isEnding({ stage, maps, reduces, mapsLive, reducesWon, underway }: Job): boolean {
  return stage === "working" && mapsLive + reducesWon + underway === maps.length + reduces.length;
}

/** Takes a worker's answers from its newest report. Called after the report's attempts were heard. */
export function takeAnswers(cluster: Cluster, worker: Worker, report: WorkerReport): void {
  for (const id of report.settled) {
    const job = cluster.jobs.get(id);
    if (job === undefined || !isOpen(job) || hasAttempts(worker, id)) continue;
    job.answered.set(worker.id, worker.incarnation);
    job.closing?.unanswered.delete(worker.id);
  }
}

/** Whether the worker has an attempt of the job, or was just given one: its answer does not count then. */
function hasAttempts(worker: Worker, id: JobId): boolean {
  for (const { task } of worker.attempts.values()) if (task.job.id === id) return true;
  return worker.strays.some(({ job }) => job === id);
}

/**
 * Called when a report lists an attempt that the worker was given, or the attempt's result. A worker that was given one
 * and never lists it is not asked, as it may not hear (simulation, seed 173). Nor is one that only claims to have an
 * attempt: it could hold up the job for ever.
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

/**
 * Finds the workers that ran the winners of a job that is active again, after a change of masters or a resume. Each has
 * a lease to be heard.
 */
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
