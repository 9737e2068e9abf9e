// A cluster of one seed, in one process: the product's scheduler, master loop, worker agents and messages; time,
// network, store, machines and disks are simulated. What its slots run, where outputs lie and who watches is of each
// kind of world (job/world.ts, test/simulation/world.ts). Nothing in it depends on real time, so a seed gives the
// same course of events again.
import { Chance } from "./chance.ts";
import { type FaultKind, faultOf } from "./faults.ts";
import { MasterMachine } from "./master.ts";
import { Nemesis } from "./nemesis.ts";
import { Network } from "./network.ts";
import { Process } from "./process.ts";
import type { Client, ClusterOptions, Observer, Outputs, Scene, Slots } from "./scene.ts";
import type { StateService, StoreWatcher } from "./state-server.ts";
import { type SimulatedStore, simulatedStore } from "./store.ts";
import { Timeline } from "./timeline.ts";
import { Trace } from "./trace.ts";
import { WorkerMachine } from "./worker.ts";

export interface SimEvent {
  /** Milliseconds of virtual time. */
  readonly at: number;
  readonly what: string;
  /** Something was made to go wrong; otherwise it is what came of it. */
  readonly isFault: boolean;
}

export type SimListener = (event: SimEvent) => void;

export abstract class World implements Scene {
  abstract readonly slots: Slots;
  abstract readonly outputs: Outputs;
  abstract readonly observer: Observer;
  abstract readonly clients: readonly Client[];
  abstract readonly hosts: readonly string[];
  readonly options: ClusterOptions;
  readonly timeline = new Timeline();
  readonly trace = new Trace();
  readonly chance: Chance;
  readonly slotChance: Chance;
  readonly network: Network;
  readonly server: StateService;
  readonly openStore: SimulatedStore["open"];
  masters: readonly MasterMachine[] = [];
  workers: readonly WorkerMachine[] = [];
  readonly core = new Set<string>();
  /** How often each came, by what it is counted as. */
  readonly faults: Record<string, number> = Object.create(null);
  /** How often another master came to lead, without the first. */
  masterChanges = 0;
  /** When whoever leads began to. */
  ledAt = 0;
  isFaulty: boolean;
  readonly #onEvent: SimListener | undefined;
  readonly #nemesisChance: Chance;

  constructor(options: ClusterOptions, onEvent: SimListener | undefined) {
    const { seed } = options;
    this.options = options;
    this.#onEvent = onEvent;
    this.isFaulty = options.faults.size > 0;
    this.chance = new Chance(seed, 2);
    this.slotChance = new Chance(seed, 3);
    const { timeline } = this;
    this.network = new Network(timeline, new Chance(seed, 4), options.leaseMs, this.comes);
    const store = new Process(timeline, "store", this.chance.random, 0);
    const watcher: StoreWatcher = {
      stored: (change, before, epoch) => this.observer.stored?.(change, before, epoch),
      led: (epoch, host) => {
        if (epoch > 1) this.masterChanges++;
        this.ledAt = this.now;
        this.note(`epoch ${epoch} for ${host}`);
        this.observer.led?.(epoch, host);
      },
      fenced: () => {
        this.note("stale epoch rejected at the store");
        this.observer.fenced?.();
      },
      commitCut: () => {
        this.note("commit cut");
        this.observer.commitCut?.();
      },
    };
    const { server, open } = simulatedStore(this, store, new Chance(seed, 5), watcher);
    this.server = server;
    this.openStore = open;
    this.network.answerAt("store", this.server);
    this.#nemesisChance = new Chance(seed, 8);
  }

  get now(): number {
    return this.timeline.now;
  }

  readonly note = (what: string): void => this.#happened(what, false);

  readonly fired = (kind: FaultKind, where: string): void => {
    const name = faultOf(kind).says ?? kind;
    this.faults[name] = (this.faults[name] ?? 0) + 1;
    this.#happened(where === "" ? name : `${name}: ${where}`, true);
  };

  readonly comes = (kind: FaultKind, chance: Chance, where: () => string, share = 1): boolean => {
    if (!this.isFaulty || !this.options.faults.has(kind)) return false;
    const fault = faultOf(kind);
    if (!("rate" in fault) || !chance.happens(fault.rate(this.options) * share)) return false;
    this.fired(kind, where());
    return true;
  };

  #happened(what: string, isFault: boolean): void {
    const at = this.now;
    this.trace.note(at, isFault ? `FAULT ${what}` : what);
    this.#onEvent?.({ at, what, isFault });
  }

  /** The machines; they are off. */
  protected populate(slotsOf: () => number): void {
    const { masters, workers } = this.options;
    this.masters = Array.from({ length: masters }, (_, index) => new MasterMachine(this, `m${index}`));
    this.workers = Array.from({ length: workers }, (_, index) => new WorkerMachine(this, `w${index}`, slotsOf()));
  }

  /** Masters start at once, workers a while later. */
  protected start(delayOf: () => number): void {
    for (const master of this.masters) master.start();
    for (const worker of this.workers) this.timeline.after(delayOf(), () => worker.start());
  }

  /** Through the time of faults, unless it is over before; then all is healed that is to be. */
  protected async endure(isOver: () => boolean): Promise<void> {
    const nemesis = new Nemesis(this, this.#nemesisChance);
    nemesis.start();
    if (!this.isFaulty) return;
    await this.timeline.runUntil(this.options.chaosMs, isOver);
    if (isOver()) return;
    this.isFaulty = false;
    this.note(this.options.healed === "all" ? "all is healed" : "a core is healed");
    nemesis.heal();
  }
}
