// Workers that leave: they get nothing new, finish what they run, and serve their map outputs until nobody needs them.
import type { WorkerId } from "../base/ids.ts";
import { drainRecord, keys } from "../protocol/records.ts";
import { discardKept, isKept } from "./discard.ts";
import { requeue, revoke } from "./state/attempt.ts";
import { note, put, tell } from "./state/cluster.ts";
import type { Cluster, Worker } from "./state/state.ts";
import { isLeaving } from "./state/worker.ts";

/** An administrator's wish, which outlives this master. It ends with the process that it is about. */
export function wishDrain(cluster: Cluster, id: WorkerId): void {
  const worker = cluster.workers.get(id);
  if (worker === undefined || worker.isToDrain) return;
  const isNew = !isLeaving(worker);
  worker.isToDrain = true;
  put(cluster, keys.drain(id), drainRecord.encode(worker.incarnation));
  tell(cluster, worker);
  if (isNew) leave(cluster, worker);
}

/** It is another process now, or nobody expects it any more. */
export function forgetWish(cluster: Cluster, worker: Worker): void {
  if (!worker.isToDrain) return;
  worker.isToDrain = false;
  cluster.changes.push({ delete: keys.drain(worker.id) });
}

/** What it has not started goes to others; what it only keeps for a job that may never be resumed it need not wait for. */
export function leave(cluster: Cluster, worker: Worker): void {
  note(cluster, { kind: "worker-draining", worker: worker.id });
  worker.view = undefined;
  cluster.idle.delete(worker);
  for (const attempt of [...worker.attempts.values()]) {
    if (attempt.state !== "assigned") continue;
    revoke(cluster, attempt, "its worker drains");
    requeue(cluster, attempt.task);
  }
  for (const job of cluster.jobs.values()) if (isKept(job)) discardKept(cluster, job, worker);
}
