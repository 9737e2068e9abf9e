// The master as its callers see it, and what it is made of.
import { createHash } from "node:crypto";
import type { JobId, WorkerId } from "../base/ids.ts";
import type { Clock } from "../base/system/clock.ts";
import type { JobSpec } from "../job/spec.ts";
import type { WorkerOrders, WorkerReport } from "../protocol/messages.ts";
import type { ClusterView, JobView } from "../protocol/view.ts";
import type { RecoverScheduler, SchedulerOptions, Step } from "../schedule/step.ts";
import type { StateStore } from "../state/store.ts";
import type { Storage } from "../storage/storage.ts";

export interface MasterOptions {
  readonly store: StateStore;
  readonly storage: Storage;
  readonly clock: Clock;
  /** `schedule/recover.ts`, or a fake. */
  readonly recover: RecoverScheduler;
  readonly scheduler: SchedulerOptions;
  /** How long a heartbeat waits for something to answer. Default `limits.heartbeatMs`. */
  readonly heartbeatMs?: number;
  /** Who leads, for people who look into the store. */
  readonly owner: string;
  readonly signal?: AbortSignal;
  /** What a new state is called; one that has a name keeps it. Default: "", of a run on one machine. */
  readonly newCluster?: string;
  /**
   * How long a new master waits at most for the workers of its predecessor to say what they run, before it gives out tasks of
   * jobs that were under way. Default 0, of a run on one machine.
   */
  readonly adoptMs?: number;
  /** Ends a publish that is under way: that job fails, and can go on with it later. */
  readonly publishing?: AbortSignal;
  /** How often publishing is tried where trying again may help, at growing distances. Default 1. */
  readonly publishTriesMax?: number;
  /** Leaves beside a job's output what its workers look for (output/probe.ts), where they do. */
  readonly writeProbe?: (destination: string, job: JobId) => Promise<void>;
  /** Told what happened, for metrics and logs; nothing depends on it. */
  readonly observer?: MasterObserver;
}

/** Called between two steps, so it must return at once. */
export interface MasterObserver {
  /** After the commit that holds the step's changes. */
  stepped?(step: Step): void;
  committed?(commit: { readonly changes: number; readonly bytes: number; readonly ms: number }): void;
  /** Something that only concerns itself failed: what it was is tried again by the next master. */
  failed?(what: string, error: unknown): void;
}

/** Owns the loop. All methods reject with `not-leader` or `io-error` once `stopped` is aborted. */
export interface Master {
  readonly epoch: number;
  /** Tells this state from every other. */
  readonly cluster: string;
  /** Aborted when the master has stepped down or was closed; its reason is the error that everything rejects with. */
  readonly stopped: AbortSignal;
  /** Resolves once the job is durable. The same key gives the same job, however often it is called. */
  submit(spec: JobSpec, idempotencyKey: string): Promise<JobId>;
  /** "too-late": the job had ended, or its output was decided. */
  cancel(job: JobId): Promise<"cancelled" | "too-late">;
  /**
   * A failed job that was kept goes on, its failures forgiven; any other stays as it is. `before`: done when what the job has
   * staged is as it is to be, and before it goes on.
   */
  resume(job: JobId, before?: () => Promise<void>): Promise<void>;
  /** The worker takes nothing new, until it is started anew. */
  drain(worker: WorkerId): Promise<void>;
  /** The state as of the last commit. */
  view(): ClusterView;
  /** The view now, and after each change, until the job has ended or the signal is aborted. */
  watch(job: JobId, signal?: AbortSignal): AsyncIterable<JobView>;
  /** Answers when there are orders, when a newer report of the same worker comes, or when the heartbeat's time is up. */
  heartbeat(report: WorkerReport, signal?: AbortSignal): Promise<WorkerOrders>;
  /** Ends the loop after the step under way and gives up leadership; the store stays open. */
  close(): Promise<void>;
}

/** The job that a submission under this key becomes: the same one, on any master, at any time. */
export function jobIdOf(idempotencyKey: string): JobId {
  return createHash("sha256").update(idempotencyKey).digest("hex").slice(0, 32);
}
