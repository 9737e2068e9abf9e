// A worker's machine, with its disk, and the lives of the worker on it. A life is the product's agent in a simulated process,
// with simulated slots; whatever it was is gone with it.

import type { WorkerOrders, WorkerReport } from "../../protocol/messages.ts";
import { decodeOrders, encodeReport } from "../../wire/convert.ts";
import { type Agent, startAgent } from "../../worker/agent/agent.ts";
import { Process } from "../process.ts";
import { Disk } from "./disk.ts";
import { SimSlot } from "./slot.ts";
import type { World } from "./world.ts";

export class WorkerHost {
  readonly id: string;
  readonly world: World;
  disk = new Disk();
  incarnation = 0;
  life: WorkerLife | undefined;

  constructor(world: World, id: string) {
    this.world = world;
    this.id = id;
  }

  start(): void {
    if (this.life !== undefined) return;
    this.incarnation++;
    this.life = new WorkerLife(this);
  }

  crash(losesDisk: boolean): void {
    this.life?.process.crash();
    this.life?.machine.crash();
    this.life = undefined;
    if (losesDisk) this.disk = new Disk();
  }
}

export class WorkerLife {
  readonly world: World;
  readonly id: string;
  readonly disk: Disk;
  readonly address: string;
  /** The agent's. */
  readonly process: Process;
  /** Of the slots: goes on when only the agent is stopped. */
  readonly machine: Process;
  readonly agent: Agent;
  isDraining = false;
  readonly #owner: WorkerHost;
  #target: number;

  constructor(owner: WorkerHost) {
    const { world, id, incarnation, disk } = owner;
    const { options, chance, timeline } = world;
    this.#owner = owner;
    this.world = world;
    this.id = id;
    this.disk = disk;
    this.address = `${id}:${incarnation}`;
    this.process = new Process(timeline, id, chance.random, options.timerMs);
    this.machine = new Process(timeline, id, chance.random, 0);
    this.#target = chance.below(options.masters);
    const { digest, environment } = world.job;
    const offered = disk.offered();
    world.log.note(`${id} starts its life ${incarnation} with ${offered.length} runs`);
    this.agent = startAgent({
      worker: id,
      incarnation,
      address: this.address,
      master: { heartbeat: (report, signal) => this.#heartbeat(report, signal) },
      onDrain: () => void this.drain(),
      clock: this.process.clock,
      random: chance.random,
      // Only the number of slots counts here.
      budget: { slots: options.slots, memoryBytes: 1, arenaBytes: 1, tierBytes: 0, heapMiB: 1, rssBytesMax: 1 },
      slotsAhead: options.slots,
      runs: disk.runStore(),
      openSlot: () => new SimSlot(this),
      bundle: async () => ({ path: "", digest, environment }),
      access: { shuffleKey: (job) => job, ca: undefined },
      offered,
      residentBytes: () => 0,
    });
  }

  /** The agent alone (SIGSTOP), or the whole machine. */
  stop(isWholeMachine: boolean): void {
    this.process.stop();
    if (isWholeMachine) this.machine.stop();
  }

  goOn(): void {
    this.machine.goOn();
    this.process.goOn();
  }

  /** SIGTERM. Ends when it has handed over all it had. */
  async drain(): Promise<void> {
    if (this.isDraining) return;
    this.isDraining = true;
    await this.agent.drain();
    await this.agent.released();
    await this.agent.close();
    if (this.#owner.life === this) this.#owner.crash(false);
  }

  async #heartbeat(report: WorkerReport, signal: AbortSignal): Promise<WorkerOrders> {
    const { network, options } = this.world;
    const target = this.#target;
    const turnAway = () => {
      if (this.#target === target) this.#target++;
    };
    // Given up by the agent, which has a newer call by then, or by the network.
    signal.addEventListener("abort", turnAway, { once: true });
    try {
      const bytes = await network.call(
        this.process,
        `m${target % options.masters}`,
        "heartbeat",
        encodeReport(report),
        { timeoutMs: options.callMs },
      );
      signal.throwIfAborted();
      signal.removeEventListener("abort", turnAway);
      return decodeOrders(bytes as Uint8Array);
    } catch (error) {
      if (!signal.aborted) turnAway();
      throw error;
    }
  }
}
