// A worker's machine, with its disk, and the lives of the worker on it. A life is the product's agent in a simulated process,
// with simulated slots; whatever it was is gone with it.

import type { WorkerOrders, WorkerReport } from "../../src/protocol/messages.ts";
import type { Endpoint, Request } from "../../src/sim/network.ts";
import { Process } from "../../src/sim/process.ts";
import { decodeOrders, encodeReport } from "../../src/wire/convert.ts";
import { type Agent, startAgent } from "../../src/worker/agent/agent.ts";
import { Disk, simRunStore } from "./disk.ts";
import { serveSegment } from "./segments.ts";
import { SimSlot } from "./slot.ts";
import type { World } from "./world.ts";

export class WorkerHost {
  readonly id: string;
  readonly world: World;
  readonly slots: number;
  disk: Disk;
  incarnation = 0;
  /** Everything that runs here fails. */
  isBad = false;
  /** Some life of it was told to leave. */
  hasDrained = false;
  life: SimWorker | undefined;

  constructor(world: World, id: string, slots: number) {
    this.world = world;
    this.id = id;
    this.slots = slots;
    this.disk = new Disk(id);
  }

  start(): void {
    if (this.life !== undefined) return;
    this.incarnation++;
    this.life = new SimWorker(this);
  }

  crash(losesDisk: boolean): void {
    this.life?.end();
    this.life = undefined;
    if (losesDisk) this.disk = new Disk(this.id);
  }
}

export class SimWorker implements Endpoint {
  readonly world: World;
  readonly host: string;
  readonly incarnation: number;
  readonly address: string;
  readonly slots: number;
  readonly disk: Disk;
  /** The agent's. */
  readonly process: Process;
  /** Of the slots: goes on when only the agent is stopped. */
  readonly machine: Process;
  readonly agent: Agent;
  /** The highest epoch that it was told. */
  epochSeen = 0;
  isDraining = false;
  readonly #owner: WorkerHost;
  #target: number;

  constructor(owner: WorkerHost) {
    const { world, id, incarnation, slots, disk } = owner;
    const { options, chance } = world;
    this.#owner = owner;
    this.world = world;
    this.host = id;
    this.incarnation = incarnation;
    this.slots = slots;
    this.disk = disk;
    this.address = options.samePorts ? `${id}:1` : `${id}:${incarnation}`;
    this.process = new Process(world.timeline, id, chance.random, options.timerMs);
    this.machine = new Process(world.timeline, id, chance.random, 0);
    this.#target = chance.below(options.masters);
    world.network.answerAt(this.address, this);
    const offered = disk.offered();
    if (offered.length > 0) world.sightings.saw("worker offered its runs");
    world.trace.note(world.now, `${id} starts its life ${incarnation} with ${offered.length} runs`);
    this.agent = startAgent({
      worker: id,
      incarnation,
      address: this.address,
      master: { heartbeat: (report, signal) => this.#heartbeat(report, signal) },
      onDrain: () => void this.drain(),
      onStart: (assignment) => world.checks.taken(this, assignment),
      clock: this.process.clock,
      random: chance.random,
      budget: {
        slots,
        memoryBytes: 1,
        arenaBytes: 1,
        tierBytes: 0,
        heapMiB: 1,
        rssBytesMax: 1,
      },
      slotsAhead: options.slotsAhead,
      runs: simRunStore(disk),
      openSlot: (_name, onLate) => new SimSlot(this, onLate),
      bundle: async () => ({ path: "/bundle", digest: "b0", environment: {} }),
      access: { shuffleKey: (job) => job, ca: undefined },
      offered,
      residentBytes: () => 0,
    });
  }

  get isBad(): boolean {
    return this.#owner.isBad;
  }

  end(): void {
    this.process.crash();
    this.machine.crash();
    this.world.checks.died(this);
  }

  /** From a slot to its agent. */
  agentHears(what: () => void): void {
    this.process.receive(what);
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
    this.#owner.hasDrained = true;
    await this.agent.drain();
    await this.agent.released();
    this.world.checks.left(this);
    await this.agent.close();
    if (this.#owner.life === this) this.#owner.crash(false);
  }

  async serve({ kind, body }: Request): Promise<unknown> {
    if (kind !== "segment") throw new Error(`a worker knows no ${kind}`);
    return serveSegment(this.disk, body);
  }

  async #heartbeat(report: WorkerReport, signal: AbortSignal): Promise<WorkerOrders> {
    const { network, options, checks } = this.world;
    const address = `m${this.#target % options.masters}`;
    checks.reported(this, report);
    const turnAway = () => {
      if (address === `m${this.#target % options.masters}`) this.#target++;
    };
    // Given up by the agent, which has a newer call by then, or by the network.
    signal.addEventListener("abort", turnAway, { once: true });
    try {
      const bytes = await network.call(this.process, address, "heartbeat", encodeReport(report), {
        timeoutMs: options.callMs,
      });
      signal.throwIfAborted();
      signal.removeEventListener("abort", turnAway);
      const orders = decodeOrders(bytes as Uint8Array);
      checks.heardOrders(this, orders);
      this.epochSeen = Math.max(this.epochSeen, orders.epoch);
      return orders;
    } catch (error) {
      if (!signal.aborted) turnAway();
      throw error;
    }
  }
}
