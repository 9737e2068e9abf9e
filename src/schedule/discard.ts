// Files of jobs that are over: the workers that have some are told to remove them.
import type { Instant, JobId, WorkerId } from "../base/ids.ts";
import type { WorkerReport } from "../protocol/messages.ts";
import { note, saveTask, tell } from "./state/cluster.ts";
import { update } from "./state/job.ts";
import type { Cluster, Job, Worker } from "./state/state.ts";

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

/**
 * Workers that have attempts of a job that ends now, or that are silent: what such an attempt stages is staged after the job's files
 * were removed. Once the worker is heard and has nothing of the job any more, they are removed again (simulation, seed 934).
 */
export function noteStragglers(cluster: Cluster, job: Job): void {
  for (const id of job.workers) {
    const worker = cluster.workers.get(id);
    if (worker === undefined) continue;
    const mayStage = worker.isSilent || [...worker.attempts.values()].some(({ task }) => task.job === job);
    if (mayStage) worker.stragglersOf.add(job.id);
  }
}

export function checkStragglers(
  cluster: Cluster,
  worker: Worker,
  { running, finished }: Pick<WorkerReport, "running" | "finished">,
): void {
  const { stragglersOf } = worker;
  const mentioned = new Set<JobId>();
  for (const { attempt } of [...running, ...finished]) {
    mentioned.add(attempt.job);
    if (overJob(cluster, attempt.job) !== undefined) stragglersOf.add(attempt.job);
  }
  for (const id of stragglersOf) {
    if (mentioned.has(id)) continue;
    stragglersOf.delete(id);
    const job = overJob(cluster, id);
    if (job !== undefined) discardStaged(cluster, job);
  }
}

/** Over, and not to be resumed. */
function overJob(cluster: Cluster, id: JobId): Job | undefined {
  const job = cluster.jobs.get(id);
  return job?.stage === "over" && !isKept(job) ? job : undefined;
}
