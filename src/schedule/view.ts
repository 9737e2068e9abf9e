// The read model. A job's part is made again only when something happened to it, at a cost of its running attempts, never of
// its tasks (unless a winner was replaced: then its sums are made again).
import type { Phase } from "../base/ids.ts";
import { isExcluded } from "./assign.ts";
import type { Cluster } from "./cluster.ts";
import { type Job, phaseTasksDone, totalsOf } from "./job.ts";
import type { ClusterView, JobState, JobView, TaskCounts } from "./step.ts";
import type { Worker } from "./worker.ts";

export function viewOf(cluster: Cluster): ClusterView {
  return {
    epoch: cluster.epoch,
    jobs: [...cluster.jobs.values()].map((job) => (job.view ??= jobView(job))),
    workers: [...cluster.workers.values()].map((worker) => ({
      id: worker.id,
      state: workerState(cluster, worker),
      slots: worker.slots,
      slotsFree: Math.max(0, worker.slots - worker.attempts.size - worker.strays.length),
    })),
  };
}

function jobView(job: Job): JobView {
  const { id, spec, ended } = job;
  const shared = {
    job: id,
    name: spec.name,
    state: stateOf(job),
    output: spec.output,
    failures: job.failures.map(({ number, task, error }) => ({ number, task, error })),
  };
  if (ended !== undefined) {
    return {
      ...shared,
      tasks: ended.tasks,
      counters: ended.counters,
      stats: { inputBytes: ended.inputBytes, map: ended.mapStats, reduce: ended.reduceStats },
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

/** Never goes back: a job that reduces stays so while a lost map output is made again. */
export function stateOf(job: Job): JobState {
  if (job.ended !== undefined) return job.ended.outcome;
  if (job.stage === "publishing") return "publishing";
  if (job.stage === "planning") return "planning";
  return job.mapsWon < job.maps.length || job.reduces.length === 0 ? "mapping" : "reducing";
}

/** Stuck: an attempt that was to be stopped is still there a lease later. */
function workerState(cluster: Cluster, worker: Worker): ClusterView["workers"][number]["state"] {
  if (worker.isSilent) return "silent";
  if (worker.isDraining) return "draining";
  if (isExcluded(cluster, worker)) return "excluded";
  let hasWork = false;
  for (const { state, since } of worker.attempts.values()) {
    if (state !== "stopping") hasWork = true;
    else if (cluster.now - since > cluster.options.leaseMs) return "stuck";
  }
  return hasWork ? "busy" : "idle";
}
