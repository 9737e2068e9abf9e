// Fetching from real servers, through listener, gate, sockets and files. A proxy makes the faults of the network.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { faultProxy } from "../../test/support/fault-proxy.ts";
import {
  mapAttempt,
  openRef,
  readCursor,
  reduceAttempt,
  sortPairs,
  type TestPair,
  writeRun,
} from "../../test/support/pairs.ts";
import { access, fetching, serveRuns, TestFiles } from "../../test/support/shuffle-server.ts";
import { smallKernel } from "../../test/support/small-kernel.ts";
import { MiB } from "../base/limits.ts";
import { randomToken } from "../rpc/access/token-digest.ts";
import type { TlsFiles } from "../rpc/server/http.ts";
import type { RunRef } from "../sort/run.ts";
import type { Fetched, RemoteRuns } from "./client.ts";
import { gather } from "./gather.ts";
import { SegmentLost } from "./segment-lost.ts";
import { noSegment, segmentsType, writeSegmentHeader } from "./wire.ts";

/** Outputs of maps; every fifth of them has nothing in partition 1. */
function mapOutputs(files: TestFiles, maps: readonly number[], valueBytes = 0) {
  const pairs: TestPair[] = [];
  const runs = maps.map((map) => {
    const own = sortPairs(
      Array.from({ length: 5 + (map % 4) }, (_, i) => ({
        partition: map % 5 === 0 ? 0 : i % 2,
        key: `k${(map + i) % 11}`,
        value: `${map}.${i}`.padEnd(valueBytes, "*"),
      })),
    );
    pairs.push(...own);
    return writeRun(files.tier, `map-${map}`, mapAttempt(map), own, 100);
  });
  return { runs, pairs };
}

const upTo = (count: number) => Array.from({ length: count }, (_, map) => map);

let merges = 0;

function readAll(files: TestFiles, fetched: Fetched, runs: readonly RunRef[] = [], here = files): TestPair[] {
  const { cursor } = gather({
    kernel: smallKernel(8),
    files: files.tier,
    fold: undefined,
    attempt: reduceAttempt(1, 1_000_000 + ++merges),
    partition: 1,
    runs,
    fetched: fetched.inputs,
    open: (run) => openRef(here.tier, run),
  });
  return readCursor(cursor, 1);
}

const wanted = (pairs: readonly TestPair[]) => sortPairs(pairs).filter(({ partition }) => partition === 1);

async function thrownBy(fetched: Promise<unknown>): Promise<unknown> {
  return await fetched.then(
    () => undefined,
    (error: unknown) => error,
  );
}

/** Limits that give up soon. */
const hasty = { windowMs: 60, windowBytesMin: 64, triesMax: 2 };

/**
 * Others reach the server by another address of this machine, that of the proxy: requests are signed for one address.
 */
async function serveBehindProxy(runs: readonly RunRef[]) {
  const server = await serveRuns(runs, { advertise: "127.0.0.2" });
  const proxy = await faultProxy({ port: server.port }, { host: "127.0.0.2", port: server.port });
  onTestFinished(() => proxy.close());
  return { server, proxy, address: server.address };
}

