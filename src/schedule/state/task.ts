// A task and its attempts.
//
//   waiting ─► running (one attempt; two with a backup) ─► won ─► (map: run lost; reduce: rolled back) ─► waiting …
import { type AttemptId, type Instant, type Phase, type Position, taskName } from "../../base/ids.ts";
import type { Assignment, RunningAttempt, SkippedRecord } from "../../protocol/messages.ts";
import type { AttemptNumber, TaskRecord, Winner } from "../../protocol/records.ts";
import type { Job } from "./job.ts";
import type { Worker } from "./worker.ts";

/** The stored part is what `TaskRecord` says; the rest is forgotten with the process. */
export interface Task {
  readonly job: Job;
  readonly phase: Phase;
  readonly index: number;

  winner: Winner | undefined;
  placements: number;
  digestVersion: number;
  digestRollbacks: number;
  failures: number;
  infrastructureFailures: number;
  careful: boolean;
  skip: readonly SkippedRecord[];
  diedAt: Position | undefined;
  userFailure: TaskRecord["userFailure"];
  counted: TaskRecord["counted"];

  /** Those that may win: at most two. */
  readonly attempts: Attempt[];
  /** The latest that failed by the job's own error. */
  erred: AttemptNumber | undefined;
  /** It is in its phase's queue. */
  isQueued: boolean;
  /** Not on this worker again before that time, as long as there is another. */
  avoid: { readonly worker: Worker; readonly until: Instant } | undefined;
  /** Its next attempt is best there: it holds what others could not fetch. */
  prefer: Worker | undefined;
  /** Of a reduce: how often it was moved because its worker could not reach another. */
  moves: number;
  /** Of a map: the version of the map outputs that its run was placed by; 0: by an earlier master. */
  placedAt: number;
}

export interface Attempt {
  readonly id: AttemptId;
  readonly task: Task;
  readonly worker: Worker;
  /**
   * assigned: no report has listed it yet, so the order is repeated. stopping: revoked, it can't win any more; forgotten once
   * its worker no longer lists it.
   */
  state: "assigned" | "running" | "stopping";
  /** Sent while assigned. */
  assignment: Assignment | undefined;
  /** Where it is is where it is exactly; false where another master assigned it. */
  readonly careful: boolean;
  /** Of a reduce; undefined when another master assigned it. */
  mapVersion: number | undefined;
  report: RunningAttempt | undefined;
  /** For people: why it is stopping. */
  why: string;
  /** When it was assigned, adopted or, stopping, revoked. */
  since: Instant;
}

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
    prefer: undefined,
    moves: 0,
    placedAt: 0,
  };
}

/** Nothing is left to do for it now. */
export function isDone(task: Task): boolean {
  return task.winner !== undefined && task.winner.runLost === undefined;
}

/** Its output files are gone, so it can't be decided on; of a map, what its run was still tells what reduces have read. */
export function hasLostFiles({ staged }: Winner): boolean {
  return staged.some(({ token }) => token === "");
}

/** It can be given out. */
export function isWaiting(task: Task): boolean {
  return task.attempts.length === 0 && !isDone(task);
}

/** Dead letters that the task stands for: those of its winner, and records that no attempt may touch again. */
export function deadLettersOf(task: Task): number {
  return Math.max(task.winner?.deadLetters.length ?? 0, task.skip.length);
}

/** Line ends inside of those: they count as well. */
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

/** (epoch, attempt) is unique by itself. */
export function attemptKey(id: AttemptId): string {
  return `${id.epoch}.${id.attempt}`;
}

/** "map-00012", for people. */
export function nameOf({ job, phase, index }: Task): string {
  return taskName({ job: job.id, phase, index });
}
