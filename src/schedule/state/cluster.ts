// The whole state (state.ts): a new one, and what the step under way changes, tells and watches.
import type { Instant } from "../../base/ids.ts";
import { keys } from "../../protocol/records.ts";
import { taskRecord } from "../../wire/stored/records.ts";
import type { Fact } from "../facts.ts";
import type { SchedulerOptions } from "../step.ts";
import { Heap } from "./heap.ts";
import type { Cluster, Task, Worker } from "./state.ts";
import { recordOf } from "./task.ts";

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
    leaving: new Set(),
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

/**
 * The worker has something to do or to know: its waiting call is answered in this step, and its next report at once.
 */
export function tell(cluster: Cluster, worker: Worker): void {
  worker.hasNews = true;
  cluster.toAnswer.add(worker);
}

/** Watches a worker's lease, which begins when it was last heard. */
export function watchLease(cluster: Cluster, worker: Worker): void {
  watch(cluster, worker, worker.heardAt + cluster.options.leaseMs);
}

/**
 * Makes the scheduler look at the worker at that time. Only one entry per worker counts: the one that the worker names.
 */
export function watch(cluster: Cluster, worker: Worker, at: Instant): void {
  worker.leaseAt = at;
  cluster.leases.push({ at, worker });
}
