// The life of an attempt: started or adopted, revoked, released.
import type { AttemptId } from "../../base/ids.ts";
import type { Assignment, RunningAttempt } from "../../protocol/messages.ts";
import { queueByHost } from "../assign/locality.ts";
import { note, tell } from "./cluster.ts";
import { isActive, isBarrierOpen, taskOf } from "./job.ts";
import type { Attempt, Cluster, Job, Task, Worker } from "./state.ts";
import { attemptKey, isDone } from "./task.ts";
import { isLeaving } from "./worker.ts";

export interface NewAttempt {
  readonly id: AttemptId;
  readonly task: Task;
  readonly worker: Worker;
  readonly state: Attempt["state"];
  readonly assignment: Assignment | undefined;
  readonly report: RunningAttempt | undefined;
}

export function addAttempt(cluster: Cluster, start: NewAttempt): Attempt {
  const { assignment, task, worker } = start;
  const mapVersion = assignment?.work.phase === "reduce" ? assignment.work.mapVersion : undefined;
  const attempt: Attempt = { ...start, careful: assignment?.careful ?? false, mapVersion, why: "", since: cluster.now };
  worker.attempts.set(attemptKey(attempt.id), attempt);
  if (task.attempts.push(attempt) === 1) task.job.underway++;
  attemptsOf(task.job).add(attempt);
  task.job.running[task.phase]++;
  task.job.workers.add(worker.id);
  task.job.answered.delete(worker.id);
  task.job.view = undefined;
  worker.view = undefined;
  noteStart(cluster, attempt);
  return attempt;
}

function noteStart(cluster: Cluster, { id, task, worker, assignment }: Attempt): void {
  const about = { attempt: id, worker: worker.id };
  if (assignment === undefined) note(cluster, { kind: "attempt-adopted", ...about });
  else
    note(cluster, {
      kind: "attempt-started",
      ...about,
      isBackup: task.attempts.length > 1,
      careful: assignment.careful,
    });
}

/**
 * It can't win any more. Its worker keeps the slot until a report no longer lists it. `why` is for people, and the
 * reason of `ctx.signal`; `isNoted`: they have been told.
 */
export function revoke(cluster: Cluster, attempt: Attempt, why: string, isNoted = false): void {
  if (attempt.state === "stopping") return;
  if (!isNoted) note(cluster, { kind: "attempt-revoked", attempt: attempt.id, worker: attempt.worker.id, why });
  forget(attempt);
  attempt.state = "stopping";
  attempt.why = why;
  attempt.task.job.stopping++;
  attempt.assignment = undefined;
  attempt.since = cluster.now;
  attempt.worker.view = undefined;
  tell(cluster, attempt.worker);
}

/** Called when an attempt has ended, or will not be heard of again. */
export function release(attempt: Attempt): void {
  attempt.worker.view = undefined;
  attempt.worker.attempts.delete(attemptKey(attempt.id));
  if (attempt.state === "stopping") attempt.task.job.stopping--;
  else forget(attempt);
}

function forget(attempt: Attempt): void {
  const { task } = attempt;
  const at = task.attempts.indexOf(attempt);
  if (at >= 0) task.attempts.splice(at, 1);
  if (task.attempts.length === 0) task.job.underway--;
  attemptsOf(task.job).delete(attempt);
  task.job.running[task.phase]--;
  task.job.view = undefined;
}

/**
 * The task of an attempt that another master started and that may still win: its number is of an earlier epoch, and
 * no other has won since. `undefined` for all others: what this epoch started and does not know any more was revoked.
 */
export function adoptable(cluster: Cluster, id: AttemptId): Task | undefined {
  if (id.epoch >= cluster.epoch) return undefined;
  const job = cluster.jobs.get(id.job);
  if (job === undefined || !isActive(job)) return undefined;
  if (id.phase === "plan" && job.stage !== "planning") return undefined;
  const task = taskOf(job, id.phase, id.index);
  return task === undefined || isDone(task) ? undefined : task;
}

/**
 * Puts a task back into its phase's queue. It does not go to the worker `avoid` again for a lease, if there is another,
 * except where that has a checkpoint of it: there most of the task is done already.
 */
export function requeue(cluster: Cluster, task: Task, avoid?: Worker): void {
  const holder = checkpointHolder(task);
  task.prefer ??= holder;
  if (avoid !== undefined && avoid === holder) task.waitsUntil = cluster.now + cluster.options.leaseMs;
  else if (avoid !== undefined) task.avoid = { worker: avoid, until: cluster.now + cluster.options.leaseMs };
  if (task.isQueued || task.attempts.length > 0 || isDone(task)) return;
  task.isQueued = true;
  const { job } = task;
  job.queues[task.phase].push(task);
  queueByHost(job, task, job.isBefore);
}

/**
 * Puts the task of an attempt back whose worker goes away. That is no failure of its, and its next worker is to be one
 * that stays: where workers live for minutes only, the one that was idle for longest may be the next to go.
 */
export function leftBehind(cluster: Cluster, { task, worker }: Attempt): void {
  task.isLeftBehind = true;
  requeue(cluster, task, worker);
}

/** The worker with a checkpoint. None for the last try that a task has: that is made without whatever fails there. */
function checkpointHolder({ checkpointAt, failures, job }: Task): Worker | undefined {
  if (checkpointAt === undefined || checkpointAt.isSilent || isLeaving(checkpointAt)) return undefined;
  return failures + 1 < job.spec.attemptsMax ? checkpointAt : undefined;
}

/**
 * Map outputs were lost or have moved. Reduces that no report has listed yet are taken back where they can't start any
 * more: while outputs are missing they would keep the slots that the maps need, and later they name an old version.
 */
export function takeBackReduces(cluster: Cluster, job: Job): void {
  if (job.running.reduce === 0) return; // many runs may be lost at once
  for (const attempt of [...job.attempts]) {
    if (attempt.id.phase !== "reduce" || attempt.state !== "assigned") continue;
    if (isBarrierOpen(job) && attempt.mapVersion === job.mapVersion) continue;
    revoke(cluster, attempt, "map outputs that it reads were lost or have moved");
    requeue(cluster, attempt.task);
  }
}

/** A job's attempts, to be changed: only this file does that. */
function attemptsOf(job: Job): Set<Attempt> {
  return job.attempts as Set<Attempt>;
}
