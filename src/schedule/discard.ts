// Files of jobs that are over: the workers that have some are told to remove them.
import type { Instant, JobId, WorkerId } from "../base/ids.ts";
import { type Cluster, note, saveTask, tell } from "./cluster.ts";
import { type Job, update } from "./job.ts";
import type { Worker } from "./worker.ts";

/** A job is removed from its workers by orders that are repeated so many leases long: a reply may be lost, a worker late. */
const discardLeases = 3;
/** Until then a job's records are there, so that another master knows that there is something to tell. */
export function discardedAt(cluster: Cluster): Instant {
  return cluster.now + discardLeases * cluster.options.leaseMs;
}

/** The worker is told to remove the job, for a while. */
export function discardFrom(cluster: Cluster, id: WorkerId, job: JobId): void {
  const worker = cluster.workers.get(id);
  if (worker === undefined || worker.discards.has(job)) return;
  worker.discards.set(job, discardedAt(cluster));
  tell(cluster, worker);
}

/** It was not heard, so it may not have heard either. */
export function retellDiscards(cluster: Cluster, worker: Worker): void {
  for (const job of worker.discards.keys()) worker.discards.set(job, discardedAt(cluster));
  if (worker.discards.size > 0) tell(cluster, worker);
}

/** A failed job may keep all it has for a later resume. */
export function isKept({ ended }: Job): boolean {
  return ended?.kept === true;
}

/** The job has failed and waits to be resumed: its runs on a worker that leaves are given up. */
export function discardKept(cluster: Cluster, job: Job, worker: Worker): void {
  for (const task of job.maps) {
    const { winner } = task;
    if (winner?.run === undefined || winner.worker !== worker.id) continue;
    worker.runs.delete(task);
    if (winner.runLost !== undefined) continue;
    update(task, () => (task.winner = { ...winner, runLost: "its worker was drained" }));
    saveTask(cluster, task);
    note(cluster, {
      kind: "map-output-lost",
      attempt: winner.attempt,
      worker: worker.id,
      why: "its worker was drained",
    });
  }
  discardFrom(cluster, worker.id, job.id);
}

/** What the job has staged, wherever that is. */
export function discardStaged(cluster: Cluster, { id, spec }: Job): void {
  for (const destination of [spec.output, ...(spec.deadLetters === undefined ? [] : [spec.deadLetters.path])])
    cluster.commands.push({ kind: "discard-job", job: id, destination });
}
