// What happens to the cluster: one entry per kind of fault. Each takes one machine or way of those that no other fault
// has, and makes it well again after a while.
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { seededRandom } from "../../src/base/system/random.ts";
import type { Fault } from "../support/fault-proxy.ts";
import type { ChaosCluster } from "./cluster.ts";
import type { Jobs } from "./jobs.ts";
import { type Machine, pause } from "./machine.ts";
import { leaseMs, type Settings } from "./settings.ts";

interface Scene {
  readonly cluster: ChaosCluster;
  readonly jobs: Jobs;
  readonly random: () => number;
}

/** What was hit, and until when: undefined where there is nothing to hit now. */
type Strike = (scene: Scene) => { readonly where: string; readonly healed: Promise<void> } | undefined;

const kinds: Readonly<Record<string, Strike>> = {
  "worker killed": (scene) => on(free(scene, scene.cluster.workers), (worker) => killed(scene, worker)),
  "worker stopped": (scene) => on(free(scene, scene.cluster.workers), (worker) => stopped(scene, worker)),
  "worker told to leave": (scene) =>
    on(free(scene, scene.cluster.workers), async (worker) => {
      worker.signal("SIGTERM");
      // It stays while its map outputs are needed.
      await Promise.race([worker.ended(), pause(leaseMs * 5)]);
      worker.signal("SIGKILL");
      await worker.ended();
      await worker.start();
    }),
  "slot killed": (scene) => onSlot(scene, (slot) => void signal(slot, "SIGKILL")),
  "slot stopped": (scene) =>
    onSlot(scene, async (slot) => {
      if (!signal(slot, "SIGSTOP")) return;
      await pause(leaseMs * (0.5 + 2 * scene.random()));
      signal(slot, "SIGCONT");
    }),
  "master killed": (scene) => on(free(scene, scene.cluster.masters), (master) => killed(scene, master)),
  "master stopped": (scene) => on(free(scene, scene.cluster.masters), (master) => stopped(scene, master)),
  "master told to end": (scene) =>
    on(free(scene, scene.cluster.masters), async (master) => {
      master.signal("SIGTERM");
      await Promise.race([master.ended(), pause(leaseMs * 5)]);
      master.signal("SIGKILL");
      await master.ended();
      await master.start();
    }),
  "client killed": ({ jobs, random }) =>
    jobs.killClient(random) ? { where: "of a job", healed: Promise.resolve() } : undefined,
  "way to the master cut": (scene) => onWay(scene, { kind: "black-hole" }),
  "way to the master cut one way": (scene) =>
    onWay(scene, { kind: "black-hole", direction: scene.random() < 0.5 ? "up" : "down" }),
  "way to the master reset": (scene) => onWay(scene, { kind: "reset", afterBytes: Math.floor(5000 * scene.random()) }),
  "way to the master refused": (scene) => onWay(scene, { kind: "refuse" }),
};

/** Only where file systems can be mounted: a worker's own is full for a while. */
const diskFull = "disk full";

export class Chaos {
  readonly #scene: Scene;
  readonly #settings: Settings;
  readonly #kinds: Readonly<Record<string, Strike>>;
  readonly #healing = new Set<Promise<void>>();
  readonly fired: Record<string, number> = {};
  readonly log: { readonly at: number; readonly fault: string; readonly where: string }[] = [];
  #failed: unknown;

  constructor(cluster: ChaosCluster, jobs: Jobs, settings: Settings) {
    this.#scene = { cluster, jobs, random: seededRandom(settings.seed, 2) };
    this.#settings = settings;
    this.#kinds = cluster.smallDisk === undefined ? kinds : { ...kinds, [diskFull]: filled };
  }

