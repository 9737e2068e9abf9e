// The scheduler: one event, one step (step.ts). The nouns of its state have files of their own; this one says what an
// event changes, and the order within a step.
import { unreachable } from "../base/assert.ts";
import type { Instant, JobId, WorkerId } from "../base/ids.ts";
import type { WorkerOrders } from "../protocol/messages.ts";
import { keys } from "../protocol/records.ts";
import type { ClusterView } from "../protocol/view.ts";
import type { CommitDecision } from "../storage/storage.ts";
import { jobRecord } from "../wire/stored/records.ts";
import { assignAhead } from "./assign/ahead.ts";
import { assign } from "./assign/assign.ts";
import { startBackups } from "./assign/backup.ts";
import { ordersFor } from "./assign/orders.ts";
import { advance, cancel, filesLookedAt, lookFailed, published, publishFailed, resume, unpublished } from "./commit.ts";
import { wishDrain } from "./drain.ts";
import { expireKept, nextSweepAt, sweep, sweepAll } from "./ended.ts";
import { handOver } from "./handover.ts";
import { hear } from "./hear.ts";
import { expireLeases, forgive } from "./lease.ts";
import { recoverCluster } from "./recover.ts";
import { requeue } from "./state/attempt.ts";
import { note, put } from "./state/cluster.ts";
import { newJob } from "./state/job.ts";
import type { Cluster } from "./state/state.ts";
import type { RecoverScheduler, Scheduler, SchedulerCommand, SchedulerEvent, SchedulerOptions, Step } from "./step.ts";
import { viewOf } from "./view.ts";

/** A scheduler without any stored state. */
export function createScheduler(epoch: number, options: SchedulerOptions, now: Instant): Scheduler {
  return recoverScheduler([], epoch, options, now);
}

export const recoverScheduler: RecoverScheduler = (records, epoch, options, now) =>
  new ClusterScheduler(recoverCluster(records, epoch, options, now));

class ClusterScheduler implements Scheduler {
  readonly #cluster: Cluster;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  step(event: SchedulerEvent, now: Instant): Step {
    return stepCluster(this.#cluster, event, now);
  }

  ordersFor(worker: WorkerId): WorkerOrders {
    return ordersFor(this.#cluster, worker);
  }

  unpublished(job: JobId): CommitDecision | undefined {
    return unpublished(this.#cluster, job);
  }

  view(): ClusterView {
    return viewOf(this.#cluster);
  }
}

/** Does one step on a state that tests may look into. */
export function stepCluster(cluster: Cluster, event: SchedulerEvent, now: Instant): Step {
  forgive(cluster, now);
  cluster.now = now;
  take(cluster, event);
  expireLeases(cluster);
  expireKept(cluster);
  for (const job of cluster.closing) cluster.toAdvance.add(job);
  for (const job of cluster.toAdvance) advance(cluster, job);
  cluster.toAdvance.clear();
  const { heldBackUntil, isHeldBack } = assign(cluster);
  const reporter = event.kind === "worker-heard" ? cluster.workers.get(event.report.worker) : undefined;
  if (reporter !== undefined && reporter.slotsAhead > 0) assignAhead(cluster, reporter);
  startBackups(cluster, isHeldBack);
  handOver(cluster);
  sweep(cluster);
  answer(cluster, event);
  cluster.wakeAt = earliest(cluster.leases.peek()?.at, heldBackUntil, nextSweepAt(cluster), cluster.kept.peek()?.at);
  const { changes, commands, facts, wakeAt } = cluster;
  cluster.changes = [];
  cluster.commands = [];
  cluster.facts = [];
  return { changes, commands, facts, wakeAt };
}

function take(cluster: Cluster, event: SchedulerEvent): void {
  switch (event.kind) {
    case "job-submitted":
      submit(cluster, event);
      return;
    case "job-cancelled":
      cancel(cluster, event.job);
      return;
    case "job-resumed":
      resume(cluster, event.job, event.withdrawn);
      return;
    case "worker-heard":
      hear(cluster, event.report);
      return;
    case "worker-drained":
      wishDrain(cluster, event.worker, event.withinMs);
      return;
    case "files-looked-at":
      filesLookedAt(cluster, event);
      return;
    case "look-failed":
      lookFailed(cluster, event);
      return;
    case "output-published":
      published(cluster, event.job);
      return;
    case "output-failed":
      publishFailed(cluster, event.job, event.error);
      return;
    case "clock-ticked":
      return;
    default:
      unreachable(event);
  }
}

/** Takes a new job. The same job again, from a client that missed the answer, changes nothing. */
function submit(cluster: Cluster, event: Extract<SchedulerEvent, { kind: "job-submitted" }>): void {
  const { job: id, spec, idempotencyKey } = event;
  if (cluster.jobs.has(id)) return;
  sweepAll(cluster, id);
  note(cluster, { kind: "job-submitted", job: id, name: spec.name });
  const record = { spec, idempotencyKey, number: cluster.jobNumber++ };
  put(cluster, keys.spec(id), jobRecord.encode(record));
  const job = newJob(id, record, cluster.options.order);
  cluster.jobs.set(id, job);
  cluster.turns.set(id, job);
  requeue(cluster, job.planTask);
}

/**
 * Sends orders to workers with news. The worker that reported in this step is certain to get them; another one may have
 * no waiting call.
 */
function answer(cluster: Cluster, event: SchedulerEvent): void {
  for (const worker of cluster.toAnswer) {
    const command: SchedulerCommand = { kind: "send-orders", worker: worker.id, orders: ordersFor(cluster, worker.id) };
    cluster.commands.push(command);
  }
  cluster.toAnswer.clear();
  if (event.kind !== "worker-heard") return;
  const worker = cluster.workers.get(event.report.worker);
  if (worker?.sequence === event.report.sequence) worker.hasNews = false;
}

function earliest(...instants: readonly (Instant | undefined)[]): Instant | undefined {
  let first: Instant | undefined;
  for (const at of instants) if (at !== undefined && (first === undefined || at < first)) first = at;
  return first;
}
