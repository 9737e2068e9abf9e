// Decides which worker runs which task next. The job with the fewest running attempts goes first, and jobs with equally
// many take turns; within a job, tasks go by their index, and workers take turns.
import { assert } from "../../base/assert.ts";
import type { AttemptId, Instant, Phase } from "../../base/ids.ts";
import type { Plan, Split } from "../../input/plan.ts";
import type { Assignment, MapWork } from "../../protocol/messages.ts";
import { addAttempt, requeue } from "../state/attempt.ts";
import { tell } from "../state/cluster.ts";
import { hasRoom, isBarrierOpen } from "../state/job.ts";
import { hasOther, isRefused } from "../state/standing.ts";
import type { Cluster, Job, Task, Worker } from "../state/state.ts";
import { deadLetterLinesOf, deadLettersOf, isWaiting } from "../state/task.ts";
import { capacity, isLeaving } from "../state/worker.ts";
import { isCutOff } from "../unreachable.ts";
import { takeNear } from "./locality.ts";

/** At most this many tasks are held back for other workers in one step; those behind them wait for the next step. */
const heldBackMax = 64;
/** At most this many workers are asked whether a task's file lies on their machine. */
const nearWorkersMax = 16;

export interface Assigned {
  /** When a task that was held back for another worker may go to any; undefined: none is held back. */
  readonly heldBackUntil: Instant | undefined;
  /** True when a task waits that could not be given out, although there is room. */
  readonly isHeldBack: boolean;
}

/** Gives out every task that can be given out. Called once in a step. */
export function assign(cluster: Cluster): Assigned {
  const heldBack: Task[] = [];
  while (heldBack.length < heldBackMax && hasIdle(cluster)) {
    const job = nextJob(cluster);
    if (job === undefined) break;
    cluster.turns.delete(job.id);
    cluster.turns.set(job.id, job);
    if (startNear(cluster, job)) continue;
    const task = takeTask(job);
    const worker = chooseWorker(cluster, task);
    if (worker === undefined) heldBack.push(task);
    else start(cluster, task, worker);
  }
  let until: Instant | undefined;
  for (const task of heldBack) {
    requeue(cluster, task);
    const at = waitsFor(cluster, task) ? task.waitsUntil : task.avoid?.until;
    if (at !== undefined) until = Math.min(until ?? at, at);
  }
  return { heldBackUntil: until, isHeldBack: heldBack.length > 0 };
}

/**
 * Whether any worker has room. Workers that have none, or get nothing now, are not asked again before their next
 * report.
 */
function hasIdle(cluster: Cluster): boolean {
  for (const worker of cluster.idle) {
    if (capacity(worker) > 0 && !isRefused(cluster, worker)) return true;
    cluster.idle.delete(worker);
  }
  return false;
}

/**
 * The next of the jobs that have something to give out. Jobs are few, and a heap would have to follow every attempt.
 */
export function nextJob(cluster: Cluster): Job | undefined {
  let first: Job | undefined;
  for (const job of cluster.turns.values()) {
    if (first !== undefined && job.attempts.size >= first.attempts.size) continue;
    if (hasRoom(job) && peekTask(job) !== undefined) first = job;
  }
  return first;
}

function peekTask(job: Job): Task | undefined {
  if (job.stage === "planning") return peekWaiting(job, "plan");
  return peekWaiting(job, "map") ?? (isBarrierOpen(job) ? peekWaiting(job, "reduce") : undefined);
}

function peekWaiting(job: Job, phase: Phase): Task | undefined {
  const queue = job.queues[phase];
  for (let task = queue.peek(); task !== undefined; task = queue.peek()) {
    if (isWaiting(task)) return task;
    queue.pop();
    task.isQueued = false;
  }
  return undefined;
}

/** Takes the next task of a job that `nextJob` has named. */
export function takeTask(job: Job): Task {
  const task = peekTask(job);
  assert(task !== undefined, "a job without a task to give out was next");
  job.queues[task.phase].pop();
  task.isQueued = false;
  return task;
}

/** Gives a map task to a worker whose machine has its file. Returns false if there is none. */
function startNear(cluster: Cluster, job: Job): boolean {
  if (job.near.size === 0) return false;
  let asked = 0;
  for (const worker of cluster.idle) {
    if (asked++ === nearWorkersMax) return false;
    if (capacity(worker) <= 0 || isRefused(cluster, worker)) continue;
    const task = takeNear(job, worker);
    if (task === undefined) continue;
    start(cluster, task, worker);
    return true;
  }
  return false;
}

/**
 * The first worker that has room and may have this task, of one that was left behind the newest; undefined: there is
 * none.
 */
function chooseWorker(cluster: Cluster, task: Task): Worker | undefined {
  const { prefer } = task;
  if (prefer !== undefined && cluster.idle.has(prefer) && capacity(prefer) > 0 && !isRefused(cluster, prefer))
    return prefer;
  if (waitsFor(cluster, task)) return undefined;
  let newest: Worker | undefined;
  let otherwise: Worker | undefined;
  for (const worker of cluster.idle) {
    if (capacity(worker) <= 0 || isRefused(cluster, worker)) {
      cluster.idle.delete(worker);
      continue;
    }
    if (isAvoided(cluster, task, worker) && hasOther(cluster, worker)) continue;
    if (task.phase === "reduce" && isCutOff(cluster, worker)) otherwise ??= worker;
    else if (!task.isLeftBehind) return worker;
    else if (newest === undefined || worker.cameAt > newest.cameAt) newest = worker;
  }
  return newest ?? otherwise;
}

/** Whether it waits for the worker that has a checkpoint of it, whose slot is being freed. */
function waitsFor(cluster: Cluster, { prefer, checkpointAt, waitsUntil }: Task): boolean {
  if (prefer === undefined || prefer !== checkpointAt || waitsUntil <= cluster.now) return false;
  return !prefer.isSilent && !isLeaving(prefer) && !isRefused(cluster, prefer);
}

function isAvoided(cluster: Cluster, { avoid }: Task, worker: Worker): boolean {
  return avoid !== undefined && avoid.worker === worker && avoid.until > cluster.now;
}

export function start(cluster: Cluster, task: Task, worker: Worker): void {
  const { job, phase, index } = task;
  const id: AttemptId = { job: job.id, phase, index, epoch: cluster.epoch, attempt: cluster.attemptNumber++ };
  const assignment: Assignment = { attempt: id, spec: job.spec, careful: task.careful, work: workOf(task) };
  task.prefer = undefined;
  task.isLeftBehind = false;
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
      assert(job.plan !== undefined, "a job has map tasks without a plan");
      return mapWork(task, job.plan);
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
    skipBad: Math.max(0, job.spec.skipBad - (countedAside(job) - countedAsideOf(task))),
  };
}

/** How much counts against the bound of dead letters. */
function countedAside({ deadLetters, deadLetterLines }: Job): number {
  return deadLetters + deadLetterLines;
}

function countedAsideOf(task: Task): number {
  return deadLettersOf(task) + deadLetterLinesOf(task);
}
