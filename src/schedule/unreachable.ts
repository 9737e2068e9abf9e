// A reducer could not reach the worker that holds a map output (fault 51). The fault may be on either side, so one complaint
// moves the reducer; complaints of several workers take the output for lost. Every complaint does one of the two, and both are
// counted, so it ends.
import { note } from "./state/cluster.ts";
import { isFit } from "./state/standing.ts";
import type { Attempt, Cluster, Task, Worker } from "./state/state.ts";

import { isLive } from "./state/worker.ts";

/** Workers that must complain, where there are so many others. */
const complaintsNeeded = 2;
/** How long a complaint counts. */
const complaintLeases = 6;
/** A reduce is moved so often; then the output that it can't have is made again. */
const movesMax = 3;

/** "lost": nobody can have it. "move": another worker may. */
export function judgeUnreachable(cluster: Cluster, attempt: Attempt, lost: Task): "lost" | "move" {
  const { task, worker, id } = attempt;
  const holder = cluster.workers.get(lost.winner!.worker);
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

/** Those of workers that have a fault themselves don't count. */
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

/** It has read all outputs of a job, so it reaches all who hold some. */
export function noteReached(worker: Worker, task: Task): void {
  for (const holder of worker.cutOffFrom) {
    for (const { job } of holder.runs) {
      if (job !== task.job) continue;
      withdraw(worker, holder);
      break;
    }
  }
}

/** It could not fetch from somebody lately: reduces are given to others first. */
export function isCutOff(cluster: Cluster, worker: Worker): boolean {
  for (const holder of worker.cutOffFrom) {
    if ((holder.complaints.get(worker) ?? 0) > cluster.now && isLive(holder) && holder.runs.size > 0) return true;
  }
  return false;
}

/** Another process, or back from silence, or judged: what was said before says nothing any more. */
export function forgetComplaints(worker: Worker): void {
  for (const complainer of worker.complaints.keys()) complainer.cutOffFrom.delete(worker);
  worker.complaints.clear();
  for (const holder of worker.cutOffFrom) holder.complaints.delete(worker);
  worker.cutOffFrom.clear();
}
