// Leases: how long a worker may go on without being heard. They only decide when to stop waiting for it: what a late
// worker reports is judged by the numbers of its attempts, not by time.
import type { Instant } from "../base/ids.ts";
import { checkStragglers } from "./discard.ts";
import { forgetWish } from "./drain.ts";
import { infrastructureFailed } from "./failure.ts";
import { plainText } from "./failure-text.ts";
import { endHandover } from "./handover.ts";
import { loseRunsOfSilent } from "./lost.ts";
import { leftBehind, release, requeue } from "./state/attempt.ts";
import { note, watch } from "./state/cluster.ts";
import type { Cluster, Worker } from "./state/state.ts";
import { nameOf } from "./state/task.ts";
import { isLeaving } from "./state/worker.ts";
import { forgetComplaints } from "./unreachable.ts";

/** A worker that stays silent for this many leases is forgotten. */
const forgottenLeases = 60;

/** Takes attempts and runs from workers that were not heard for a lease. Called in each step. */
export function expireLeases(cluster: Cluster): void {
  const { leases, now, options } = cluster;
  for (let next = leases.peek(); next !== undefined && next.at <= now; next = leases.peek()) {
    leases.pop();
    const { worker } = next;
    if (next.at !== worker.leaseAt) continue; // it came back, and is watched with another time
    const endsAt = worker.heardAt + options.leaseMs;
    const forgottenAt = worker.heardAt + forgottenLeases * options.leaseMs;
    if (endsAt > now) {
      watch(cluster, worker, endsAt);
    } else if (!worker.isSilent) {
      silence(cluster, worker);
      watch(cluster, worker, forgottenAt);
    } else {
      forgetWish(cluster, worker);
      forgetComplaints(worker);
      endHandover(cluster, worker);
      checkStragglers(cluster, worker, { running: [], finished: [] });
      cluster.workers.delete(worker.id);
      note(cluster, { kind: "worker-forgotten", worker: worker.id });
    }
  }
}

function silence(cluster: Cluster, worker: Worker): void {
  worker.isSilent = true;
  worker.view = undefined;
  cluster.idle.delete(worker);
  note(cluster, { kind: "worker-silent", worker: worker.id });
  loseAttempts(cluster, worker, `${worker.id} has not been heard of for ${cluster.options.leaseMs / 1000} s`);
  loseRunsOfSilent(cluster, worker);
}

/**
 * Gives workers more time when the master itself was stopped for a while (a laptop asleep, a process paused): their
 * reports wait to be read, and they are not to blame. The master notices it by waking later than it asked for.
 */
export function forgive(cluster: Cluster, now: Instant): void {
  const { wakeAt, options } = cluster;
  if (wakeAt === undefined || now - wakeAt < options.leaseMs / 2) return;
  for (const worker of cluster.workers.values()) if (!worker.isSilent) worker.heardAt = now;
}

/** Takes a worker's attempts from it, which are gone without a result. */
export function loseAttempts(cluster: Cluster, worker: Worker, why: string): void {
  for (const attempt of [...worker.attempts.values()]) {
    const { state, task } = attempt;
    release(attempt);
    if (state === "stopping") continue;
    note(cluster, { kind: "attempt-lost", attempt: attempt.id, worker: worker.id, why });
    if (state === "assigned") requeue(cluster, task);
    else if (isLeaving(worker)) leftBehind(cluster, attempt);
    else infrastructureFailed(cluster, attempt, plainText("io-error", `${nameOf(task)} was lost: ${why}`));
  }
  worker.strays = [];
}
