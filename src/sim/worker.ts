// A worker's machine, with its disk, and the lives of the worker on it. A life is the product's agent in a simulated
// process, with the slots of its world (`Scene.slots`); whatever it was is gone with it.
import type { WorkerOrders, WorkerReport } from "../protocol/messages.ts";
import { decodeOrders, encodeReport } from "../wire/convert.ts";
import { type Agent, startAgent } from "../worker/agent/agent.ts";
import { Disk } from "./disk.ts";
import type { Endpoint, Request } from "./network.ts";
import { Process } from "./process.ts";
import type { Scene, WorkerHost, WorkerLife } from "./scene.ts";

export class WorkerMachine implements WorkerHost {
  readonly id: string;
  readonly scene: Scene;
  readonly slots: number;
  disk: Disk;
  incarnation = 0;
  isBad = false;
  hasDrained = false;
  life: WorkerProcess | undefined;

  constructor(scene: Scene, id: string, slots: number) {
    this.scene = scene;
    this.id = id;
    this.slots = slots;
    this.disk = new Disk(id);
  }

  start(): void {
    if (this.life !== undefined) return;
    this.incarnation++;
    this.life = new WorkerProcess(this);
  }

  crash(losesDisk: boolean): void {
    this.life?.end();
    this.life = undefined;
    if (losesDisk) this.disk = new Disk(this.id);
  }
}

class WorkerProcess implements WorkerLife, Endpoint {
  readonly host: WorkerMachine;
  readonly id: string;
  readonly incarnation: number;
  readonly address: string;
  readonly disk: Disk;
  readonly process: Process;
  readonly machine: Process;
  epochSeen = 0;
  isDraining = false;
  readonly #scene: Scene;
  readonly #agent: Agent;
  #target: number;

  constructor(host: WorkerMachine) {
    const { scene, id, incarnation, slots, disk } = host;
    const { options, chance, timeline, observer } = scene;
    this.#scene = scene;
    this.host = host;
    this.id = id;
    this.incarnation = incarnation;
    this.disk = disk;
    this.address = options.samePorts ? `${id}:1` : `${id}:${incarnation}`;
    this.process = new Process(timeline, id, chance.random, options.timerMs);
    this.machine = new Process(timeline, id, chance.random, 0);
    this.#target = chance.below(options.masters);
    scene.network.answerAt(this.address, this);
    const offered = disk.offered();
    observer.offered?.(this, offered.length);
    scene.note(`${id} starts its life ${incarnation} with ${offered.length} runs`);
    this.#agent = startAgent({
      worker: id,
      incarnation,
      address: this.address,
      master: { heartbeat: (report, signal) => this.#heartbeat(report, signal) },
      onDrain: () => void this.drain(),
      onStart: (assignment) => observer.taken?.(this, assignment),
      clock: this.process.clock,
      random: chance.random,
      // Only the number of slots counts here.
      budget: { slots, memoryBytes: 1, arenaBytes: 1, tierBytes: 0, heapMiB: 1, rssBytesMax: 1 },
      slotsAhead: options.slotsAhead,
      runs: disk.runStore(),
      openSlot: (_name, onLate) => scene.slots.open(this, onLate),
      ...(scene.slots.copy !== undefined && {
        copyRun: (order, signal) => scene.slots.copy!(this, order, signal),
      }),
      bundle: async () => scene.slots.bundle,
      access: { shuffleKey: (job) => job, ca: undefined },
      offered,
      residentBytes: () => 0,
    });
  }

  end(): void {
    this.process.crash();
    this.machine.crash();
    this.#scene.observer.died?.(this);
  }

  agentHears(what: () => void): void {
    void this.process.receive(what);
  }

  stop(isWholeMachine: boolean): void {
    this.process.stop();
    if (isWholeMachine) this.machine.stop();
  }

  goOn(): void {
    this.machine.goOn();
    this.process.goOn();
  }

  async drain(): Promise<void> {
    if (this.isDraining) return;
    this.isDraining = true;
    this.host.hasDrained = true;
    await this.#agent.drain();
    await this.#agent.released();
    this.#scene.observer.left?.(this);
    await this.#agent.close();
    if (this.host.life === this) this.host.crash(false);
  }

  serve(request: Request): Promise<unknown> {
    return this.#scene.slots.serve(this, request);
  }

  async #heartbeat(report: WorkerReport, signal: AbortSignal): Promise<WorkerOrders> {
    const { network, options, observer } = this.#scene;
    const address = this.#master;
    observer.reported?.(this, report);
    const turnAway = () => {
      if (address === this.#master) this.#target++;
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
      observer.heardOrders?.(this, orders);
      if (orders.epoch < this.epochSeen) turnAway(); // as the product's client does
      this.epochSeen = Math.max(this.epochSeen, orders.epoch);
      return orders;
    } catch (error) {
      if (!signal.aborted) turnAway();
      throw error;
    }
  }

  /** Which master it talks to. */
  get #master(): string {
    return `m${this.#target % this.#scene.options.masters}`;
  }
}
