// A cluster of two masters whose state is in etcd, as processes: leaders are killed and stopped while jobs go on.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { removeAll } from "../process/support.ts";
import { millrace } from "../support/cli.ts";
import { type EtcdCluster, etcdIsMissing, startEtcd } from "../support/etcd.ts";
import { type ClusterProcess, startProcess, until } from "./processes.ts";

const job = fileURLToPath(new URL("./jobs/two-gates.ts", import.meta.url));
const files = 8;
/** The lease of a leader in etcd. */
const leaseMs = 5_000;

let folder: string;
let etcd: EtcdCluster;
const processes: ClusterProcess[] = [];
const masters: Record<string, ClusterProcess> = {};
const addresses: Record<string, string> = {};

const at = (name: string) => join(folder, name);
const url = () => `etcd://${etcd.clients.join(",")}`;
const env = () => ({ XDG_CONFIG_HOME: at("config") });

async function startMaster(name: "a" | "b", failpoint = ""): Promise<ClusterProcess> {
  const listen = addresses[name] === undefined ? "127.0.0.1:0" : new URL(addresses[name]).host;
  const words = ["master", "--state", url(), "--tokens", at("tokens"), "--blobs", at("blobs"), "--listen", listen];
  const master = await startProcess(words, { ...env(), MILLRACE_FAILPOINT: failpoint });
  processes.push(master);
  masters[name] = master;
  addresses[name] = master.ready["address"] as string;
  return master;
}

const list = () => `${addresses["a"]},${addresses["b"]}`;
const ask = (words: readonly string[]) => millrace([...words, "--master", list()], { env: env() });

interface Status {
  readonly epoch: number;
  readonly leader: { readonly address: string };
  readonly jobs: readonly { readonly job: string; readonly state: string; readonly name: string }[];
}

async function status(): Promise<Status> {
  const { code, stdout, stderr } = await ask(["status", "--json"]);
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout.toString());
}

const traced = (name: string) => {
  try {
    return readFileSync(at(name), "utf8")
      .split("\n")
      .filter(Boolean)
      .map((line) => line.split(" ")[0]!);
  } catch {
    return [];
  }
};

function run(name: string) {
  const words = ["run", job, at("in"), "-o", at(name), "--split-size", "8", "--reducers", "4"];
  return ask([...words, "--param", `trace=${at(`${name}.trace`)}`, "--param", `reduceGate=${at(`${name}.gate`)}`]);
}

const partsOf = (name: string) =>
  Object.fromEntries(
    readdirSync(at(name))
      .filter((part) => part.startsWith("part-"))
      .map((part) => [part, readFileSync(join(at(name), part), "utf8")]),
  );

/** It rises with each write. */
function revision(): number {
  const words = ["--endpoints", etcd.clients.join(","), "get", "x", "-w", "json"];
  const answer = execFileSync("etcdctl", words, { env: { ...process.env, ETCDCTL_API: "3" }, encoding: "utf8" });
  return JSON.parse(answer).header.revision;
}

const etcdTest = test.skipIf(etcdIsMissing !== undefined);

beforeAll(async () => {
  if (etcdIsMissing !== undefined) return console.log(`skipped: ${etcdIsMissing}`);
  folder = mkdtempSync(join(tmpdir(), "millrace-etcd-"));
  mkdirSync(at("in"));
  for (let i = 0; i < files; i++) writeFileSync(join(at("in"), `${i}.txt`), `the file ${i} ${"x".repeat(i)}\n`);
  etcd = await startEtcd();
  expect((await millrace(["token", "new", at("tokens")])).code).toBe(0);
});
afterAll(async () => {
  if (etcdIsMissing !== undefined) return;
  for (const { child } of processes) child.kill("SIGKILL");
  await Promise.all(processes.map(({ ended }) => ended));
  await etcd.close();
  removeAll(folder);
});

