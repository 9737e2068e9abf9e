// A worker is killed in the middle of a long map, and started again.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { memoryDirectoriesOf } from "../process/support.ts";
import { startCluster, type TestCluster, until } from "./processes.ts";

const longTask = fileURLToPath(new URL("../process/jobs/long-task.ts", import.meta.url));
const lines = 600;
const triggerAt = 540;

let cluster: TestCluster;
beforeEach(async () => {
  cluster = await startCluster([], ["--lease", "10s"]);
  const text = Array.from({ length: lines }, (_, i) => `${i === triggerAt ? "TRIGGER" : "a"} b${i % 7}`);
  writeFileSync(at("in.txt"), `${text.join("\n")}\n`);
});
afterEach(async () => await cluster.close());

const at = (name: string) => join(cluster.folder, name);

function runJob(fault: string) {
  const given = { fault, once: at("once"), calls: at("calls") };
  const params = Object.entries(given).flatMap(([name, value]) => ["--param", `${name}=${value}`]);
  const words = ["--split-size", "1GB", "--reducers", "1", "--checkpoint", "50ms"];
  return cluster.ask(["run", longTask, at("in.txt"), "-o", at("out"), ...words, ...params]);
}

/** The offsets that map was called for, by attempt. */
function callsByAttempt(): number[][] {
  const byAttempt = new Map<string, number[]>();
  for (const line of readFileSync(at("calls"), "utf8").trimEnd().split("\n")) {
    const [attempt, offset] = line.split(" ") as [string, string];
    byAttempt.set(attempt, [...(byAttempt.get(attempt) ?? []), Number(offset)]);
  }
  return [...byAttempt.values()];
}

/** Jobs with checkpoints on a worker, on disk and in memory. */
function withCheckpoints(worker: string): string[] {
  const memory = memoryDirectoriesOf(at(worker)).map((name) => join("/dev/shm", name, "checkpoints"));
  return [join(at(worker), "checkpoints"), ...memory].flatMap((folder) =>
    existsSync(folder) ? readdirSync(folder) : [],
  );
}

test("fault 6: the worker goes on behind the last checkpoint of its earlier life, to the same bytes", async () => {
  const killed = await cluster.startWorker("w1");
  const running = runJob("killAgent");
  expect(await killed.ended).toMatchObject({ signal: "SIGKILL" });
  expect(withCheckpoints("w1")).not.toEqual([]);
  await cluster.startWorker("w1");
  const result = await running;
  expect(result.code, result.stderr).toBe(0);
  expect(result.stderr).toMatch(/resumed {2}1 task from a checkpoint/);
  const counts = readFileSync(at("out/part-00000.tsv"), "utf8").trimEnd().split("\n");
  expect(counts).toContain(`a\t${lines - 1}`);
  expect(counts).toContain(`b\t${lines}`);
  const [first, second, ...others] = callsByAttempt();
  expect(others).toEqual([]);
  expect(first).toHaveLength(triggerAt + 1);
  expect(first!.length + second!.length).toBeLessThan(lines * 1.5);
  expect([...new Set([...first!, ...second!])]).toHaveLength(lines);
  await until(() => withCheckpoints("w1").length === 0);
});

test("checkpoints of a job that has ended while the worker was away are removed", async () => {
  const killed = await cluster.startWorker("w1");
  const running = runJob("killAgent");
  expect(await killed.ended).toMatchObject({ signal: "SIGKILL" });
  const [job] = withCheckpoints("w1");
  await cluster.ask(["cancel", job!]);
  expect((await running).code).toBe(130);
  expect(withCheckpoints("w1")).not.toEqual([]);
  await cluster.startWorker("w1");
  await until(() => withCheckpoints("w1").length === 0);
});