describe("fetching", () => {
  it("brings one partition of many maps from several workers, and the merge mixes them with those that lie here, in their order", async () => {
    const here = new TestFiles();
    const there = new TestFiles();
    const { runs, pairs } = mapOutputs(there, upTo(60));
    const own = runs.filter((_, map) => map % 4 === 0);
    const servers = await Promise.all(
      [1, 2, 3].map((worker) => serveRuns(runs.filter((_, map) => map % 4 === worker))),
    );
    const seen: number[] = [];
    const fetched = await fetching(here, servers, { onBytes: (bytes) => seen.push(bytes) });
    expect(readAll(here, fetched, own, there)).toEqual(wanted(pairs));
    expect(fetched.bytes).toBe(seen.reduce((sum, bytes) => sum + bytes, 0));
    expect(fetched.inputs).toHaveLength(60 - 12 - 15 + 3); // 12 have nothing, 15 lie here, 3 are both
    expect(here.names).toHaveLength(3);
    fetched.close();
    fetched.close();
    expect(here.names).toEqual([]);
  });

  it("2,000 maps of tiny segments need few files and few requests", async () => {
    const here = new TestFiles();
    const there = new TestFiles();
    const { runs, pairs } = mapOutputs(there, upTo(2_000));
    let requests = 0;
    const server = await serveRuns(runs, { onSent: () => requests++ });
    const fetched = await fetching(here, [server]);
    expect(here.names).toHaveLength(2);
    expect(requests).toBe(2_000);
    expect(readAll(here, fetched)).toEqual(wanted(pairs));
    fetched.close();
    expect(here.names).toEqual([]);
  });

  it("a value of 64 MiB comes through buffers of 256 KiB", async () => {
    const here = new TestFiles();
    const there = new TestFiles();
    const value = Buffer.alloc(64 * MiB, "0123456789abcdef");
    const giant = { partition: 1, key: "giant", value: value.toString("latin1") };
    const runs = [writeRun(there.tier, "map-0", mapAttempt(0), [giant]), ...mapOutputs(there, [1, 2]).runs];
    const server = await serveRuns(runs);
    const fetched = await fetching(here, [server]);
    const { source, close } = fetched.inputs[0]!.input.open();
    const target = Buffer.alloc(65 * MiB);
    const length = source.read(target, 0);
    close();
    expect(target.subarray(0, length).includes(value)).toBe(true);
    expect(fetched.inputs).toHaveLength(3);
    fetched.close();
  });

  it("what has nothing for the partition leaves no file", async () => {
    const here = new TestFiles();
    const server = await serveRuns(mapOutputs(new TestFiles(), [0, 5, 10]).runs);
    const fetched = await fetching(here, [server, { ...server, runs: [] }]);
    expect([fetched.inputs, here.names]).toEqual([[], []]);
  });

  it("a list of maps is cut into requests of so many maps and about so many bytes", async () => {
    const here = new TestFiles();
    const { runs, pairs } = mapOutputs(new TestFiles(), upTo(20));
    const server = await serveRuns(runs);
    const byMaps = await fetching(here, [server], { limits: { mapsMax: 3 } });
    expect(here.names).toHaveLength(7);
    expect(readAll(here, byMaps)).toEqual(wanted(pairs));
    byMaps.close();
    const byBytes = await fetching(here, [server], { limits: { bytesAim: runs[0]!.bytes } });
    expect(here.names.length).toBeGreaterThan(7);
    expect(readAll(here, byBytes)).toEqual(wanted(pairs));
  });
});

