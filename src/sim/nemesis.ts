// Throws the faults that come now and then (faults.ts), one after the other while a world is faulty, and heals it
// afterwards.
import type { Chance } from "./chance.ts";
import { type FaultKind, faultKinds, faultOf, type Strike } from "./faults.ts";
import type { MasterHost, Scene, WorkerHost } from "./scene.ts";

export class Nemesis {
  readonly #scene: Scene;
  readonly #chance: Chance;
  readonly #kinds: readonly FaultKind[];

  constructor(scene: Scene, chance: Chance) {
    this.#scene = scene;
    this.#chance = chance;
    const { faults, attemptFaultsWeight } = scene.options;
    this.#kinds = [...faults].flatMap((kind) => {
      const fault = faultOf(kind);
      if (fault.comes !== "now and then") return [];
      return Array.from({ length: fault.onlyDelays ? 1 : attemptFaultsWeight }, () => kind);
    });
  }

  start(): void {
    if (this.#kinds.length > 0) this.#next();
  }

  #next(): void {
    const { timeline, options } = this.#scene;
    timeline.after(this.#chance.waiting(options.faultEveryMs), () => {
      if (!this.#scene.isFaulty) return;
      const kind = this.#chance.one(this.#kinds);
      const fault = faultOf(kind);
      const strike = fault.comes === "now and then" ? fault.aim(this.#scene, this.#chance) : undefined;
      if (strike !== undefined) this.#strike(kind, strike);
      this.#next();
    });
  }

  #strike(kind: FaultKind, { where, does, heals }: Strike): void {
    const scene = this.#scene;
    scene.fired(kind, where);
    does();
    if (heals === undefined) return;
    scene.timeline.after(heals.afterMs, () => {
      const next = scene.isFaulty ? heals.how() : undefined;
      if (next !== undefined) this.#strike(kind, next);
    });
  }

  /** All of it works from here on, or a core does; nothing more happens to what works. */
  heal(): void {
    const scene = this.#scene;
    for (const kind of faultKinds) faultOf(kind).heal?.(scene);
    const isAll = scene.options.healed === "all";
    const [masters, workers] = isAll ? [scene.masters, scene.workers] : this.#drawCore();
    for (const host of scene.masters) {
      if (masters.includes(host)) {
        host.start();
        scene.core.add(host.host);
      } else this.#spoilMaster(host);
    }
    for (const host of scene.workers) {
      if (host.life?.isDraining) host.crash(false);
      host.start();
      if (workers.includes(host)) scene.core.add(host.id);
      else this.#spoilWorker(host);
    }
  }

  /**
   * Those that are well for good; each of the others stays bad in its way for ever. Random healing would hide what
   * only goes on because it gets a new chance each time (TigerBeetle's liveness mode).
   */
  #drawCore(): readonly [readonly MasterHost[], readonly WorkerHost[]] {
    const { masters, workers } = this.#scene;
    const master = this.#chance.one(masters);
    const some = workers.filter(() => this.#chance.happens(0.6));
    return [[master], some.length > 0 ? some : [this.#chance.one(workers)]];
  }

  #spoilMaster(host: MasterHost): void {
    const { network, core, note } = this.#scene;
    const name = host.host;
    const way = this.#chance.one(["fine", "dead", "stopped", "cut", "deaf"] as const);
    note(`${name} is ${way} from here on`);
    switch (way) {
      case "fine":
        host.start();
        core.add(name);
        return;
      case "dead":
        host.crash();
        return;
      case "stopped":
        host.life?.process.stop();
        return;
      case "cut":
        network.cut(name, "store");
        network.cut("store", name);
        return;
      case "deaf":
        network.cut("store", name);
    }
  }

  #spoilWorker(host: WorkerHost): void {
    const { network, hosts, note } = this.#scene;
    const { id } = host;
    const way = this.#chance.one(["dead", "stopped", "mute", "deaf", "bad", "flapping"] as const);
    note(`${id} is ${way} from here on`);
    switch (way) {
      case "dead":
        host.crash(false);
        return;
      case "stopped":
        host.life?.stop(this.#chance.happens(0.5));
        return;
      case "mute":
        for (const other of hosts) network.cut(id, other);
        return;
      case "deaf":
        for (const other of hosts) network.cut(other, id);
        return;
      case "bad":
        host.isBad = true;
        return;
      case "flapping":
        this.#flapForEver(host);
    }
  }

  #flapForEver(host: WorkerHost): void {
    const { timeline, options } = this.#scene;
    timeline.after(this.#chance.between(0.3, 2) * options.leaseMs, () => {
      host.crash(false);
      host.start();
      this.#flapForEver(host);
    });
  }
}
