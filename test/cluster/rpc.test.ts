// The gate of every listener that a cluster opens, and what a cluster's processes give away: nothing (S13, S25, S27).
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../../src/base/system/clock.ts";
import { openMasterNode } from "../../src/master/node.ts";
import { fixedTokens, openTokens, type Tokens } from "../../src/rpc/access/tokens.ts";
import { connectMaster } from "../../src/rpc/client/client.ts";
import { type Opened, opened } from "../../src/rpc/server/listener.ts";
import { openWorkerNode } from "../../src/worker/node/node.ts";
import { millrace } from "../support/cli.ts";
import { type Fault, type FaultProxy, faultProxy } from "../support/fault-proxy.ts";
import { gateCases, type RouteTable, wrongVerdicts } from "../support/gate-cases.ts";
import { type ClusterProcess, startCluster, startProcess, type TestCluster } from "./processes.ts";

// A route or method that is new has to be written down here, with whom it is for; that is what these tables are for.
const masterTable: RouteTable = {
  "GET /healthz": "open",
  "GET /readyz": "open",
  "GET /metrics": "read",
  "PUT /v1/blobs/:sha256": "submit",
  "GET /v1/blobs/:sha256": "submit|worker",
  "POST /millrace.v1.Workers/Hello": "worker",
  "POST /millrace.v1.Workers/Heartbeat": "worker",
  "POST /millrace.v1.Jobs/Hello": "read",
  "POST /millrace.v1.Jobs/Submit": "submit",
  "POST /millrace.v1.Jobs/Get": "read",
  "POST /millrace.v1.Jobs/View": "read",
  "POST /millrace.v1.Jobs/Watch": "read",
  "POST /millrace.v1.Jobs/Cancel": "submit",
  "POST /millrace.v1.Jobs/Retry": "submit",
  "POST /millrace.v1.Jobs/Drain": "admin",
  "POST /millrace.v1.Jobs/Logs": "read",
  "POST /millrace.v1.Jobs/History": "read",
};
const workerTable: RouteTable = {
  "GET /healthz": "open",
  "GET /readyz": "open",
  "GET /metrics": "read",
  "POST /v1/segments/:job": "job-key",
  "GET /v1/logs/:job/:attempt": "job-key",
};

describe("S27: every listener of a cluster", () => {
  let folder: string;
  let configHome: string | undefined;
  const closing: (() => Promise<void>)[] = [];
  const all: Opened[] = [];
  const note = (message: unknown) => void all.push(message as Opened);

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "millrace-gate-"));
    configHome = process.env["XDG_CONFIG_HOME"];
    process.env["XDG_CONFIG_HOME"] = join(folder, "config");
    all.length = 0;
    opened.subscribe(note);
  });
  afterEach(async () => {
    opened.unsubscribe(note);
    for (const close of closing.splice(0).reverse()) await close();
    if (configHome === undefined) delete process.env["XDG_CONFIG_HOME"];
    else process.env["XDG_CONFIG_HOME"] = configHome;
    rmSync(folder, { recursive: true, force: true });
  });

  const tokensOf = (tokens: Tokens) => ({
    admin: tokens.all("admin")[0]!,
    submit: tokens.all("submit")[0]!,
    worker: tokens.all("worker")[0]!,
    read: tokens.all("read")[0]!,
  });
  const tableOf = ({ served }: Opened): RouteTable =>
    Object.fromEntries(
      served.map(({ method, path, scope }) => [
        `${method} ${path}`,
        typeof scope === "string" ? scope : scope.join("|"),
      ]),
    );

  it("S1, S2, S9, S11, S12: answers whom each route is for, and nobody else", async () => {
    const master = await openMasterNode({ state: join(folder, "state"), listen: "127.0.0.1:0" });
    closing.push(() => master.close());
    const tokens = tokensOf(openTokens(master.tokens));
    const worker = await openWorkerNode({
      connect: ({ worker: id, onWelcome }) =>
        connectMaster({
          address: master.address,
          token: tokens.worker,
          role: "worker",
          worker: id,
          clock: systemClock,
          random: Math.random,
          onWelcome,
        }),
      workDir: join(folder, "w"),
      slots: 1,
      memoryBytes: 128 << 20,
      listen: { host: "127.0.0.1", port: 0 },
      tokens: fixedTokens({ worker: [tokens.worker] }),
      slotProgram: join(folder, "no-slot.mjs"),
    });
    closing.push(() => worker.close());
    expect(all.map(({ listener }) => listener.address)).toEqual([master.address, worker.address]);
    const [atMaster, atWorker] = all as [Opened, Opened];
    expect(tableOf(atMaster)).toEqual(masterTable);
    expect(tableOf(atWorker)).toEqual(workerTable);
    const before = await master.api.view();
    for (const [table, address, known] of [
      [masterTable, master.address, tokens],
      [workerTable, worker.address, { worker: tokens.worker }],
    ] as const) {
      const port = Number(new URL(address).port);
      expect(await wrongVerdicts(gateCases(table, known, port), port)).toEqual([]);
    }
    // Whatever was asked, nothing was changed by it: all that passed the gate named jobs and workers that there are
    // none of.
    expect((await master.api.view()).jobs).toEqual(before.jobs);
  }, 240_000);
});

