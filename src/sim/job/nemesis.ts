// Faults of machines, links, disks and the store, one after the other, until all is healed.
import type { Chance } from "../chance.ts";
import type { FaultKind } from "./options.ts";
import type { World } from "./world.ts";

/** What only delays, as seen by a job; the others make attempts run again, so there are more of them. */
const ofControl: ReadonlySet<FaultKind> = new Set([
  "stop-masters",
  "depose-masters",
  "crash-masters",
  "slow-store",
  "failing-store",
  "drain-workers",
]);
const controlShare = 4;

export class Nemesis {
  readonly #world: World;
  readonly #chance: Chance;
  readonly #kinds: readonly FaultKind[];

  constructor(world: World, chance: Chance) {
    this.#world = world;
    this.#chance = chance;
    this.#kinds = [...world.options.faults]
      .filter((kind) => this.#act(kind) !== undefined)
      .flatMap((kind) => Array.from({ length: ofControl.has(kind) ? 1 : controlShare }, () => kind));
  }

  start(): void {
    if (this.#kinds.length > 0) this.#next();
  }

  /** Everything works from here on, and nothing more happens to it. */
  heal(): void {
    const { network, server, masters, workers } = this.#world;
    network.isFaulty = false;
    network.mendAll();
    server.slowUntil = 0;
    server.failsUntil = 0;
    for (const host of masters) {
      host.life?.process.goOn();
      host.start();
    }
    for (const host of workers) {
      host.life?.goOn();
      if (host.life?.isDraining) host.crash(false);
      host.start();
    }
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
    const { network, server, timeline, log } = world;
    const { leaseMs } = world.options;
    const worker = () => chance.one(world.workers);
    const master = () =>
      world.masters.find(({ host }) => host === server.leader && chance.happens(0.7)) ?? chance.one(world.masters);
    const later = (ms: number, run: () => void) =>
      void timeline.after(ms, () => {
        if (world.isFaulty) run();
      });
    switch (kind) {
      case "cut-workers":
        return () => {
          const { id } = worker();
          const other = chance.one([...world.masters.map(({ host }) => host), ...world.workers.map((host) => host.id)]);
          if (other === id) return;
          log.fault(kind, `${id} and ${other} don't hear each other`);
          network.cut(id, other);
          network.cut(other, id);
          later(chance.between(0.1, 3) * leaseMs, () => {
            network.mend(id, other);
            network.mend(other, id);
          });
        };
      case "crash-workers":
      case "lose-disks":
        return () => {
          const host = worker();
          if (host.life === undefined) return;
          log.fault(kind, `${host.id} crashes${kind === "lose-disks" ? " and loses its runs" : ""}`);
          host.crash(kind === "lose-disks");
          later(chance.waiting(leaseMs), () => host.start());
        };
      case "stop-workers":
        return () => {
          const { life } = worker();
          if (life === undefined) return;
          const isWholeMachine = chance.happens(0.5);
          const ms = chance.between(0.1, 2) * leaseMs;
          log.fault(kind, `${life.id} stalls for ${seconds(ms)}${isWholeMachine ? "" : ", its slots go on"}`);
          life.stop(isWholeMachine);
          later(ms, () => life.goOn());
        };
      case "drain-workers":
        return () => {
          const host = worker();
          if (host.life === undefined || host.life.isDraining) return;
          log.fault(kind, `${host.id} is told to go`);
          void host.life.drain();
          later(chance.between(1, 4) * leaseMs, () => host.start());
        };
      case "crash-masters":
        return () => {
          const host = master();
          if (host.life === undefined) return;
          log.fault(kind, `${host.host} crashes`);
          host.crash();
          later(chance.waiting(leaseMs / 2), () => host.start());
        };
      case "stop-masters":
        return () => {
          const { life, host } = master();
          if (life === undefined) return;
          const ms = chance.between(0.1, 3) * leaseMs;
          log.fault(kind, `${host} stalls for ${seconds(ms)}`);
          life.process.stop();
          later(ms, () => life.process.goOn());
        };
      case "depose-masters":
        return () => {
          log.fault(kind, `${server.leader ?? "nobody"} leads no more`);
          server.depose();
        };
      case "slow-store":
      case "failing-store":
        return () => {
          const isSlow = kind === "slow-store";
          const ms = chance.waiting(isSlow ? leaseMs : leaseMs / 4);
          log.fault(kind, `for ${seconds(ms)}`);
          if (isSlow) server.slowUntil = timeline.now + ms;
          else server.failsUntil = timeline.now + ms;
        };
      case "lose-runs":
      case "damage-runs":
        return () => {
          const { id, disk } = worker();
          const attempt = disk.any(chance);
          if (attempt === undefined) return;
          log.fault(kind, `of map ${attempt.index} on ${id}`);
          if (kind === "lose-runs") disk.lose(attempt);
          else disk.damage(attempt, chance);
        };
      default:
        return undefined;
    }
  }
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
