// What a hostile caller can do to a master that others use: with a worker's token, with the right to submit, and with
// none. It goes on answering, their job fails or is refused, no one else's does, and a master that is started again on
// the state leads.
import { closeSync, mkdirSync, openSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startCluster, type TestCluster, until } from "./processes.ts";

let cluster: TestCluster;
beforeEach(async () => {
  cluster = await startCluster([]);
});
afterEach(() => cluster.close());

const at = (name: string) => join(cluster.folder, name);
const tokenOf = (scope: string) => readFileSync(at(`state/tokens/${scope}`), "latin1").trim();
const job = `import { defineJob, text } from "millrace";
export default defineJob({ name: "plain", input: text(), reducers: 1, map(line, emit) { emit(line, "1"); } });\n`;

function write(name: string, content: string): string {
  writeFileSync(at(name), content);
  return at(name);
}

function residentBytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]) * 1024;
}

/** The sequence of the reports of "evil". */
let sequence = 0;

interface Sent {
  readonly status: number;
  readonly json: { readonly start?: readonly { readonly attempt: { readonly phase: string } }[] };
}

async function heartbeat(worker: string, sequence: number, more: object = {}): Promise<Sent> {
  const answer = await fetch(`${cluster.address}/millrace.v1.Workers/Heartbeat`, {
    method: "POST",
    headers: { authorization: `Bearer ${tokenOf("worker")}`, "content-type": "application/json" },
    body: JSON.stringify({
      worker,
      incarnation: "1",
      sequence: String(sequence),
      address: "http://127.0.0.1:9",
      slots: 1,
      slotsFree: 1,
      ...more,
    }),
  });
  return { status: answer.status, json: (await answer.json()) as Sent["json"] };
}

/** Is given the plan of the job, and reports this one. */
async function reportPlan(plan: object): Promise<Sent> {
  let given: NonNullable<Sent["json"]["start"]>[number] | undefined;
  while (given === undefined) given = (await heartbeat("evil", sequence++)).json.start?.[0];
  const finished = [{ attempt: given.attempt, done: { plan, stats: { wallMs: 1 } } }];
  return await heartbeat("evil", sequence, { slotsFree: 0, finished });
}

async function restart(): Promise<void> {
  cluster.master.child.kill("SIGKILL");
  await cluster.master.ended;
  await cluster.restartMaster();
}

test("a plan of four billion partitions, or of another file, fails its job and names the worker; the next master leads", async () => {
  const input = write("a.txt", "x\n");
  const file = { path: input, bytes: "2", version: "1", source: input, compression: "none" };
  const splits = [{ pieces: [{ file: 0, start: "0", end: "2" }] }];
  const plans = [
    { files: [file], splits, partitions: 4294967295 },
    { files: [{ ...file, path: "/etc/passwd", source: "/etc/passwd" }], splits, partitions: 1 },
    { files: [{ ...file, source: `${input}\u001b[2J` }], splits, partitions: 1 },
    { files: [file], splits: [{ pieces: [{ file: 99, start: "0", end: "2" }] }], partitions: 1 },
    { files: [{ ...file, bytes: "18446744073709551615" }], splits, partitions: 1 },
  ];
  const path = write("job.ts", job);
  for (const [index, plan] of plans.entries()) {
    const words = ["run", path, at("a.txt"), "-o", at(`out-${index}`), "--detach"];
    const { code, stdout, stderr } = await cluster.ask(words);
    expect(code, stderr).toBe(0);
    expect((await reportPlan(plan)).status).toBe(200);
    const view = JSON.parse((await cluster.ask(["status", String(stdout).trim(), "--json"])).stdout.toString());
    expect(view).toMatchObject({ state: "failed", reason: { code: "bad-report" } });
    expect(view.reason.message).toContain("worker evil reported");
  }
  await restart();
  await cluster.startWorker("w1");
  const after = await cluster.ask(["run", path, at("a.txt"), "-o", at("after"), "--quiet"]);
  expect(after.code, after.stderr).toBe(0);
}, 180_000);

