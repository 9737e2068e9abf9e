// Takes in a worker's report, which holds everything that it knows, and may come once, twice, late or out of order.
import { type AttemptId, type Position, sameAttempt } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { formatDuration } from "../base/units.ts";
import { badResult, type Expected, whyNoResult } from "../protocol/check-result.ts";
import type { AttemptResult, RunningAttempt, WorkerReport } from "../protocol/messages.ts";
import { hostOf } from "./assign/locality.ts";
import { askAgain, noteRan, takeAnswers } from "./closing.ts";
import { attemptSucceeded } from "./complete.ts";
import { checkStragglers, discardFrom, isKept, retellDiscards } from "./discard.ts";
import { forgetWish, leave } from "./drain.ts";
import { attemptFailed, attemptTimedOut, infrastructureFailed, isCounted } from "./failure.ts";
import { plainText } from "./failure-text.ts";
import { copiesFailed, copyEnded, endHandover, noteLeaving } from "./handover.ts";
import { takeLate } from "./late.ts";
import { loseAttempts } from "./lease.ts";
import { isWinners, loseRunsOfDead, restoreRunsOfSilent, takeOffers } from "./lost.ts";
import { addAttempt, adoptable, leftBehind, release, requeue, revoke } from "./state/attempt.ts";
import { note, tell, watchLease } from "./state/cluster.ts";
import { hasRoom, isActive, taskOf } from "./state/job.ts";
import { endPenalty, forgiveFailures, noteFailureThere, noteFlap } from "./state/standing.ts";
import type { Attempt, Cluster, Task, Worker } from "./state/state.ts";
import { attemptKey, nameOf } from "./state/task.ts";
import { capacity, isLeaving, newWorker } from "./state/worker.ts";
import { forgetComplaints } from "./unreachable.ts";

export function hear(cluster: Cluster, report: WorkerReport): void {
  const worker = cluster.workers.get(report.worker) ?? addWorker(cluster, report);
  if (report.incarnation < worker.incarnation) return; // from a dead process
  const isReborn = report.incarnation > worker.incarnation;
  if (isReborn) reincarnate(cluster, worker, report.incarnation);
  const isNewest = report.sequence > worker.sequence;
  const isBack = isNewest && worker.isSilent;
  if (isNewest) takeState(cluster, worker, report, isReborn);
  if (isReborn) loseRunsOfDead(cluster, worker);
  if (isBack || (isNewest && report.offered.length > 0)) takeOffers(cluster, worker);
  if (isNewest) {
    for (const { run } of report.offered) copyEnded(worker, run.writtenBy);
    copiesFailed(cluster, worker, report.copiesFailed ?? []);
  }
  // The report was on its way for so long that its worker counts as silent: a newer one has said the same (simulation,
  // seed 3279).
  if (!isNewest && worker.isSilent) return;
  for (const result of report.finished) settle(cluster, worker, result);
  if (!isNewest) return;
  takeRunning(cluster, worker, report.running);
  takeLate(cluster, worker, report.late);
  takeAnswers(cluster, worker, report);
  discardUnknown(cluster, worker, report);
  checkStragglers(cluster, worker, report);
  if (capacity(worker) > 0) cluster.idle.add(worker);
  // Results are acknowledged immediately, and the worker gets its news.
  if (worker.hasNews || report.finished.length + report.late.length + (report.copiesFailed ?? []).length > 0)
    cluster.toAnswer.add(worker);
}

function addWorker(cluster: Cluster, report: WorkerReport): Worker {
  const worker = newWorker(report.worker, report.incarnation, cluster.now);
  cluster.workers.set(worker.id, worker);
  watchLease(cluster, worker);
  return worker;
}

/** The worker was started again: its earlier process is dead, and so are its attempts. */
function reincarnate(cluster: Cluster, worker: Worker, incarnation: number): void {
  loseAttempts(cluster, worker, `${worker.id} was started again`);
  worker.incarnation = incarnation;
  worker.sequence = -1;
  forgiveFailures(cluster, worker);
  forgetComplaints(worker);
  worker.isDraining = false;
  forgetWish(cluster, worker);
  worker.offered.clear();
  worker.copying.clear();
  worker.readBefore.clear();
  endHandover(cluster, worker);
  worker.discards.clear();
}

function takeState(cluster: Cluster, worker: Worker, report: WorkerReport, isReborn: boolean): void {
  noteArrival(cluster, worker, report, isReborn);
  if (worker.sequence < 0) for (const job of cluster.leftBehind) discardFrom(cluster, worker.id, job);
  endPenalty(cluster, worker);
  worker.view = undefined;
  worker.sequence = report.sequence;
  if (worker.address !== report.address) {
    worker.address = report.address;
    worker.host = hostOf(report.address);
  }
  worker.slots = report.slots;
  worker.slotsFree = report.slotsFree;
  worker.slotsAhead = report.slotsAhead;
  worker.holdersKnown = report.holdersKnown;
  for (const offer of report.offered) {
    if (isWinners(cluster, offer)) worker.offered.set(attemptKey(offer.run.writtenBy), offer);
  }
  worker.heardAt = cluster.now;
  if (worker.isSilent) {
    worker.isSilent = false;
    forgetComplaints(worker);
    retellDiscards(cluster, worker);
    askAgain(cluster, worker);
    watchLease(cluster, worker);
    restoreRunsOfSilent(cluster, worker);
  }
  const wasLeaving = isLeaving(worker);
  worker.isDraining = report.draining;
  if (isLeaving(worker) && !wasLeaving) leave(cluster, worker);
  if (isLeaving(worker)) noteLeaving(cluster, worker, report.leavesInMs);
  for (const [job, until] of worker.discards) if (until <= cluster.now) worker.discards.delete(job);
}

