// Workers that get no work for a while: excluded, because too much failed there in a row, or quarantined, because they
// came and went too often, or because no one can fetch from them. The time doubles with each penalty, and a worker that
// has served one is on probation: the next failure or flap brings the next. (faults 27 and 29; Spark's
// "excludeOnFailure" has the same two parts.)
import { note, saveTask } from "./cluster.ts";
import { isActive } from "./job.ts";
import type { Cluster, Penalty, Task, Worker } from "./state.ts";
import { isDone } from "./task.ts";
import { isLeaving, isLive } from "./worker.ts";

/** Restarts and returns from silence within a window that are still taken for bad luck. */
const flapsMax = 5;
const flapWindowLeases = 12;
/**
 * The first penalty is a lease; no penalty is longer than this. A worker without a penalty for as long again starts
 * over.
 */
const penaltyLeasesMax = 60;

export function isExcluded(cluster: Cluster, worker: Worker): boolean {
  return isServing(cluster, worker) && worker.penalty?.kind === "excluded";
}

export function isQuarantined(cluster: Cluster, worker: Worker): boolean {
  return isServing(cluster, worker) && worker.penalty?.kind === "quarantined";
}

function isServing(cluster: Cluster, { penalty }: Worker): boolean {
  return penalty !== undefined && penalty.until > cluster.now;
}

/** Whether the worker may be given new work like any other. */
export function isFit(cluster: Cluster, worker: Worker): boolean {
  return isLive(worker) && !isLeaving(worker) && !isServing(cluster, worker);
}

/** Whether another worker could do the work. */
export function hasOther(cluster: Cluster, worker: Worker): boolean {
  for (const other of cluster.workers.values()) if (other !== worker && isFit(cluster, other)) return true;
  return false;
}

/**
 * Whether the worker gets nothing now. The last worker is never refused for its failures, or nothing would go on; a
 * quarantined one that is the last waits a lease.
 */
export function isRefused(cluster: Cluster, worker: Worker): boolean {
  const { penalty } = worker;
  if (penalty === undefined || !isServing(cluster, worker)) return false;
  if (penalty.kind === "quarantined" && cluster.now < penalty.since + cluster.options.leaseMs) return true;
  return hasOther(cluster, worker);
}

/** Called when the worker was started again, or is back from silence. */
export function noteFlap(cluster: Cluster, worker: Worker): void {
  const from = cluster.now - flapWindowLeases * cluster.options.leaseMs;
  worker.flaps = worker.flaps.filter((at) => at > from);
  worker.flaps.push(cluster.now);
  const isOnProbation =
    worker.penaltyLevel > 0 && worker.penalty?.kind === "quarantined" && !isForgiven(cluster, worker);
  if (isOnProbation || worker.flaps.length > flapsMax) quarantine(cluster, worker);
}

export function quarantine(cluster: Cluster, worker: Worker): void {
  worker.flaps = [];
  const ms = penalize(cluster, worker, "quarantined");
  note(cluster, { kind: "worker-quarantined", worker: worker.id, ms });
}

/**
 * Called when the worker could not do a task. Returns true when too much has failed there and others can do it: tasks
 * are then not charged for failures there, and charges are taken back.
 */
export function noteFailureThere(cluster: Cluster, worker: Worker, task: Task, isCharged: boolean): boolean {
  const { failuresPerWorkerMax } = cluster.options;
  if (isCharged) worker.charged.push(task);
  worker.failuresInRow++;
  if (worker.failuresInRow < failuresPerWorkerMax) return false;
  worker.failuresInRow = failuresPerWorkerMax - 1;
  const hasHelp = hasOther(cluster, worker);
  if (!isExcluded(cluster, worker)) {
    penalize(cluster, worker, "excluded");
    note(cluster, { kind: "worker-excluded", worker: worker.id });
  }
  const charged = worker.charged.splice(0);
  worker.died.clear();
  if (!hasHelp) return false;
  for (const other of isCharged ? charged.slice(0, -1) : charged) refund(cluster, other);
  return true;
}

function refund(cluster: Cluster, task: Task): void {
  if (isDone(task) || !isActive(task.job) || task.infrastructureFailures === 0) return;
  task.infrastructureFailures--;
  saveTask(cluster, task);
}

/** Called when an attempt has succeeded there. */
export function noteSuccessThere(cluster: Cluster, worker: Worker): void {
  worker.failuresInRow = 0;
  worker.charged.length = 0;
  worker.died.clear();
  if (worker.penalty?.kind === "excluded") readmit(cluster, worker, 0);
}

/** Ends a penalty that was served. The worker is on probation then. */
export function endPenalty(cluster: Cluster, worker: Worker): void {
  if (worker.penalty === undefined || worker.isReadmitted || isServing(cluster, worker)) return;
  worker.isReadmitted = true;
  worker.view = undefined;
  note(cluster, { kind: "worker-readmitted", worker: worker.id });
}

/** Forgives the failures of a worker's earlier process. How often it was started still counts. */
export function forgiveFailures(cluster: Cluster, worker: Worker): void {
  worker.failuresInRow = 0;
  worker.charged.length = 0;
  worker.died.clear();
  if (worker.penalty?.kind === "excluded") readmit(cluster, worker, 0);
}

function readmit(cluster: Cluster, worker: Worker, level: number): void {
  if (!worker.isReadmitted) note(cluster, { kind: "worker-readmitted", worker: worker.id });
  worker.penalty = undefined;
  worker.isReadmitted = false;
  worker.penaltyLevel = level;
  worker.view = undefined;
}

function penalize(cluster: Cluster, worker: Worker, kind: Penalty["kind"]): number {
  const { now, options } = cluster;
  if (isForgiven(cluster, worker)) worker.penaltyLevel = 0;
  const ms = options.leaseMs * Math.min(penaltyLeasesMax, 2 ** worker.penaltyLevel);
  worker.penaltyLevel++;
  worker.penalty = { kind, since: now, until: now + ms };
  worker.isReadmitted = false;
  worker.view = undefined;
  cluster.idle.delete(worker);
  return ms;
}

function isForgiven(cluster: Cluster, { penalty }: Worker): boolean {
  return penalty !== undefined && penalty.until + penaltyLeasesMax * cluster.options.leaseMs < cluster.now;
}
