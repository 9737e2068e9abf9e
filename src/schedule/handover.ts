// Workers that leave hand over what others still need of theirs: map outputs of jobs that are not over, to peers that
// make copies. A copy counts once its new holder offers it, by the rules for offers (lost.ts), and that is stored like
// any other place of a run. Nothing else of a copy is: a new master orders those that are missing. A copy that fails or
// comes too late costs nothing but its bytes, as the run is then lost with its worker, or not, by the old rules.
import type { AttemptId, WorkerId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { CopyFailed, CopyOrder } from "../protocol/messages.ts";
import { leftBehind, revoke } from "./state/attempt.ts";
import { note, tell } from "./state/cluster.ts";
import { isActive, isOpen } from "./state/job.ts";
import { isFit } from "./state/standing.ts";
import type { Attempt, Cluster, Handover, Job, Task, Worker } from "./state/state.ts";
import { attemptKey, isDone } from "./state/task.ts";
import { isLeaving, isLive } from "./state/worker.ts";

/** An attempt is judged by its pace once it has run for this long. */
const judgedAfterMs = 2_000;

/** Orders copies, and releases workers that have nothing left that is needed. Called in each step. */
export function handOver(cluster: Cluster): void {
  for (const worker of cluster.leaving) {
    if (!isLeaving(worker) || !isLive(worker) || cluster.workers.get(worker.id) !== worker) {
      endHandover(cluster, worker);
      continue;
    }
    const handover = (worker.handover ??= newHandover());
    giveUpLate(cluster, worker, handover);
    dropStale(worker, handover);
    orderCopies(cluster, worker, handover);
    const wasFree = handover.mayLeave;
    handover.mayLeave = isFree(cluster, worker);
    if (handover.mayLeave && !wasFree) tell(cluster, worker);
  }
}

/** The worker is silent, another process, or forgotten: copies of its runs can't be made any more. */
export function endHandover(cluster: Cluster, worker: Worker): void {
  cluster.leaving.delete(worker);
  for (const { to, key } of worker.handover?.copies.values() ?? []) to.copying.delete(key);
  worker.handover = undefined;
}

/** Called with each report of a worker that leaves, which says how long it stays, if that is bounded. */
export function noteLeaving(cluster: Cluster, worker: Worker, leavesInMs: number | undefined): void {
  cluster.leaving.add(worker);
  worker.handover ??= newHandover();
  worker.handover.until = leavesInMs === undefined ? undefined : cluster.now + leavesInMs;
}

/** What a worker is told to make copies of. */
export function copyOrders({ copying }: Worker): CopyOrder[] {
  const orders: CopyOrder[] = [];
  for (const { task, from } of copying.values()) {
    const { winner } = task;
    if (winner?.run === undefined || winner.emissionDigest === undefined) continue;
    orders.push({ run: winner.run, emissionDigest: winner.emissionDigest, from: from.id, address: from.address });
  }
  return orders;
}

/** Takes in that a worker could make no copy. Another peer is asked, if there is one. */
export function copiesFailed(cluster: Cluster, worker: Worker, failed: readonly CopyFailed[]): void {
  for (const { attempt, why } of failed) {
    const from = copyEnded(worker, attempt);
    if (from !== undefined) note(cluster, { kind: "copy-failed", attempt, worker: worker.id, from, why });
  }
}

/**
 * Notes that a peer has made its copy, or can't: it is not asked for this one again. Returns who was to hand it over;
 * undefined: it was not to make one.
 */
export function copyEnded(worker: Worker, attempt: AttemptId): WorkerId | undefined {
  const key = attemptKey(attempt);
  const copying = worker.copying.get(key);
  if (copying === undefined || copying.task.winner?.attempt.job !== attempt.job) return undefined;
  worker.copying.delete(key);
  const { task, from } = copying;
  from.handover?.copies.delete(task);
  const asked = from.handover?.asked;
  asked?.set(task, [...(asked.get(task) ?? []), worker]);
  return from.id;
}

/** Notes that a run lies elsewhere from the job's present version on. Reduces that read older ones may read it here. */
export function movedAway(worker: Worker, task: Task): void {
  worker.runs.delete(task);
  if (task.winner !== undefined) worker.offered.delete(attemptKey(task.winner.attempt));
  noteReadBefore(worker, task.job, task.job.mapVersion);
}

/** Reduces of versions before that one may read runs on a worker that count there no more. */
export function noteReadBefore(worker: Worker, job: Job, mapVersion: number): void {
  worker.readBefore.set(job, Math.max(mapVersion, worker.readBefore.get(job) ?? 0));
}

function newHandover(): Handover {
  return { until: undefined, copies: new Map(), asked: new Map(), mayLeave: false };
}

/** Gives maps to others that will not end before their worker leaves, so that no time is lost on them. */
function giveUpLate(cluster: Cluster, { attempts }: Worker, { until }: Handover): void {
  if (until === undefined) return;
  for (const attempt of [...attempts.values()]) {
    const leftMs = msLeftOf(attempt);
    if (leftMs === undefined || cluster.now + leftMs <= until) continue;
    revoke(cluster, attempt, "it would not end before its worker leaves");
    leftBehind(cluster, attempt);
  }
}

/** How long a map attempt will take at its pace; undefined: it can't be told. */
function msLeftOf({ state, task, report }: Attempt): number | undefined {
  if (state !== "running" || task.phase !== "map" || report === undefined) return undefined;
  const { bytes, runningMs } = report;
  const total = (task.job.plan?.splits[task.index] ?? []).reduce((sum, { start, end }) => sum + end - start, 0);
  if (runningMs < judgedAfterMs || bytes <= 0 || bytes >= total) return undefined;
  return (runningMs / bytes) * (total - bytes);
}

/** Forgets copies that no one needs any more, or that their peer can't make. */
function dropStale(worker: Worker, { copies }: Handover): void {
  for (const [task, { to, key, incarnation }] of copies) {
    const isHeld = isToHandOver(task) && task.winner?.worker === worker.id && attemptKey(task.winner.attempt) === key;
    if (isHeld && isLive(to) && !isLeaving(to) && to.incarnation === incarnation) continue;
    copies.delete(task);
    to.copying.delete(key);
  }
}

/** Orders copies of the runs that most reduces still need, as many as peers take at a time. */
function orderCopies(cluster: Cluster, worker: Worker, { copies, asked }: Handover): void {
  if (worker.runs.size <= copies.size) return;
  const peers = [...cluster.workers.values()].filter((peer) => peer !== worker && isFit(cluster, peer));
  const room = peers.filter((peer) => peer.copying.size < limits.copiesPerWorkerMax);
  if (room.length === 0) return;
  for (const task of inOrder(worker, copies)) {
    const { winner } = task;
    const others = asked.get(task) ?? [];
    const to = leastBusy(room.filter((peer) => !others.includes(peer)));
    if (winner === undefined || to === undefined) continue;
    const key = attemptKey(winner.attempt);
    to.copying.set(key, { task, from: worker });
    copies.set(task, { to, key, incarnation: to.incarnation });
    task.job.workers.add(to.id); // it has files of the job from now on
    tell(cluster, to);
    if (to.copying.size >= limits.copiesPerWorkerMax) room.splice(room.indexOf(to), 1);
    if (room.length === 0) return;
  }
}

/** The runs to be copied, by how many reduces need them; of one job by their index. */
function inOrder({ runs }: Worker, copies: Handover["copies"]): Task[] {
  const byJob = new Map<Job, Task[]>();
  for (const task of runs) {
    if (copies.has(task) || !isToHandOver(task)) continue;
    let tasks = byJob.get(task.job);
    if (tasks === undefined) byJob.set(task.job, (tasks = []));
    tasks.push(task);
  }
  const jobs = [...byJob].sort(([a], [b]) => readersOf(b) - readersOf(a) || a.number - b.number);
  return jobs.flatMap(([, tasks]) => tasks.sort((a, b) => a.index - b.index));
}

function readersOf({ reduces, reducesWon }: Job): number {
  return reduces.length - reducesWon;
}

function isToHandOver(task: Task): boolean {
  return isDone(task) && isActive(task.job) && readersOf(task.job) > 0;
}

function leastBusy(peers: readonly Worker[]): Worker | undefined {
  let best: Worker | undefined;
  for (const peer of peers) if (best === undefined || burden(peer) < burden(best)) best = peer;
  return best;
}

function burden({ copying, runs }: Worker): number {
  return runs.size + copying.size;
}

/** Whether nothing on a worker is needed: it has said that it drains, runs nothing, and no one reads its runs. */
function isFree(cluster: Cluster, worker: Worker): boolean {
  if (!worker.isDraining || worker.attempts.size > 0 || worker.strays.length > 0) return false;
  for (const task of worker.runs) if (isDone(task) && isOpen(task.job)) return false;
  for (const job of cluster.jobs.values()) {
    if (job.running.reduce === 0) continue;
    const version = worker.readBefore.get(job) ?? 0;
    // What another master has ordered may read any version.
    for (const { id, mapVersion } of job.attempts)
      if (id.phase === "reduce" && (mapVersion === undefined || mapVersion < version)) return false;
  }
  return true;
}
