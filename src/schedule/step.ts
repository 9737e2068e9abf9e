// The scheduler's interface: one event goes in, one step comes out.
import type { Instant, JobId, WorkerId } from "../base/ids.ts";
import type { JobSpec } from "../job/spec.ts";
import type { IsStagedBy } from "../protocol/check-result.ts";
import type { FinishedJob } from "../protocol/finished-job.ts";
import type { FailureText, WorkerOrders, WorkerReport } from "../protocol/messages.ts";
import type { ClusterView } from "../protocol/view.ts";
import type { Change, StoredRecord } from "../state/store.ts";
import type { CommitDecision, LostFile, StagedFile } from "../storage/storage.ts";
import type { Fact } from "./facts.ts";

/** Everything that can happen to the scheduler. */
export type SchedulerEvent =
  | { readonly kind: "job-submitted"; readonly job: JobId; readonly spec: JobSpec; readonly idempotencyKey: string }
  | { readonly kind: "job-cancelled"; readonly job: JobId }
  /**
   * A failed job that was kept (`keepFailed`) is to go on where it stopped; this has no effect on any other job. If it
   * was decided, the storage was asked first (`Storage.withdraw`): the decision is published again unless it was
   * withdrawn.
   */
  | { readonly kind: "job-resumed"; readonly job: JobId; readonly withdrawn?: WithdrawnDecision | undefined }
  | { readonly kind: "worker-heard"; readonly report: WorkerReport }
  /**
   * An administrator wants the worker to drain: it gets nothing new, and is told so until it is started again.
   * `withinMs`: how long it may stay.
   */
  | { readonly kind: "worker-drained"; readonly worker: WorkerId; readonly withinMs?: number | undefined }
  /** The answer to `look-at-files`: the files that are gone, or not as they were written. */
  | {
      readonly kind: "files-looked-at";
      readonly job: JobId;
      readonly look: number;
      readonly lost: readonly LostFile[];
    }
  | { readonly kind: "look-failed"; readonly job: JobId; readonly look: number; readonly error: FailureText }
  | { readonly kind: "output-published"; readonly job: JobId }
  | { readonly kind: "output-failed"; readonly job: JobId; readonly error: FailureText }
  | { readonly kind: "clock-ticked" };

/**
 * A decision that can't be published any more. `tokens` maps each file's token to the one that it has now; undefined:
 * it is gone.
 */
export interface WithdrawnDecision {
  readonly decision: CommitDecision;
  readonly tokens: ReadonlyMap<string, string | undefined>;
}

/** The files that winners have staged for one destination. */
export interface StagedFolder {
  readonly destination: string;
  readonly files: readonly StagedFile[];
}

/** The things that the master must do once the step's changes are durable, in the given order. */
export type SchedulerCommand =
  /**
   * Answer the worker's waiting call. `orders` are complete for that worker as of this step (assignments that no report
   * lists yet are repeated), so sending them twice changes nothing. The command is given when the worker has news;
   * otherwise the master answers by itself with `ordersFor` before the heartbeat's time is over.
   */
  | { readonly kind: "send-orders"; readonly worker: WorkerId; readonly orders: WorkerOrders }
  /** Look whether the staged files of a job that is to be decided exist, and report it with this number. */
  | {
      readonly kind: "look-at-files";
      readonly job: JobId;
      readonly folders: readonly StagedFolder[];
      readonly look: number;
    }
  | { readonly kind: "publish-output"; readonly decision: CommitDecision }
  /** The job is over: remove its staged files (workers learn it from `orders.discard`). */
  | { readonly kind: "discard-job"; readonly job: JobId; readonly destination: string };

/** The answer to one event: first make `changes` durable, then perform `commands`, in order. */
export interface Step {
  readonly changes: readonly Change[];
  readonly commands: readonly SchedulerCommand[];
  /** What happened, in order, for people; never needed for correctness. To be told once the changes are durable. */
  readonly facts: readonly Fact[];
  /** Send `clock-ticked` no later than this. */
  readonly wakeAt: Instant | undefined;
}

/**
 * The whole control logic, without I/O, clock, randomness and promises. Its state changes only in `step`. The master's
 * loop calls it.
 */
export interface Scheduler {
  step(event: SchedulerEvent, now: Instant): Step;
  /**
   * Everything that a worker must do and know as of now: the answer to a call during which nothing happened. May be
   * called again.
   */
  ordersFor(worker: WorkerId): WorkerOrders;
  /** The decision of a failed job that can be resumed; undefined: it was not decided, or there is no such job. */
  unpublished(job: JobId): CommitDecision | undefined;
  /** The view for commands and metrics: immutable, and valid for ever. */
  view(): ClusterView;
}

/** Rebuilds a scheduler from stored records. It equals the live state, after every prefix of any list of changes. */
export type RecoverScheduler = (
  records: Iterable<StoredRecord>,
  epoch: number,
  options: SchedulerOptions,
  now: Instant,
) => Scheduler;

export interface SchedulerOptions {
  readonly leaseMs: number;
  /** A backup attempt starts when a task's rate is this many times below its phase's median. */
  readonly backupSlowdown: number;
  readonly failuresPerWorkerMax: number;
  readonly infrastructureFailuresMax: number;
  readonly digestRollbacksMax: number;
  /**
   * The order in which the tasks of a phase are given out, for tests: the result must not depend on it. Default: by
   * their index.
   */
  readonly order?: "reverse" | undefined;
  /**
   * True: a failed job keeps its records, runs and staged files, for `--resume` and `retry`. Default: they are removed.
   */
  readonly keepFailed?: boolean;
  /**
   * For how long; a new master begins again. Default `limits.keepFailedMs`. `limits.failedJobsKept` bounds how many are
   * kept.
   */
  readonly keepFailedMs?: number;
  /** How many jobs that are over are still shown. Default `limits.endedJobsKept`. */
  readonly endedJobsKept?: number;
  /** Whether a staged file is that attempt's (`storage/staged-token.ts`). Default: that is not checked. */
  readonly isStagedBy?: IsStagedBy;
  /** Builds the bytes of `_SUCCESS` (output/manifest.ts), so that the scheduler knows no format. */
  readonly manifest: (job: FinishedJob) => Uint8Array;
}
