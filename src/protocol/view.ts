// How jobs and workers look from outside: what a master shows to commands, metrics and whoever else asks, as plain data.
import type { Counters, JobId, Phase, WorkerId } from "../base/ids.ts";
import type { FailureText, RunningAttempt } from "./messages.ts";
import type { AttemptStats } from "./stats.ts";

export interface ClusterView {
  readonly epoch: number;
  readonly jobs: readonly JobView[];
  readonly workers: readonly WorkerView[];
}

export interface WorkerView {
  readonly id: WorkerId;
  readonly state: WorkerState;
  /** "" until it has been heard. */
  readonly address: string;
  readonly slots: number;
  readonly slotsFree: number;
  /** Since its last report, a second more or less. */
  readonly heardMs: number;
  /** Attempts that it has, without those that it was told to stop. */
  readonly running: number;
  /** Map outputs on it that a job may still need. */
  readonly runs: number;
}

/**
 * busy, idle: works, waits for work. stuck: heard, but an attempt that it was told to stop is still there a lease later. silent:
 * not heard for a lease. draining: finishes what it has. excluded: too much failed there. quarantined: it came and went too
 * often.
 */
export const workerStates = ["busy", "idle", "stuck", "silent", "draining", "excluded", "quarantined"] as const;
export type WorkerState = (typeof workerStates)[number];

export interface JobView {
  readonly job: JobId;
  readonly name: string;
  /** Order of submission, from 1. */
  readonly number: number;
  readonly state: JobState;
  /** Undefined: something of it runs, or can't go on. */
  readonly waiting?: WaitingFor;
  /** A failed job that can still be started again with the winners it had. */
  readonly resumable: boolean;
  readonly tasks: Readonly<Record<Phase, TaskCounts>>;
  readonly counters: Counters;
  readonly stats: JobStats;
  readonly deadLetters: number;
  /** The folder that they are published in, where that is not a part of the output. */
  readonly deadLettersIn?: string;
  readonly running: readonly RunningAttempt[];
  /** The latest 20 attempts that failed, numbered over the job from 0: what a progress view warns of. */
  readonly failures: readonly { readonly number: number; readonly task: string; readonly error: FailureText }[];
  readonly output: string;
  readonly reason?: FailureText;
}

/** How a job ends. */
export const outcomes = ["succeeded", "failed", "cancelled"] as const;
export type Outcome = (typeof outcomes)[number];

/** closing: every task is done, and workers are asked whether the job's code still does something. */
export const jobStates = ["planning", "mapping", "reducing", "closing", "publishing", ...outcomes] as const;
export type JobState = (typeof jobStates)[number];

/** A job that is over may still be resumed. */
export function hasEnded(state: JobState): state is Outcome {
  return (outcomes as readonly JobState[]).includes(state);
}

/** Why nothing of a job runs although it could go on: nobody is there to do it, or all slots are taken by other jobs. */
export const waitingFor = ["no workers", "workers draining", "workers quarantined", "no free slots"] as const;
export type WaitingFor = (typeof waitingFor)[number];

export interface TaskCounts {
  readonly done: number;
  readonly running: number;
  readonly total: number;
}

/** Sums over winners, by phase (`groupMax` the largest). */
export interface JobStats {
  readonly inputBytes: number;
  readonly map: AttemptStats;
  readonly reduce: AttemptStats;
}
