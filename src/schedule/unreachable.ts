// Decides what to do when a reduce can't reach the worker that holds a map output (fault 51). The fault may be on
// either side, so one complaint moves the reduce to another worker, and complaints of several workers give up the
// output. Every complaint does one of both, and both are counted, so it ends.
import { note } from "./state/cluster.ts";
import { isFit } from "./state/standing.ts";
import type { Attempt, Cluster, Task, Worker } from "./state/state.ts";

import { isLive } from "./state/worker.ts";

/** How many workers must complain, if there are that many others. */
const complaintsNeeded = 2;
/** A complaint counts for this many leases. */
const complaintLeases = 6;
/** A reduce is moved this often; after that, the output that it can't fetch is made again. */
const movesMax = 3;

/**
 * Judges a complaint about the worker that holds an output; undefined: it is not known any more. "lost": the output is
 * given up. "move": another worker is to try the reduce.
 */
export function judgeUnreachable(cluster: Cluster, attempt: Attempt, holder: Worker | undefined): "lost" | "move" {
  const { task, worker, id } = attempt;
  if (holder === undefined || !isLive(holder) || holder === worker) return "lost";
  note(cluster, { kind: "holder-unreachable", attempt: id, holder: holder.id, worker: worker.id });
  complain(cluster, worker, holder);
  if (complaintsAgainst(cluster, holder) >= needed(cluster, holder) || task.moves >= movesMax) return "lost";
  task.moves++;
  task.prefer = holder;
  return "move";
}

function complain(cluster: Cluster, worker: Worker, holder: Worker): void {
  holder.complaints.set(worker, cluster.now + complaintLeases * cluster.options.leaseMs);
  worker.cutOffFrom.add(holder);
}

/** The complaints that count. Those of workers that are excluded or quarantined themselves don't. */
function complaintsAgainst(cluster: Cluster, holder: Worker): number {
  let count = 0;
  for (const [worker, until] of holder.complaints) {
    if (until <= cluster.now) withdraw(worker, holder);
    else if (isLive(worker) && (isFit(cluster, worker) || worker.isDraining || worker.isToDrain)) count++;
  }
  return count;
}

function needed(cluster: Cluster, holder: Worker): number {
  let others = 0;
  for (const other of cluster.workers.values()) {
    if (other !== holder && isFit(cluster, other)) others++;
    if (others === complaintsNeeded) break;
  }
  return Math.max(1, others);
}

function withdraw(worker: Worker, holder: Worker): void {
  holder.complaints.delete(worker);
  worker.cutOffFrom.delete(holder);
}

/** Called when a worker has read all outputs of a job: it can reach all their holders. */
export function noteReached(worker: Worker, task: Task): void {
  for (const holder of worker.cutOffFrom) {
    for (const { job } of holder.runs) {
      if (job !== task.job) continue;
      withdraw(worker, holder);
      break;
    }
  }
}

/** Whether the worker could not fetch from another one lately. Reduces are given to others first. */
export function isCutOff(cluster: Cluster, worker: Worker): boolean {
  for (const holder of worker.cutOffFrom) {
    if ((holder.complaints.get(worker) ?? 0) > cluster.now && isLive(holder) && holder.runs.size > 0) return true;
  }
  return false;
}

/** Forgets complaints by and about a worker that is another process, back from silence, or judged. */
export function forgetComplaints(worker: Worker): void {
  for (const complainer of worker.complaints.keys()) complainer.cutOffFrom.delete(worker);
  worker.complaints.clear();
  for (const holder of worker.cutOffFrom) holder.complaints.delete(worker);
  worker.cutOffFrom.clear();
}
