// Views of jobs and workers, as plain data: what a master shows to commands, metrics and other callers.
import type { Counters, JobId, Phase, WorkerId } from "../base/ids.ts";
import type { LargestGroup } from "./largest-groups.ts";
import type { FailureText, RunningAttempt } from "./messages.ts";
import type { AttemptStats } from "./stats.ts";

export interface ClusterView {
  readonly epoch: number;
  readonly jobs: readonly JobView[];
  readonly workers: readonly WorkerView[];
  /** The master that has made the view. Undefined in the scheduler, which does not know it. */
  readonly leader?: LeaderView | undefined;
}

export interface LeaderView {
  readonly address: string;
  /** When it began to lead, in ISO 8601 and by its own clock: nothing is decided by it. */
  readonly since: string;
}

export interface WorkerView {
  readonly id: WorkerId;
  readonly state: WorkerState;
  /** The worker's address; "" until it has been heard. */
  readonly address: string;
  readonly slots: number;
  readonly slotsFree: number;
  /** Time since its last report, give or take a second. */
  readonly heardMs: number;
  /** How many attempts it has, without those that it was told to stop. */
  readonly running: number;
  /** How many map outputs lie on it that a job may still need. */
  readonly runs: number;
}

/**
 * busy: it runs something. idle: it waits for work. stuck: it is heard, but an attempt that it was told to stop is
 * still there a lease later. silent: it was not heard for a lease. draining: it finishes what it has. excluded: too
 * much failed there. quarantined: it came and went too often.
 */
export const workerStates = ["busy", "idle", "stuck", "silent", "draining", "excluded", "quarantined"] as const;
export type WorkerState = (typeof workerStates)[number];

export interface JobView {
  readonly job: JobId;
  readonly name: string;
  /** The job's number in the order of submission, from 1. */
  readonly number: number;
  readonly state: JobState;
  /** Why nothing of the job runs although it could go on; left out: something runs, or will by itself. */
  readonly waiting?: WaitingFor;
  /** True for a failed job that can still be retried with the winners that it has. */
  readonly resumable: boolean;
  readonly tasks: Readonly<Record<Phase, TaskCounts>>;
  readonly counters: Counters;
  readonly stats: JobStats;
  /** The largest group before combining, of a job that has succeeded; left out where no one knows which it was. */
  readonly largestGroup?: LargestGroup;
  readonly deadLetters: number;
  /** The folder of the dead letters; left out: they are published in the output. */
  readonly deadLettersIn?: string;
  readonly running: readonly RunningAttempt[];
  /** The latest 20 failed attempts, numbered over the job from 0, for warnings. */
  readonly failures: readonly { readonly number: number; readonly task: string; readonly error: FailureText }[];
  readonly output: string;
  readonly reason?: FailureText;
}

/** How a job ends. */
export const outcomes = ["succeeded", "failed", "cancelled"] as const;
export type Outcome = (typeof outcomes)[number];

/** "closing": every task is done, and workers are asked whether the job's code still does something. */
export const jobStates = ["planning", "mapping", "reducing", "closing", "publishing", ...outcomes] as const;
export type JobState = (typeof jobStates)[number];

/** Whether a job has ended; a failed one may still be retried. */
export function hasEnded(state: JobState): state is Outcome {
  return (outcomes as readonly JobState[]).includes(state);
}

/** There is no one to run the job, or all slots are taken by other jobs. */
export const waitingFor = ["no workers", "workers draining", "workers quarantined", "no free slots"] as const;
export type WaitingFor = (typeof waitingFor)[number];

export interface TaskCounts {
  readonly done: number;
  readonly running: number;
  readonly total: number;
}

/** Sums over winners, by phase (for `groupMax` the maximum). */
export interface JobStats {
  readonly inputBytes: number;
  readonly map: AttemptStats;
  readonly reduce: AttemptStats;
}