describe("map outputs that can't be had", () => {
  it("one that its worker does not know, or whose file is gone, is missing; nothing is left", async () => {
    const here = new TestFiles();
    const there = new TestFiles();
    const { runs } = mapOutputs(there, upTo(12));
    const without = await serveRuns(runs.toSpliced(7, 1));
    const lost = await thrownBy(fetching(here, [{ ...without, runs }]));
    expect(lost).toBeInstanceOf(SegmentLost);
    expect(lost).toMatchObject({ code: "segment-lost", map: runs[7]!.writtenBy, how: "missing" });
    expect((lost as Error).message).toContain(`from w (${without.address})`);
    rmSync(runs[8]!.path);
    const server = await serveRuns(runs);
    expect(await thrownBy(fetching(here, [server]))).toMatchObject({ map: runs[8]!.writtenBy, how: "missing" });
    expect(here.names).toEqual([]);
  });

  it("what else is missing or damaged there is found at once, as each by itself would cost an attempt", async () => {
    const here = new TestFiles();
    const { runs } = mapOutputs(new TestFiles(), upTo(30));
    const server = await serveRuns(runs.toSpliced(25, 1));
    (await fetching(here, [{ ...server, runs: runs.toSpliced(25, 1) }])).close(); // keeps the footers
    for (const map of [7, 8, 20]) rmSync(runs[map]!.path);
    truncateSync(runs[28]!.path, 40);
    const remote = { ...server, runs };
    for (const limits of [{}, { mapsMax: 4 }]) {
      const lost = await thrownBy(fetching(here, [remote], { limits }));
      expect(lost).toMatchObject({ map: runs[7]!.writtenBy, how: "missing" });
      expect((lost as SegmentLost).others).toEqual([8, 20, 25, 28].map((map) => runs[map]!.writtenBy));
    }
    expect(here.names).toEqual([]);
  });

  it("a footer is held, but a file that is gone is not answered for from it", async () => {
    const here = new TestFiles();
    const { runs } = mapOutputs(new TestFiles(), upTo(3));
    const server = await serveRuns(runs);
    (await fetching(here, [server])).close();
    rmSync(runs[1]!.path);
    expect(await thrownBy(fetching(here, [server]))).toMatchObject({ map: runs[1]!.writtenBy, how: "missing" });
  });

  it("fault 59: every damaged byte of a run is found, and the map named whose it is", async () => {
    const here = new TestFiles();
    const { runs, pairs } = mapOutputs(new TestFiles(), upTo(4));
    const victim = runs[2]!;
    const whole = readFileSync(victim.path);
    const limits = { triesMax: 2 };
    let found = 0;
    for (let at = 0; at < whole.length; at += 7) {
      const damaged = Buffer.from(whole);
      damaged[at]! ^= 16;
      writeFileSync(victim.path, damaged);
      const server = await serveRuns(runs); // has no footer from before
      const outcome = await fetching(here, [server], { limits }).catch((error: unknown) => error);
      await server.listener.close(0);
      if (outcome instanceof SegmentLost) {
        found++;
        expect(outcome).toMatchObject({ map: victim.writtenBy, how: "corrupt" });
      } else {
        // Another partition's blocks, which are not asked for, are damaged.
        expect(readAll(here, outcome as Fetched)).toEqual(wanted(pairs));
        (outcome as Fetched).close();
      }
      expect(here.names).toEqual([]);
    }
    expect(found).toBeGreaterThan(whole.length / 7 / 2);
    writeFileSync(victim.path, whole);
    truncateSync(victim.path, whole.length - 1);
    const server = await serveRuns(runs);
    expect(await thrownBy(fetching(here, [server]))).toMatchObject({ map: victim.writtenBy, how: "corrupt" });
  });

  it("fault 51: a worker that can't be reached is told apart from an output that is gone; the others are fetched from", async () => {
    const here = new TestFiles();
    const { runs } = mapOutputs(new TestFiles(), upTo(6));
    const { proxy, address } = await serveBehindProxy(runs);
    const cut: RemoteRuns = { worker: "far", address, runs: runs.slice(3) };
    const near = { ...(await serveRuns(runs)), runs: runs.slice(0, 3) };
    proxy.fault = { kind: "refuse" };
    const lost = await thrownBy(fetching(here, [near, cut], { limits: { triesMax: 3 } }));
    expect(lost).toMatchObject({ code: "segment-lost", how: "unreachable", map: runs[3]!.writtenBy });
    expect((lost as Error).message).toContain("from far (http://127.0.0.2:");
    expect(proxy.accepted).toBe(3);
    expect(here.names).toEqual([]);
    proxy.fault = { kind: "none" };
    expect((await fetching(here, [near, cut])).inputs).toHaveLength(4);
  });

  it("a worker whose process is gone is unreachable", async () => {
    const { runs } = mapOutputs(new TestFiles(), upTo(2));
    const server = await serveRuns(runs);
    await server.listener.close(0);
    expect(await thrownBy(fetching(new TestFiles(), [server]))).toMatchObject({ how: "unreachable" });
  });

  it("S23: nothing but http(s)://host:port is asked", async () => {
    const { runs } = mapOutputs(new TestFiles(), upTo(1));
    for (const address of [
      "file:///etc/passwd",
      "http://127.0.0.1:1/path",
      "http://user:pw@127.0.0.1:1",
      "http://127.0.0.1:1?x",
      "http://169.254.169.254:80",
      "http://[fe80::1]:80",
      "127.0.0.1:80",
      "",
    ]) {
      const lost = await thrownBy(fetching(new TestFiles(), [{ worker: "w", address, runs }]));
      expect(lost, address).toMatchObject({ how: "unreachable" });
    }
  });
});

