// Removes files of jobs that are over, by orders to the workers that have some.
import type { Instant, JobId, WorkerId } from "../base/ids.ts";
import type { WorkerReport } from "../protocol/messages.ts";
import { note, saveTask, tell } from "./state/cluster.ts";
import { update } from "./state/job.ts";
import type { Cluster, Job, Worker } from "./state/state.ts";

/** Orders to remove a job are repeated for this many leases, as a reply may be lost and a worker may be late. */
const discardLeases = 3;
/**
 * When orders that begin now end. Until then the job's records stay, so that another master knows that workers have to
 * be told.
 */
export function discardedAt(cluster: Cluster): Instant {
  return cluster.now + discardLeases * cluster.options.leaseMs;
}

/** Tells a worker to remove a job, for a while. */
export function discardFrom(cluster: Cluster, id: WorkerId, job: JobId): void {
  const worker = cluster.workers.get(id);
  if (worker === undefined || worker.discards.has(job)) return;
  worker.discards.set(job, discardedAt(cluster));
  tell(cluster, worker);
}

/** Repeats a worker's orders to remove jobs from the beginning: it was silent, and may not have heard them. */
export function retellDiscards(cluster: Cluster, worker: Worker): void {
  for (const job of worker.discards.keys()) worker.discards.set(job, discardedAt(cluster));
  if (worker.discards.size > 0) tell(cluster, worker);
}

/** Whether a failed job keeps everything for a later resume. */
export function isKept({ ended }: Job): boolean {
  return ended?.kept === true;
}

/** Gives up the runs of a kept failed job on a worker that leaves. */
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

/** Gives the commands to remove what the job has staged, in each of its folders. */
export function discardStaged(cluster: Cluster, { id, spec }: Job): void {
  for (const destination of [spec.output, ...(spec.deadLetters === undefined ? [] : [spec.deadLetters.path])])
    cluster.commands.push({ kind: "discard-job", job: id, destination });
}

/**
 * Notes workers that have attempts of a job that ends now, or that are silent: such an attempt may stage files after
 * the job's files were removed. Once the worker is heard and has nothing of the job any more, they are removed again
 * (simulation, seed 934).
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

/** The job, if it is over and can't be resumed. */
function overJob(cluster: Cluster, id: JobId): Job | undefined {
  const job = cluster.jobs.get(id);
  return job?.stage === "over" && !isKept(job) ? job : undefined;
}
