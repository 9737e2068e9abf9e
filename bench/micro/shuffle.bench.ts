// The shuffle against a plain file copy over HTTP, and against cp: `node bench/micro/run.mjs shuffle`. All on tmpfs and
// loopback, servers in a process of their own; one run of each per round, medians of the ratios within a round.
//
//   cp          `cp` of the same bytes
//   http        node:http at both ends: a read stream piped to the response, chunks written as they come
//   shuffle     fetched, verified, written: the client and the server of src/shuffle
//
// CPU is that of both processes. 256 MiB in segments of several sizes, and tiny segments by their number.
import { execFileSync, fork } from "node:child_process";
import { closeSync, createReadStream, mkdirSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from "node:fs";
import { createServer, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { AttemptId } from "../../src/base/ids.ts";
import { KiB, MiB } from "../../src/base/limits.ts";
import { systemClock } from "../../src/base/system/clock.ts";
import { fetchSegments } from "../../src/shuffle/client.ts";
import { shuffleRoutes } from "../../src/shuffle/server.ts";
import type { RunRef } from "../../src/sort/run.ts";
import { createRunWriter } from "../../src/sort/run-writer.ts";
import { createTier } from "../../src/tier/tier.ts";

const shapes = [
  { name: "8 maps of 32 MiB", maps: 8, segmentBytes: 32 * MiB },
  { name: "256 maps of 1 MiB", maps: 256, segmentBytes: 1 * MiB },
  { name: "4,096 maps of 64 KiB", maps: 4096, segmentBytes: 64 * KiB },
  { name: "2,000 maps of 100 B", maps: 2000, segmentBytes: 100 },
];
const rounds = Number(process.env["ROUNDS"] ?? 5);
const key = "ab".repeat(32);
type Message = { readonly runs?: readonly RunRef[]; readonly cpu?: true };

if (process.send !== undefined) serve();
else await main();

/** Serves runs and, under /file, whole files. */
function serve(): void {
  const runs = new Map<number, RunRef>();
  const [route] = shuffleRoutes({ find: (attempt) => runs.get(attempt.index) });
  const server = createServer((raw, response: ServerResponse) => {
    const url = new URL(raw.url ?? "", "http://x");
    const signal = new AbortController().signal;
    const params = { job: "job" };
    if (url.pathname === "/file")
      createReadStream(url.searchParams.get("path")!, { highWaterMark: 256 * KiB }).pipe(response);
    else void route!.handle({ raw, params, query: url.searchParams, signal }, response);
  });
  server.listen(0, "127.0.0.1", () => process.send!({ port: (server.address() as AddressInfo).port }));
  process.on("message", (message: Message) => {
    if (message.runs !== undefined) for (const run of message.runs) runs.set(run.writtenBy.index, run);
    const { user, system } = process.cpuUsage();
    process.send!({ cpuMs: (user + system) / 1000 });
  });
  process.on("disconnect", () => process.exit());
}

async function main(): Promise<void> {
  const child = fork(process.argv[1]!.endsWith("run.mjs") ? new URL(import.meta.url).pathname : process.argv[1]!, [], {
    serialization: "advanced",
  });
  const answers: ((message: never) => void)[] = [];
  child.on("message", (message) => answers.shift()!(message as never));
  const answer = <T>() => new Promise<T>((resolve) => answers.push(resolve));
  const { port } = await answer<{ port: number }>();
  const ask = (message: Message) => {
    child.send(message);
    return answer<{ cpuMs: number }>();
  };
  const directory = mkdtempSync("/dev/shm/millrace-bench-");
  try {
    for (const shape of shapes) {
      const sources = join(directory, `sources-${shape.maps}`);
      mkdirSync(sources);
      const runs = Array.from({ length: shape.maps }, (_, map) => makeRun(sources, map, shape.segmentBytes));
      await ask({ runs });
      const bytes = runs.reduce((sum, run) => sum + run.bytes, 0);
      const measured: Record<string, { ms: number; cpuMs: number }[]> = { cp: [], http: [], shuffle: [] };
      const ways = {
        cp: () => void execFileSync("cp", ["-r", sources, join(directory, "copy")]),
        http: () => httpCopy(port, runs, join(directory, "copy")),
        shuffle: () => shuffle(port, runs, directory),
      };
      for (let round = 0; round <= rounds; round++) {
        for (const [name, run] of Object.entries(ways)) {
          const before = await ask({ cpu: true });
          const own = process.cpuUsage();
          const begun = performance.now();
          await run();
          const ms = performance.now() - begun;
          const { user, system } = process.cpuUsage(own);
          const after = await ask({ cpu: true });
          rmSync(join(directory, "copy"), { recursive: true, force: true });
          // The first round warms up.
          if (round > 0) measured[name]!.push({ ms, cpuMs: (user + system) / 1000 + after.cpuMs - before.cpuMs });
        }
      }
      report(shape.name, bytes, measured);
      rmSync(sources, { recursive: true });
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
    child.disconnect();
  }
}

function report(name: string, bytes: number, measured: Record<string, { ms: number; cpuMs: number }[]>): void {
  console.log(`\n${name} (${Math.round(bytes / MiB)} MiB)`);
  for (const [way, times] of Object.entries(measured)) {
    const ms = median(times.map((time) => time.ms));
    const cpu = median(times.map((time) => time.cpuMs));
    const ratio = (field: "ms" | "cpuMs") =>
      median(times.map((time, round) => time[field] / measured["http"]![round]![field])).toFixed(2);
    console.log(
      `  ${way.padEnd(8)} ${ms.toFixed(0).padStart(6)} ms  ${(bytes / 1000 / ms).toFixed(0).padStart(6)} MB/s  cpu ${cpu.toFixed(0).padStart(6)} ms   x http: time ${ratio("ms")}, cpu ${way === "cp" ? "-" : ratio("cpuMs")}`,
    );
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

function makeRun(directory: string, map: number, segmentBytes: number): RunRef {
  const tier = createTier({ memoryDirectory: undefined, memoryBytesMax: 0, diskDirectory: directory });
  const writtenBy: AttemptId = { job: "job", phase: "map", index: map, epoch: 1, attempt: 1 };
  const writer = createRunWriter(tier, `map-${map}`, writtenBy);
  const block = Buffer.alloc(Math.min(64 * KiB, segmentBytes), "some bytes ");
  for (let at = 0; at < segmentBytes; at += block.length) writer.block(0, block, 0, block.length, 10, 0, 5n);
  return writer.finish(0n);
}

async function httpCopy(port: number, runs: readonly RunRef[], directory: string): Promise<void> {
  const { Agent } = await import("node:http");
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  mkdirSync(directory);
  for (const run of runs) {
    const fd = openSync(join(directory, String(run.writtenBy.index)), "w");
    await new Promise<void>((resolve, reject) => {
      const path = `/file?path=${encodeURIComponent(run.path)}`;
      request({ agent, host: "127.0.0.1", port, path }, (response) => {
        response.on("data", (chunk: Buffer) => writeSync(fd, chunk));
        response.on("end", resolve);
        response.on("error", reject);
      }).end();
    });
    closeSync(fd);
    if (statSync(join(directory, String(run.writtenBy.index))).size !== run.bytes) throw new Error("cut short");
  }
  agent.destroy();
}

let attempts = 0;

async function shuffle(port: number, runs: readonly RunRef[], directory: string): Promise<void> {
  mkdirSync(join(directory, "copy"));
  const memory = join(directory, "copy");
  const files = createTier({ memoryDirectory: memory, memoryBytesMax: 1024 * MiB, diskDirectory: memory });
  const fetched = await fetchSegments({
    remote: [{ worker: "w", address: `http://127.0.0.1:${port}`, runs }],
    access: { key, ca: undefined, clockAheadMs: 0 },
    partitions: 1,
    partition: 0,
    attempt: { job: "job", phase: "reduce", index: 0, epoch: 1, attempt: ++attempts },
    files,
    clock: systemClock,
    random: Math.random,
    signal: new AbortController().signal,
  });
  if (fetched.inputs.length !== runs.length) throw new Error("too few");
  // The files are removed with their directory, outside the time measured, as those of the others are.
}
