// A task as the scheduler sees it (state.ts): what it waits for, what its winner says, and what is stored of it.
import { type AttemptId, type Phase, taskName } from "../../base/ids.ts";
import type { TaskRecord, Winner } from "../../protocol/records.ts";
import type { Job, Task } from "./state.ts";

export function newTask(job: Job, phase: Phase, index: number): Task {
  return {
    job,
    phase,
    index,
    winner: undefined,
    placements: 0,
    digestVersion: 0,
    digestRollbacks: 0,
    failures: 0,
    infrastructureFailures: 0,
    careful: false,
    skip: [],
    diedAt: undefined,
    userFailure: undefined,
    counted: undefined,
    attempts: [],
    erred: undefined,
    isQueued: false,
    avoid: undefined,
    checkpointAt: undefined,
    waitsUntil: 0,
    prefer: undefined,
    isLeftBehind: false,
    moves: 0,
    placedAt: 0,
  };
}

/** Whether nothing is left to do for the task now. */
export function isDone(task: Task): boolean {
  return task.winner !== undefined && task.winner.runLost === undefined;
}

/**
 * Whether the winner's output files are gone, so that it can't be published. A map's winner still tells what reduces
 * have read.
 */
export function hasLostFiles({ staged }: Winner): boolean {
  return staged.some(({ token }) => token === "");
}

/** Whether the task can be given out. */
export function isWaiting(task: Task): boolean {
  return task.attempts.length === 0 && !isDone(task);
}

/** The task's dead letters: those of its winner, and records that no attempt may read again. */
export function deadLettersOf(task: Task): number {
  return Math.max(task.winner?.deadLetters.length ?? 0, task.skip.length);
}

/** Line ends inside of those, which count as well. */
export function deadLetterLinesOf(task: Task): number {
  return task.winner?.stats.asideLines ?? 0;
}

export function recordOf(task: Task): TaskRecord {
  const { winner, placements, digestVersion, digestRollbacks, failures, infrastructureFailures } = task;
  const { careful, skip, diedAt, userFailure, counted } = task;
  return {
    winner,
    placements,
    digestVersion,
    digestRollbacks,
    failures,
    infrastructureFailures,
    careful,
    skip,
    diedAt,
    userFailure,
    counted,
  };
}

/** A key for an attempt: (epoch, attempt) is unique by itself. */
export function attemptKey(id: AttemptId): string {
  return `${id.epoch}.${id.attempt}`;
}

/** A task's name for people, such as "map-00012". */
export function nameOf({ job, phase, index }: Task): string {
  return taskName({ job: job.id, phase, index });
}
