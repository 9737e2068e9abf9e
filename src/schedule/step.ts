// What goes into the scheduler and what comes out: one event, one step.
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
   * A failed job that was kept (`keepFailed`) goes on where it stopped; of no effect on any other. Of one that was decided, the
   * storage has been asked first (`Storage.withdraw`): its decision is published again unless it was withdrawn.
   */
  | { readonly kind: "job-resumed"; readonly job: JobId; readonly withdrawn?: WithdrawnDecision | undefined }
  | { readonly kind: "worker-heard"; readonly report: WorkerReport }
  /** An administrator wants it to drain: it gets nothing new, and is told so until it is started anew. */
  | { readonly kind: "worker-drained"; readonly worker: WorkerId }
  /** The answer to `look-at-files`: which of them are gone, or not as they were written. */
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

/** A decision that can't be published any more. Of each of its files by its token: the one it has now; undefined: it is gone. */
export interface WithdrawnDecision {
  readonly decision: CommitDecision;
  readonly tokens: ReadonlyMap<string, string | undefined>;
}

/** What winners have staged for one destination. */
export interface StagedFolder {
  readonly destination: string;
  readonly files: readonly StagedFile[];
}

/** What the master must do once the step's changes are durable, in this order. */
export type SchedulerCommand =
  /**
   * Answer the worker's waiting call. `orders` are complete for that worker as of this step (assignments not yet listed by a
   * report are repeated), so sending them twice changes nothing. Given out when the worker has something to do or to know;
   * otherwise the master answers by itself with `ordersFor` before the heartbeat's time is up.
   */
  | { readonly kind: "send-orders"; readonly worker: WorkerId; readonly orders: WorkerOrders }
  /** See whether the staged files of a job that is to be decided are there, and say so under this number. */
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
  /** What happened, for people: in order, never needed for correctness. Say it once the changes are durable. */
  readonly facts: readonly Fact[];
  /** Send `clock-ticked` no later than this. */
  readonly wakeAt: Instant | undefined;
}

/** The whole control logic: no I/O, no clock, no randomness, no promises. Its state changes only inside `step`. */
export interface Scheduler {
  step(event: SchedulerEvent, now: Instant): Step;
  /** What a worker must do and know, as of now: the answer to a call that nothing happened during. */
  ordersFor(worker: WorkerId): WorkerOrders;
  /** What a failed job that can be resumed was to publish; undefined: it was not decided, or is no such job. */
  unpublished(job: JobId): CommitDecision | undefined;
  /** Immutable read model for the status that commands and metrics show. */
  view(): ClusterView;
}

/** Rebuild from stored records: equal to the live state, after every prefix of any change list. */
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
  /** In which order the tasks of a phase are given out; the result must not depend on it. Default: by their index. */
  readonly order?: "reverse" | undefined;
  /** A failed job keeps its records, runs and staged files, for `--resume` and `retry`. Default: they are removed. */
  readonly keepFailed?: boolean;
  /** How long; a new master counts anew. Default `limits.keepFailedMs`; `limits.failedJobsKept` bounds how many. */
  readonly keepFailedMs?: number;
  /** Jobs that are over and still shown. Default `limits.endedJobsKept`. */
  readonly endedJobsKept?: number;
  /** Whether a staged file is that attempt's (`storage/staged-token.ts`). Default: it is not looked at. */
  readonly isStagedBy?: IsStagedBy;
  /** Builds the bytes of `_SUCCESS` (output/manifest.ts), so that the scheduler knows no format. */
  readonly manifest: (job: FinishedJob) => Uint8Array;
}