describe("a cluster's processes", () => {
  let cluster: TestCluster;
  const processes: ClusterProcess[] = [];
  beforeEach(async () => {
    cluster = await startCluster([]);
    processes.splice(0, processes.length, cluster.master);
    for (const name of ["w1", "w2"]) processes.push(await cluster.startWorker(name));
  }, 60_000);
  afterEach(() => cluster.close());

  it("S13: listen on loopback only, at one port each, as ss -ltn sees it", () => {
    for (const { child, ready } of processes) {
      const listening = listeningOf(child.pid!);
      expect(listening).toEqual([
        `0100007F:${Number(new URL(ready["address"] as string).port)
          .toString(16)
          .toUpperCase()
          .padStart(4, "0")}`,
      ]);
    }
  });

  it("S25: give no token away: not in arguments, environments, outputs, errors, nor in any file but the token files", async () => {
    const tokens = readdirSync(join(cluster.folder, "state/tokens")).map((scope) =>
      readFileSync(join(cluster.folder, "state/tokens", scope), "latin1").trim(),
    );
    expect(tokens.length).toBe(4);
    writeFileSync(join(cluster.folder, "in.txt"), "a b a\n");
    const job = fileURLToPath(new URL("../../examples/word-count.ts", import.meta.url));
    const said = [];
    const commandLines: string[] = [];
    const look = () => {
      for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
        for (const file of ["cmdline", "environ"]) {
          try {
            commandLines.push(readFileSync(`/proc/${pid}/${file}`, "latin1"));
          } catch {
            // ended meanwhile
          }
        }
      }
    };
    const watching = setInterval(look, 20);
    said.push(await cluster.ask(["run", job, join(cluster.folder, "in.txt"), "-o", join(cluster.folder, "out")]));
    clearInterval(watching);
    look();
    expect(said[0]!.code).toBe(0);
    const bad = join(cluster.folder, "bad-token");
    writeFileSync(bad, "x".repeat(43), { mode: 0o600 });
    for (const words of [
      ["status"],
      ["jobs", "--json"],
      ["workers", "--json"],
      ["status", "--token-file", bad],
      ["drain", "nobody"],
    ])
      said.push(await cluster.ask(words));
    const texts = [
      ...said.map(({ stdout, stderr }) => `${stdout.toString("latin1")}${stderr}`),
      ...processes.map((one) => one.output() + JSON.stringify(one.ready)),
      ...commandLines,
    ];
    expect(commandLines.length).toBeGreaterThan(10);
    expect(
      texts.filter((text) => tokens.some((token) => text.includes(token))).map((text) => text.slice(0, 200)),
    ).toEqual([]);
    const holders = filesBelow(cluster.folder).filter((path) => {
      const content = readFileSync(path, "latin1");
      return tokens.some((token) => content.includes(token));
    });
    const allowed = [
      /^state\/tokens\/(admin|submit|worker|read)$/,
      /^config\/millrace\/tokens\/127\.0\.0\.1_\d+(\.worker)?$/,
    ];
    const names = holders.map((path) => path.slice(cluster.folder.length + 1));
    expect(names.filter((name) => !allowed.some((pattern) => pattern.test(name)))).toEqual([]);
    expect(names.length).toBe(6);
  }, 60_000);
});

