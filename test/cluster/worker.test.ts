// Workers that stall, die, come back, drain and run into walls, as processes of their own: what the master does about
// it, and what is left of them.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { canMount, withSmall } from "../faults/support.ts";
import { memoryDirectoriesOf, processesBelow } from "../process/support.ts";
import { type CliResult, repository } from "../support/cli.ts";
import { type ClusterProcess, startCluster, startProcess, type TestCluster, until } from "./processes.ts";

const gatesJob = fileURLToPath(new URL("./jobs/two-gates.ts", import.meta.url));

let cluster: TestCluster;
const others: ClusterProcess[] = [];
beforeEach(async () => {
  cluster = await startCluster([], ["--lease", "2s"]);
});
afterEach(async () => {
  for (const { child } of others) child.kill("SIGKILL");
  await Promise.all(others.splice(0).map(({ ended }) => ended));
  await cluster.close();
});

const at = (name: string) => join(cluster.folder, name);
const open = (gate: string) => writeFileSync(at(gate), "");

/** Files of one line each; every one is a split. */
function writeInput(files: number): void {
  mkdirSync(at("in"));
  for (let i = 0; i < files; i++) writeFileSync(join(at("in"), `${i}.txt`), `the file ${"abcdefgh"[i]}\n`);
}

function runJob(
  params: Readonly<Record<string, string>> = {},
  words: readonly string[] = [],
  started: (child: ChildProcess) => void = () => {},
): Promise<CliResult> {
  const given = Object.entries({ trace: at("trace"), ...params }).flatMap(([name, value]) => [
    "--param",
    `${name}=${value}`,
  ]);
  const split = ["--split-size", "8", "--reducers", "2"];
  return cluster.ask(["run", gatesJob, at("in"), "-o", at("out"), ...split, ...given, ...words], { started });
}

/** Every attempt but the plan, with the process of the worker that began it: "map-3 4711". */
function traced(): string[] {
  return existsSync(at("trace")) ? readFileSync(at("trace"), "utf8").split("\n").slice(0, -1) : [];
}

/** Attempts that a worker began. */
function begunBy({ child }: ClusterProcess, phase = ""): string[] {
  return traced().filter((line) => line.startsWith(phase) && line.endsWith(` ${child.pid}`));
}

const mapsOf = (lines: readonly string[]) => lines.filter((line) => line.startsWith("map-"));

/** Words with their counts, over all parts. */
function counted(): Readonly<Record<string, number>> {
  const parts = readdirSync(at("out")).filter((name) => name.startsWith("part-"));
  const lines = parts.flatMap((name) =>
    readFileSync(join(at("out"), name), "utf8")
      .trimEnd()
      .split("\n"),
  );
  return Object.fromEntries(lines.map((line) => line.split("\t")).map(([word, count]) => [word!, Number(count)]));
}

const expected = (files: number) => ({
  the: files,
  file: files,
  ...Object.fromEntries([..."abcdefgh".slice(0, files)].map((letter) => [letter, 1])),
});

async function stateOf(name: string): Promise<string | undefined> {
  const { stdout } = await cluster.ask(["workers", "--json"]);
  const views = stdout
    .toString()
    .trimEnd()
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
  return views.find(({ id }) => id === name)?.state;
}

async function theJob(): Promise<string> {
  return /[0-9a-f]{32}/.exec((await cluster.ask(["jobs", "--json"])).stdout.toString())![0];
}

/** A worker that finds small file systems at some folders. */
function startConfined(mounts: Readonly<Record<string, string>>, words: readonly string[]) {
  const [command, ...rest] = [...withSmall(mounts), process.execPath, join(repository, "bin/millrace.js")];
  const where = ["worker", "--master", cluster.address, "--slots", "1", "--json", ...words];
  const child = spawn(command!, [...rest, ...where], {
    env: { ...process.env, ...cluster.env },
    stdio: "pipe",
    detached: true,
  });
  let output = "";
  child.stderr.on("data", (chunk) => (output += chunk));
  child.stdout.on("data", (chunk) => (output += chunk));
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  return {
    output: () => output,
    async end() {
      process.kill(-child.pid!, "SIGKILL"); // with the shell that mounted
      await ended;
    },
  };
}