etcdTest("faults 32, 34, 46: leaders are killed, before and while they publish; the job does not notice", async () => {
  const first = await startMaster("a");
  const second = await startMaster("b", "master.beforePublish:kill");
  expect([first.ready["event"], second.ready["event"]]).toEqual(["ready", "standby"]);
  for (const name of ["w1", "w2"]) {
    const where = ["--master", list(), "--work-dir", at(name), "--name", name];
    processes.push(await startProcess(["worker", ...where, "--slots", "1", "--memory", "128MB"], env()));
  }
  const running = run("killed");
  await until(() => traced("killed.trace").filter((task) => task.startsWith("reduce-")).length === 2);
  const before = await status();
  expect(before.leader.address).toBe(addresses["a"]);
  first.child.kill("SIGKILL");
  await first.ended;
  // No command fails while there is no master: each waits, and says so.
  const answers = await Promise.all([ask(["status"]), ask(["workers"]), ask(["jobs"])]);
  expect(answers.map(({ code }) => code)).toEqual([0, 0, 0]);
  expect(answers.map(({ stderr }) => stderr).join("")).toMatch(/trying again/);
  const after = await status();
  expect([after.leader.address, after.epoch]).toEqual([addresses["b"], before.epoch + 1]);
  // The next one dies with the decision made and nothing published.
  await startMaster("a");
  writeFileSync(at("killed.gate"), "");
  expect((await second.ended).signal).toBe("SIGKILL");
  expect(readdirSync(folder)).not.toContain("killed");
  const { code, stderr } = await running;
  expect(code, stderr).toBe(0);
  const tasks = traced("killed.trace");
  expect(tasks.toSorted()).toEqual([...new Set(tasks)].toSorted());
  expect(tasks).toHaveLength(files + 4);
  const { jobs, epoch } = await status();
  expect(epoch).toBe(before.epoch + 2);
  const { stdout } = await ask(["history", jobs[0]!.job, "--json"]);
  const kinds = stdout
    .toString()
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line).kind as string);
  expect(kinds.filter((kind) => kind === "attempt-adopted").length).toBeGreaterThanOrEqual(2);
  // The same bytes as on one machine.
  writeFileSync(at("here.gate"), "");
  const here = ["run", job, at("in"), "-o", at("here"), "--split-size", "8", "--reducers", "4"];
  const alone = ["--param", `trace=${at("here.trace")}`, "--master", "none"];
  expect((await millrace([...here, ...alone], { env: env() })).code).toBe(0);
  expect(partsOf("killed")).toEqual(partsOf("here"));
  await until(() => readdirSync(folder).every((name) => !name.includes(".millrace-")));
});

etcdTest("faults 34, 40: a leader that is stopped for three leases and woken writes nothing, and ends", async () => {
  const first = masters["a"]!;
  await startMaster("b");
  const { epoch } = await status();
  const running = run("stopped");
  await until(() => traced("stopped.trace").filter((task) => task.startsWith("reduce-")).length === 2);
  const { jobs } = await status();
  const id = jobs.find(({ state }) => state !== "succeeded")!.job;
  first.child.kill("SIGSTOP");
  const stoppedAt = performance.now();
  // It will find a request that would have it write.
  const token = readFileSync(join(at("tokens"), "admin"), "utf8").trim();
  const cancel = fetch(`${addresses["a"]}/millrace.v1.Jobs/Cancel`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({ job: id }),
  }).then(
    async (answer) => `${answer.status} ${await answer.text()}`,
    (error: unknown) => String(error),
  );
  await until(async () => (await status()).epoch === epoch + 1);
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, stoppedAt + 3 * leaseMs - performance.now())));
  const before = revision();
  first.child.kill("SIGCONT");
  const { code } = await first.ended;
  expect(code, first.output()).toBe(4);
  expect(first.output()).toMatch(/"code":"not-leader"/);
  expect(await cancel).not.toMatch(/^200/);
  expect(revision()).toBe(before);
  writeFileSync(at("stopped.gate"), "");
  const done = await running;
  expect(done.code, done.stderr).toBe(0);
  expect(partsOf("stopped")).toEqual(partsOf("here"));
  // Reduces may have begun again, where it took their workers long to find the next leader.
  const tasks = traced("stopped.trace");
  const maps = tasks.filter((task) => task.startsWith("map-"));
  expect(maps.toSorted()).toEqual([...new Set(maps)].toSorted());
  expect(new Set(tasks).size).toBe(new Set(maps).size + 4);
});

etcdTest("a worker that stands for election leads by a master of its own, which ends with it", async () => {
  const before = await status();
  const listen = "127.0.0.1:0";
  const where = ["--master", list(), "--work-dir", at("w3"), "--name", "w3", "--slots", "1", "--memory", "128MB"];
  const store = ["--state", url(), "--tokens", at("tokens"), "--blobs", at("blobs"), "--listen-master", listen];
  const words = ["worker", ...where, "--standby", "--standby-beside-jobs", ...store];
  const worker = await startProcess(words, env());
  processes.push(worker);
  const told = () => /"master":"(\{.*?\})"/.exec(worker.output())?.[1]?.replaceAll('\\"', '"') ?? "";
  const { event, address } = JSON.parse(told());
  expect(event).toBe("standby");
  for (const name of ["a", "b"]) {
    masters[name]!.child.kill("SIGKILL");
    await masters[name]!.ended;
  }
  const ofOwn = () => millrace(["status", "--json", "--master", address], { env: env() });
  const { code, stdout, stderr } = await ofOwn();
  expect(code, stderr).toBe(0);
  const now: Status = JSON.parse(stdout.toString());
  expect([now.leader.address, now.epoch]).toEqual([address, before.epoch + 1]);
  worker.child.kill("SIGKILL");
  await worker.ended;
  await until(async () => {
    try {
      await fetch(`${address}/healthz`);
      return false;
    } catch {
      return true;
    }
  });
});