test("names that no command line takes are refused, and no more workers are known than were asked for", async () => {
  for (const name of ["w\u001b[2J", "../../etc", "x".repeat(65)]) expect((await heartbeat(name, 1)).status).toBe(400);
  await cluster.close();
  cluster = await startCluster([], ["--max-workers", "2"]);
  expect((await heartbeat("one", 1)).status).toBe(200);
  expect((await heartbeat("two", 1)).status).toBe(200);
  expect((await heartbeat("three", 1)).status).toBe(429);
  expect((await heartbeat("two", 2)).status).toBe(200);
});

test("a folder of many files and a manifest of gigabytes hold up nobody but who asked for them", async () => {
  mkdirSync(at("tree"));
  for (let i = 0; i < 5_000; i++) closeSync(openSync(at(`tree/${i}`), "w"));
  mkdirSync(at("published"));
  write("published/_SUCCESS", "millrace");
  truncateSync(at("published/_SUCCESS"), 3e9);
  const path = write("job.ts", job);
  const tree = cluster.ask(["run", path, at("tree"), "-o", at("out"), "--detach"]);
  expect((await tree).code).toBe(0);
  const huge = await cluster.ask(["run", path, at("published"), "-o", at("out-2"), "--detach"]);
  expect(huge.code).not.toBe(0);
  expect(huge.stderr).toContain("more than a manifest can have");
  expect((await fetch(`${cluster.address}/healthz`)).status).toBe(200);
});

test("hundreds of connections with a hundred unread requests each, and no token, cost little memory and no worker its lease", async () => {
  await cluster.close();
  cluster = await startCluster([], ["--lease", "5s"]);
  const worker = await cluster.startWorker("w1");
  const pid = cluster.master.child.pid!;
  const before = residentBytes(pid);
  const frame = (type: number, flags: number, stream: number, payload = Buffer.alloc(0)) => {
    const head = Buffer.alloc(9);
    head.writeUIntBE(payload.length, 0, 3);
    head.writeUInt8(type, 3);
    head.writeUInt8(flags, 4);
    head.writeUInt32BE(stream, 5);
    return Buffer.concat([head, payload]);
  };
  // POST / of localhost, HPACK-encoded; and a window of no bytes, so that no answer can be sent.
  const head = Buffer.concat([Buffer.from([0x83, 0x86, 0x84, 0x41, 9]), Buffer.from("localhost")]);
  const requests = Array.from({ length: 100 }, (_, index) => frame(1, 5, 1 + 2 * index, head));
  const noWindow = frame(4, 0, 0, Buffer.from([0, 4, 0, 0, 0, 0]));
  const bytes = Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), noWindow, ...requests]);
  const port = Number(new URL(cluster.address).port);
  let connected = 0;
  let ended = 0;
  let most = before;
  for (let round = 0; round < 4; round++) {
    const sockets = Array.from({ length: 200 }, () => {
      const socket = connect({ port, host: "127.0.0.1" }, () => connected++);
      socket.on("error", () => {});
      socket.on("close", () => ended++);
      socket.on("data", () => {}); // heard, so that its end is too; by its window nothing can be sent to it
      socket.write(bytes);
      return socket;
    });
    // Each is ended by the master, though it says no word about leaving.
    await until(() => {
      most = Math.max(most, residentBytes(pid));
      return ended === 200 * (round + 1);
    });
    for (const socket of sockets) socket.destroy();
  }
  expect(connected).toBeGreaterThan(700);
  expect(most - before).toBeLessThan(100e6);
  expect(cluster.master.output()).not.toMatch(/silent/);
  expect((await fetch(`${cluster.address}/healthz`)).status).toBe(200);
  const { stdout } = await cluster.ask(["workers", "--json"]);
  expect(JSON.parse(stdout.toString())).toMatchObject({ id: "w1", state: "idle" });
  expect(worker.child.exitCode).toBeNull();
}, 180_000);

test("a connection without a token ends after the first refusal, however many requests it has sent", async () => {
  const port = Number(new URL(cluster.address).port);
  const socket = connect({ port, host: "127.0.0.1" });
  let text = "";
  let isClosed = false;
  socket.on("data", (chunk) => (text += chunk.toString("latin1")));
  socket.on("error", () => {});
  socket.on("close", () => (isClosed = true));
  socket.write("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(200));
  await until(() => isClosed);
  expect(text.split("HTTP/1.1 401").length - 1).toBe(1);
  for (let i = 0; i < 3; i++) expect((await fetch(`${cluster.address}/healthz`)).status).toBe(200);
});