/** Files of jobs in a worker's directory and in its memory tier. */
function runsOf(name: string): string[] {
  const folders = [
    join(at(name), "runs"),
    ...memoryDirectoriesOf(at(name)).map((path) => join("/dev/shm", path, "runs")),
  ];
  return folders
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => readdirSync(folder, { recursive: true, encoding: "utf8" }))
    .filter((path) => /map-\d+/.test(path));
}

/** Processes of slots whose working folder is below a worker's. */
const slotsOf = (name: string) =>
  processesBelow(at(name)).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("slot.cjs");
    } catch {
      return false; // it has just ended
    }
  });

async function succeeds(running: Promise<CliResult>, files: number): Promise<void> {
  const { code, stderr } = await running;
  expect(code, stderr).toBe(0);
  expect(counted()).toEqual(expected(files));
}

describe("a worker that stalls or dies", () => {
  test("fault 4, 40: a worker stopped for longer than a lease is a zombie: nothing of it counts, and it goes on to be of use", async () => {
    writeInput(4);
    const zombie = await cluster.startWorker("w1");
    const running = runJob({ mapGate: at("gate") });
    await until(() => begunBy(zombie, "map").length === 1);
    zombie.child.kill("SIGSTOP");
    await until(async () => (await stateOf("w1")) === "silent");
    const other = await cluster.startWorker("w2");
    open("gate"); // its slot goes on, and finishes: nothing stops it while its agent stands still
    await succeeds(running, 4);
    expect(mapsOf(begunBy(other))).toHaveLength(4);
    zombie.child.kill("SIGCONT");
    await until(() => runsOf("w1").length === 0);
    await until(async () => (await stateOf("w1")) === "idle");
    expect(counted()).toEqual(expected(4)); // as it was
    other.child.kill("SIGTERM");
    await other.ended;
    const again = await cluster.ask(["run", "examples/word-count.ts", at("in"), "-o", at("again")]);
    expect(again.code, again.stderr).toBe(0);
  });

  test("fault 6: a worker killed and started again offers its verified runs, and no map runs twice", async () => {
    writeInput(4);
    let worker = await cluster.startWorker("w1");
    const running = runJob({ reduceGate: at("gate") });
    await until(() => begunBy(worker, "reduce").length === 1);
    worker.child.kill("SIGKILL");
    await worker.ended;
    worker = await cluster.startWorker("w1");
    open("gate");
    await succeeds(running, 4);
    expect(mapsOf(traced())).toHaveLength(4);
    expect(worker.output()).toContain('"offeredRuns":4');
    await until(() => runsOf("w1").length === 0);
  });

  test("fault 6: a run that was damaged while its worker was dead is made again, and the output is right", async () => {
    writeInput(4);
    const dead = await cluster.startWorker("w1");
    const running = runJob({ reduceGate: at("gate") });
    await until(() => begunBy(dead, "reduce").length === 1);
    dead.child.kill("SIGKILL");
    await dead.ended;
    const [damaged] = memoryDirectoriesOf(at("w1")).map((path) => join("/dev/shm", path, "runs"));
    const folder = damaged ?? join(at("w1"), "runs");
    const path = join(
      folder,
      readdirSync(folder, { recursive: true, encoding: "utf8" }).find((one) => one.endsWith(".run"))!,
    );
    const bytes = readFileSync(path);
    bytes[bytes.length - 20]! ^= 1;
    writeFileSync(path, bytes);
    const worker = await cluster.startWorker("w1");
    open("gate");
    await succeeds(running, 4);
    expect(worker.output()).toContain('"offeredRuns":3');
    expect(mapsOf(traced())).toHaveLength(5);
  });

  test.each(["loop", "child"])(
    "fault 1, 13: no process outlives a killed worker, whatever its slots' code is at: %s",
    async (mode) => {
      writeInput(1);
      const worker = await cluster.startWorker("w1");
      const running = runJob({ mode });
      const least = mode === "child" ? 2 : 1;
      await until(() => begunBy(worker).length === 1 && processesBelow(at("w1")).length >= least);
      worker.child.kill("SIGKILL");
      await worker.ended;
      await until(() => processesBelow(at("w1")).length === 0);
      await cluster.ask(["cancel", await theJob()]);
      expect((await running).code).toBe(130);
    },
  );
});

