// Map outputs that can't be fetched, between real workers: damaged, removed, out of reach. The output is the same every
// time.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { memoryDirectoriesOf } from "../process/support.ts";
import { type FaultProxy, faultProxy } from "../support/fault-proxy.ts";
import { type ClusterProcess, startCluster, type TestCluster, until } from "./processes.ts";

const gatesJob = fileURLToPath(new URL("./jobs/two-gates.ts", import.meta.url));
const files = 6;

let cluster: TestCluster;
const proxies: FaultProxy[] = [];
beforeEach(async () => {
  cluster = await startCluster([]);
  mkdirSync(at("in"));
  for (let i = 0; i < files; i++) writeFileSync(join(at("in"), `${i}.txt`), `one word and ${"abcdef"[i]} ${i}\n`);
});
afterEach(async () => {
  for (const proxy of proxies.splice(0)) await proxy.close();
  await cluster.close();
});

const at = (name: string) => join(cluster.folder, name);
const open = (gate: string) => writeFileSync(at(gate), "");

function runJob(reducers: number) {
  const params = ["--param", `trace=${at("trace")}`, "--param", `reduceGate=${at("gate")}`];
  const cut = ["--split-size", "8", "--reducers", String(reducers)];
  return cluster.ask(["run", gatesJob, at("in"), "-o", at("out"), ...cut, ...params]);
}

/** "map-3 4711": attempts and the workers that began them. */
function traced(phase: string): string[] {
  if (!existsSync(at("trace"))) return [];
  return readFileSync(at("trace"), "utf8")
    .split("\n")
    .filter((line) => line.startsWith(phase));
}

const begunBy = (phase: string, { child }: ClusterProcess) =>
  traced(phase).filter((line) => line.endsWith(` ${child.pid}`));

/** Map outputs that lie on a worker. */
function runsOf(worker: string): string[] {
  const folders = [at(worker), ...memoryDirectoriesOf(at(worker)).map((name) => join("/dev/shm", name))];
  return folders.flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((name) => /map-\d{5}\.\d+\.\d+\.run$/.test(name))
      .map((name) => join(folder, name)),
  );
}

async function succeeds(running: ReturnType<typeof runJob>): Promise<string> {
  const { code, stderr } = await running;
  expect(code, stderr).toBe(0);
  const words = readdirSync(at("out"))
    .filter((name) => name.startsWith("part-"))
    .flatMap((name) =>
      readFileSync(join(at("out"), name), "utf8")
        .split("\n")
        .slice(0, -1),
    );
  const expected = [..."abcdef"].map((letter) => `${letter}\t1`);
  for (const word of ["one", "word", "and"]) expected.push(`${word}\t${files}`);
  expect(words.toSorted()).toEqual(expected.toSorted());
  return stderr;
}

/** Names of what reduces have fetched and not removed. */
function fetchedFiles(): string[] {
  const folders = ["w1", "w2"].flatMap((worker) => [
    at(worker),
    ...memoryDirectoriesOf(at(worker)).map((name) => join("/dev/shm", name)),
  ]);
  const names = folders.flatMap((folder) => readdirSync(folder, { recursive: true, encoding: "utf8" }));
  return names.filter((name) => name.includes(".fetch-"));
}

describe("map outputs", () => {
  test.each([
    ["fault 59: damaged, at every seventh byte", damage],
    ["removed", (path: string) => rmSync(path)],
  ])("that are %s, are made again", async (_how, harm) => {
    const [first, second] = [await cluster.startWorker("w1"), await cluster.startWorker("w2")];
    const running = runJob(6);
    // One reduce waits on each worker, with all that it needs; four are still to come.
    await until(() => begunBy("reduce", first).length === 1 && begunBy("reduce", second).length === 1);
    expect(fetchedFiles().length).toBeGreaterThan(0);
    const harmed = runsOf("w1");
    expect(harmed.length).toBeGreaterThan(0);
    for (const path of harmed) harm(path);
    open("gate");
    await succeeds(running);
    expect(traced("map")).toHaveLength(files + harmed.length);
    expect(fetchedFiles()).toEqual([]);
  });

  test("fault 51: that one worker can't reach come another way: reduces move, or few maps run again", async () => {
    const near = await cluster.startWorker("w1");
    // Others reach w2 by another address of this machine, which the proxy has.
    const far = await cluster.startWorker("w2", ["--advertise", "127.0.0.2"]);
    const { hostname, port } = new URL(far.ready["address"] as string);
    expect(hostname).toBe("127.0.0.2");
    const proxy = await faultProxy({ port: Number(port) }, { host: hostname, port: Number(port) });
    proxies.push(proxy);
    proxy.fault = { kind: "refuse" };
    open("gate");
    await succeeds(runJob(4));
    expect(proxy.accepted).toBeGreaterThanOrEqual(5); // tried again before it is given up
    expect(begunBy("map", near).length).toBeGreaterThan(0);
    expect(begunBy("map", far).length).toBeGreaterThan(0);
    // What was held by the one that can't be reached, at most.
    expect(traced("map").length).toBeLessThanOrEqual(files + begunBy("map", far).length);
    expect(fetchedFiles()).toEqual([]);
  });

  test("fault 53: whose transfers break off again and again, arrive", async () => {
    await cluster.startWorker("w1");
    const far = await cluster.startWorker("w2", ["--advertise", "127.0.0.2"]);
    const port = Number(new URL(far.ready["address"] as string).port);
    const proxy = await faultProxy({ port }, { host: "127.0.0.2", port });
    proxies.push(proxy);
    proxy.fault = { kind: "reset", afterBytes: 450, direction: "down" };
    open("gate");
    await succeeds(runJob(4));
    expect(proxy.accepted).toBeGreaterThan(1);
    expect(traced("map")).toHaveLength(files);
  });
});

function damage(path: string): void {
  const bytes = readFileSync(path);
  for (let i = 6; i < bytes.length; i += 7) bytes[i]! ^= 1;
  writeFileSync(path, bytes);
}
