// All that the scheduler knows, and the step under way: the changes and commands that it has led to so far.
import type { Instant, JobId, WorkerId } from "../../base/ids.ts";
import { keys } from "../../protocol/records.ts";
import type { Change } from "../../state/store.ts";
import { taskRecord } from "../../wire/stored/records.ts";
import type { Fact } from "../facts.ts";
import type { SchedulerCommand, SchedulerOptions } from "../step.ts";
import { Heap } from "./heap.ts";
import type { Job } from "./job.ts";
import { recordOf, type Task } from "./task.ts";
import type { Worker } from "./worker.ts";

export interface Cluster {
  readonly epoch: number;
  readonly options: SchedulerOptions;
  now: Instant;
  /** What the last step asked for. */
  wakeAt: Instant | undefined;
  /** When running attempts are looked at next for slow ones. */
  backupsAt: Instant;
  attemptNumber: number;
  jobNumber: number;
  endNumber: number;
  lookNumber: number;
  /** By order of submission; those that are over too. */
  readonly jobs: Map<JobId, Job>;
  /** Jobs that may have tasks to give out, the next to be served first. */
  readonly turns: Map<JobId, Job>;
  readonly workers: Map<WorkerId, Worker>;
  /** Jobs between their last winner and the decision. */
  readonly closing: Set<Job>;
  /** Workers that may have room, the next to be served first. */
  readonly idle: Set<Worker>;
  /** One entry per worker; may be too early, then it goes back with the right time. */
  readonly leases: Heap<{ readonly at: Instant; readonly worker: Worker }>;
  /** Keys of jobs that are over, deleted in small portions from that time on; by that time. */
  readonly sweeps: Map<JobId, { readonly at: Instant; readonly keys: Iterator<string> }>;
  /** Failed jobs that can be resumed, by when that ends; those that were resumed since are passed over. */
  readonly kept: Heap<{ readonly at: Instant; readonly job: Job }>;
  /** Jobs that an earlier master ended and did not clear away: not all workers may know yet. */
  readonly leftBehind: Set<JobId>;
  /** Of the step under way. */
  changes: Change[];
  commands: SchedulerCommand[];
  facts: Fact[];
  readonly toAnswer: Set<Worker>;
  /** Jobs that something happened to: they may have become complete. */
  readonly toAdvance: Set<Job>;
}

export function newCluster(epoch: number, options: SchedulerOptions, now: Instant): Cluster {
  return {
    epoch,
    options,
    now,
    wakeAt: undefined,
    backupsAt: now,
    attemptNumber: 1,
    jobNumber: 1,
    endNumber: 1,
    lookNumber: 1,
    jobs: new Map(),
    turns: new Map(),
    closing: new Set(),
    workers: new Map(),
    idle: new Set(),
    leases: new Heap((a, b) => a.at < b.at),
    sweeps: new Map(),
    kept: new Heap((a, b) => a.at < b.at),
    leftBehind: new Set(),
    changes: [],
    commands: [],
    facts: [],
    toAnswer: new Set(),
    toAdvance: new Set(),
  };
}

export function put(cluster: Cluster, key: string, value: Uint8Array): void {
  cluster.changes.push({ put: { key, value } });
}

/** For people; see facts.ts. */
export function note(cluster: Cluster, fact: Fact): void {
  cluster.facts.push(fact);
}

export function saveTask(cluster: Cluster, task: Task): void {
  put(cluster, keys.task(task.job.id, task.phase, task.index), taskRecord.encode(recordOf(task)));
}

/** The worker has something to do or to know: its waiting call is answered in this step, and its next report at once. */
export function tell(cluster: Cluster, worker: Worker): void {
  worker.hasNews = true;
  cluster.toAnswer.add(worker);
}

/** From when it was last heard of, a worker has a lease. */
export function watchLease(cluster: Cluster, worker: Worker): void {
  watch(cluster, worker, worker.heardAt + cluster.options.leaseMs);
}

/** The worker is looked at again then. One entry per worker counts: the one that it names. */
export function watch(cluster: Cluster, worker: Worker, at: Instant): void {
  worker.leaseAt = at;
  cluster.leases.push({ at, worker });
}
