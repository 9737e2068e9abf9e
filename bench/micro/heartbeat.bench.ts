// What a fleet of workers costs a master, over real connections on loopback: `node bench/micro/run.mjs heartbeat
// [workers]`.
//
//   round trip     one worker, one call after the other, a master that answers immediately: the cost of the wire and its encoding
//   idle fleet     that many workers against a real master (LevelDB, scheduler), each with its own connection and its long
//                  poll of 3 s: CPU of the master's process
//   storm          that master is killed and started again on the same port and state: until every worker has been answered
//
// Master and fleet are two processes, so that the CPU is the master's alone.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { systemClock } from "../../src/base/system/clock.ts";
import { openMasterNode } from "../../src/master/node.ts";
import type { WorkerReport } from "../../src/protocol/messages.ts";
import type { MasterApi, RemoteMaster } from "../../src/protocol/services.ts";
import { Secret } from "../../src/rpc/access/token-digest.ts";
import { fixedTokens, openTokens } from "../../src/rpc/access/tokens.ts";
import { backOffMs } from "../../src/rpc/client/back-off.ts";
import { connectMaster } from "../../src/rpc/client/client.ts";
import { Gate } from "../../src/rpc/server/gate.ts";
import { listen } from "../../src/rpc/server/listener.ts";
import { masterService } from "../../src/rpc/server/service.ts";

type Ask = "cpu" | "memory" | "close";
interface MasterPlace {
  readonly kind: "prompt" | "real";
  readonly state: string;
  readonly port: number;
}
interface Ready {
  readonly address: string;
  readonly token: string;
}

// ── the master's process ─────────────────────────────────────────────────────

async function serve({ kind, state, port }: MasterPlace): Promise<void> {
  const { address, token, close } = kind === "real" ? await realMaster(state, port) : await promptMaster(state);
  process.on("message", (ask: Ask) => {
    if (ask === "cpu") process.send!(process.cpuUsage());
    else if (ask === "memory") process.send!(process.memoryUsage.rss());
    else void close().finally(() => process.exit(0));
  });
  process.send!({ address, token } satisfies Ready);
}

async function realMaster(state: string, port: number) {
  process.env.XDG_CONFIG_HOME = state; // where it leaves a token for its user
  const node = await openMasterNode({ state: join(state, "state"), listen: `127.0.0.1:${port}` });
  const token = openTokens(node.tokens).all("worker")[0]!.reveal();
  return { address: node.address, token, close: () => node.close() };
}

async function promptMaster(state: string) {
  const tokens = openTokens(join(state, "tokens"));
  const api = {
    hello: async () => ({ protocol: 1, millrace: "", cluster: "c", leaseMs: 10_000 }),
    heartbeat: async () => ({ epoch: 1, start: [], stop: [], holders: [], discard: [], leaseMs: 10_000, drain: false }),
  } as unknown as MasterApi;
  const gate = new Gate({ tokens: fixedTokens({ worker: tokens.all("worker") }), clock: systemClock });
  const listener = await listen({ host: "127.0.0.1", port: 0, gate, routes: [], rpc: masterService(api) });
  return { address: listener.address, token: tokens.all("worker")[0]!.reveal(), close: () => listener.close(0) };
}

// ── the fleet's process ──────────────────────────────────────────────────────

async function measure(): Promise<void> {
  const workers = Number(process.argv[3] ?? 1000);
  console.log(`Node ${process.versions.node}, ${cpus().length} x ${cpus()[0]?.model}`);
  await withMaster("prompt", async (master, ready) => {
    const one = connect(ready, 0);
    const never = new AbortController().signal;
    for (let call = 0; call < 300; call++) await one.heartbeat(report(0, call), never);
    const times: number[] = [];
    const before = await ask<NodeJS.CpuUsage>(master, "cpu");
    for (let call = 0; call < 3000; call++) {
      const started = performance.now();
      await one.heartbeat(report(0, 300 + call), never);
      times.push(performance.now() - started);
    }
    const after = await ask<NodeJS.CpuUsage>(master, "cpu");
    one.close();
    times.sort((a, b) => a - b);
    const at = (share: number) => times[Math.floor(times.length * share)]!.toFixed(2);
    console.log(
      `round trip: median ${at(0.5)} ms, p99 ${at(0.99)} ms; master ${(cpuMs(before, after) / 3000).toFixed(3)} ms of CPU a call`,
    );
  });
  await withMaster("real", async (master, ready, restart) => {
    const fleet = Array.from({ length: workers }, (_, index) => new FleetWorker(connect(ready, index), index));
    const joined = performance.now();
    for (const worker of fleet) worker.start();
    await Promise.all(fleet.map((worker) => worker.answered(1)));
    console.log(`${workers} workers joined in ${((performance.now() - joined) / 1000).toFixed(1)} s`);
    await systemClock.sleep(6000);
    const [answers, before, started] = [sum(fleet), await ask<NodeJS.CpuUsage>(master, "cpu"), performance.now()];
    await systemClock.sleep(21_000);
    const [later, after, seconds] = [
      sum(fleet),
      await ask<NodeJS.CpuUsage>(master, "cpu"),
      (performance.now() - started) / 1000,
    ];
    const share = cpuMs(before, after) / 10 / seconds;
    const rss = await ask<number>(master, "memory");
    console.log(
      `idle fleet: ${((later - answers) / seconds).toFixed(0)} heartbeats/s, master ${share.toFixed(1)} % of a core, ${((share / workers) * 1000).toFixed(1)} % per 1,000 workers; ${(rss / 2 ** 20).toFixed(0)} MiB`,
    );
    const counts = fleet.map((worker) => worker.answers);
    await restart();
    const storm = performance.now();
    await Promise.all(fleet.map((worker, index) => worker.answered(counts[index]! + 1)));
    console.log(
      `storm: all ${workers} workers answered ${((performance.now() - storm) / 1000).toFixed(1)} s after a new master was there`,
    );
    for (const worker of fleet) worker.stop();
  });
}

