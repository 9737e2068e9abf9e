// Workers that leave: they get nothing new, finish what they run, hand over map outputs that are needed (handover.ts),
// and serve them meanwhile.
import type { WorkerId } from "../base/ids.ts";
import { drainRecord, keys } from "../protocol/records.ts";
import { discardKept, isKept } from "./discard.ts";
import { requeue, revoke } from "./state/attempt.ts";
import { note, put, tell } from "./state/cluster.ts";
import type { Cluster, Worker } from "./state/state.ts";
import { isLeaving } from "./state/worker.ts";

/**
 * Notes an administrator's wish that a worker drains, and within which time, of which the shortest counts. The wish
 * outlives this master, and ends with the worker's process.
 */
export function wishDrain(cluster: Cluster, id: WorkerId, withinMs: number | undefined): void {
  const worker = cluster.workers.get(id);
  if (worker === undefined) return;
  const isShorter = withinMs !== undefined && withinMs < (worker.drainWithinMs ?? Number.POSITIVE_INFINITY);
  if (worker.isToDrain && !isShorter) return;
  const isNew = !isLeaving(worker);
  worker.isToDrain = true;
  if (isShorter) worker.drainWithinMs = withinMs;
  const { incarnation, drainWithinMs } = worker;
  put(cluster, keys.drain(id), drainRecord.encode({ incarnation, withinMs: drainWithinMs }));
  tell(cluster, worker);
  if (isNew) leave(cluster, worker);
}

/** Forgets the wish: the worker is another process now, or is forgotten. */
export function forgetWish(cluster: Cluster, worker: Worker): void {
  if (!worker.isToDrain) return;
  worker.isToDrain = false;
  worker.drainWithinMs = undefined;
  cluster.changes.push({ delete: keys.drain(worker.id) });
}

/** Takes attempts back that the worker has not begun, and gives up runs that it only keeps for failed jobs. */
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
