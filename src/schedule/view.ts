// The read model. A job's part is made again only when something happened to the job. Making it takes time with the
// job's running attempts, not with its tasks (unless a winner was replaced: then its sums are made again).
import type { Phase } from "../base/ids.ts";
import type { ClusterView, JobState, JobView, TaskCounts, WorkerState, WorkerView } from "../protocol/view.ts";
import { isKept } from "./discard.ts";
import { isActive, phaseTasksDone, totalsOf } from "./state/job.ts";
import { isExcluded, isQuarantined } from "./state/standing.ts";
import type { Cluster, Job, Worker } from "./state/state.ts";
import { capacity, isLeaving, isLive } from "./state/worker.ts";

/** A worker's part holds durations, so it is made again when it is older than this, too. */
const workerViewMs = 1_000;

export function viewOf(cluster: Cluster): ClusterView {
  const workers: WorkerView[] = [];
  for (const worker of cluster.workers.values()) workers.push(workerView(cluster, worker));
  let why: JobView["waiting"] | null | undefined;
  const jobs: JobView[] = [];
  for (const job of cluster.jobs.values()) {
    const view = (job.view ??= jobView(job));
    if (!isActive(job) || job.attempts.size > 0) {
      jobs.push(view);
      continue;
    }
    why ??= whyWaiting(cluster) ?? null;
    jobs.push(why === null ? view : { ...view, waiting: why });
  }
  return { epoch: cluster.epoch, jobs, workers };
}

function workerView(cluster: Cluster, worker: Worker): WorkerView {
  if (worker.view !== undefined && cluster.now - worker.view.madeAt < workerViewMs) return worker.view.seen;
  let running = 0;
  for (const { state } of worker.attempts.values()) if (state !== "stopping") running++;
  const seen = {
    id: worker.id,
    state: workerState(cluster, worker),
    address: worker.address,
    slots: worker.slots,
    slotsFree: Math.max(0, worker.slots - worker.attempts.size - worker.strays.length),
    heardMs: Math.max(0, cluster.now - worker.heardAt),
    running,
    runs: worker.runs.size,
  };
  worker.view = { madeAt: cluster.now, seen };
  return seen;
}

/** Why nothing runs of a job that is not over. Undefined: something will run, now or when its time has come. */
function whyWaiting(cluster: Cluster): JobView["waiting"] {
  const live = [...cluster.workers.values()].filter(isLive);
  if (live.length === 0) return "no workers";
  const staying = live.filter((worker) => !isLeaving(worker));
  if (staying.length === 0) return "workers draining";
  if (staying.every((worker) => isQuarantined(cluster, worker))) return "workers quarantined";
  return staying.some((worker) => capacity(worker) > 0) ? undefined : "no free slots";
}

function jobView(job: Job): JobView {
  const { id, spec, ended } = job;
  const shared = {
    job: id,
    name: spec.name,
    number: job.number,
    state: stateOf(job),
    resumable: isKept(job),
    output: spec.output,
    ...(spec.deadLetters !== undefined && { deadLettersIn: spec.deadLetters.path }),
    failures: job.failures.map(({ number, task, error }) => ({ number, task, error })),
  };
  if (ended !== undefined) {
    return {
      ...shared,
      tasks: ended.tasks,
      counters: ended.counters,
      stats: { inputBytes: ended.inputBytes, map: ended.mapStats, reduce: ended.reduceStats },
      ...(ended.largestGroup !== undefined && { largestGroup: ended.largestGroup }),
      deadLetters: ended.deadLetters,
      running: [],
      ...(ended.reason !== undefined && { reason: ended.reason }),
    };
  }
  const { map, reduce, counters } = totalsOf(job);
  const running = [...job.attempts].flatMap(({ report }) => (report === undefined ? [] : [report]));
  return {
    ...shared,
    tasks: { plan: tasksOf(job, "plan"), map: tasksOf(job, "map"), reduce: tasksOf(job, "reduce") },
    counters,
    stats: { inputBytes: job.inputBytes, map, reduce },
    deadLetters: job.deadLetters,
    running,
  };
}

function tasksOf(job: Job, phase: Phase): TaskCounts {
  return { ...phaseTasksDone(job, phase), running: job.running[phase] };
}

/**
 * A job's state. It goes back only when a closing job has to do a task again: a reducing job stays so while a lost map
 * output is made.
 */
export function stateOf(job: Job): JobState {
  if (job.ended !== undefined) return job.ended.outcome;
  if (job.stage === "closing" || job.stage === "publishing" || job.stage === "planning") return job.stage;
  return job.mapsWon < job.maps.length || job.reduces.length === 0 ? "mapping" : "reducing";
}

/** A worker's state. "stuck": an attempt that it was told to stop is still there a lease later. */
function workerState(cluster: Cluster, worker: Worker): WorkerState {
  if (worker.isSilent) return "silent";
  if (isLeaving(worker)) return "draining";
  if (isQuarantined(cluster, worker)) return "quarantined";
  if (isExcluded(cluster, worker)) return "excluded";
  let hasWork = false;
  for (const { state, since } of worker.attempts.values()) {
    if (state !== "stopping") hasWork = true;
    else if (cluster.now - since > cluster.options.leaseMs) return "stuck";
  }
  return hasWork ? "busy" : "idle";
}
