import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { MillraceError } from "../../base/error.ts";
import type { AttemptId } from "../../base/ids.ts";
import { systemClock } from "../../base/system/clock.ts";
import type { Log } from "../../base/system/log.ts";
import type { JobSpec } from "../../job/spec.ts";
import { writeProbe } from "../../output/probe.ts";
import type { Assignment, WorkerOrders, WorkerReport } from "../../protocol/messages.ts";
import type { Welcome } from "../../protocol/services.ts";
import { emptyBody, jobKey, signRequest } from "../../rpc/access/signature.ts";
import { randomToken } from "../../rpc/access/token-digest.ts";
import { fixedTokens } from "../../rpc/access/tokens.ts";
import { openWorkerNode } from "./node.ts";
import type { WorkerNode, WorkerNodeOptions } from "./options.ts";

/** A slot's program that takes what it is told and never answers; it ends with its agent. */
const deafSlot = `
import { Socket } from "node:net";
import { writeFileSync } from "node:fs";
writeFileSync("started-" + process.pid, "");
process.stdout.write("hello from the slot\\n");
new Socket({ fd: 3 }).on("data", () => {}).on("close", () => process.exit(0));
`;
const bundle = "export default 1;";
const sha256 = createHash("sha256").update(bundle).digest("hex");
const token = randomToken();
const cluster = "c".repeat(32);

let directory: string;
let node: WorkerNode | undefined;
let said: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "millrace-node-"));
  writeFileSync(join(directory, "slot.mjs"), deafSlot);
  said = "";
});
afterEach(async () => {
  await node?.close();
  node = undefined;
  rmSync(directory, { recursive: true });
});

const log: Log = { debug: say, info: say, warn: say, error: say };
function say(fields: object, message: string): void {
  said += `${message} ${JSON.stringify(fields)}\n`;
}

/** Answers each call after the next order; keeps the newest open otherwise. */
class FakeMaster {
  readonly reports: WorkerReport[] = [];
  readonly blobs = {
    get: async () =>
      (async function* () {
        yield Buffer.from(bundle);
      })(),
  };
  welcome: Welcome = { protocol: 1, millrace: "0", cluster, leaseMs: 10_000, start: 1000, timeMs: Date.now() };
  refuse: Error | undefined;
  onWelcome: (welcome: Welcome) => void = () => {};
  isClosed = false;
  #orders: Partial<WorkerOrders>[] = [];
  #answer: ((orders: WorkerOrders) => void) | undefined;
  #reject: ((error: Error) => void) | undefined;

  async hello(): Promise<Welcome> {
    if (this.refuse !== undefined) throw this.refuse;
    this.onWelcome(this.welcome);
    return this.welcome;
  }

  heartbeat(report: WorkerReport, signal: AbortSignal): Promise<WorkerOrders> {
    this.reports.push(report);
    this.#answer?.(ordersOf({}));
    return new Promise((resolve, reject) => {
      this.#answer = resolve;
      this.#reject = reject;
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      this.#next();
    });
  }

  order(orders: Partial<WorkerOrders>): void {
    this.#orders.push(orders);
    this.#next();
  }

  fail(error: Error): void {
    this.#reject?.(error);
  }

  get last(): WorkerReport {
    return this.reports.at(-1)!;
  }

  close(): void {
    this.isClosed = true;
  }

  #next(): void {
    if (this.#answer === undefined || this.#orders.length === 0) return;
    const answer = this.#answer;
    this.#answer = undefined;
    answer(ordersOf(this.#orders.shift()!));
  }
}

function ordersOf(orders: Partial<WorkerOrders>): WorkerOrders {
  return {
    epoch: 1,
    start: [],
    stop: [],
    holders: [],
    discard: [],
    settle: [],
    leaseMs: 10_000,
    drain: false,
    ...orders,
  };
}

async function open(master = new FakeMaster(), options: Partial<WorkerNodeOptions> = {}) {
  node = await openWorkerNode({
    connect: ({ onWelcome }) => {
      master.onWelcome = onWelcome;
      return master;
    },
    workDir: join(directory, "w"),
    slots: 1,
    memoryBytes: 64 << 20,
    listen: { host: "127.0.0.1", port: 0 },
    name: "w1",
    tokens: fixedTokens({ worker: [token] }),
    log,
    slotProgram: join(directory, "slot.mjs"),
    memoryRoot: join(directory, "no-tmpfs"),
    ...options,
  });
  return { node, master };
}

const attempt = (n: number): AttemptId => ({ job: "j1", phase: "map", index: n, epoch: 1, attempt: n });

async function assignment(n: number): Promise<Assignment> {
  const output = join(directory, "out");
  await writeProbe(output, "j1");
  const spec = { name: "job", bundle: sha256, output, files: [], environment: {} } as unknown as JobSpec;
  return { attempt: attempt(n), spec, careful: false, work: { phase: "map" } } as unknown as Assignment;
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5));
}

