// Makes a worker's orders: everything that it must do and know as of now, so that sending them twice changes nothing.
import type { WorkerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Assignment, Places, RunPlaces, StopOrder, WorkerOrders } from "../../protocol/messages.ts";
import type { RunRef } from "../../sort/run.ts";
import { askedOf } from "../closing.ts";
import { isBarrierOpen } from "../state/job.ts";
import type { Cluster, Job, Worker } from "../state/state.ts";

export function ordersFor(cluster: Cluster, id: WorkerId): WorkerOrders {
  const worker = cluster.workers.get(id);
  const orders = { epoch: cluster.epoch, leaseMs: cluster.options.leaseMs, drain: worker?.isToDrain ?? false };
  if (worker === undefined) return { ...orders, start: [], stop: [], places: [], discard: [], settle: [] };
  const start: Assignment[] = [];
  const stop: StopOrder[] = worker.strays.map((attempt) => ({ attempt, why: strayWhy }));
  for (const attempt of worker.attempts.values()) {
    if (attempt.state === "stopping") stop.push({ attempt: attempt.id, why: attempt.why });
    if (attempt.assignment !== undefined) start.push(attempt.assignment);
  }
  const places = missingPlaces(cluster, worker);
  return { ...orders, start, stop, places, discard: [...worker.discards.keys()], settle: askedOf(cluster, worker) };
}

/** The reason for stopping an attempt that a worker runs, and that this master has given up or never given out. */
const strayWhy = "its master has given it up, and another may have taken its place";

/**
 * For each job whose reduces the worker has, the next page of places. Lists that are not complete yet are never sent.
 */
function missingPlaces(cluster: Cluster, worker: Worker): Places[] {
  const jobs = new Set<Job>();
  for (const { id, state, task } of worker.attempts.values()) {
    if (id.phase === "reduce" && state !== "stopping") jobs.add(task.job);
  }
  const pages: Places[] = [];
  for (const job of jobs) {
    const held = worker.placesHeld[job.id];
    if ((held !== undefined && held.mapVersion > job.mapVersion) || !isBarrierOpen(job)) continue;
    const { total, runs } = placesOf(cluster, job);
    const from = held?.mapVersion === job.mapVersion ? held.runs : 0;
    if (from < total || held?.mapVersion !== job.mapVersion)
      pages.push({ job: job.id, mapVersion: job.mapVersion, from, total, runs: pageOf(runs, from) });
  }
  return pages;
}

function pageOf(all: readonly RunPlaces[], from: number): RunPlaces[] {
  const page: RunPlaces[] = [];
  let skip = from;
  let room: number = limits.placesPerMessage;
  for (const { worker, address, runs } of all) {
    const part = runs.slice(skip, skip + room);
    skip = Math.max(0, skip - runs.length);
    room -= part.length;
    if (part.length > 0) page.push({ worker, address, runs: part });
    if (room === 0) break;
  }
  return page;
}

/** A job's places. They are made once per version, as there are as many as map tasks. */
function placesOf(cluster: Cluster, job: Job): Places {
  if (job.places?.mapVersion === job.mapVersion) return job.places;
  const byWorker = new Map<WorkerId, { address: string; runs: RunRef[] }>();
  let total = 0;
  for (const { winner } of job.maps) {
    if (winner?.run === undefined) continue;
    let place = byWorker.get(winner.worker);
    if (place === undefined) {
      const heard = cluster.workers.get(winner.worker);
      const address = heard !== undefined && heard.sequence >= 0 ? heard.address : winner.address;
      byWorker.set(winner.worker, (place = { address, runs: [] }));
    }
    place.runs.push(winner.run);
    total++;
  }
  const runs: RunPlaces[] = [...byWorker].map(([worker, place]) => ({ worker, ...place }));
  job.places = { job: job.id, mapVersion: job.mapVersion, from: 0, total, runs };
  return job.places;
}
