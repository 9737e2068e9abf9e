// Real processes killed and stopped at random while a job runs: workers, slots, the master, the client. The output is
// that of a run on one machine, every time; no reader sees a part of it meanwhile; no process and no file is left. The
// faults and their moments come from a seed: CHAOS_SEED=N repeats them as far as an operating system lets it.
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { seededRandom } from "../../src/base/system/random.ts";
import { processesBelow } from "../process/support.ts";
import { millrace, repository } from "../support/cli.ts";
import { type ClusterProcess, startCluster, type TestCluster, until } from "./processes.ts";

const slowCount = fileURLToPath(new URL("./jobs/slow-count.ts", import.meta.url));
const program = join(repository, "bin/millrace.js");
const megabytes = Number(process.env["CHAOS_MB"] ?? 12);
const seeds = (process.env["CHAOS_SEED"] ?? "1,2").split(",").map(Number);
const faultsMin = 6;
const leaseMs = 2000;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const isAlive = ({ child }: ClusterProcess) => child.exitCode === null && child.signalCode === null;

function digestOf(folder: string): string {
  const hash = createHash("sha256");
  for (const name of readdirSync(folder).toSorted()) {
    if (name.startsWith("part-")) hash.update(name).update(readFileSync(join(folder, name)));
  }
  return hash.digest("hex");
}

function writeInput(folder: string, seed: number): void {
  mkdirSync(folder);
  const random = seededRandom(seed, 1);
  const word = () =>
    Math.floor(40_000 * random() ** 3)
      .toString(36)
      .replace(/\d/g, (digit) => "qwertyuiop"[Number(digit)]!);
  for (let file = 0; file < 4; file++) {
    let text = "";
    while (text.length < (megabytes / 4) * 1e6) text += `${Array.from({ length: 60 }, word).join(" ")}\n`;
    appendFileSync(join(folder, `${file}.txt`), text);
  }
}

/**
 * Looks at the output again and again: it is not there, or all of it is. Returns what was wrong, and how often it
 * looked.
 */
function watchOutput(output: string): { readonly wrong: string[]; looks: number; stop(): Promise<void> } {
  const watch = { wrong: [] as string[], looks: 0, stop: async () => {} };
  let isOver = false;
  const looking = (async () => {
    while (!isOver) {
      watch.looks++;
      if (existsSync(output)) {
        try {
          const manifest = JSON.parse(readFileSync(join(output, "_SUCCESS"), "utf8")) as {
            readonly files: readonly { readonly name: string; readonly bytes: number }[];
          };
          for (const { name, bytes } of manifest.files) {
            const size = statSync(join(output, name)).size;
            if (size !== bytes) watch.wrong.push(`${name} has ${size} of ${bytes} bytes`);
          }
        } catch (error) {
          watch.wrong.push(String(error));
        }
      }
      await pause(10);
    }
  })();
  watch.stop = async () => {
    isOver = true;
    await looking;
  };
  return watch;
}

/** Slots are the children of a worker. */
function slotsOf(worker: ClusterProcess): number[] {
  const children = readFileSync(`/proc/${worker.child.pid}/task/${worker.child.pid}/children`, "utf8");
  return children
    .split(" ")
    .filter((pid) => pid !== "")
    .map(Number);
}

class Chaos {
  readonly fired = new Map<string, number>();
  readonly #cluster: TestCluster;
  readonly #random: () => number;
  readonly #workers = new Map<string, ClusterProcess>();
  readonly #job: () => Promise<void>;

  constructor(cluster: TestCluster, seed: number, client: () => Promise<void>) {
    this.#cluster = cluster;
    this.#random = seededRandom(seed, 2);
    this.#job = client;
  }

  async startWorkers(names: readonly string[]): Promise<void> {
    for (const name of names) this.#workers.set(name, await this.#cluster.startWorker(name));
  }