async function get(path: string, headers: Record<string, string> = {}) {
  const response = await fetch(`${node!.address}${path}`, { headers });
  return { status: response.status, text: await response.text(), headers: response.headers };
}

const slotsRunning = () =>
  existsSync(join(directory, "w/slots")) ? readdirSync(join(directory, "w/slots")).filter((n) => /^slot-/.test(n)) : [];

test("it reports who it is and where, and serves health, metrics and logs to those who may have them", async () => {
  const { master } = await open();
  expect(master.last).toMatchObject({ worker: "w1", incarnation: node!.incarnation, address: node!.address, slots: 1 });
  expect(await get("/healthz")).toMatchObject({ status: 200, text: "ok\n" });
  expect((await get("/readyz")).status).toBe(503);
  master.order({});
  await until(() => master.reports.length > 1);
  expect((await get("/readyz")).status).toBe(200);

  expect((await get("/metrics")).status).toBe(401);
  const metrics = await get("/metrics", { authorization: `Bearer ${token.reveal()}` });
  expect(metrics.text).toMatch(/^millrace_worker_slots 1$/m);
  expect(metrics.text).toMatch(/^millrace_worker_attempts_total\{outcome="done"\} 0$/m);

  const path = "/v1/logs/j1/map-00001.1.1";
  expect((await get(path)).status).toBe(401);
  const signed = (job: string) =>
    signRequest(
      jobKey(token, job),
      { method: "GET", path, query: "", address: node!.address, body: emptyBody },
      systemClock.date(),
    );
  expect((await get(path, signed("j2"))).status).toBe(401);
  expect((await get(path, signed("j1"))).status).toBe(404);
  expect((await get("/v1/logs/j1/..%2fworker.json", signed("j1"))).status).not.toBe(200);
});

test("signatures go by the master's clock, as of the last welcome, however far this machine's is off", async () => {
  const { master } = await open();
  const path = "/v1/logs/j1/map-00001.1.1";
  const dayMs = 24 * 3_600_000;
  const status = async (aheadMs: number) => {
    const request = { method: "GET", path, query: "", address: node!.address, body: emptyBody };
    const headers = signRequest(jobKey(token, "j1"), request, new Date(Date.now() + aheadMs));
    return (await get(path, headers)).status;
  };
  expect([await status(0), await status(dayMs), await status(-dayMs)]).toEqual([404, 401, 401]);
  for (const aheadMs of [dayMs, -dayMs]) {
    master.onWelcome({ ...master.welcome, timeMs: Date.now() + aheadMs });
    expect([await status(0), await status(aheadMs), await status(-aheadMs)]).toEqual([401, 404, 401]);
  }
});

test("what an attempt prints is kept by job and served as it was printed, never as a page", async () => {
  const { master } = await open();
  master.order({ start: [await assignment(1)] });
  await until(() => master.last.running.length === 1 && slotsRunning().length > 0);
  const logs = join(directory, "w/logs/j1");
  mkdirSync(logs);
  writeFileSync(join(logs, "map-00001.1.1.log"), "\u001b[31m<script>\n");
  const path = "/v1/logs/j1/map-00001.1.1";
  const headers = signRequest(
    jobKey(token, "j1"),
    { method: "GET", path, query: "", address: node!.address, body: emptyBody },
    systemClock.date(),
  );
  const answer = await get(path, headers);
  expect(answer).toMatchObject({ status: 200, text: "\u001b[31m<script>\n" });
  expect(answer.headers.get("content-type")).toBe("text/plain; charset=utf-8");
  expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
});

