// The interface of the master's loop, and its options.
import { createHash } from "node:crypto";
import type { JobId, WorkerId } from "../base/ids.ts";
import type { Clock } from "../base/system/clock.ts";
import type { JobSpec } from "../job/spec.ts";
import type { WorkerOrders, WorkerReport } from "../protocol/messages.ts";
import type { ClusterView, JobView } from "../protocol/view.ts";
import type { RecoverScheduler, SchedulerOptions, Step } from "../schedule/step.ts";
import type { Change, StateStore, StoredRecord } from "../state/store.ts";
import type { Storage } from "../storage/storage.ts";

export interface MasterOptions {
  readonly store: StateStore;
  readonly storage: Storage;
  readonly clock: Clock;
  /** Recovers the scheduler from the store: `schedule/recover.ts`, or a fake. */
  readonly recover: RecoverScheduler;
  readonly scheduler: SchedulerOptions;
  /** How long a heartbeat waits for news before it is answered. Default `limits.heartbeatMs`. */
  readonly heartbeatMs?: number;
  /** The name of this leader, for people who look into the store. */
  readonly owner: string;
  readonly signal?: AbortSignal;
  /**
   * Looks at what is stored, once this master is the leader under `epoch` and before it does anything. What it returns
   * is stored; where it throws, leadership is given up and `createMaster` rejects with its error. Default: any state
   * will do.
   */
  readonly admit?: (records: readonly StoredRecord[], epoch: number) => readonly Change[];
  /** The name for a new state; a state that has a name keeps it. Default "", as for a run on one machine. */
  readonly newCluster?: string;
  /**
   * The longest time in ms that a new master waits for the workers of its predecessor to report what they run, before
   * it gives out tasks of jobs that were under way. Default 0, as for a run on one machine.
   */
  readonly adoptMs?: number;
  /** Ends a publish that is under way: its job fails, and can be resumed. Default: nothing ends it. */
  readonly publishing?: AbortSignal;
  /** How often publishing is tried where trying again may help, with growing pauses. Default 1. */
  readonly publishTriesMax?: number;
  /**
   * Writes the file beside a job's output that its workers look for (output/probe.ts). Default: workers look for none.
   */
  readonly writeProbe?: (destination: string, job: JobId) => Promise<void>;
  /** Gets what happened, for metrics and logs. Nothing depends on it. */
  readonly observer?: MasterObserver;
}

/** Its methods are called between two steps, so they must return immediately. */
export interface MasterObserver {
  /** Called after the commit that holds the step's changes. */
  stepped?(step: Step): void;
  committed?(commit: { readonly changes: number; readonly bytes: number; readonly ms: number }): void;
  /** Called when work in the background failed that nothing waits for. The next master tries it again. */
  failed?(what: string, error: unknown): void;
}

/**
 * The loop of one leadership. Calls may come at any time, and may be repeated. All methods reject with `not-leader` or
 * `io-error` once `stopped` is aborted.
 */
export interface Master {
  readonly epoch: number;
  /** The name of this state, which no other state has. */
  readonly cluster: string;
  /** Aborted when the master has stepped down or was closed; its reason is the error that everything rejects with. */
  readonly stopped: AbortSignal;
  /** Resolves once the job is durable. The same key always gives the same job. */
  submit(spec: JobSpec, idempotencyKey: string): Promise<JobId>;
  /** Cancels a job. "too-late": the job had ended, or its output was decided. */
  cancel(job: JobId): Promise<"cancelled" | "too-late">;
  /**
   * Lets a failed job that was kept go on, with its failures forgiven. Any other job stays as it is. `before` is called
   * when the staged files are in order, before the job goes on.
   */
  resume(job: JobId, before?: () => Promise<void>): Promise<void>;
  /** Tells a worker to take nothing new until it is started again. */
  drain(worker: WorkerId, withinMs?: number): Promise<void>;
  /** The state as of the last commit. */
  view(): ClusterView;
  /** The job's view now and after each change, until the job has ended or the signal is aborted. */
  watch(job: JobId, signal?: AbortSignal): AsyncIterable<JobView>;
  /**
   * Takes a worker's report. Answers when there are orders, when a newer report of the same worker comes, or when
   * `heartbeatMs` is over. The report is durable by then.
   */
  heartbeat(report: WorkerReport, signal?: AbortSignal): Promise<WorkerOrders>;
  /** Stores records that are not the scheduler's, with the next commit. */
  note(changes: readonly Change[]): void;
  /** Ends the loop after the current step, and gives up leadership. The store stays open. May be called again. */
  close(): Promise<void>;
}

/** The id of the job that is submitted under this key: the same on any master, at any time. */
export function jobIdOf(idempotencyKey: string): JobId {
  return createHash("sha256").update(idempotencyKey).digest("hex").slice(0, 32);
}
