// Who does what next: jobs in turn, tasks by their index, workers in turn.
import type { AttemptId, Instant } from "../base/ids.ts";
import type { Plan, Split } from "../input/plan.ts";
import type { Assignment, MapWork } from "../rpc/messages.ts";
import { addAttempt, requeue } from "./attempt.ts";
import { type Cluster, tell } from "./cluster.ts";
import { isBarrierOpen, type Job } from "./job.ts";
import { deadLettersOf, isDone, type Task } from "./task.ts";
import { capacity, isLeaving, isLive, type Worker } from "./worker.ts";

/** Gives out what can be given out. Returns when a task that was held back for another worker may go to any. */
export function assign(cluster: Cluster): Instant | undefined {
  const heldBack: Task[] = [];
  while (cluster.idle.size > 0) {
    const task = takeTask(cluster);
    if (task === undefined) break;
    const worker = chooseWorker(cluster, task);
    if (worker === undefined) heldBack.push(task);
    else start(cluster, task, worker);
  }
  let until: Instant | undefined;
  for (const task of heldBack) {
    requeue(cluster, task);
    if (task.avoid !== undefined) until = Math.min(until ?? task.avoid.until, task.avoid.until);
  }
  return until;
}

/** The next task, out of its queue; its job goes to the end of the line. */
function takeTask(cluster: Cluster): Task | undefined {
  for (const job of cluster.turns.values()) {
    const task = nextTask(job);
    if (task === undefined) continue;
    cluster.turns.delete(job.id);
    cluster.turns.set(job.id, job);
    return task;
  }
  return undefined;
}

function nextTask(job: Job): Task | undefined {
  if (job.stage === "planning") return takeWaiting(job, "plan");
  return takeWaiting(job, "map") ?? (isBarrierOpen(job) ? takeWaiting(job, "reduce") : undefined);
}

function takeWaiting(job: Job, phase: "plan" | "map" | "reduce"): Task | undefined {
  const queue = job.queues[phase];
  for (let task = queue.pop(); task !== undefined; task = queue.pop()) {
    task.isQueued = false;
    if (!isDone(task) && task.attempts.length === 0) return task;
  }
  return undefined;
}

/** The first that has room and may have this task; undefined: none has. */
export function chooseWorker(cluster: Cluster, task: Task): Worker | undefined {
  for (const worker of cluster.idle) {
    if (capacity(worker) <= 0) {
      cluster.idle.delete(worker);
      continue;
    }
    if (isExcluded(cluster, worker) && hasOther(cluster, worker)) continue;
    if (isAvoided(cluster, task, worker) && hasOther(cluster, worker)) continue;
    return worker;
  }
  return undefined;
}

/** It failed too often in a row; a restart, or a success of what it still runs, makes it good again. */
export function isExcluded(cluster: Cluster, worker: Worker): boolean {
  return worker.failuresInRow >= cluster.options.failuresPerWorkerMax;
}

function isAvoided(cluster: Cluster, { avoid }: Task, worker: Worker): boolean {
  return avoid !== undefined && avoid.worker === worker && avoid.until > cluster.now;
}

/** Whether somebody else could do it: the last worker is never refused, or nothing would go on. */
function hasOther(cluster: Cluster, worker: Worker): boolean {
  for (const other of cluster.workers.values()) {
    if (other === worker || !isLive(other) || isLeaving(other)) continue;
    if (!isExcluded(cluster, other)) return true;
  }
  return false;
}

export function start(cluster: Cluster, task: Task, worker: Worker): void {
  const { job, phase, index } = task;
  const id: AttemptId = { job: job.id, phase, index, epoch: cluster.epoch, attempt: cluster.attemptNumber++ };
  const assignment: Assignment = { attempt: id, spec: job.spec, careful: task.careful, work: workOf(task) };
  addAttempt(cluster, { id, task, worker, state: "assigned", assignment, report: undefined });
  tell(cluster, worker);
  cluster.idle.delete(worker);
  if (capacity(worker) > 0) cluster.idle.add(worker);
}

function workOf(task: Task): Assignment["work"] {
  const { job } = task;
  switch (task.phase) {
    case "plan":
      return { phase: "plan" };
    case "map":
      return mapWork(task, job.plan!);
    case "reduce":
      return { phase: "reduce", partitions: job.reduces.length, mapVersion: job.mapVersion };
  }
}

function mapWork(task: Task, plan: Plan): MapWork {
  const split: Split = plan.splits[task.index]!;
  const files: Record<number, Plan["files"][number]> = {};
  for (const { file } of split) files[file] = plan.files[file]!;
  const { job } = task;
  return {
    phase: "map",
    split,
    files,
    partitions: plan.partitions,
    boundaries: plan.boundaries,
    skip: task.skip,
    deadLettersMax: Math.max(0, job.spec.deadLettersMax - (job.deadLetters - deadLettersOf(task))),
    from: undefined,
  };
}