describe("a bad network", () => {
  /** 40 kB in one partition, behind a proxy. */
  async function behindProxy() {
    const here = new TestFiles();
    const { runs, pairs } = mapOutputs(new TestFiles(), upTo(20), 800);
    const { server, proxy, address } = await serveBehindProxy(runs);
    const remote: RemoteRuns = { worker: "w", address, runs };
    return { here, runs, pairs, server, proxy, remote };
  }

  it("faults 53: what is reset or cut within the answer goes on where it was, and costs little twice", async () => {
    const { here, pairs, proxy, remote } = await behindProxy();
    const plain = await fetching(here, [remote]);
    plain.close();
    for (const kind of ["reset", "cut"] as const) {
      for (const afterBytes of [1, 100, 1_000, 7_777, 20_000, plain.bytes]) {
        proxy.fault = { kind, afterBytes, direction: "down" };
        let broken = 0;
        const before = proxy.accepted;
        const fetched = await fetching(here, [remote], {
          // The network heals after the first bytes of the second connection.
          onBytes: () => {
            if (broken++ > 3) proxy.fault = { kind: "none" };
          },
          random: () => {
            if (broken === 0) proxy.fault = { kind: "none" };
            return 0;
          },
        });
        expect(readAll(here, fetched)).toEqual(wanted(pairs));
        expect(proxy.accepted - before).toBeGreaterThan(1);
        expect(fetched.bytes).toBeLessThan(plain.bytes + 8 * 80 + 2_000);
        fetched.close();
      }
    }
  });

  it("a connection that always breaks after some segments makes progress to the end", async () => {
    const { here, pairs, proxy, remote } = await behindProxy();
    proxy.fault = { kind: "cut", afterBytes: 6_000, direction: "down" };
    const fetched = await fetching(here, [remote], { limits: { triesMax: 2 } });
    expect(proxy.accepted).toBeGreaterThan(4);
    expect(readAll(here, fetched)).toEqual(wanted(pairs));
  });

  it("fault 53: a bit flipped on the way is not the map's loss", async () => {
    const { here, pairs, proxy, remote } = await behindProxy();
    for (const atByte of [300, 500, 5_000, 12_345]) {
      proxy.fault = { kind: "flip", atByte, direction: "down" };
      const fetched = await fetching(here, [remote], {
        random: () => {
          proxy.fault = { kind: "none" };
          return 0;
        },
      });
      expect(readAll(here, fetched)).toEqual(wanted(pairs));
      fetched.close();
    }
    proxy.fault = { kind: "none" };
  });

  it("fault 54: bytes that drip are given up, and their worker is unreachable", async () => {
    const { here, proxy, remote } = await behindProxy();
    proxy.fault = { kind: "drip", bytes: 1, everyMs: 2, direction: "down" };
    const lost = await thrownBy(fetching(here, [remote], { limits: hasty }));
    expect(lost).toMatchObject({ how: "unreachable" });
    expect((lost as Error).message).toMatch(/\d+ bytes came in 60 ms/);
    expect(here.names).toEqual([]);
  });

  it("fault 54: a request has a deadline, after which it is begun anew", async () => {
    const { here, pairs, proxy, remote } = await behindProxy();
    proxy.fault = { kind: "drip", bytes: 500, everyMs: 2, direction: "down" };
    const fetched = await fetching(here, [remote], {
      limits: { windowMs: 20, windowBytesMin: 0, deadlineMs: 40, triesMax: 100 },
    });
    expect(readAll(here, fetched)).toEqual(wanted(pairs));
    expect(proxy.accepted).toBeGreaterThan(1);
  });

  it("fault 49: a connection that swallows everything is given up, and tried anew", async () => {
    const { here, pairs, proxy, remote } = await behindProxy();
    proxy.fault = { kind: "black-hole" };
    expect(await thrownBy(fetching(here, [remote], { limits: hasty }))).toMatchObject({ how: "unreachable" });
    expect(proxy.accepted).toBe(2);
    // The network heals, and delivers the old requests late, which does no harm.
    const fetched = await fetching(here, [remote], {
      limits: { ...hasty, triesMax: 100 },
      random: () => {
        proxy.fault = { kind: "none" };
        return 0;
      },
    });
    expect(readAll(here, fetched)).toEqual(wanted(pairs));
  });

  it("a server that restarts on its port is gone on with", async () => {
    const { here, runs, pairs, server, proxy, remote } = await behindProxy();
    proxy.fault = { kind: "cut", afterBytes: 6_000, direction: "down" };
    let restarted = false;
    const fetched = await fetching(here, [remote], {
      random: () => {
        if (!restarted) {
          restarted = true;
          proxy.fault = { kind: "none" };
          void server.listener.close(0).then(() => serveRuns(runs, { port: server.port, advertise: "127.0.0.2" }));
        }
        return 0;
      },
      limits: { triesMax: 20 },
    });
    expect(restarted).toBe(true);
    expect(readAll(here, fetched)).toEqual(wanted(pairs));
  });

  it("an aborted fetch ends at once, and leaves nothing", async () => {
    const { here, proxy, remote } = await behindProxy();
    const stop = new AbortController();
    proxy.fault = { kind: "drip", bytes: 100, everyMs: 1, direction: "down" };
    const fetched = fetching(here, [remote], { signal: stop.signal, onBytes: () => stop.abort() });
    expect(await thrownBy(fetched)).toMatchObject({ code: "cancelled" });
    expect(here.names).toEqual([]);
    expect(await thrownBy(fetching(here, [remote], { signal: stop.signal }))).toMatchObject({ code: "cancelled" });
  });

  it("a full disk is this machine's trouble, not a map's", async () => {
    const { here, remote } = await behindProxy();
    const full = Object.assign(new Error("full"), { code: "no-space" });
    const tier = {
      ...here.tier,
      memoryBytesUsed: 0,
      create: () => {
        throw full;
      },
    };
    const broken = Object.assign(Object.create(here) as TestFiles, { tier });
    expect(await thrownBy(fetching(broken, [remote]))).toBe(full);
  });
});

