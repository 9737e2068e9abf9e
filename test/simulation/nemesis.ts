// Faults of processes, links, disks and services, one after the other while there is chaos; then what is left of them for good.
import type { Chance } from "../../src/sim/chance.ts";
import type { FaultKind } from "./options.ts";
import type { WorkerHost } from "./worker.ts";
import type { World } from "./world.ts";

export class Nemesis {
  readonly #world: World;
  readonly #chance: Chance;
  readonly #kinds: readonly FaultKind[];

  constructor(world: World, chance: Chance) {
    this.#world = world;
    this.#chance = chance;
    this.#kinds = [...world.options.faults].filter((kind) => this.#act(kind) !== undefined);
  }

  start(): void {
    if (this.#kinds.length > 0) this.#next();
  }

  #next(): void {
    const { timeline, options } = this.#world;
    timeline.after(this.#chance.waiting(options.faultEveryMs), () => {
      if (!this.#world.isFaulty) return;
      this.#act(this.#chance.one(this.#kinds))?.();
      this.#next();
    });
  }

  /** What a kind of fault does, now; undefined for those that come with messages and attempts. */
  #act(kind: FaultKind): (() => void) | undefined {
    const world = this.#world;
    const chance = this.#chance;
    const { leaseMs } = world.options;
    const worker = () => chance.one(world.workers);
    const master = () =>
      world.masters.find(({ host }) => host === world.server.leader && chance.happens(0.7)) ??
      chance.one(world.masters);
    const later = (ms: number, run: () => void) =>
      void world.timeline.after(ms, () => {
        if (world.isFaulty) run();
      });
    switch (kind) {
      case "cut-links":
        return () => this.#cut(chance.one(world.hosts), chance.one(world.hosts));
      case "cut-workers":
        return () => this.#cut(worker().id, worker().id);
      case "crash-workers":
      case "lose-disks":
        return () => {
          const host = worker();
          if (host.life === undefined) return;
          this.#note(kind, host.id);
          host.crash(kind === "lose-disks");
          later(chance.waiting(leaseMs), () => host.start());
        };
      case "flap-worker":
        return () => this.#flap(world.workers[0]!, 4);
      case "stop-workers":
        return () => {
          const { life } = worker();
          if (life === undefined) return;
          this.#note(kind, life.host);
          life.stop(chance.happens(0.5));
          later(chance.between(0.1, 3) * leaseMs, () => life.goOn());
        };
      case "drain-workers":
        return () => {
          const host = worker();
          if (host.life === undefined || host.life.isDraining) return;
          this.#note(kind, host.id);
          void host.life.drain();
          later(chance.between(1, 4) * leaseMs, () => host.start());
        };
      case "crash-masters":
        return () => {
          const host = master();
          if (host.life === undefined) return;
          this.#note(kind, host.host);
          host.crash();
          later(chance.waiting(leaseMs / 2), () => host.start());
        };
      case "stop-masters":
        return () => {
          const { life } = master();
          if (life === undefined) return;
          this.#note(kind, life.host);
          life.process.stop();
          later(chance.between(0.1, 3) * leaseMs, () => life.process.goOn());
        };
      case "depose-masters":
        return () => {
          this.#note(kind, world.server.leader ?? "nobody");
          world.server.depose();
        };
      case "slow-store":
        return () => {
          this.#note(kind, "");
          world.server.slowUntil = world.now + chance.waiting(leaseMs);
        };
      case "failing-store":
        return () => {
          this.#note(kind, "");
          world.server.failsUntil = world.now + chance.waiting(leaseMs / 4);
        };
      case "slow-storage":
        return () => {
          this.#note(kind, "");
          world.files.slowUntil = world.now + chance.waiting(leaseMs * 2);
        };
      case "failing-storage":
        return () => {
          this.#note(kind, "");
          world.files.failsUntil = world.now + chance.waiting(leaseMs / 2);
        };
      case "bad-worker":
        return () => {
          const host = worker();
          this.#note(kind, host.id);
          host.isBad = true;
          host.disk.isFull = chance.happens(0.5);
          later(chance.waiting(leaseMs * 2), () => {
            host.isBad = false;
            host.disk.isFull = false;
          });
        };
      case "lose-runs":
        return () => {
          const { disk } = worker();
          const run = disk.any(chance);
          if (run === undefined) return;
          this.#note(kind, run.ref.path);
          disk.lose(run);
        };
      case "damage-runs":
        return () => {
          const run = worker().disk.any(chance);
          if (run === undefined) return;
          this.#note(kind, run.ref.path);
          run.isDamaged = true;
        };
      case "lose-staged":
        return () => {
          const token = world.files.lose(chance);
          if (token !== undefined) this.#note(kind, token);
        };
      case "cancel-jobs":
        return () => {
          if (!chance.happens(0.15)) return;
          const client = chance.one(world.clients);
          this.#note(kind, client.job.id);
          void client.cancel();
        };
      case "resume-jobs":
        return () => {
          const client = chance.one(world.clients);
          this.#note(kind, client.job.id);
          void client.resume();
        };
      default:
        return undefined;
    }
  }

  /** One way or both, for a while. */
  #cut(from: string, to: string): void {
    const { network, options, timeline } = this.#world;
    if (from === to) return;
    const isBoth = this.#chance.happens(0.5);
    this.#note("cut", `${from} ${isBoth ? "<>" : ">"} ${to}`);
    network.cut(from, to);
    if (isBoth) network.cut(to, from);
    timeline.after(this.#chance.between(0.1, 3) * options.leaseMs, () => {
      if (!this.#world.isFaulty) return;
      network.mend(from, to);
      if (isBoth) network.mend(to, from);
    });
  }

  #flap(host: WorkerHost, times: number): void {
    if (times === 0 || !this.#world.isFaulty) return;
    this.#note("flap", host.id);
    host.crash(false);
    host.start();
    this.#world.timeline.after(this.#chance.between(0.05, 0.4) * this.#world.options.leaseMs, () =>
      this.#flap(host, times - 1),
    );
  }

  #note(kind: string, what: string): void {
    this.#world.sightings.fault(kind);
    this.#world.trace.note(this.#world.now, `FAULT ${kind} ${what}`);
  }

  // ── afterwards ─────────────────────────────────────────────────────────────

  /**
   * From here on some processes work and reach each other, and nothing more happens to them; each of the others stays bad in
   * its way for ever. Random healing would hide what only goes on because it gets a new chance each time (TigerBeetle's
   * liveness mode).
   */
  heal(): void {
    const world = this.#world;
    const { network, server, files } = world;
    network.isFaulty = false;
    network.mendAll();
    server.slowUntil = 0;
    server.failsUntil = 0;
    files.slowUntil = 0;
    files.failsUntil = 0;
    const coreMaster = this.#chance.one(world.masters);
    const coreWorkers = world.workers.filter(() => this.#chance.happens(0.6));
    if (coreWorkers.length === 0) coreWorkers.push(this.#chance.one(world.workers));
    for (const host of world.masters) {
      host.life?.process.goOn();
      if (host === coreMaster) {
        host.start();
        world.core.add(host.host);
      } else this.#spoilMaster(host.host);
    }
    for (const host of world.workers) {
      host.isBad = false;
      host.disk.isFull = false;
      host.life?.goOn();
      if (host.life?.isDraining) host.crash(false);
      host.start();
      if (coreWorkers.includes(host)) world.core.add(host.id);
      else this.#spoilWorker(host);
    }
  }

  #spoilMaster(name: string): void {
    const world = this.#world;
    const host = world.masters.find((candidate) => candidate.host === name)!;
    const way = this.#chance.one(["fine", "dead", "stopped", "cut", "deaf"] as const);
    world.trace.note(world.now, `${name} is ${way} from here on`);
    switch (way) {
      case "fine":
        host.start();
        world.core.add(name);
        return;
      case "dead":
        host.crash();
        return;
      case "stopped":
        host.life?.process.stop();
        return;
      case "cut":
        world.network.cut(name, "store");
        world.network.cut("store", name);
        return;
      case "deaf":
        world.network.cut("store", name);
    }
  }

  #spoilWorker(host: WorkerHost): void {
    const world = this.#world;
    const { id } = host;
    const way = this.#chance.one(["dead", "stopped", "mute", "deaf", "bad", "flapping"] as const);
    world.trace.note(world.now, `${id} is ${way} from here on`);
    switch (way) {
      case "dead":
        host.crash(false);
        return;
      case "stopped":
        host.life?.stop(this.#chance.happens(0.5));
        return;
      case "mute":
        for (const other of world.hosts) world.network.cut(id, other);
        return;
      case "deaf":
        for (const other of world.hosts) world.network.cut(other, id);
        return;
      case "bad":
        host.isBad = true;
        return;
      case "flapping":
        this.#flapForEver(host);
    }
  }

  #flapForEver(host: WorkerHost): void {
    const world = this.#world;
    world.timeline.after(this.#chance.between(0.3, 2) * world.options.leaseMs, () => {
      host.crash(false);
      host.start();
      this.#flapForEver(host);
    });
  }
}