describe("draining", () => {
  test.each(["drain", "SIGTERM"])(
    "fault 92: %s at half time: what runs ends, outputs move to a peer, the worker leaves, and no map is repeated",
    async (how) => {
      writeInput(4);
      const leaving = await cluster.startWorker("w1");
      const running = runJob({ mapGate: at("map-{index}") });
      open("map-0");
      open("map-1");
      await until(() => begunBy(leaving, "map").length === 3);
      const staying = await cluster.startWorker("w2");
      await until(() => begunBy(staying, "map").length === 1);
      if (how === "SIGTERM") leaving.child.kill("SIGTERM");
      else expect((await cluster.ask(["drain", "w1", "--within", "10m"])).code).toBe(0);
      await until(() => runsOf("w2").length === 2);
      open("map-2");
      expect(await leaving.ended).toEqual({ code: 0, signal: null });
      expect(runsOf("w1")).toEqual([]);
      expect(memoryDirectoriesOf(at("w1"))).toEqual([]);
      expect(begunBy(staying)).toEqual([`map-3 ${staying.child.pid}`]); // no reduce has begun: all read what was moved
      const job = await theJob();
      open("map-3");
      await succeeds(running, 4);
      expect(mapsOf(traced())).toHaveLength(4);
      const { stdout } = await cluster.ask(["history", job, "--json"]);
      const happened = stdout
        .toString()
        .split("\n")
        .filter(Boolean)
        .map((line) => JSON.parse(line).kind as string);
      expect(happened.filter((kind) => kind === "map-output-moved")).toHaveLength(3);
      expect(happened).not.toContain("map-output-lost");
      expect(happened).not.toContain("attempt-failed");
    },
  );

  test("fault 92: a worker that is told to end finishes what runs, its runs are read, and it leaves nothing", async () => {
    writeInput(4);
    const leaving = await cluster.startWorker("w1");
    const running = runJob({ mapGate: at("maps"), reduceGate: at("reduces") });
    await until(() => begunBy(leaving, "map").length === 1);
    const staying = await cluster.startWorker("w2");
    leaving.child.kill("SIGTERM");
    await until(async () => (await stateOf("w1")) === "draining");
    open("maps");
    await until(() => begunBy(staying, "reduce").length === 1);
    expect(begunBy(leaving)).toHaveLength(1);
    open("reduces");
    await succeeds(running, 4);
    expect(mapsOf(traced())).toHaveLength(4);
    expect(await leaving.ended).toEqual({ code: 0, signal: null });
    expect(runsOf("w1")).toEqual([]);
    expect(memoryDirectoriesOf(at("w1"))).toEqual([]);
  });

  test("fault 92: a second signal ends it at once with its slots, and others do its work", async () => {
    writeInput(2);
    const leaving = await cluster.startWorker("w1");
    const running = runJob({ mapGate: at("gate") });
    await until(() => begunBy(leaving, "map").length === 1);
    leaving.child.kill("SIGTERM");
    await until(async () => (await stateOf("w1")) === "draining");
    leaving.child.kill("SIGTERM");
    const { code, signal } = await leaving.ended;
    expect([code, signal]).not.toEqual([0, null]);
    expect(slotsOf("w1")).toEqual([]);
    await cluster.startWorker("w2");
    open("gate");
    await succeeds(running, 2);
  });

  test("the master may ask for it", async () => {
    const worker = await cluster.startWorker("w1");
    await cluster.startWorker("w2");
    expect((await cluster.ask(["drain", "w1"])).code).toBe(0);
    expect(await worker.ended).toEqual({ code: 0, signal: null });
  });
});

