// Gives out short tasks before there is a slot for them: between a result and the next order lies a commit, for which
// the slot would be idle for milliseconds. This is done only while tasks are so short that it shows, and while enough
// of them wait that no other worker will be idle for want of them.
import { limits } from "../../base/limits.ts";
import { requeue, revoke } from "../state/attempt.ts";
import { hasOther, isRefused } from "../state/standing.ts";
import type { Attempt, Cluster, Job, Task, Worker } from "../state/state.ts";

import { capacity, capacityAhead } from "../state/worker.ts";
import { isCutOff } from "../unreachable.ts";
import { nextJob, start, takeTask } from "./assign.ts";

/** Gives tasks to the worker that has reported. Called after tasks were given out to all free slots. */
export function assignAhead(cluster: Cluster, worker: Worker): void {
  while (capacity(worker) <= 0 && capacityAhead(worker) > 0 && !isRefused(cluster, worker)) {
    const job = nextJob(cluster);
    if (job === undefined) return;
    const task = takeTask(job);
    if (!suits(cluster, job, task, worker)) {
      requeue(cluster, task);
      return;
    }
    start(cluster, task, worker);
  }
}

function suits(cluster: Cluster, job: Job, task: Task, worker: Worker): boolean {
  const { phase, careful, failures, infrastructureFailures, avoid, prefer } = task;
  if (phase === "plan" || careful || failures + infrastructureFailures > 0) return false;
  if (avoid !== undefined || (prefer !== undefined && prefer !== worker)) return false;
  if (phase === "reduce" && isCutOff(cluster, worker) && hasOther(cluster, worker)) return false;
  // The task that was just taken out is not counted.
  const waiting = job.queues[phase].size;
  return (job.lastMs[phase] ?? Infinity) <= limits.aheadMsMax && waiting >= job.running[phase];
}

/**
 * Whether the attempt, by its worker's newest report, still waits for a slot behind something that takes long after
 * all.
 */
export function isStuckAhead({ state, report, since, worker }: Attempt): boolean {
  if (state !== "running" || report === undefined || report.runningMs > 0) return false;
  return worker.attempts.size > worker.slots && worker.heardAt - since > limits.aheadMsMax;
}

/** Takes an attempt back, so that its task goes to another worker. */
export function takeBack(cluster: Cluster, attempt: Attempt): void {
  revoke(cluster, attempt, "another worker has a free slot");
  requeue(cluster, attempt.task, attempt.worker);
}
