// A machine that can run a master, and the lives of the master on it: the product's loop around the product's scheduler, over
// the simulated store and network. A master that has stepped down ends, and is started again.
import { MillraceError } from "../../base/error.ts";
import { limits } from "../../base/limits.ts";
import { version } from "../../base/version.ts";
import type { JobSpec } from "../../job/spec.ts";
import { createMaster } from "../../master/loop.ts";
import type { Master } from "../../master/master.ts";
import { manifestBuilder } from "../../output/manifest.ts";
import { recoverScheduler } from "../../schedule/scheduler.ts";
import type { Storage } from "../../storage/storage.ts";
import { decodeReport, encodeOrders } from "../../wire/convert.ts";
import type { Endpoint, Request } from "../network.ts";
import { Process } from "../process.ts";
import { stateClient } from "../state-client.ts";
import type { World } from "./world.ts";

export class MasterHost {
  readonly host: string;
  readonly world: World;
  life: MasterLife | undefined;

  constructor(world: World, host: string) {
    this.world = world;
    this.host = host;
  }

  start(): void {
    if (this.life === undefined) this.life = new MasterLife(this);
  }

  crash(): void {
    this.life?.process.crash();
    this.life = undefined;
  }
}

export class MasterLife implements Endpoint {
  readonly process: Process;
  readonly #world: World;
  #master: Master | undefined;

  constructor(owner: MasterHost) {
    const { world, host } = owner;
    this.#world = world;
    this.process = new Process(world.timeline, host, world.chance.random, 0);
    world.network.answerAt(host, this);
    void this.#run(owner);
  }

  async serve({ kind, body }: Request): Promise<unknown> {
    const master = this.#master;
    if (master === undefined) throw new MillraceError("not-leader", `${this.process.host} does not lead`);
    switch (kind) {
      case "heartbeat":
        return encodeOrders(await master.heartbeat(decodeReport(body as Uint8Array)));
      case "submit": {
        const { spec, key } = body as { readonly spec: JobSpec; readonly key: string };
        return await master.submit(spec, key);
      }
      case "view":
        return master.view();
      default:
        throw new Error(`a master knows no ${kind}`);
    }
  }

  /** Leads until it does not, then ends as a process does, and is started anew. */
  async #run(owner: MasterHost): Promise<void> {
    const { log, timeline, chance, options } = this.#world;
    try {
      const master = await this.#lead();
      this.#master = master;
      log.note(`${owner.host} leads in epoch ${master.epoch}`);
      await new Promise<void>((resolve) => {
        if (master.stopped.aborted) resolve();
        master.stopped.addEventListener("abort", () => resolve(), { once: true });
      });
    } catch {
      // It could not become one.
    }
    if (owner.life !== this) return;
    log.note(`${owner.host} stops`);
    owner.crash();
    timeline.after(chance.between(10, options.leaseMs / 4), () => owner.start());
  }

  #lead(): Promise<Master> {
    const { network, server, options, tell } = this.#world;
    const { process } = this;
    return createMaster({
      store: stateClient(process, network, server, options, () => {}),
      storage: this.#storage(),
      clock: process.clock,
      heartbeatMs: options.heartbeatMs,
      owner: process.host,
      adoptMs: options.adoptMs,
      publishTriesMax: limits.publishTriesMax,
      recover: recoverScheduler,
      scheduler: {
        leaseMs: options.leaseMs,
        backupSlowdown: limits.backupSlowdown,
        failuresPerWorkerMax: limits.failuresPerWorkerMax,
        infrastructureFailuresMax: limits.infrastructureFailuresMax,
        digestRollbacksMax: limits.digestRollbacksMax,
        manifest: manifestBuilder({ millrace: version, node: globalThis.process.versions.node }),
      },
      observer: { stepped: ({ facts }) => facts.forEach(tell) },
    });
  }

  /** Publishing takes its time, and a master may end before, within and after. */
  #storage(): Storage {
    const { storage, chance } = this.#world;
    const { clock } = this.process;
    const wait = () => clock.sleep(chance.between(1, 50));
    return {
      ...storage,
      publish: async (decision) => {
        await wait();
        await storage.publish(decision);
        await wait();
      },
      discard: async (destination, job) => {
        await wait();
        await storage.discard(destination, job);
      },
    };
  }
}
