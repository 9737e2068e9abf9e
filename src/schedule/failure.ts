// An attempt failed, and the class of the failure says what to do (messages.ts, `Failure`).

import { unreachable } from "../base/assert.ts";
import { type AttemptId, attemptName, type Position, sameAttempt } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { Failure, FailureText } from "../protocol/messages.ts";
import { type AttemptNumber, keys } from "../protocol/records.ts";
import { failureRecord } from "../wire/stored/records.ts";
import { failJob } from "./commit.ts";
import { plainText, withCount, withPlace } from "./failure-text.ts";
import { loseRun } from "./lost.ts";
import { requeue, revoke } from "./state/attempt.ts";
import { note, put, saveTask } from "./state/cluster.ts";
import { isActive, taskOf, update } from "./state/job.ts";
import { noteFailureThere, quarantine } from "./state/standing.ts";
import type { Attempt, Cluster, Task, Worker } from "./state/state.ts";
import { isDone, nameOf } from "./state/task.ts";
import { forgetComplaints, judgeUnreachable } from "./unreachable.ts";

type Of<K extends Failure["kind"]> = Extract<Failure, { kind: K }>;

/** Called with an attempt that is released already. */
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
      noteDeathThere(cluster, attempt);
      stoppedAt(cluster, attempt, { ...reason, hung: false });
      return;
    case "segment-lost":
      segmentLost(cluster, attempt, reason);
      return;
    case "infrastructure":
      task.checkpointAt = undefined; // what it lies on may be what fails
      if (noteFailureThere(cluster, attempt.worker, task, true)) requeue(cluster, task, attempt.worker);
      else infrastructureFailed(cluster, attempt, reason.error);
      return;
    default:
      unreachable(reason);
  }
}

/**
 * The same error on the same record again is final. With another error, the task is tried as often as `attemptsMax`
 * says.
 */
function userError(cluster: Cluster, attempt: Attempt, { error, at, final }: Of<"user-error">): void {
  const { task, id } = attempt;
  task.erred = { epoch: id.epoch, attempt: id.attempt };
  const before = task.userFailure;
  const isRepeated = before !== undefined && before.message === error.message && isSamePosition(before.at, at);
  if (final || isRepeated) {
    failJob(cluster, task.job, error);
    return;
  }
  charge(cluster, attempt, error, () => (task.userFailure = { message: error.message, at }));
}

/** Where an attempt died or hung. */
interface Stop {
  readonly error: FailureText;
  readonly at: Position | undefined;
  readonly careful: boolean;
  /** True: it made no progress; false: its slot died. */
  readonly hung: boolean;
}

/**
 * Handles an attempt whose slot died, or which made no progress for too long. The next attempt is careful, so that its
 * end names the record. A second careful end at the same record is final: the record is put aside if that is allowed,
 * otherwise the job fails.
 */