describe("a network that breaks between everybody and the master", () => {
  let cluster: TestCluster;
  let proxy: FaultProxy;
  let worker: ClusterProcess | undefined;
  beforeEach(async () => {
    cluster = await startCluster([], ["--lease", "2s"]);
    proxy = await faultProxy({ port: Number(new URL(cluster.address).port) });
  }, 60_000);
  afterEach(async () => {
    worker?.child.kill("SIGKILL");
    await worker?.ended;
    await proxy.close();
    await cluster.close();
  });

  it("faults 49, 50, 58: resets, refusals, delays and black holes change nothing of the result", async () => {
    const master = ["--master", `http://127.0.0.1:${proxy.port}`];
    const token = (scope: string) => ["--token-file", join(cluster.folder, "state/tokens", scope)];
    const place = ["--work-dir", join(cluster.folder, "w"), "--slots", "1", "--memory", "128MB"];
    worker = await startProcess(["worker", ...master, ...token("worker"), ...place], cluster.env);
    const faults: readonly Fault[] = [
      { kind: "none" },
      { kind: "delay", ms: 20 },
      { kind: "refuse" },
      { kind: "reset", afterBytes: 300 },
      { kind: "black-hole", direction: "down" },
      { kind: "cut", afterBytes: 200, direction: "up" },
      { kind: "black-hole" },
      { kind: "none" },
      { kind: "drip", bytes: 50, everyMs: 5 },
    ];
    let made = 0;
    const weather = setInterval(() => {
      proxy.fault = faults[made++ % faults.length]!;
      if (made % 4 === 0) proxy.resetAll();
    }, 400);
    try {
      const job = fileURLToPath(new URL("../../examples/word-count.ts", import.meta.url));
      const books = fileURLToPath(new URL("../../examples/data/books", import.meta.url));
      const [there, here] = [join(cluster.folder, "there"), join(cluster.folder, "here")];
      const words = ["run", job, books, "--reducers", "2", "--split-size", "100000"];
      const far = await millrace([...words, "-o", there, ...master, ...token("submit")], { env: cluster.env });
      expect([far.stderr, far.code]).toEqual([expect.anything(), 0]);
      expect(made).toBeGreaterThan(faults.length);
      await millrace([...words, "-o", here, "--slots", "1"]);
      const parts = readdirSync(here).filter((name) => name.startsWith("part-"));
      expect(parts.length).toBe(2);
      for (const part of parts)
        expect(readFileSync(join(there, part)).equals(readFileSync(join(here, part)))).toBe(true);
    } finally {
      clearInterval(weather);
    }
  }, 120_000);
});

/** Addresses that a process listens at, as in /proc/net/tcp: "0100007F:1F90". */
function listeningOf(pid: number): string[] {
  const sockets = new Set(
    readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? [];
      } catch {
        return [];
      }
    }),
  );
  return ["tcp", "tcp6"].flatMap((table) =>
    readFileSync(`/proc/${pid}/net/${table}`, "latin1")
      .split("\n")
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      .filter((fields) => fields[3] === "0A" && sockets.has(fields[9]!))
      .map((fields) => fields[1]!),
  );
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
