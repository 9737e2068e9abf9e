// Masters that die: at every named place and at random, again and again, while one job goes on. What was acknowledged
// stays, what a living worker has done or is doing is not done twice, no attempt's number is given out twice, and the
// output is whole.
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { seededRandom } from "../../src/base/system/random.ts";
import { type ClusterProcess, startCluster, startProcess, type TestCluster, until } from "./processes.ts";

const traceJob = fileURLToPath(new URL("./jobs/trace.ts", import.meta.url));
const files = 12;

let cluster: TestCluster;
let master: ClusterProcess;
beforeEach(async () => {
  cluster = await startCluster(["w1", "w2"]);
  master = cluster.master;
});
afterEach(async () => {
  master.child.kill("SIGKILL");
  await master.ended;
  await cluster.close();
});

const at = (name: string) => join(cluster.folder, name);
const state = () => at("state");

async function kill(): Promise<void> {
  master.child.kill("SIGKILL");
  await master.ended;
}

/** The next master of the same state at the same address; `failpoint` as MILLRACE_FAILPOINT says it. */
async function next(failpoint = ""): Promise<void> {
  const words = ["master", "--state", state(), "--listen", new URL(cluster.address).host];
  master = await startProcess(words, { ...cluster.env, MILLRACE_FAILPOINT: failpoint });
}

function writeInput(): string {
  mkdirSync(at("in"));
  for (let i = 0; i < files; i++) writeFileSync(join(at("in"), `${i}.txt`), `the file ${i} ${"x".repeat(i)}\n`);
  return at("in");
}

/** Runs the job to its end; each attempt that starts with a user's code adds its task to the trace. */
function run(more: readonly string[] = []) {
  const words = ["run", traceJob, writeInput(), "-o", at("out"), "--split-size", "8", "--reducers", "4"];
  return cluster.ask([...words, "--param", `trace=${at("trace")}`, ...more]);
}

const traced = () => (existsSync(at("trace")) ? readFileSync(at("trace"), "utf8").split("\n").filter(Boolean) : []);

function checkOutput(): void {
  const parts = readdirSync(at("out")).filter((name) => name.startsWith("part-"));
  const text = parts.map((name) => readFileSync(join(at("out"), name), "utf8")).join("");
  expect(text).toContain(`the\t${files}\n`);
  expect(text).toContain(`file\t${files}\n`);
  for (let i = 1; i < files; i++) expect(text).toContain(`${"x".repeat(i)}\t1\n`);
  expect(parts).toHaveLength(4);
}

interface Event {
  readonly kind: string;
  readonly attempt?: string;
  readonly task?: string;
}

async function historyOf(job: string): Promise<Event[]> {
  const { stdout } = await cluster.ask(["history", job, "--json"]);
  return stdout
    .toString()
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

async function onlyJob(): Promise<Readonly<Record<string, unknown>>> {
  const { stdout } = await cluster.ask(["jobs", "--json"]);
  const jobs = stdout
    .toString()
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line));
  expect(jobs).toHaveLength(1);
  return jobs[0];
}

