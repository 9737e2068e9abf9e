// Map outputs that get lost, and that come back. The winner of a lost run stays on record: its digest tells whether the
// task emits the same again, and its counters and staged files count until another attempt has won.
import { sameAttempt } from "../base/ids.ts";
import type { Offer } from "../protocol/messages.ts";
import type { Winner } from "../protocol/records.ts";
import { movedAway, noteReadBefore } from "./handover.ts";
import { requeue, revoke, takeBackReduces } from "./state/attempt.ts";
import { note, saveTask, watchLease } from "./state/cluster.ts";
import { isActive, taskOf, update } from "./state/job.ts";
import type { Cluster, Job, Task, Worker } from "./state/state.ts";
import { attemptKey, hasLostFiles, isDone } from "./state/task.ts";
import { isLeaving, isLive, newWorker } from "./state/worker.ts";
import { whyLost } from "./why-lost.ts";

/** Gives up a task's run: the task is done again, on another worker than `avoid`. */
export function loseRun(cluster: Cluster, task: Task, why: string, avoid?: Worker): void {
  const { winner, job } = task;
  if (winner?.run === undefined || winner.runLost !== undefined || !isActive(job)) return;
  update(task, () => (task.winner = { ...winner, runLost: why }));
  const holder = cluster.workers.get(winner.worker);
  if (holder !== undefined) noteReadBefore(holder, job, job.mapVersion + 1);
  note(cluster, { kind: "map-output-lost", attempt: winner.attempt, worker: winner.worker, why });
  saveTask(cluster, task);
  requeue(cluster, task, avoid);
  takeBackReduces(cluster, job);
}

/** Gives up the runs of a silent worker. They may come back with it. */
export function loseRunsOfSilent(cluster: Cluster, worker: Worker): void {
  for (const task of worker.runs) loseRun(cluster, task, whyLost.unheard);
}

/** Takes the runs of a worker back that is heard again in the same life, as they still lie there. */
export function restoreRunsOfSilent(cluster: Cluster, worker: Worker): void {
  for (const task of worker.runs) {
    const { winner } = task;
    if (winner?.runLost === whyLost.unheard && winner.incarnation === worker.incarnation)
      restore(cluster, task, winner);
  }
}

/** Gives up the runs of a worker's dead process. They count again only where its successor offers them. */
export function loseRunsOfDead(cluster: Cluster, worker: Worker): void {
  for (const task of worker.runs)
    if (offerFor(worker, task) === undefined) loseRun(cluster, task, whyLost.startedAgain);
  worker.runs.clear();
}

/**
 * Finds the runs of a job that is active again, after a change of masters or a resume, on the workers as they are now.
 * An unknown worker has a lease from now on to be heard.
 */
export function findRuns(cluster: Cluster, job: Job): void {
  const workers = new Set<Worker>();
  for (const task of job.maps) {
    const { winner } = task;
    if (winner?.run === undefined) continue;
    const worker = holderOf(cluster, winner);
    workers.add(worker);
    if (winner.runLost !== undefined) continue; // it may be offered meanwhile
    job.workers.add(worker.id);
    if (worker.incarnation === winner.incarnation) worker.runs.add(task);
    else if (offerFor(worker, task) === undefined) loseRun(cluster, task, whyLost.startedAgain);
    if (worker.isSilent) loseRun(cluster, task, whyLost.unheard);
  }
  for (const worker of workers) takeOffers(cluster, worker);
}

/** The worker of a winner. Before it is heard, its newest life is the newest one that winners name. */
export function holderOf(cluster: Cluster, winner: Pick<Winner, "worker" | "incarnation">): Worker {
  let worker = cluster.workers.get(winner.worker);
  if (worker === undefined) {
    worker = newWorker(winner.worker, winner.incarnation, cluster.now);
    cluster.workers.set(worker.id, worker);
    watchLease(cluster, worker);
  }
  if (worker.sequence < 0) worker.incarnation = Math.max(worker.incarnation, winner.incarnation);
  return worker;
}

/**
 * Takes in the runs that a new life of a worker has found and verified, or that were copied to it: those of winners,
 * with the same digest, count there from now on, unless they lie on another worker that stays. Those of a silent worker
 * do when it is heard again (simulation, seed 766: a job went back from closing to working while the worker was
 * silent). One that may leave has nothing to offer any more.
 */
export function takeOffers(cluster: Cluster, worker: Worker): void {
  if (worker.isSilent || worker.handover?.mayLeave === true) return;
  for (const offer of worker.offered.values()) {
    const { job: id, phase, index } = offer.run.writtenBy;
    const job = cluster.jobs.get(id);
    const task = job === undefined || !isActive(job) || phase !== "map" ? undefined : taskOf(job, phase, index);
    if (task?.winner === undefined || offerFor(worker, task) !== offer) continue;
    const { winner } = task;
    const holder = cluster.workers.get(winner.worker);
    if (isDone(task) && isWellPlaced(worker, holder, winner)) continue;
    const { id: name, incarnation, address } = worker;
    job!.workers.add(name);
    restore(cluster, task, { ...winner, worker: name, incarnation, address, run: offer.run });
    worker.runs.add(task);
    if (holder !== undefined && holder !== worker) movedAway(holder, task);
  }
}

/** Whether a run that a worker offers counts where it is: it lies there already, or on one that stays longer. */
function isWellPlaced(worker: Worker, holder: Worker | undefined, { incarnation }: Winner): boolean {
  if (holder === worker) return incarnation === worker.incarnation;
  if (isLeaving(worker)) return true;
  return holder !== undefined && isLive(holder) && holder.incarnation === incarnation && !isLeaving(holder);
}

/**
 * Whether an offer is a winner's run. Other offers are ignored, so that a worker can't fill this master's memory with
 * them.
 */
export function isWinners(cluster: Cluster, { run }: Offer): boolean {
  const { job: id, phase, index } = run.writtenBy;
  const job = cluster.jobs.get(id);
  const winner = job === undefined || phase !== "map" ? undefined : taskOf(job, phase, index)?.winner;
  return winner !== undefined && sameAttempt(winner.attempt, run.writtenBy);
}

/** The worker's offer of the run of the task's winner, with the winner's digest; undefined: it offers none. */
function offerFor(worker: Worker, { winner }: Task): Offer | undefined {
  if (winner?.run === undefined || hasLostFiles(winner)) return undefined;
  const offer = worker.offered.get(attemptKey(winner.attempt));
  if (offer === undefined || !sameAttempt(offer.run.writtenBy, winner.attempt)) return undefined;
  return offer.emissionDigest === winner.emissionDigest ? offer : undefined;
}

function restore(cluster: Cluster, task: Task, winner: Winner): void {
  const before = task.winner;
  const isMoved = before?.incarnation !== winner.incarnation || before.worker !== winner.worker;
  update(task, () => {
    task.winner = { ...winner, runLost: undefined };
    if (isMoved) task.placements++;
  });
  if (isMoved) task.placedAt = task.job.mapVersion;
  saveTask(cluster, task);
  const { attempt, worker } = winner;
  if (before?.runLost === undefined && before !== undefined && before.worker !== worker)
    note(cluster, { kind: "map-output-moved", attempt, worker, from: before.worker });
  else note(cluster, { kind: "map-output-restored", attempt, worker });
  for (const other of [...task.attempts]) revoke(cluster, other, "the output that was lost is back");
  takeBackReduces(cluster, task.job);
  cluster.toAdvance.add(task.job);
}