function noteArrival(cluster: Cluster, worker: Worker, report: WorkerReport, isReborn: boolean): void {
  const { incarnation, address, slots } = report;
  const about = { worker: worker.id, incarnation, address, slots };
  if (isReborn) note(cluster, { kind: "worker-reborn", ...about });
  else if (worker.sequence < 0) note(cluster, { kind: "worker-joined", ...about });
  else if (worker.isSilent) note(cluster, { kind: "worker-back", ...about });
  else return;
  worker.cameAt = cluster.now;
  if (isReborn || worker.sequence >= 0) noteFlap(cluster, worker);
}

/**
 * Takes one result. Nothing of an attempt that can't win any more is used, but the reply acknowledges it all the same.
 */
function settle(cluster: Cluster, worker: Worker, result: AttemptResult): void {
  const known = worker.attempts.get(attemptKey(result.attempt));
  if (known !== undefined && !sameAttempt(known.id, result.attempt)) return; // the number of another task's attempt
  if (!result.ok && isCountedBefore(cluster, result.attempt)) {
    if (known === undefined) return;
    revoke(cluster, known, "an earlier master has counted its failure");
    release(known);
    requeue(cluster, known.task);
    return;
  }
  const attempt = known ?? adopt(cluster, worker, result.attempt, undefined);
  if (attempt === undefined) return;
  noteRan(cluster, attempt);
  const canWin = attempt.state !== "stopping";
  release(attempt);
  if (!canWin || !isActive(attempt.task.job)) return;
  const why = whyNoResult(expectedOf(attempt), result, cluster.options.isStagedBy);
  const checked = why === undefined ? result : badResult(attempt.id, `worker ${worker.id}`, why);
  if (checked.ok) attemptSucceeded(cluster, attempt, checked);
  else attemptFailed(cluster, attempt, checked.reason);
}

/** The contents of its assignment, even if another master gave it out. */
function expectedOf({ id, task: { job, phase, index } }: Attempt): Expected {
  const { spec, plan } = job;
  const { partitions = 0, splits = [], files = [] } = plan ?? {};
  switch (phase) {
    case "plan":
      return { attempt: id, spec, work: { phase } };
    case "map":
      return { attempt: id, spec, work: { phase, split: splits[index] ?? [], files, partitions } };
    case "reduce":
      return { attempt: id, spec, work: { phase, partitions } };
  }
}

/** Whether an earlier master counted this failure, and ended before the worker had its answer. */
function isCountedBefore(cluster: Cluster, id: AttemptId): boolean {
  if (id.epoch >= cluster.epoch) return false;
  const job = cluster.jobs.get(id.job);
  const task = job === undefined ? undefined : taskOf(job, id.phase, id.index);
  return task !== undefined && isCounted(task, id);
}

/** Lets an attempt of an earlier master go on under this one. */
function adopt(
  cluster: Cluster,
  worker: Worker,
  id: AttemptId,
  report: RunningAttempt | undefined,
): Attempt | undefined {
  const task = adoptable(cluster, id);
  if (task === undefined) return undefined;
  if (report !== undefined && !makeWay(cluster, task, report)) return undefined;
  return addAttempt(cluster, { id, task, worker, state: "running", assignment: undefined, report });
}

/**
 * Makes room for an attempt that is to be adopted: attempts that this master gave out before it heard of it are taken
 * back, if none of them has run as long. Returns false if the attempt is one too many. (Only running attempts need
 * room: a result may still win.)
 */
function makeWay(cluster: Cluster, task: Task, report: RunningAttempt): boolean {
  if (task.attempts.some((other) => (other.report?.runningMs ?? 0) >= report.runningMs)) return false;
  const { job } = task;
  let newest: Attempt | undefined;
  if (task.attempts.length === 0 && !hasRoom(job)) {
    for (const other of job.attempts) if (newest === undefined || isNewer(other, newest)) newest = other;
    if (newest === undefined || newest.state !== "assigned") return false;
  }
  const why = "an attempt that an earlier master started goes on";
  for (const other of newest === undefined ? [...task.attempts] : [newest]) {
    revoke(cluster, other, why);
    if (other.task !== task) requeue(cluster, other.task);
  }
  return true;
}

function isNewer(a: Attempt, b: Attempt): boolean {
  return a.id.epoch !== b.id.epoch ? a.id.epoch > b.id.epoch : a.id.attempt > b.id.attempt;
}

