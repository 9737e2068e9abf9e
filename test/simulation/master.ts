// A machine that can run a master, and the lives of the master on it: the product's loop around the product's scheduler, over
// the simulated store and network. A master that has stepped down ends, and is started again.

import { MillraceError } from "../../src/base/error.ts";
import { limits } from "../../src/base/limits.ts";
import type { JobSpec } from "../../src/job/spec.ts";
import { createMaster } from "../../src/master/loop.ts";
import type { Master } from "../../src/master/master.ts";
import { ordersFor } from "../../src/schedule/assign/orders.ts";
import { unpublished } from "../../src/schedule/commit.ts";
import { recoverCluster } from "../../src/schedule/recover.ts";
import { stepCluster } from "../../src/schedule/scheduler.ts";
import type { Cluster } from "../../src/schedule/state/state.ts";
import type { SchedulerOptions } from "../../src/schedule/step.ts";
import { viewOf } from "../../src/schedule/view.ts";
import type { Endpoint, Request } from "../../src/sim/network.ts";
import { Process } from "../../src/sim/process.ts";
import { stateClient } from "../../src/sim/state-client.ts";
import { decodeReport, encodeOrders } from "../../src/wire/convert.ts";
import { storageClient } from "./files.ts";
import type { World } from "./world.ts";

const stepsAtOnceMax = 5_000;

export class MasterHost {
  readonly host: string;
  readonly world: World;
  life: MasterLife | undefined;

  constructor(world: World, host: string) {
    this.world = world;
    this.host = host;
  }

  start(): void {
    if (this.life !== undefined) return;
    this.life = new MasterLife(this);
  }

  crash(): void {
    this.life?.end();
    this.life = undefined;
  }
}

export class MasterLife implements Endpoint {
  readonly host: string;
  readonly process: Process;
  readonly world: World;
  /** The scheduler's state, for checks. */
  cluster: Cluster | undefined;
  /** Between the step and the end of its commit the state is ahead of the store. */
  isAhead = false;
  #master: Master | undefined;
  #steps = 0;
  #steppedAt = 0;

  constructor(owner: MasterHost) {
    const { world, host } = owner;
    this.host = host;
    this.world = world;
    this.process = new Process(world.timeline, host, world.chance.random, 0);
    world.network.answerAt(host, this);
    void this.#run(owner);
  }

  get epoch(): number | undefined {
    return this.#master?.epoch;
  }

  end(): void {
    this.process.crash();
  }

  /** A master that steps without end at one instant would never let time go on. */
  #countStep(): void {
    const { world } = this;
    if (world.now !== this.#steppedAt) this.#steps = 0;
    this.#steppedAt = world.now;
    if (++this.#steps > stepsAtOnceMax) world.violate("I16", `${this.host} steps without end`);
    if (world.violation !== undefined && this.#steps > stepsAtOnceMax) throw new Error("it is over");
  }

  /** Leads until it does not, then ends as a process does, and is started anew. */
  async #run(owner: MasterHost): Promise<void> {
    try {
      const master = await this.#lead();
      this.#master = master;
      this.world.trace.note(this.world.now, `${this.host} leads in epoch ${master.epoch}`);
      await new Promise<void>((resolve) => {
        if (master.stopped.aborted) resolve();
        master.stopped.addEventListener("abort", () => resolve(), { once: true });
      });
    } catch {
      // It could not become one.
    }
    const { world } = this;
    world.trace.note(world.now, `${this.host} stops`);
    if (owner.life !== this) return;
    owner.crash();
    world.timeline.after(world.chance.between(10, world.options.leaseMs / 4), () => owner.start());
  }

  #lead(): Promise<Master> {
    const { world, process } = this;
    const { options } = world;
    const store = stateClient(process, world.network, world.server, options, () => {
      this.isAhead = false;
      world.checks.committed(this);
    });
    return createMaster({
      store,
      storage: storageClient(process, world.network, options),
      clock: process.clock,
      heartbeatMs: options.heartbeatMs,
      owner: this.host,
      adoptMs: options.adoptMs,
      // As a cluster's master has it (master/node.ts).
      publishTriesMax: limits.publishTriesMax,
      scheduler: schedulerOptions(world),
      recover: (records, epoch, schedulerOptions, now) => {
        const cluster = recoverCluster(records, epoch, schedulerOptions, now);
        this.cluster = cluster;
        world.checks.recovered(this, cluster);
        return {
          step: (event, at) => {
            this.#countStep();
            const step = stepCluster(cluster, event, at);
            if (step.changes.length > 0) this.isAhead = true;
            world.checks.stepped(this, cluster, event, step);
            return step;
          },
          ordersFor: (worker) => ordersFor(cluster, worker),
          unpublished: (job) => unpublished(cluster, job),
          view: () => viewOf(cluster),
        };
      },
    });
  }

  async serve({ kind, body }: Request): Promise<unknown> {
    const master = this.#master;
    if (master === undefined) throw new MillraceError("not-leader", `${this.host} does not lead`);
    switch (kind) {
      case "heartbeat": {
        const report = decodeReport(body as Uint8Array);
        this.world.checks.served(this, report);
        const orders = await master.heartbeat(report);
        this.world.checks.answered(this, report, orders);
        return encodeOrders(orders);
      }
      case "submit": {
        const { spec, key } = body as { spec: JobSpec; key: string };
        return { id: await master.submit(spec, key), epoch: master.epoch };
      }
      case "cancel":
        return await master.cancel(body as string);
      case "resume":
        return await master.resume(body as string);
      case "view":
        return master.view();
      default:
        throw new Error(`a master knows no ${kind}`);
    }
  }
}

export function schedulerOptions({ options }: World): SchedulerOptions {
  return {
    leaseMs: options.leaseMs,
    backupSlowdown: options.backupSlowdown,
    failuresPerWorkerMax: options.failuresPerWorkerMax,
    infrastructureFailuresMax: 16,
    digestRollbacksMax: 3,
    keepFailed: options.keepFailed,
    manifest: ({ counters, files }) =>
      new TextEncoder().encode(JSON.stringify({ counters, files: files.map(({ token }) => token) })),
  };
}