describe("fault 56: whoever has the worker's port now", () => {
  async function impostor(handler: RequestListener): Promise<number> {
    const server = createServer(handler);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    return (server.address() as AddressInfo).port;
  }

  const { runs } = { runs: [{ writtenBy: mapAttempt(0), path: "/none", bytes: 1_000, pairs: 3 }] };
  const at = (port: number): RemoteRuns => ({ worker: "w", address: `http://127.0.0.1:${port}`, runs });
  const limits = { triesMax: 2 };

  it("a worker of another cluster refuses the key", async () => {
    const server = await serveRuns(runs, { token: randomToken() });
    const lost = await thrownBy(fetching(new TestFiles(), [{ ...server, runs }], { limits }));
    expect(lost).toMatchObject({ how: "unreachable" });
    expect((lost as Error).message).toContain("it refuses the job's key (401)");
  });

  it("another service, a redirect, or noise of the right type is no answer", async () => {
    let followed = 0;
    const target = await impostor((_request, response) => {
      followed++;
      response.end();
    });
    const handlers: RequestListener[] = [
      (_request, response) => response.end("<html>hello</html>"),
      (_request, response) => response.writeHead(404).end(),
      (_request, response) => response.writeHead(307, { location: `http://127.0.0.1:${target}/` }).end(),
      (_request, response) => response.writeHead(200, { "content-type": segmentsType }).end("x".repeat(1_000)),
      (_request, response) => response.writeHead(200, { "content-type": segmentsType }).end(),
      (request) => request.socket.end("SSH-2.0-OpenSSH_9\r\n"),
      (request) => request.socket.destroy(),
    ];
    for (const handler of handlers) {
      const port = await impostor(handler);
      expect(await thrownBy(fetching(new TestFiles(), [at(port)], { limits }))).toMatchObject({ how: "unreachable" });
    }
    expect(followed).toBe(0);
  });

  it("an empty segment of another job does not pass for this one's", async () => {
    const port = await impostor((_request, response) => {
      const header = { status: "none", ...noSegment, runPairs: 3 } as const;
      const other = { ...mapAttempt(0), job: "job-2" };
      response.writeHead(200, { "content-type": segmentsType }).end(writeSegmentHeader(other, 1, header));
    });
    expect(await thrownBy(fetching(new TestFiles(), [at(port)], { limits }))).toMatchObject({ how: "unreachable" });
  });

  it("one that is busy is asked again, without counting as lost, but not for ever", async () => {
    const files = new TestFiles();
    const { runs, pairs } = mapOutputs(files, upTo(5));
    const server = await serveRuns(runs);
    let asked = 0;
    const proxy = await impostor((request, response) => {
      if (asked++ < 7) {
        response.writeHead(503).end();
        return;
      }
      response.writeHead(307).end();
      request.resume();
    });
    const here = new TestFiles();
    expect(await thrownBy(fetching(here, [at(proxy)], { limits }))).toMatchObject({ how: "unreachable" });
    expect(asked).toBe(9);
    asked = 0;
    const impatient = { triesMax: 2, busyMsMax: 0 };
    expect(await thrownBy(fetching(here, [at(proxy)], { limits: impatient }))).toMatchObject({ how: "unreachable" });
    expect(asked).toBe(2);
    const fetched = await fetching(here, [server]);
    expect(readAll(here, fetched)).toEqual(wanted(pairs));
  });

  it("S19: the key of another job, or none, opens nothing", async () => {
    const server = await serveRuns(runs);
    const other = { ...access, key: "0".repeat(64) };
    expect(await thrownBy(fetching(new TestFiles(), [server], { access: other, limits }))).toMatchObject({
      how: "unreachable",
    });
  });
});