test("draining: what runs when the grace is over is handed back, its slot is killed, and nothing is left", async () => {
  const { master } = await open(new FakeMaster(), { drainGraceMs: 50 });
  master.order({ start: [await assignment(1)] });
  await until(() => master.last.running.length === 1 && slotsRunning().length > 0);
  const drained = node!.drain();
  await until(() => master.last.draining && master.last.running.length === 0);
  master.order({});
  await drained;
  await node!.ended;
  expect(master.isClosed).toBe(true);
  expect(slotsRunning()).toEqual([]);
  expect(said).toContain("what still runs is handed back");
  await expect(fetch(`${node!.address}/healthz`)).rejects.toThrow();
});

test("a drain by the master's order ends the node", async () => {
  const { master } = await open();
  master.order({ drain: true });
  await node!.ended;
  expect(master.last).toMatchObject({ draining: true, slotsFree: 0 });
});

test("a drain within a time says so, hands back what runs before that is over, and ends though runs are needed", async () => {
  const { master } = await open();
  master.order({ start: [await assignment(1)] });
  await until(() => master.last.running.length === 1 && slotsRunning().length > 0);
  const drained = node!.drain();
  await until(() => master.last.draining);
  expect(master.last.leavesInMs).toBeUndefined();
  master.order({ drain: true, drainWithinMs: 400 }); // sooner than it meant to
  await until(() => master.last.leavesInMs !== undefined && master.last.running.length === 0);
  expect(master.last.leavesInMs).toBeLessThanOrEqual(400);
  await drained;
  await node!.ended;
  expect(said).toContain("what still runs is handed back");
});

test("a notice by a file drains it, within the time that was said", async () => {
  const path = join(directory, "leave");
  const { master } = await open(new FakeMaster(), { notice: { from: { kind: "file", path }, withinMs: 60_000 } });
  master.order({});
  await until(() => master.reports.length > 1);
  expect(master.last.draining).toBe(false);
  writeFileSync(path, "");
  await until(() => master.last.draining);
  expect(master.last.leavesInMs).toBeGreaterThan(50_000);
  master.order({ mayLeave: true });
  await node!.ended;
  expect(said).toContain("there is a notice that this machine goes away");
});

test("closing while it drains ends it at once", async () => {
  const { master } = await open();
  master.order({ start: [await assignment(1)] });
  await until(() => master.last.running.length === 1);
  const drained = node!.drain();
  await until(() => master.last.draining);
  await node!.close();
  await drained;
  await node!.ended;
});

test("another cluster behind the same address ends it with what to do", async () => {
  const { master } = await open();
  master.onWelcome({ ...master.welcome, cluster: "d".repeat(32) });
  await expect(node!.ended).rejects.toThrow(/another cluster's now/);
});

test("I6: a worker whose name another process has taken ends, and runs nothing of that one's", async () => {
  const { master } = await open();
  master.fail(new MillraceError("state-busy", "another process was started as worker w1 since this one"));
  await expect(node!.ended).rejects.toThrow(/another process was started as worker w1/);
});

test("where it can't begin nothing is left open", async () => {
  const master = new FakeMaster();
  master.refuse = new MillraceError("not-supported", "this worker has Node 18");
  await expect(open(master)).rejects.toThrow("this worker has Node 18");
  expect(master.isClosed).toBe(true);
  await open(); // the lock was given back
  await expect(open()).rejects.toMatchObject({ code: "state-busy" });
});

test("a worker that can't see the output says so, and the attempt has failed by no fault of its own", async () => {
  const { master } = await open();
  const given = await assignment(1);
  master.order({ start: [{ ...given, spec: { ...given.spec, output: join(directory, "elsewhere") } }] });
  await until(() => master.reports.some(({ finished }) => finished.length > 0));
  const { reason } = master.reports.flatMap(({ finished }) => finished)[0] as never;
  expect(reason).toMatchObject({
    kind: "infrastructure",
    error: { message: expect.stringContaining("worker w1 (on ") },
  });
  expect(master.last.slotsFree).toBe(0); // for a while
});

test("S25: the token is in no log, no report and no file", async () => {
  const { master } = await open();
  master.order({ start: [await assignment(1)] });
  await until(() => master.last.running.length === 1);
  await get("/metrics", { authorization: `Bearer ${token.reveal()}` });
  await node!.close();
  const secret = token.reveal();
  expect(said).not.toContain(secret);
  expect(JSON.stringify(master.reports)).not.toContain(secret);
  for (const name of readdirSync(join(directory, "w"), { recursive: true, encoding: "utf8" })) {
    const path = join(directory, "w", name);
    if (statSync(path).isFile()) expect(readFileSync(path, "latin1")).not.toContain(secret);
  }
});
