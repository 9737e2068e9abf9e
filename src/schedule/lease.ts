// Leases: how long a worker may go on unheard. They say when to stop waiting for it; what it does later is decided by the
// numbers of its attempts, not by time.
import type { Instant } from "../base/ids.ts";
import { checkStragglers } from "./discard.ts";
import { forgetWish } from "./drain.ts";
import { infrastructureFailed } from "./failure.ts";
import { plainText } from "./failure-text.ts";
import { loseRunsOfSilent } from "./lost.ts";
import { release, requeue } from "./state/attempt.ts";
import { note, watch } from "./state/cluster.ts";
import type { Cluster, Worker } from "./state/state.ts";
import { nameOf } from "./state/task.ts";

import { forgetComplaints } from "./unreachable.ts";

/** A worker that stays silent for so many leases is forgotten. */
const forgottenLeases = 60;

/** Workers unheard for a lease lose their attempts and their runs. */
export function expireLeases(cluster: Cluster): void {
  const { leases, now, options } = cluster;
  for (let next = leases.peek(); next !== undefined && next.at <= now; next = leases.peek()) {
    leases.pop();
    const { worker } = next;
    if (next.at !== worker.leaseAt) continue; // it came back and is watched anew
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
 * The master itself was stopped for a while (a laptop asleep, a process paused): reports wait to be read, and nobody's lease
 * ran out for his own fault. Seen by waking later than was asked for.
 */
export function forgive(cluster: Cluster, now: Instant): void {
  const { wakeAt, options } = cluster;
  if (wakeAt === undefined || now - wakeAt < options.leaseMs / 2) return;
  for (const worker of cluster.workers.values()) if (!worker.isSilent) worker.heardAt = now;
}

/** Its attempts are gone without a word. */
export function loseAttempts(cluster: Cluster, worker: Worker, why: string): void {
  for (const attempt of [...worker.attempts.values()]) {
    const { state, task } = attempt;
    release(attempt);
    if (state === "stopping") continue;
    note(cluster, { kind: "attempt-lost", attempt: attempt.id, worker: worker.id, why });
    if (state === "assigned") requeue(cluster, task);
    else infrastructureFailed(cluster, attempt, plainText("io-error", `${nameOf(task)} was lost: ${why}`));
  }
  worker.strays = [];
}