function takeRunning(cluster: Cluster, worker: Worker, running: readonly RunningAttempt[]): void {
  const listed = new Set<string>();
  const strays: AttemptId[] = [];
  for (const report of running) {
    const key = attemptKey(report.attempt);
    listed.add(key);
    const attempt = worker.attempts.get(key) ?? adopt(cluster, worker, report.attempt, report);
    if (attempt === undefined || !sameAttempt(attempt.id, report.attempt)) {
      strays.push(report.attempt);
      continue;
    }
    noteRan(cluster, attempt);
    if (attempt.state === "stopping") continue;
    attempt.state = "running";
    attempt.assignment = undefined;
    attempt.report = report.at === undefined || isPosition(attempt, report.at) ? report : { ...report, at: undefined };
    attempt.task.job.view = undefined;
    if (report.hasCheckpoint === true) attempt.task.checkpointAt = worker;
    checkTime(cluster, attempt, report);
  }
  const known = new Set(worker.strays.map(attemptKey));
  if (strays.some((id) => !known.has(attemptKey(id)))) tell(cluster, worker);
  worker.strays = strays;
  for (const [key, attempt] of [...worker.attempts]) {
    if (listed.has(key)) continue;
    if (attempt.state !== "assigned") vanish(cluster, attempt);
    else if (cluster.now - attempt.since > cluster.options.leaseMs) giveUpOn(cluster, attempt);
  }
  withdrawSurplus(cluster, worker);
}

/** Whether a position is one of the plan: the job's code may have written the status page. */
function isPosition({ task: { job } }: Attempt, { file, offset }: Position): boolean {
  return Number.isSafeInteger(offset) && offset >= 0 && (job.plan === undefined || job.plan.files[file] !== undefined);
}

/** Takes back attempts that have no slot, as attempts of an earlier master's orders hold them. */
function withdrawSurplus(cluster: Cluster, worker: Worker): void {
  let live = 0;
  for (const { state } of worker.attempts.values()) if (state !== "stopping") live++;
  for (const attempt of [...worker.attempts.values()]) {
    if (live <= worker.slots + worker.slotsAhead) return;
    if (attempt.state !== "assigned") continue;
    revoke(cluster, attempt, "its worker has no slot for it");
    requeue(cluster, attempt.task);
    live--;
  }
}

/**
 * Takes back an attempt that its worker has not begun although it has reported for a lease: orders don't reach it
 * though its reports arrive (fault 52), or it refuses them. (Found by the simulation: seed 170.)
 */
function giveUpOn(cluster: Cluster, attempt: Attempt): void {
  const { task, worker } = attempt;
  revoke(cluster, attempt, "its worker does not begin it");
  noteFailureThere(cluster, worker, task, false);
  requeue(cluster, task, worker);
}

/**
 * Called when a report does not list an attempt that it should: it was stopped as ordered, or has gone without a
 * result. A worker that leaves hands back what it has no time for, which is no failure: where all workers are replaced
 * again and again, a task would be charged for each of them.
 */
function vanish(cluster: Cluster, attempt: Attempt): void {
  const { state, task, worker } = attempt;
  release(attempt);
  if (state === "stopping") return;
  const error = plainText("io-error", `${nameOf(task)} was lost: ${worker.id} has no result of it`);
  note(cluster, { kind: "attempt-failed", attempt: attempt.id, worker: worker.id, failure: "vanished", error });
  if (isLeaving(worker)) leftBehind(cluster, attempt);
  else infrastructureFailed(cluster, attempt, error);
}

function checkTime(cluster: Cluster, attempt: Attempt, { idleMs, runningMs }: RunningAttempt): void {
  const { taskTimeoutMs, taskLimitMs } = attempt.task.job.spec;
  const name = nameOf(attempt.task);
  if (idleMs >= taskTimeoutMs) {
    attemptTimedOut(cluster, attempt, `${name} made no progress for ${formatDuration(idleMs)} and was stopped`, true);
  } else if (taskLimitMs !== undefined && runningMs >= taskLimitMs) {
    attemptTimedOut(
      cluster,
      attempt,
      `${name} took longer than its limit of ${formatDuration(taskLimitMs)} and was stopped`,
      false,
    );
  }
}

/** Tells the worker to remove files of jobs that are over, or unknown. */
function discardUnknown(cluster: Cluster, worker: Worker, report: WorkerReport): void {
  const mentioned = new Set([
    ...Object.keys(report.holdersKnown),
    ...report.running.map(({ attempt }) => attempt.job),
    ...report.finished.map(({ attempt }) => attempt.job),
    ...report.late.map(({ attempt }) => attempt.job),
    ...report.offered.map(({ run }) => run.writtenBy.job),
  ]);
  for (const id of mentioned) {
    const job = cluster.jobs.get(id);
    // The others follow with later reports.
    if (job === undefined && worker.discards.size >= limits.jobsPerReportMax) continue;
    if (job === undefined || (job.stage === "over" && !isKept(job))) discardFrom(cluster, worker.id, id);
  }
}
