// Makes a worker's orders: everything that it must do and know as of now, so that sending them twice changes nothing.
import type { WorkerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Assignment, Holder, Holders, StopOrder, WorkerOrders } from "../../protocol/messages.ts";
import type { RunRef } from "../../sort/run.ts";
import { askedOf } from "../closing.ts";
import { copyOrders } from "../handover.ts";
import { isBarrierOpen } from "../state/job.ts";
import type { Cluster, Job, Worker } from "../state/state.ts";

export function ordersFor(cluster: Cluster, id: WorkerId): WorkerOrders {
  const worker = cluster.workers.get(id);
  const orders = { epoch: cluster.epoch, leaseMs: cluster.options.leaseMs, drain: worker?.isToDrain ?? false };
  if (worker === undefined) return { ...orders, start: [], stop: [], holders: [], discard: [], settle: [] };
  const start: Assignment[] = [];
  const stop: StopOrder[] = worker.strays.map((attempt) => ({ attempt, why: strayWhy }));
  for (const attempt of worker.attempts.values()) {
    if (attempt.state === "stopping") stop.push({ attempt: attempt.id, why: attempt.why });
    if (attempt.assignment !== undefined) start.push(attempt.assignment);
  }
  const holders = missingHolders(cluster, worker);
  const copy = copyOrders(worker);
  return {
    ...orders,
    start,
    stop,
    holders,
    discard: [...worker.discards.keys()],
    settle: askedOf(cluster, worker),
    ...(worker.drainWithinMs !== undefined && { drainWithinMs: worker.drainWithinMs }),
    ...(copy.length > 0 && { copy }),
    ...(worker.handover?.mayLeave === true && { mayLeave: true }),
  };
}

/** The reason for stopping an attempt that a worker runs, and that this master has given up or never given out. */
const strayWhy = "its master has given it up, and another may have taken its place";

/**
 * For each job whose reduces the worker has, the next page of holders. Lists that are not complete yet are never sent.
 */
function missingHolders(cluster: Cluster, worker: Worker): Holders[] {
  const jobs = new Set<Job>();
  for (const { id, state, task } of worker.attempts.values()) {
    if (id.phase === "reduce" && state !== "stopping") jobs.add(task.job);
  }
  const pages: Holders[] = [];
  for (const job of jobs) {
    const held = worker.holdersKnown[job.id];
    if ((held !== undefined && held.mapVersion > job.mapVersion) || !isBarrierOpen(job)) continue;
    const { total, workers } = holdersOf(cluster, job);
    const from = held?.mapVersion === job.mapVersion ? held.runs : 0;
    if (from < total || held?.mapVersion !== job.mapVersion)
      pages.push({ job: job.id, mapVersion: job.mapVersion, from, total, workers: pageOf(workers, from) });
  }
  return pages;
}

function pageOf(all: readonly Holder[], from: number): Holder[] {
  const page: Holder[] = [];
  let skip = from;
  let room: number = limits.runsPerMessage;
  for (const { worker, address, runs } of all) {
    const part = runs.slice(skip, skip + room);
    skip = Math.max(0, skip - runs.length);
    room -= part.length;
    if (part.length > 0) page.push({ worker, address, runs: part });
    if (room === 0) break;
  }
  return page;
}

/** A job's holders. The list is made once per version, as it is as long as there are map tasks. */
function holdersOf(cluster: Cluster, job: Job): Holders {
  if (job.holders?.mapVersion === job.mapVersion) return job.holders;
  const byWorker = new Map<WorkerId, { address: string; runs: RunRef[] }>();
  let total = 0;
  for (const { winner } of job.maps) {
    if (winner?.run === undefined) continue;
    let holder = byWorker.get(winner.worker);
    if (holder === undefined) {
      const heard = cluster.workers.get(winner.worker);
      const address = heard !== undefined && heard.sequence >= 0 ? heard.address : winner.address;
      byWorker.set(winner.worker, (holder = { address, runs: [] }));
    }
    holder.runs.push(winner.run);
    total++;
  }
  const workers: Holder[] = [...byWorker].map(([worker, holder]) => ({ worker, ...holder }));
  job.holders = { job: job.id, mapVersion: job.mapVersion, from: 0, total, workers };
  return job.holders;
}
