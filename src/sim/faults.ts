// What can go wrong in a simulated cluster: one entry per kind of fault. Whatever comes is counted and traced where
// it comes (`Scene.fired`), under the kind's name or the one that it says. A new fault is an entry here. One that
// comes with messages, attempts or jobs is thrown there too, by `Scene.comes` or `Scene.fired`.
import type { Chance } from "./chance.ts";
import type { ClusterOptions, Scene, WorkerHost } from "./scene.ts";

type Fault = {
  /** No job ends otherwise because of it: `millrace sim` knows it. Others are for worlds that check each event. */
  readonly sparesJobs?: true;
  /** Only worlds with that store have it. */
  readonly store?: "etcd";
  /** What it is counted as; otherwise its name. */
  readonly says?: string;
  /** What it may have left is well again. Called once, when all is healed. */
  readonly heal?: (scene: Scene) => void;
} & (
  | {
      /** The nemesis throws it. */
      readonly comes: "now and then";
      /** Nothing runs again because of it: things only take longer. */
      readonly onlyDelays?: true;
      /** Undefined: there is nothing that it could hit now. */
      readonly aim: (scene: Scene, chance: Chance) => Strike | undefined;
    }
  | {
      readonly comes: "with messages" | "with attempts" | "with the store";
      /** Its probability with each. */
      readonly rate: (options: ClusterOptions) => number;
    }
  /** A part of what the workload is: it says itself when it comes. */
  | { readonly comes: "with jobs" }
);

/** One of them comes. */
export interface Strike {
  /** What it hits, for the trace. */
  readonly where: string;
  readonly does: () => void;
  /** When and how it is over by itself. What it returns comes next. */
  readonly heals?: { readonly afterMs: number; readonly how: () => Strike | void };
}

