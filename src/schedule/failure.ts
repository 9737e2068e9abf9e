// An attempt failed, and the class of the failure says what to do (messages.ts, `Failure`).
import { unreachable } from "../base/assert.ts";
import { type Position, sameAttempt } from "../base/ids.ts";
import { failureRecord } from "../rpc/convert-records.ts";
import type { Failure, FailureText } from "../rpc/messages.ts";
import { requeue, revoke } from "./attempt.ts";
import { type Cluster, note, put, saveTask } from "./cluster.ts";
import { failJob } from "./commit.ts";
import { plainText, withCount, withPlace } from "./failure-text.ts";
import { taskOf, update } from "./job.ts";
import { loseRun } from "./lost.ts";
import { failuresKept, keys } from "./records.ts";
import { type Attempt, isDone, nameOf, type Task } from "./task.ts";

type Of<K extends Failure["kind"]> = Extract<Failure, { kind: K }>;

/** The attempt is released already. */
export function attemptFailed(cluster: Cluster, attempt: Attempt, reason: Failure): void {
  const { task } = attempt;
  noteFailure(cluster, attempt, reason.kind, reason.error);
  switch (reason.kind) {
    case "bad-input":
    case "fatal":
      failJob(cluster, task.job, reason.error);
      return;
    case "user-error":
      userError(cluster, attempt, reason);
      return;
    case "slot-died":
      slotDied(cluster, attempt, reason);
      return;
    case "segment-lost":
      segmentLost(cluster, attempt, reason);
      return;
    case "infrastructure":
      attempt.worker.failuresInRow++;
      infrastructureFailed(cluster, attempt, reason.error);
      return;
    default:
      unreachable(reason);
  }
}

/** The same error on the same record again is final; another one is tried as often as `attemptsMax` says. */
function userError(cluster: Cluster, attempt: Attempt, { error, at, final }: Of<"user-error">): void {
  const { task } = attempt;
  const before = task.userFailure;
  const isRepeated = before !== undefined && before.message === error.message && isSamePosition(before.at, at);
  if (final || isRepeated) {
    failJob(cluster, task.job, error);
    return;
  }
  charge(cluster, attempt, error, () => (task.userFailure = { message: error.message, at }));
}

/**
 * The next attempt is careful: its death names the record. A second careful death at the same record is final: the record is
 * put aside if that many are allowed, or the job fails.
 */
function slotDied(cluster: Cluster, attempt: Attempt, { error, at, careful }: Of<"slot-died">): void {
  const { task } = attempt;
  const { job } = task;
  if (careful && at !== undefined && isSamePosition(task.diedAt, at)) {
    if (job.deadLetters + 1 > job.spec.deadLettersMax) {
      failJob(cluster, job, withPlace(job, error, at));
      return;
    }
    update(task, () => {
      task.skip = [...task.skip, at];
      task.diedAt = undefined;
      task.failures = 0; // it gets past this record now; how many are skipped is limited by itself
    });
    saveTask(cluster, task);
    requeue(cluster, task, attempt.worker);
    return;
  }
  charge(cluster, attempt, careful ? withPlace(job, error, at) : error, () => {
    task.careful = true;
    task.diedAt = careful ? at : undefined;
  });
}

/** The map that wrote it is done again, if it is the winner still; the reduce is not charged. */
function segmentLost(cluster: Cluster, attempt: Attempt, { error, map }: Of<"segment-lost">): void {
  const { task } = attempt;
  const { job } = task;
  const lost = taskOf(job, "map", map.index);
  if (lost?.winner !== undefined && sameAttempt(lost.winner.attempt, map)) {
    if (isDone(lost)) {
      if (isOverInfrastructureLimit(cluster, lost)) {
        failJob(cluster, job, tried(error, lost));
        return;
      }
      lost.infrastructureFailures++;
      cluster.workers.get(lost.winner.worker)?.runs.delete(lost);
      loseRun(cluster, lost, error.message);
    }
    requeue(cluster, task);
    return;
  }
  // It read by an old list of places: normal once, when the list has changed since it was started.
  if (attempt.mapVersion === job.mapVersion) {
    infrastructureFailed(cluster, attempt, error);
    return;
  }
  requeue(cluster, task);
}

/** Tried elsewhere, not charged to the task, but not for ever either. */
export function infrastructureFailed(cluster: Cluster, attempt: Attempt, error: FailureText): void {
  const { task, worker } = attempt;
  if (isOverInfrastructureLimit(cluster, task)) {
    failJob(cluster, task.job, tried(error, task));
    return;
  }
  task.infrastructureFailures++;
  saveTask(cluster, task);
  requeue(cluster, task, worker);
}

/**
 * No progress for too long, or too long in all: given to another, and charged. After a stuck attempt the next is careful, so that
 * its report says which record it hangs on; what an ordinary one reports is where its batch began.
 */
export function attemptTimedOut(cluster: Cluster, attempt: Attempt, message: string, isStuck: boolean): void {
  const { task } = attempt;
  const error = plainText("task-timeout", message);
  const placed = task.careful ? withPlace(task.job, error, attempt.report?.at) : error;
  revoke(cluster, attempt, undefined);
  noteFailure(cluster, attempt, "timed-out", placed);
  charge(cluster, attempt, placed, () => (task.careful ||= isStuck));
}

function charge(cluster: Cluster, attempt: Attempt, error: FailureText, change: () => void): void {
  const { task, worker } = attempt;
  const { job } = task;
  if (task.failures + 1 >= job.spec.attemptsMax) {
    failJob(cluster, job, withCount(error, task.failures + 1));
    return;
  }
  update(task, () => {
    task.failures++;
    change();
  });
  saveTask(cluster, task);
  requeue(cluster, task, worker);
}

/** For people: the latest failures, in a ring. */
function noteFailure(
  cluster: Cluster,
  attempt: Attempt,
  failure: Failure["kind"] | "timed-out",
  error: FailureText,
): void {
  const { id, task, worker } = attempt;
  const { job } = task;
  note(cluster, { kind: "attempt-failed", attempt: id, worker: worker.id, failure, error });
  const record = { number: job.failureNumber++, task: nameOf(task), error };
  job.failures.push(record);
  if (job.failures.length > failuresKept) job.failures.shift();
  job.view = undefined;
  put(cluster, keys.failure(job.id, record.number), failureRecord.encode(record));
}

function isOverInfrastructureLimit(cluster: Cluster, task: Task): boolean {
  return task.infrastructureFailures + 1 >= cluster.options.infrastructureFailuresMax;
}

function isSamePosition(a: Position | undefined, b: Position | undefined): boolean {
  return a?.file === b?.file && a?.offset === b?.offset;
}

function tried(error: FailureText, task: Task): FailureText {
  return withCount(error, task.infrastructureFailures + 1);
}