type Run = (master: ChildProcess, ready: Ready, restart: () => Promise<void>) => Promise<void>;

async function withMaster(kind: MasterPlace["kind"], run: Run): Promise<void> {
  const state = mkdtempSync(join(tmpdir(), "millrace-bench-"));
  let port = 0;
  const start = async (): Promise<[ChildProcess, Ready]> => {
    const place: MasterPlace = { kind, state, port };
    const child = fork(fileURLToPath(import.meta.url), {
      env: { ...process.env, BENCH_MASTER: JSON.stringify(place) },
    });
    const [ready] = (await once(child, "message")) as [Ready];
    port = Number(new URL(ready.address).port);
    return [child, ready];
  };
  let [master, ready] = await start();
  try {
    await run(master, ready, async () => {
      master.kill("SIGKILL");
      await once(master, "exit");
      [master, ready] = await start();
    });
  } finally {
    master.send("close" satisfies Ask);
    await once(master, "exit");
    rmSync(state, { recursive: true, force: true });
  }
}

async function ask<T>(master: ChildProcess, what: Ask): Promise<T> {
  const answer = once(master, "message");
  master.send(what);
  return (await answer)[0] as T;
}

function cpuMs(before: NodeJS.CpuUsage, after: NodeJS.CpuUsage): number {
  return (after.user + after.system - before.user - before.system) / 1000;
}

function sum(fleet: readonly FleetWorker[]): number {
  return fleet.reduce((total, worker) => total + worker.answers, 0);
}

function connect({ address, token }: Ready, index: number): RemoteMaster {
  return connectMaster({
    address,
    token: new Secret(token),
    role: "worker",
    worker: `w-${index}`,
    clock: systemClock,
    random: Math.random,
  });
}

function report(index: number, sequence: number): WorkerReport {
  return {
    worker: `w-${index}`,
    incarnation: 1,
    sequence,
    holdersKnown: {},
    address: `http://127.0.0.1:${10_000 + index}`,
    slots: 2,
    slotsFree: 2,
    slotsAhead: 0,
    draining: false,
    running: [],
    finished: [],
    offered: [],
    settled: [],
    late: [],
  };
}

/** Reports what an idle worker reports, for as long as it runs; backs off as the agent does. */
class FleetWorker {
  answers = 0;
  readonly #master: RemoteMaster;
  readonly #index: number;
  readonly #stop = new AbortController();
  #waiting: { readonly count: number; readonly done: () => void } | undefined;
  #sequence = 0;

  constructor(master: RemoteMaster, index: number) {
    this.#master = master;
    this.#index = index;
  }

  start(): void {
    void this.#run();
  }

  stop(): void {
    this.#stop.abort();
    this.#master.close();
  }

  answered(count: number): Promise<void> {
    if (this.answers >= count) return Promise.resolve();
    return new Promise((done) => (this.#waiting = { count, done }));
  }

  async #run(): Promise<void> {
    for (let failures = 0; !this.#stop.signal.aborted; ) {
      try {
        await this.#master.heartbeat(report(this.#index, this.#sequence++), this.#stop.signal);
        this.answers++;
        failures = 0;
        if (this.#waiting !== undefined && this.answers >= this.#waiting.count) this.#waiting.done();
      } catch {
        if (!this.#stop.signal.aborted) await systemClock.sleep(backOffMs(++failures, Math.random), this.#stop.signal);
      }
    }
  }
}

if (process.send === undefined) await measure();
else await serve(JSON.parse(process.env.BENCH_MASTER!) as MasterPlace);