/** In the order in which seeds throw them: a new one, also at the end, gives every seed another course. */
export const faults = {
  "lose-messages": {
    comes: "with messages",
    sparesJobs: true,
    says: "message lost",
    rate: ({ messageRate }) => messageRate,
  },
  "repeat-messages": {
    comes: "with messages",
    sparesJobs: true,
    says: "message repeated",
    rate: ({ messageRate }) => messageRate,
  },
  "slow-messages": {
    comes: "with messages",
    sparesJobs: true,
    says: "message slow",
    rate: ({ messageRate }) => messageRate * 2,
  },
  "late-messages": {
    comes: "with messages",
    sparesJobs: true,
    says: "message late",
    rate: ({ messageRate }) => messageRate / 2,
  },
  "cut-links": {
    comes: "now and then",
    sparesJobs: true,
    aim: (scene, chance) => cut(scene, chance, chance.one(scene.hosts), chance.one(scene.hosts)),
    heal: ({ network }) => network.mendAll(),
  },
  "cut-workers": {
    comes: "now and then",
    sparesJobs: true,
    aim: (scene, chance) => cut(scene, chance, chance.one(scene.workers).id, chance.one(scene.workers).id),
    heal: ({ network }) => network.mendAll(),
  },
  "crash-workers": {
    comes: "now and then",
    sparesJobs: true,
    aim: (scene, chance) => crash(scene, chance, false),
  },
  "lose-disks": {
    comes: "now and then",
    sparesJobs: true,
    aim: (scene, chance) => crash(scene, chance, true),
  },
  "stop-workers": {
    comes: "now and then",
    sparesJobs: true,
    aim({ options, workers }, chance) {
      const { life } = chance.one(workers);
      if (life === undefined) return undefined;
      const isWholeMachine = chance.happens(0.5);
      const ms = chance.between(0.1, 3) * options.leaseMs;
      return {
        where: `${life.id} stalls for ${seconds(ms)}${isWholeMachine ? "" : ", its slots go on"}`,
        does: () => life.stop(isWholeMachine),
        heals: { afterMs: ms, how: () => life.goOn() },
      };
    },
    heal({ workers }) {
      for (const { life } of workers) life?.goOn();
    },
  },
  "drain-workers": {
    comes: "now and then",
    sparesJobs: true,
    onlyDelays: true,
    aim({ options, workers }, chance) {
      const host = chance.one(workers);
      const { life } = host;
      if (life === undefined || life.isDraining) return undefined;
      return {
        where: `${host.id} is told to go`,
        does: () => void life.drain(),
        heals: { afterMs: chance.between(1, 4) * options.leaseMs, how: () => host.start() },
      };
    },
  },
  "flap-worker": {
    comes: "now and then",
    aim: (scene, chance) => flap(scene, chance, scene.workers[0]!, 4),
  },
  "crash-masters": {
    comes: "now and then",
    sparesJobs: true,
    onlyDelays: true,
    aim(scene, chance) {
      const host = anyMaster(scene, chance);
      if (host.life === undefined) return undefined;
      return {
        where: `${host.host} crashes`,
        does: () => host.crash(),
        heals: { afterMs: chance.waiting(scene.options.leaseMs / 2), how: () => host.start() },
      };
    },
  },
  "stop-masters": {
    comes: "now and then",
    sparesJobs: true,
    onlyDelays: true,
    aim(scene, chance) {
      const { life } = anyMaster(scene, chance);
      if (life === undefined) return undefined;
      const ms = chance.between(0.1, 3) * scene.options.leaseMs;
      return {
        where: `${life.host} stalls for ${seconds(ms)}`,
        does: () => life.process.stop(),
        heals: { afterMs: ms, how: () => life.process.goOn() },
      };
    },
    heal({ masters }) {
      for (const { life } of masters) life?.process.goOn();
    },
  },
  "depose-masters": {
    comes: "now and then",
    sparesJobs: true,
    onlyDelays: true,
    aim: ({ server }) => ({ where: `${server.leader ?? "no one"} leads no more`, does: () => server.depose() }),
  },
  "slow-store": {
    comes: "now and then",
    sparesJobs: true,
    onlyDelays: true,
    aim: ({ server, timeline, options }, chance) =>
      lasting(chance.waiting(options.leaseMs), (ms) => (server.slowUntil = timeline.now + ms)),
    heal: ({ server }) => (server.slowUntil = 0),
  },
  "failing-store": {
    comes: "now and then",
    sparesJobs: true,
    onlyDelays: true,
    aim: ({ server, timeline, options }, chance) =>
      lasting(chance.waiting(options.leaseMs / 4), (ms) => (server.failsUntil = timeline.now + ms)),
    heal: ({ server }) => (server.failsUntil = 0),
  },
  "slow-storage": {
    comes: "now and then",
    onlyDelays: true,
    aim: ({ outputs, timeline, options }, chance) =>
      lasting(chance.waiting(options.leaseMs * 2), (ms) => (outputs.slowUntil = timeline.now + ms)),
    heal: ({ outputs }) => (outputs.slowUntil = 0),
  },
  "failing-storage": {
    comes: "now and then",
    aim: ({ outputs, timeline, options }, chance) =>
      lasting(chance.waiting(options.leaseMs / 2), (ms) => (outputs.failsUntil = timeline.now + ms)),
    heal: ({ outputs }) => (outputs.failsUntil = 0),
  },
  "slot-deaths": { comes: "with attempts", sparesJobs: true, rate: ({ attemptRate }) => attemptRate },
  "failing-attempts": { comes: "with attempts", sparesJobs: true, rate: ({ attemptRate }) => attemptRate },
  "hanging-attempts": { comes: "with attempts", sparesJobs: true, rate: ({ attemptRate }) => attemptRate },
  stragglers: { comes: "with attempts", sparesJobs: true, rate: ({ attemptRate }) => attemptRate },
  "bad-worker": {
    comes: "now and then",
    aim({ options, workers }, chance) {
      const host = chance.one(workers);
      const isFull = chance.happens(0.5);
      return {
        where: `${host.id} fails all that it is given${isFull ? ", its disk is full" : ""}`,
        does() {
          host.isBad = true;
          host.disk.isFull = isFull;
        },
        heals: { afterMs: chance.waiting(options.leaseMs * 2), how: () => isGood(host) },
      };
    },
    heal({ workers }) {
      for (const host of workers) isGood(host);
    },
  },
  "lose-runs": {
    comes: "now and then",
    sparesJobs: true,
    aim({ workers }, chance) {
      const { id, disk } = chance.one(workers);
      const attempt = disk.any(chance)?.attempt;
      if (attempt === undefined) return undefined;
      return { where: `of map ${attempt.index} on ${id}`, does: () => disk.lose(attempt) };
    },
  },
  "damage-runs": {
    comes: "now and then",
    sparesJobs: true,
    aim({ workers }, chance) {
      const { id, disk } = chance.one(workers);
      const run = disk.any(chance);
      if (run === undefined) return undefined;
      return { where: `of map ${run.attempt.index} on ${id}`, does: () => run.damage(chance) };
    },
  },
  /** A record that its process dies on, always. */
  "poison-record": { comes: "with jobs" },
  /** Some attempts of a map throw, or all do. */
  "user-errors": { comes: "with jobs" },
  /** Its code calls when no one waits for it any more. */
  "late-calls": { comes: "with jobs" },
  "cancel-jobs": {
    comes: "now and then",
    aim({ clients }, chance) {
      if (!chance.happens(0.15)) return undefined;
      const client = chance.one(clients);
      return { where: client.name, does: () => void client.cancel() };
    },
  },
  "resume-jobs": {
    comes: "now and then",
    aim({ clients }, chance) {
      const client = chance.one(clients);
      return { where: client.name, does: () => void client.resume() };
    },
  },
  "lose-staged": {
    comes: "now and then",
    aim({ outputs }, chance) {
      const file = outputs.staged(chance);
      return file === undefined ? undefined : { where: file.token, does: () => file.remove() };
    },
  },
  /** A transaction of the store times out; it was applied, or will be, or is lost. */
  "unknown-outcomes": { comes: "with the store", store: "etcd", rate: ({ messageRate }) => messageRate },
  /** A transaction of the store that was applied comes once more, after any time. */
  "late-duplicates": { comes: "with the store", store: "etcd", rate: ({ messageRate }) => messageRate * 2 },
  /** What was before is forgotten: watches break off, scans begin again. */
  "compact-store": {
    comes: "now and then",
    store: "etcd",
    onlyDelays: true,
    aim: ({ server }) => ({ where: "its past", does: () => server.compact?.() }),
  },
} as const satisfies Record<string, Fault>;