function stoppedAt(cluster: Cluster, attempt: Attempt, { error, at, careful, hung }: Stop): void {
  const { task } = attempt;
  const { job } = task;
  if (careful && at !== undefined && isSamePosition(task.diedAt, at)) {
    if (job.deadLetters + job.deadLetterLines + 1 > job.spec.skipBad) {
      failJob(cluster, job, withPlace(job, error, at));
      return;
    }
    update(task, () => {
      count(task, attempt);
      task.skip = [...task.skip, { file: at.file, offset: at.offset, hung }];
      task.diedAt = undefined;
      task.failures = 0; // it gets past this record now, and the number of skipped records has its own limit
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

/**
 * Notes a death against the worker. A record that kills its process does so everywhere, so deaths of one task say
 * nothing about the worker. Nor do those of planning, where a job's code runs for the first time: jobs that can't be
 * loaded must not cost others their workers.
 */
function noteDeathThere(cluster: Cluster, { task, worker }: Attempt): void {
  if (task.phase === "plan" || worker.died.has(task)) return;
  worker.died.add(task);
  noteFailureThere(cluster, worker, task, false);
}

/** Does the map again that wrote the segment, if it is still the winner. The reduce is not charged. */
function segmentLost(cluster: Cluster, attempt: Attempt, reason: Of<"segment-lost">): void {
  const { error, map, how, others = [] } = reason;
  const { task, worker } = attempt;
  const { job } = task;
  const lost = taskOf(job, "map", map.index);
  if (lost?.winner !== undefined && sameAttempt(lost.winner.attempt, map)) {
    const holder = cluster.workers.get(lost.winner.worker);
    const isNews = isDone(lost) && isAboutItsPlace(attempt, lost);
    if (isNews && how === "unreachable" && judgeUnreachable(cluster, attempt, holder) === "move") {
      requeue(cluster, task, worker);
      return;
    }
    if (isNews) giveUpRuns(cluster, { lost, holder }, how, error);
    if (how !== "unreachable") giveUpOthers(cluster, attempt, others, how, error);
    requeue(cluster, task);
    return;
  }
  // It used an old list of places. That is normal when the list has changed since the attempt was started.
  if (attempt.mapVersion === job.mapVersion) {
    infrastructureFailed(cluster, attempt, error);
    return;
  }
  requeue(cluster, task);
}

/**
 * Whether an attempt that could not read a map output looked for it where it lies now. What an earlier master started
 * may have looked at any of its places, so it says nothing about an output that has moved (simulation, seed 2378: it
 * missed the holder of before, and the new one, which was well, lost all its outputs).
 */
function isAboutItsPlace({ mapVersion }: Attempt, map: Task): boolean {
  return mapVersion === undefined ? map.placements <= 1 : mapVersion >= map.placedAt;
}

/** Gives up the other outputs that it found missing or corrupt: each of them alone would cost another attempt. */
function giveUpOthers(
  cluster: Cluster,
  attempt: Attempt,
  others: readonly AttemptId[],
  how: "missing" | "corrupt",
  error: FailureText,
): void {
  const { task } = attempt;
  for (const map of others) {
    if (!isActive(task.job)) return; // one of them was lost too often
    const lost = taskOf(task.job, "map", map.index);
    if (lost?.winner === undefined || !sameAttempt(lost.winner.attempt, map) || !isDone(lost)) continue;
    if (!isAboutItsPlace(attempt, lost)) continue;
    const holder = cluster.workers.get(lost.winner.worker);
    giveUpRuns(cluster, { lost, holder }, how, { ...error, message: `the output of ${attemptName(map)} is ${how}` });
  }
}

/**
 * Gives up a lost output, and for an unreachable holder every map output that the job has there; that worker is then
 * quarantined.
 */
function giveUpRuns(
  cluster: Cluster,
  { lost, holder }: { readonly lost: Task; readonly holder: Worker | undefined },
  how: Of<"segment-lost">["how"],
  error: FailureText,
): void {
  const { job } = lost;
  const isCutOff = how === "unreachable" && holder !== undefined;
  const runs = isCutOff ? [...holder.runs].filter((task) => task.job === job && isDone(task)) : [lost];
  for (const task of runs.includes(lost) ? runs : [lost, ...runs]) {
    if (isOverInfrastructureLimit(cluster, task)) {
      failJob(cluster, job, tried(error, task));
      return;
    }
    task.infrastructureFailures++;
    holder?.runs.delete(task);
    loseRun(cluster, task, error.message, how === "missing" ? undefined : holder);
  }
  if (!isCutOff) return;
  forgetComplaints(holder);
  quarantine(cluster, holder);
}

/** Tries the task elsewhere. This is not charged to the task, but is bounded too. */
export function infrastructureFailed(cluster: Cluster, attempt: Attempt, error: FailureText): void {
  const { task, worker } = attempt;
  // A full disk stays full, so the task is tried as often as for the job's own errors, not as often as for a machine's.
  const isFull = error.code === "no-space" && task.infrastructureFailures + 1 >= task.job.spec.attemptsMax;
  if (isFull || isOverInfrastructureLimit(cluster, task)) {
    failJob(cluster, task.job, tried(error, task));
    return;
  }
  task.infrastructureFailures++;
  count(task, attempt);
  saveTask(cluster, task);
  requeue(cluster, task, worker);
}

/**
 * Handles an attempt that made no progress for too long, or took too long in all: its task goes to another worker, and
 * is charged. A record on which attempts hang is found like one that kills them, as an ordinary attempt reports only
 * where its batch began.
 */
export function attemptTimedOut(cluster: Cluster, attempt: Attempt, message: string, isStuck: boolean): void {
  const { task, careful } = attempt;
  const at = attempt.report?.at;
  const error = plainText("task-timeout", message);
  const placed = careful ? withPlace(task.job, error, at) : error;
  revoke(cluster, attempt, message, true);
  noteFailure(cluster, attempt, "timed-out", placed);
  if (isStuck) stoppedAt(cluster, attempt, { error: placed, at, careful, hung: true });
  else charge(cluster, attempt, placed, () => {});
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
    count(task, attempt);
    change();
  });
  saveTask(cluster, task);
  requeue(cluster, task, worker);
}

/**
 * Notes the attempt, to be stored with the counts, so that a failure that is reported to two masters is counted once.
 */
function count(task: Task, { id: { epoch, attempt } }: Attempt): void {
  if (!isCounted(task, { epoch, attempt })) task.counted = { epoch, attempt };
}

/**
 * Whether the attempt's failure is counted, or that of a later one: the older one of a task's two attempts is then not
 * counted.
 */
export function isCounted({ counted }: Task, { epoch, attempt }: AttemptNumber): boolean {
  if (counted === undefined) return false;
  return epoch < counted.epoch || (epoch === counted.epoch && attempt <= counted.attempt);
}

/** Notes a failure among the latest ones, for people. */
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
  if (job.failures.length > limits.failuresKept) job.failures.shift();
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
