// A master whose disk fails, fills up or is slow (faults 35, 36, 37), with the built command. The disk is a small file
// system in a private view of the mounts, or fails by injected system calls.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { canMount } from "../faults/support.ts";
import { type ClusterProcess, startCluster, startProcess, type TestCluster, until } from "./processes.ts";

const traceJob = fileURLToPath(new URL("./jobs/trace.ts", import.meta.url));
/** Where these can't be had they are left out, but not where all has to be tested. */
const mayLeaveOut = process.env["CI"] !== "true";
const canTrace = spawnSync("strace", ["-o", "/dev/null", "true"]).status === 0;

let cluster: TestCluster;
let master: ClusterProcess;
let tracer: ChildProcess | undefined;
beforeEach(async () => {
  cluster = await startCluster([]);
  master = cluster.master;
  mkdirSync(at("in"));
  for (let i = 0; i < 4; i++) writeFileSync(join(at("in"), `${i}.txt`), `the file ${i}\n`);
});
afterEach(async () => {
  tracer?.kill("SIGKILL");
  tracer = undefined;
  master.child.kill("SIGKILL");
  await master.ended;
  await cluster.close();
});

const at = (name: string) => join(cluster.folder, name);
const traced = (name: string) => lines(at(`${name}.trace`)).length;

function lines(path: string): string[] {
  try {
    return readFileSync(path, "utf8").split("\n").filter(Boolean);
  } catch {
    return []; // it is not written yet
  }
}

/** Waits at the file "gate" in each map; its maps are noted as they start. */
function run(name: string) {
  const words = ["run", traceJob, at("in"), "-o", at(name), "--split-size", "8", "--reducers", "2"];
  return cluster.ask([...words, "--param", `trace=${at(`${name}.trace`)}`, "--param", `gate=${at("gate")}`]);
}

/** From now on every sync of the master is `fault`. */
async function inject(fault: string): Promise<void> {
  const words = ["-f", "-p", String(master.child.pid), "-o", "/dev/null", "-e", "trace=fsync,fdatasync"];
  tracer = spawn("strace", [...words, "-e", `inject=fsync,fdatasync:${fault}`], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  tracer.stderr!.on("data", (chunk) => (said += chunk));
  await until(() => said.includes("attached"));
}

function checkOutput(name: string): void {
  const parts = readdirSync(at(name)).filter((part) => part.startsWith("part-"));
  expect(parts.map((part) => readFileSync(join(at(name), part), "utf8")).join("")).toContain("the\t4\n");
}

const startWorkers = () => Promise.all([cluster.startWorker("w1"), cluster.startWorker("w2")]);

/** At the same address, in a process group of its own where `inside` makes one. */
async function next(inside: readonly string[] = []): Promise<void> {
  const words = ["master", "--state", at("state"), "--listen", new URL(cluster.address).host];
  master = await startProcess(words, cluster.env, inside);
}

describe.skipIf(!canTrace && mayLeaveOut)("a disk that fails (needs strace)", () => {
  test("fault 36: ends the master at once when a sync fails, and the next one goes on from what is there", async () => {
    await startWorkers();
    const running = run("out");
    await until(() => traced("out") >= 2);
    await inject("error=EIO");
    writeFileSync(at("gate"), "");
    expect(await master.ended).toEqual({ code: 4, signal: null });
    expect(master.output()).toMatch(/can't be written: .*Check the disk and start again/);
    await next();
    const { code, stderr } = await running;
    expect(code, stderr).toBe(0);
    checkOutput("out");
    expect(new Set(lines(at("out.trace"))).size).toBe(traced("out")); // nothing was begun twice
  });

  test("fault 35: that is slow makes all slow, and nothing is lost or done twice", async () => {
    await startWorkers();
    const running = run("out");
    await until(() => traced("out") >= 2);
    await inject("delay_enter=200000");
    writeFileSync(at("gate"), "");
    const { code, stderr } = await running;
    expect(code, stderr).toBe(0);
    checkOutput("out");
    expect(new Set(lines(at("out.trace"))).size).toBe(traced("out"));
  });
});

describe.skipIf(!canMount() && mayLeaveOut)("a disk that fills up (needs the right to mount)", () => {
  test("fault 37: takes no job while the state's disk is full, holds back those that run, and goes on when there is room", async () => {
    master.child.kill("SIGKILL");
    await master.ended;
    rmSync(at("state"), { recursive: true });
    mkdirSync(at("state"));
    // Becomes the master itself, in the same process.
    const mount = `mount -t tmpfs -o size=100m,mode=0700 tmpfs '${at("state")}' && exec "$@"`;
    await next(["unshare", "--mount", "sh", "-c", mount, "sh"]);
    const inside = (name: string) => `/proc/${master.child.pid}/root${at("state")}/${name}`;

    await startWorkers(); // with the tokens that are new
    const running = run("first");
    let isOver = false;
    void running.then(() => (isOver = true));
    await until(() => traced("first") >= 2);
    rmSync(inside("ballast"), { force: true });
    writeFileSync(inside("ballast"), Buffer.alloc(70_000_000));

    const refused = await run("second");
    expect(refused).toMatchObject({ code: 4, stderr: expect.stringContaining("nearly full") });
    writeFileSync(at("gate"), "");
    await until(() => lines(at("first.trace")).filter((task) => task.startsWith("map-")).length >= 2);
    await new Promise((resolve) => setTimeout(resolve, 1500)); // long enough for the whole job, were there room
    expect(isOver).toBe(false);
    expect(master.child.exitCode).toBe(null);

    rmSync(inside("ballast"));
    const { code, stderr } = await running;
    expect(code, stderr).toBe(0);
    checkOutput("first");
    const second = await run("second");
    expect(second.code, second.stderr).toBe(0);
  });
});
