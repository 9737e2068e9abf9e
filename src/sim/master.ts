// A machine that can run a master, and the lives of the master on it: the product's loop around the product's
// scheduler, over the simulated store and network. A master that has stepped down ends, and is started again.
import { MillraceError } from "../base/error.ts";
import { limits } from "../base/limits.ts";
import type { JobSpec } from "../job/spec.ts";
import { createMaster } from "../master/loop.ts";
import type { Master } from "../master/master.ts";
import { ordersFor } from "../schedule/assign/orders.ts";
import { unpublished } from "../schedule/commit.ts";
import { recoverCluster } from "../schedule/recover.ts";
import { stepCluster } from "../schedule/scheduler.ts";
import type { Cluster } from "../schedule/state/state.ts";
import type { RecoverScheduler, SchedulerOptions } from "../schedule/step.ts";
import { viewOf } from "../schedule/view.ts";
import { decodeReport, encodeOrders } from "../wire/convert.ts";
import type { Endpoint, Request } from "./network.ts";
import { observedStore } from "./observed-store.ts";
import { Process } from "./process.ts";
import type { MasterHost, MasterLife, Scene } from "./scene.ts";
import { stateClient } from "./state-client.ts";

export class MasterMachine implements MasterHost {
  readonly host: string;
  readonly scene: Scene;
  life: MasterProcess | undefined;

  constructor(scene: Scene, host: string) {
    this.scene = scene;
    this.host = host;
  }

  start(): void {
    if (this.life === undefined) this.life = new MasterProcess(this);
  }

  crash(): void {
    this.life?.process.crash();
    this.life = undefined;
  }
}

class MasterProcess implements MasterLife, Endpoint {
  readonly host: string;
  readonly process: Process;
  cluster: Cluster | undefined;
  readonly #scene: Scene;
  #master: Master | undefined;

  constructor(machine: MasterMachine) {
    const { scene, host } = machine;
    this.host = host;
    this.#scene = scene;
    this.process = new Process(scene.timeline, host, scene.chance.random, 0);
    scene.network.answerAt(host, this);
    void this.#run(machine);
  }

  async serve({ kind, body }: Request): Promise<unknown> {
    const master = this.#master;
    if (master === undefined) throw new MillraceError("not-leader", `${this.host} does not lead`);
    switch (kind) {
      case "heartbeat": {
        const { observer } = this.#scene;
        const report = decodeReport(body as Uint8Array);
        observer.served?.(this, report);
        const orders = await master.heartbeat(report);
        observer.answered?.(this, report, orders);
        return encodeOrders(orders);
      }
      case "submit": {
        const { spec, key } = body as { readonly spec: JobSpec; readonly key: string };
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

  /** Leads until it does not, then ends as a process does, and is started again. */
  async #run(machine: MasterMachine): Promise<void> {
    const { note, timeline, chance, options } = this.#scene;
    try {
      const master = await this.#lead();
      this.#master = master;
      note(`${this.host} leads in epoch ${master.epoch}`);
      await new Promise<void>((resolve) => {
        if (master.stopped.aborted) resolve();
        master.stopped.addEventListener("abort", () => resolve(), { once: true });
      });
    } catch {
      // It could not become one.
    }
    if (machine.life !== this) return;
    note(`${this.host} stops`);
    machine.crash();
    timeline.after(chance.between(10, options.leaseMs / 4), () => machine.start());
  }

  #lead(): Promise<Master> {
    const { network, server, options, outputs, observer } = this.#scene;
    const { process } = this;
    return createMaster({
      store: observedStore(stateClient(process, network, server, options), this, observer),
      storage: outputs.clientOf(process),
      clock: process.clock,
      heartbeatMs: options.heartbeatMs,
      owner: this.host,
      adoptMs: options.adoptMs,
      // As a cluster's master has it (master/node.ts).
      publishTriesMax: limits.publishTriesMax,
      scheduler: schedulerOptions(this.#scene),
      recover: this.#recover,
      observer: { stepped: ({ facts }) => observer.told?.(facts) },
    });
  }

  /** The product's scheduler (schedule/scheduler.ts), step by step before whoever watches. */
  readonly #recover: RecoverScheduler = (records, epoch, options, now) => {
    const { observer } = this.#scene;
    const cluster = recoverCluster(records, epoch, options, now);
    this.cluster = cluster;
    observer.recovered?.(this, cluster);
    return {
      step: (event, at) => {
        const step = stepCluster(cluster, event, at);
        observer.stepped?.(this, cluster, event, step);
        return step;
      },
      ordersFor: (worker) => ordersFor(cluster, worker),
      unpublished: (job) => unpublished(cluster, job),
      view: () => viewOf(cluster),
    };
  };
}

export function schedulerOptions({ options, outputs }: Scene): SchedulerOptions {
  return {
    leaseMs: options.leaseMs,
    backupSlowdown: options.backupSlowdown,
    failuresPerWorkerMax: options.failuresPerWorkerMax,
    infrastructureFailuresMax: limits.infrastructureFailuresMax,
    digestRollbacksMax: limits.digestRollbacksMax,
    keepFailed: options.keepFailed,
    manifest: outputs.manifest,
  };
}