describe("directories", () => {
  test("two workers can't have one work directory: the second says whose it is", async () => {
    const worker = await cluster.startWorker("w1");
    const second = await cluster.ask(["worker", "--work-dir", at("w1")]);
    expect(second.code).not.toBe(0);
    expect(second.stderr).toMatch(
      new RegExp(`process ${worker.child.pid} on \\S+ is a worker with the work directory ${at("w1")}`),
    );
  });

  test("I6: of two workers with one name the one that was started last goes on, the other ends and says why", async () => {
    const first = await cluster.startWorker("w1");
    const second = await startProcess(
      ["worker", "--master", cluster.address, "--work-dir", at("elsewhere"), "--name", "w1"],
      cluster.env,
    );
    others.push(second);
    expect((await first.ended).code).not.toBe(0);
    expect(first.output()).toContain("another process was started as worker w1 since this one");
    writeInput(2);
    await succeeds(runJob(), 2);
    expect(second.child.exitCode).toBeNull();
  });

  test("a worker that was another cluster's begins with an empty directory", async () => {
    writeInput(2);
    const worker = await cluster.startWorker("w1");
    let client: ChildProcess | undefined;
    const running = runJob({ reduceGate: at("never") }, [], (child) => (client = child));
    await until(() => begunBy(worker, "reduce").length === 1);
    worker.child.kill("SIGKILL");
    await worker.ended;
    expect(runsOf("w1")).not.toEqual([]);
    const master = await startProcess(["master", "--state", at("state-2"), "--listen", "127.0.0.1:0"], cluster.env);
    others.push(master);
    const address = master.ready["address"] as string;
    const moved = await startProcess(["worker", "--master", address, "--work-dir", at("w1")], cluster.env);
    others.push(moved);
    expect(moved.output()).toContain("of a worker of another cluster");
    expect(runsOf("w1")).toEqual([]);
    expect(moved.ready["worker"]).toBe("w1");
    client?.kill("SIGKILL");
    await running;
  });

  test.skipIf(!canMount())("a worker that can't see the output says so, and another one does the work", async () => {
    writeInput(2);
    mkdirSync(at("shared"));
    // As on a machine where something else is mounted there.
    const blind = startConfined({ [at("shared")]: "1m" }, ["--work-dir", at("w1"), "--name", "w1"]);
    await until(async () => (await stateOf("w1")) === "idle");
    const running = cluster.ask([
      ...["run", gatesJob, at("in"), "-o", join(at("shared"), "out"), "--param", `trace=${at("trace")}`],
    ]);
    await until(() => blind.output().includes("an attempt has failed"));
    expect(blind.output()).toMatch(/worker w1 \(on .*\) can't see .*\/shared\/out as the master does/);
    await cluster.startWorker("w2");
    const { code, stderr } = await running;
    expect(code, stderr).toBe(0);
    await blind.end();
  });
});

describe("limits", () => {
  test("fault 15: code that takes more memory than its share loses its slot, not the worker", async () => {
    writeInput(1);
    const worker = await cluster.startWorker("w1");
    const failed = await runJob({ mode: "hog" }, ["--attempts", "1"]);
    expect(failed.code).toBe(1);
    expect(failed.stderr).toMatch(/out of memory|was killed \(SIGKILL\)/);
    const good = await cluster.ask(["run", "examples/word-count.ts", at("in"), "-o", at("good")]);
    expect(good.code, good.stderr).toBe(0);
    expect(worker.child.exitCode).toBeNull();
  });

  test("fault 20: what attempts print is read through the master, from the worker that ran them", async () => {
    writeInput(1);
    await cluster.startWorker("w1");
    await succeeds(runJob({ mode: "lines" }), 1);
    const job = await theJob();
    const folder = join(at("w1"), "logs", job);
    expect(readdirSync(folder)).toHaveLength(1);
    const [name] = readdirSync(folder);
    const { stdout } = await cluster.ask(["logs", job, name!.replace(/\.log$/, "")]);
    expect(stdout.toString()).toContain("printed the file a");
  });

  test.skipIf(!canMount())(
    "fault 60: a full work directory fails attempts with what to do, and another worker does the work",
    async () => {
      mkdirSync(at("small"));
      mkdirSync(at("in"));
      writeFileSync(join(at("in"), "0.txt"), "some words of a line that is long enough\n".repeat(100_000));
      const words = ["--work-dir", join(at("small"), "w"), "--name", "w1", "--memory", "64MB"];
      const full = startConfined({ [at("small")]: "3m", "/dev/shm": "1m" }, words);
      await until(async () => (await stateOf("w1")) === "idle");
      const running = cluster.ask(["run", "examples/total-sort.ts", at("in"), "-o", at("out"), "--reducers", "1"]);
      await until(() => full.output().includes("an attempt has failed"));
      expect(full.output()).toMatch(/small\/w.* is full \(ENOSPC\).*--work-dir/);
      await cluster.startWorker("w2");
      const { code, stderr } = await running;
      expect(code, stderr).toBe(0);
      await full.end();
    },
  );
});