  /** One fault after the other until `isOver`. */
  async run(isOver: () => boolean): Promise<void> {
    const faults = [this.#killWorker, this.#stopWorker, this.#killSlot, this.#killMaster, this.#killClient];
    for (let next = 0; !isOver(); next++) {
      await pause(500 + 1500 * this.#random());
      if (isOver()) return;
      // The first round has each kind once.
      const fault = next < faults.length ? faults[next]! : faults[Math.floor(this.#random() * faults.length)]!;
      await fault.call(this);
    }
  }

  async #killWorker(): Promise<void> {
    const name = this.#pick([...this.#workers.keys()]);
    const worker = this.#workers.get(name)!;
    worker.child.kill("SIGKILL");
    await worker.ended;
    this.#note("worker killed");
    this.#workers.set(name, await this.#cluster.startWorker(name));
  }

  /** For two leases: the master gives its attempts to others, and then it goes on as if nothing had been. */
  async #stopWorker(): Promise<void> {
    const worker = this.#workers.get(this.#pick([...this.#workers.keys()]))!;
    if (!isAlive(worker)) return;
    worker.child.kill("SIGSTOP");
    await pause(2 * leaseMs);
    worker.child.kill("SIGCONT");
    this.#note("worker stopped for two leases");
  }

  async #killSlot(): Promise<void> {
    const slots = [...this.#workers.values()].filter(isAlive).flatMap(slotsOf);
    if (slots.length === 0) return;
    try {
      process.kill(this.#pick(slots), "SIGKILL");
      this.#note("slot killed");
    } catch {
      // it had just ended by itself
    }
  }

  async #killMaster(): Promise<void> {
    const { master } = this.#cluster;
    master.child.kill("SIGKILL");
    await master.ended;
    await pause(leaseMs * this.#random());
    await this.#cluster.restartMaster();
    this.#note("master killed");
  }

  async #killClient(): Promise<void> {
    await this.#job();
    this.#note("client killed");
  }

  #pick<T>(all: readonly T[]): T {
    return all[Math.floor(this.#random() * all.length)]!;
  }

  #note(fault: string): void {
    this.fired.set(fault, (this.fired.get(fault) ?? 0) + 1);
  }
}

test.concurrent.each(seeds)(
  "fault 1, 4, 6, 31, 46, 65, 66: processes die and stall at random, and the output is what it is without faults: seed %i",
  async (seed) => {
    const cluster = await startCluster([], ["--lease", `${leaseMs}ms`]);
    const { folder } = cluster;
    const [input, local, output] = ["in", "local", "out"].map((name) => join(folder, name)) as [string, string, string];
    writeInput(input, seed);
    const words = [slowCount, input, "--split-size", "1MB", "--reducers", "3", "--attempts", "50"];
    const expected = await millrace(["run", ...words, "-o", local, "--param", "lineMicros=0"]);
    expect(expected.code, expected.stderr).toBe(0);

    let client: ChildProcess | undefined;
    let clientOutput = "";
    let isOver = false;
    const follow = (args: readonly string[]) => {
      client = spawn(process.execPath, [program, ...args, "--master", cluster.address, "--json"], {
        env: { ...process.env, ...cluster.env },
        stdio: ["ignore", "pipe", "pipe"],
      });
      client.stderr!.on("data", (chunk) => (clientOutput += chunk));
      client.stdout!.on("data", (chunk) => (clientOutput += chunk));
      client.once("close", (code) => {
        if (code !== null) isOver = true; // not killed: the job has ended
      });
    };
    const jobs = async () =>
      (await cluster.ask(["jobs", "--json"])).stdout.toString().match(/"job":"([0-9a-f]{32})"/)?.[1];
    /** Kills whoever watches; somebody else picks the job up. */
    const killClient = async () => {
      await until(async () => (await jobs()) !== undefined);
      client?.kill("SIGKILL");
      follow(["status", (await jobs())!, "--watch"]);
    };
    const chaos = new Chaos(cluster, seed, killClient);
    const watch = watchOutput(output);
    try {
      await chaos.startWorkers(["w1", "w2", "w3"]);
      follow(["run", ...words, "-o", output, "--param", "lineMicros=1000"]);
      await until(async () => (await jobs()) !== undefined);
      await chaos.run(() => isOver);
      expect(existsSync(join(output, "_SUCCESS")), clientOutput.slice(-3000)).toBe(true);
      expect(digestOf(output)).toBe(digestOf(local));
      const total = [...chaos.fired.values()].reduce((sum, count) => sum + count, 0);
      console.log(`chaos seed ${seed}: ${[...chaos.fired].map(([fault, count]) => `${fault} ${count}`).join(", ")}`);
      expect(total, "faults that fired").toBeGreaterThanOrEqual(faultsMin);
      expect(chaos.fired.size, "kinds of faults that fired").toBe(5);
      // Once the job is over nothing of it is left but the output.
      await until(() => leftovers(folder).length === 0);
    } finally {
      await watch.stop();
      client?.kill("SIGKILL");
      await cluster.close();
    }
    expect(watch.wrong).toEqual([]);
    expect(watch.looks).toBeGreaterThan(10);
    await until(() => processesBelow(folder).length === 0);
  },
  180_000,
);

/** Runs in workers' directories and in memory, staging folders, working folders of attempts. */
function leftovers(folder: string): string[] {
  const left: string[] = readdirSync(folder).filter((name) => name.startsWith(".out.millrace-"));
  for (const worker of readdirSync(folder).filter((name) => /^w\d$/.test(name))) {
    for (const entry of readdirSync(join(folder, worker), { recursive: true, encoding: "utf8" })) {
      if (/\.run$|\.spill-\d+$/.test(entry)) left.push(join(worker, entry));
    }
  }
  return left;
}