export type FaultKind = keyof typeof faults;

export const faultKinds = Object.keys(faults) as readonly FaultKind[];

export function faultOf(kind: FaultKind): Fault {
  return faults[kind];
}

/** One way or both, for a while. */
function cut({ network, options }: Scene, chance: Chance, from: string, to: string): Strike | undefined {
  if (from === to) return undefined;
  const isBoth = chance.happens(0.5);
  return {
    where: isBoth ? `${from} and ${to} don't hear each other` : `${to} does not hear ${from}`,
    does() {
      network.cut(from, to);
      if (isBoth) network.cut(to, from);
    },
    heals: {
      afterMs: chance.between(0.1, 3) * options.leaseMs,
      how() {
        network.mend(from, to);
        if (isBoth) network.mend(to, from);
      },
    },
  };
}

function crash({ workers, options }: Scene, chance: Chance, losesDisk: boolean): Strike | undefined {
  const host = chance.one(workers);
  if (host.life === undefined) return undefined;
  return {
    where: `${host.id} crashes${losesDisk ? " and loses its runs" : ""}`,
    does: () => host.crash(losesDisk),
    heals: { afterMs: chance.waiting(options.leaseMs), how: () => host.start() },
  };
}

/** It starts again and again. */
function flap(scene: Scene, chance: Chance, host: WorkerHost, times: number): Strike {
  return {
    where: `${host.id} starts again`,
    does() {
      host.crash(false);
      host.start();
    },
    heals: {
      afterMs: chance.between(0.05, 0.4) * scene.options.leaseMs,
      how: () => (times > 1 ? flap(scene, chance, host, times - 1) : undefined),
    },
  };
}

function lasting(ms: number, does: (ms: number) => void): Strike {
  return { where: `for ${seconds(ms)}`, does: () => does(ms) };
}

/** More often than others the one that leads. */
function anyMaster({ masters, server }: Scene, chance: Chance) {
  return masters.find(({ host }) => host === server.leader && chance.happens(0.7)) ?? chance.one(masters);
}

function isGood(host: WorkerHost): void {
  host.isBad = false;
  host.disk.isFull = false;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