const hasOpenssl = spawnSync("openssl", ["version"]).status === 0;
describe.skipIf(!hasOpenssl && process.env["CI"] === undefined)("by TLS (needs openssl)", () => {
  /** A certificate that is its own authority. */
  function certificate(name: string): TlsFiles {
    const directory = mkdtempSync(join(tmpdir(), "millrace-tls-"));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    const files = { cert: join(directory, "cert.pem"), key: join(directory, "key.pem") };
    execFileSync(
      "openssl",
      [
        ..."req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=worker".split(" "),
        ...["-addext", `subjectAltName=${name}`, "-keyout", files.key, "-out", files.cert],
      ],
      { stdio: "ignore" },
    );
    return files;
  }

  it("fetches from a worker whose certificate the authority has signed, and from no other", async () => {
    const tls = certificate("IP:127.0.0.1");
    const { runs, pairs } = mapOutputs(new TestFiles(), upTo(5));
    const server = await serveRuns(runs, { tls });
    expect(server.address).toMatch(/^https:/);
    const here = new TestFiles();
    const fetched = await fetching(here, [server], { access: { ...access, ca: tls.cert } });
    expect(readAll(here, fetched)).toEqual(wanted(pairs));
    fetched.close();
    const other = certificate("IP:127.0.0.1");
    const limits = { triesMax: 2 };
    for (const ca of [other.cert, undefined]) {
      expect(await thrownBy(fetching(here, [server], { access: { ...access, ca }, limits }))).toMatchObject({
        how: "unreachable",
      });
    }
    // This machine's name is not the one in the certificate.
    const elsewhere = certificate("DNS:elsewhere");
    const impostor = await serveRuns(runs, { tls: elsewhere });
    const trusting = { ...access, ca: elsewhere.cert };
    expect(await thrownBy(fetching(here, [impostor], { access: trusting, limits }))).toMatchObject({
      how: "unreachable",
    });
    const missing = { ...access, ca: join(here.directory, "none.pem") };
    expect(await thrownBy(fetching(here, [server], { access: missing }))).toMatchObject({ code: "io-error" });
    expect(here.names).toEqual([]);
  });
});