  /** One fault after the other; each kind once before any of them twice. Resolves when all is well again. */
  async run(): Promise<void> {
    const { random } = this.#scene;
    const { seconds, everyMs } = this.#settings;
    const began = performance.now();
    const end = began + seconds * 1000;
    let round: string[] = [];
    for (;;) {
      await pause(everyMs[0] + (everyMs[1] - everyMs[0]) * random());
      if (performance.now() >= end || this.#failed !== undefined) break;
      if (round.length === 0) round = shuffled(Object.keys(this.#kinds), random);
      const kind = round.pop()!;
      const strike = this.#kinds[kind]!(this.#scene);
      if (strike === undefined) continue;
      this.fired[kind] = (this.fired[kind] ?? 0) + 1;
      this.log.push({ at: Math.round(performance.now() - began), fault: kind, where: strike.where });
      const healing = strike.healed
        .catch((error: unknown) => {
          this.#failed ??= error;
        })
        .finally(() => this.#healing.delete(healing));
      this.#healing.add(healing);
    }
    await Promise.all(this.#healing);
    if (this.#failed !== undefined) throw this.#failed;
  }
}

function free({ random }: Scene, machines: readonly Machine[]): Machine | undefined {
  const candidates = machines.filter(({ isTaken, process }) => !isTaken && process !== undefined);
  return candidates[Math.floor(random() * candidates.length)];
}

function on(machine: Machine | undefined, does: (machine: Machine) => Promise<void>): ReturnType<Strike> {
  if (machine === undefined) return undefined;
  machine.isTaken = true;
  const healed = does(machine).finally(() => {
    machine.isTaken = false;
  });
  return { where: machine.name, healed };
}

async function killed({ random }: Scene, machine: Machine): Promise<void> {
  machine.signal("SIGKILL");
  await machine.ended();
  await pause(1.5 * leaseMs * random());
  await machine.start();
}

/** For half a lease to three: others take its work, and then it goes on as if nothing had been. */
async function stopped({ random }: Scene, machine: Machine): Promise<void> {
  machine.signal("SIGSTOP");
  await pause(leaseMs * (0.5 + 2.5 * random()));
  machine.signal("SIGCONT");
  // One that finds itself replaced ends, to be started again.
  await pause(leaseMs / 2);
  await machine.start();
}

function onSlot(scene: Scene, does: (pid: number) => void | Promise<void>): ReturnType<Strike> {
  const worker = free(scene, scene.cluster.workers);
  const slots = worker?.process === undefined ? [] : childrenOf(worker.process.child.pid!);
  const slot = slots[Math.floor(scene.random() * slots.length)];
  if (worker === undefined || slot === undefined) return undefined;
  return { where: worker.name, healed: Promise.resolve(does(slot)) };
}

/** Slots are the children of a worker. */
function childrenOf(pid: number): number[] {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
    return children
      .split(" ")
      .filter((child) => child !== "")
      .map(Number);
  } catch {
    return []; // it has just ended
  }
}

function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false; // it has just ended by itself
  }
}

function onWay({ cluster, random }: Scene, fault: Fault): ReturnType<Strike> {
  const ways = [...cluster.links].filter(([, link]) => link.fault.kind === "none");
  const way = ways[Math.floor(random() * ways.length)];
  if (way === undefined) return undefined;
  const [name, link] = way;
  link.fault = fault;
  const healed = pause(leaseMs * (0.3 + 2.5 * random())).then(() => {
    link.fault = { kind: "none" };
  });
  return { where: name, healed };
}

function filled({ cluster, random }: Scene): ReturnType<Strike> {
  const ballast = join(cluster.smallDisk!, "ballast");
  const healed = pause(leaseMs * (0.5 + 1.5 * random())).then(() => rmSync(ballast, { force: true }));
  try {
    writeFileSync(ballast, Buffer.alloc(smallDiskBytes));
  } catch {
    // as much as went in
  }
  return { where: "the worker on it", healed };
}

const smallDiskBytes = 64 << 20;

/** Why there is none: this is not root on Linux, or may not mount. */
export function mountSmallDisk(path: string): string | undefined {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return "mounting a file system needs root on Linux";
  const { status, stderr } = spawnSync(
    "mount",
    ["-t", "tmpfs", "-o", `size=${smallDiskBytes}`, "millrace-chaos", path],
    {
      encoding: "utf8",
    },
  );
  return status === 0 ? undefined : `no file system can be mounted: ${stderr?.trim()}`;
}

export function unmount(path: string): void {
  execFileSync("umount", ["--lazy", path]);
}

function shuffled(names: readonly string[], random: () => number): string[] {
  const rest = [...names];
  const all: string[] = [];
  while (rest.length > 0) all.push(...rest.splice(Math.floor(random() * rest.length), 1));
  return all;
}
