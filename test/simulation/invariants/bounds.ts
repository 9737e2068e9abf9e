// I13 bounded: what a scheduler keeps and what it sends stays under its limits. I16 in part: no storm of messages,
// and no master that steps without end.

import { phases } from "../../../src/base/ids.ts";
import { limits } from "../../../src/base/limits.ts";
import type { WorkerOrders, WorkerReport } from "../../../src/protocol/messages.ts";
import type { Cluster } from "../../../src/schedule/state/state.ts";
import type { MasterLife, WorkerLife } from "../../../src/sim/scene.ts";
import { encodeOrders, encodeReport } from "../../../src/wire/convert.ts";
import type { Invariant } from "../checks.ts";
import type { OracleWorld } from "../world.ts";

/** Reports of one worker within a lease: a heartbeat's, those with news, and retries. */
const reportsPerLeaseMax = 250;
const messageBytesMax = 64 * 1024;
/** Steps of one master at one instant: time would never go on. */
const stepsAtOnceMax = 5_000;

export class Bounds implements Invariant {
  readonly #world: OracleWorld;
  readonly #steps = new Map<MasterLife, { at: number; count: number }>();
  readonly #reports = new Map<string, { since: number; count: number }>();

  constructor(world: OracleWorld) {
    this.#world = world;
  }

  reported(worker: WorkerLife, report: WorkerReport): void {
    const { now, options } = this.#world;
    let window = this.#reports.get(worker.id);
    if (window === undefined || now - window.since > options.leaseMs)
      this.#reports.set(worker.id, (window = { since: now, count: 0 }));
    window.count++;
    if (window.count > reportsPerLeaseMax)
      this.#world.violate("I16", `${worker.id} reported ${window.count} times within a lease`);
    const { running, finished, slots } = report;
    if (running.length > slots + options.slotsAhead)
      this.#world.violate("I13", `${worker.id} reports ${running.length} running attempts`);
    // Results wait for an answer; what runs meanwhile adds to them, but only what a master ordered runs.
    if (finished.length > 100 && encodeReport(report).length > messageBytesMax)
      this.#world.violate("I13", `${worker.id} reports ${finished.length} results`);
  }

  answered(_master: MasterLife, report: WorkerReport, orders: WorkerOrders): void {
    if (orders.start.length > Math.max(1, report.slots + this.#world.options.slotsAhead))
      this.#world.violate("I11", `${report.worker} is given ${orders.start.length} attempts for ${report.slots} slots`);
    if (orders.stop.length + orders.discard.length > 100 && encodeOrders(orders).length > messageBytesMax)
      this.#world.violate("I13", `${report.worker} is sent ${orders.stop.length} attempts to stop`);
  }

  stepped(master: MasterLife, cluster: Cluster): void {
    this.#countStep(master);
    const { workers, jobs } = this.#world;
    if (cluster.workers.size > workers.length) this.#world.violate("I13", `${cluster.workers.size} workers are known`);
    if (cluster.leases.size > 20 * workers.length)
      this.#world.violate("I13", `${cluster.leases.size} leases are watched`);
    if (cluster.jobs.size > jobs.length) this.#world.violate("I13", `${cluster.jobs.size} jobs are known`);
    for (const job of cluster.jobs.values()) {
      if (job.failures.length > limits.failuresKept)
        this.#world.violate("I13", `${job.failures.length} failures are kept`);
      if (job.stage === "over") continue;
      for (const phase of phases)
        if (job.queues[phase].size > 2 * Math.max(job.maps.length, job.reduces.length, 1))
          this.#world.violate("I13", `${job.queues[phase].size} tasks wait in the ${phase} queue`);
    }
  }

  #countStep(master: MasterLife): void {
    const world = this.#world;
    let steps = this.#steps.get(master);
    if (steps === undefined || steps.at !== world.now) this.#steps.set(master, (steps = { at: world.now, count: 0 }));
    if (++steps.count <= stepsAtOnceMax) return;
    world.violate("I16", `${master.host} steps without end`);
    throw new Error("it is over");
  }
}