describe("a job whose masters die", () => {
  test("faults 31, 32, 43, 46: at every named place, goes on with what was done, and nothing is done twice", async () => {
    const deaths = [
      "master.afterProbe:kill",
      "master.afterSubmit:kill",
      "master.beforeReply:kill:3",
      "master.beforeCommit:kill:2",
      "master.afterCommit:kill:2",
      "master.beforeCommit:kill:3",
      "master.afterCommit:kill:3",
      "master.beforeReply:kill:6",
      "master.beforePublish:kill",
      "master.afterPublish:kill",
    ];
    await kill();
    await next(deaths[0]);
    const running = run();
    let isOver = false;
    void running.then(() => (isOver = true));
    const restarts: number[] = [];
    for (const [index, death] of deaths.entries()) {
      const { signal } = await Promise.race([master.ended, running.then(({ stderr }) => ({ signal: stderr }))]);
      expect(signal, death).toBe("SIGKILL");
      expect(existsSync(at("out")), death).toBe(death === "master.afterPublish:kill");
      const startedAt = performance.now();
      await next(deaths[index + 1]);
      restarts.push(performance.now() - startedAt);
    }
    expect(isOver).toBe(false);
    const { code, stderr } = await running;
    expect(code, stderr).toBe(0);
    checkOutput();
    const job = await onlyJob();
    expect(job).toMatchObject({ state: "succeeded" });
    // Each worker lived through it all, so no task was ever started twice.
    const tasks = traced();
    expect(tasks.toSorted()).toEqual([...new Set(tasks)].toSorted());
    expect(tasks.filter((task) => task.startsWith("map-"))).toHaveLength(files);
    const started = (await historyOf(job["job"] as string)).filter(({ kind }) => kind === "attempt-started");
    expect(new Set(started.map(({ attempt }) => attempt)).size).toBe(started.length);
    // No staging, no spooled thing, no hidden directory is left.
    await until(() => readdirSync(cluster.folder).every((name) => !name.includes(".millrace-")));
    console.log(`restart to ready, with the start of the process: ${restarts.map(Math.round).join(", ")} ms`);
  });

  test("at random moments, has the same output and did no map twice", async () => {
    const seed = Number(process.env["MASTER_SEED"] ?? 1);
    const random = seededRandom(seed, 0);
    const running = run(["--param", "pauseMs=150"]);
    let isOver = false;
    void running.then(() => (isOver = true));
    let deaths = 0;
    await until(() => traced().length > 0);
    while (!isOver && deaths < 8) {
      await new Promise((resolve) => setTimeout(resolve, random() * 400));
      await kill();
      deaths++;
      await next();
    }
    const { code, stderr } = await running;
    expect(code, `seed ${seed}: ${stderr}`).toBe(0);
    expect(deaths).toBeGreaterThan(3);
    checkOutput();
    const maps = traced().filter((task) => task.startsWith("map-"));
    expect(maps.toSorted(), `seed ${seed}`).toEqual([...new Set(maps)].toSorted());
    const { job } = await onlyJob();
    const started = (await historyOf(job as string)).filter(({ kind }) => kind === "attempt-started");
    expect(new Set(started.map(({ attempt }) => attempt)).size).toBe(started.length);
  });

  test("keeps its bundle and its event log, and can be asked about when it is long over", async () => {
    const { code, stderr } = await run();
    expect(code, stderr).toBe(0);
    const { job } = await onlyJob();
    const before = await historyOf(job as string);
    expect(before.map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(["job-submitted", "job-published", "job-ended"]),
    );
    const blobs = readdirSync(join(state(), "blobs"));
    expect(blobs).toHaveLength(1);
    await kill();
    await next();
    expect(await historyOf(job as string)).toEqual(before);
    expect(readdirSync(join(state(), "blobs"))).toEqual(blobs);
    expect(await onlyJob()).toMatchObject({ job, state: "succeeded" });
  });
});

describe("a state directory", () => {
  test("fault 33: has one master; the second is told which process it is, and the first doesn't notice", async () => {
    await expect(startProcess(["master", "--state", state(), "--listen", "127.0.0.1:0"], cluster.env)).rejects.toThrow(
      new RegExp(`process ${master.child.pid} `),
    );
    expect((await cluster.ask(["workers"])).code).toBe(0);
  });

  test("fault 40: belongs to its master also while that one is stopped, which then goes on as if nothing had been", async () => {
    const gate = at("gate");
    const running = run(["--param", `gate=${gate}`]);
    await until(() => traced().length >= 2);
    master.child.kill("SIGSTOP");
    await expect(startProcess(["master", "--state", state(), "--listen", "127.0.0.1:0"], cluster.env)).rejects.toThrow(
      /is the master of .* already/,
    );
    writeFileSync(gate, "");
    await new Promise((resolve) => setTimeout(resolve, 3000)); // reports wait meanwhile
    master.child.kill("SIGCONT");
    const { code, stderr } = await running;
    expect(code, stderr).toBe(0);
    checkOutput();
    expect(new Set(traced()).size).toBe(traced().length);
  });

  test("fault 38: is refused with what to do when it is damaged", async () => {
    const { code, stderr } = await run();
    expect(code, stderr).toBe(0);
    await kill();
    const logs = readdirSync(join(state(), "store")).filter((name) => /^\d+\.log$/.test(name));
    const log = join(state(), "store", logs.find((name) => statSync(join(state(), "store", name)).size > 0)!);
    const bytes = readFileSync(log);
    bytes[bytes.length >> 1]! ^= 1;
    writeFileSync(log, bytes);
    await expect(next()).rejects.toThrow(/is damaged .*Restore the directory/);
    bytes[bytes.length >> 1]! ^= 1;
    writeFileSync(log, bytes);
  });
});
