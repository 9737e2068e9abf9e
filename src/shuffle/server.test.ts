import { request } from "node:http";
import { connect, type Socket } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { mapAttempt, sortPairs, writeRun } from "../../test/support/pairs.ts";
import { access, fetching, serveRuns, TestFiles, type TestServer } from "../../test/support/shuffle-server.ts";
import { KiB, MiB } from "../base/limits.ts";
import { systemClock } from "../base/system/clock.ts";
import { bodyHeader, digestOfBody, expiresHeader, signatureHeader, signRequest } from "../rpc/access/signature.ts";
import { FooterCache } from "./footer-cache.ts";
import { ServedFile } from "./served-file.ts";
import { segmentsPath, writeRequest } from "./wire.ts";

const path = segmentsPath("job-1");
const body = writeRequest({ partition: 1, from: 0, maps: [mapAttempt(0)] });

function signed(server: TestServer, { date = new Date(), key = access.key, sent = body } = {}): Record<string, string> {
  const request = { method: "POST", path, query: "", address: server.address, body: digestOfBody(sent) };
  return signRequest(key, request, date);
}

function ask(server: TestServer, headers: Record<string, string>, sent = body, at = path): Promise<number> {
  return new Promise((resolve, reject) => {
    const { port } = server;
    const options = { host: "127.0.0.1", port, method: "POST", path: at, headers, agent: false };
    const call = request(options, (response) => {
      response.resume().on("end", () => resolve(response.statusCode ?? 0));
      response.on("error", reject);
    });
    call.on("error", reject);
    call.end(sent);
  });
}

/** One run with `bytes` of values in partition 1. */
function largeRun(bytes: number) {
  const files = new TestFiles();
  const pairs = Array.from({ length: Math.ceil(bytes / MiB) }, (_, i) => ({
    partition: 1,
    key: `k${i}`,
    value: "x".repeat(MiB),
  }));
  return writeRun(files.tier, "map-0", mapAttempt(0), sortPairs(pairs), 64 * KiB);
}

/** Sends the request, and reads nothing until it is told to. */
async function stalledReader(server: TestServer): Promise<Socket> {
  const socket = connect({ port: server.port, host: "127.0.0.1" });
  onTestFinished(() => void socket.destroy());
  socket.pause();
  socket.on("error", () => {});
  const headers = Object.entries({ ...signed(server), host: "127.0.0.1", "content-length": body.length });
  socket.write(`POST ${path} HTTP/1.1\r\n${headers.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`);
  socket.write(body);
  await new Promise((resolve) => socket.once("connect", resolve));
  return socket;
}

describe("the shuffle's server", () => {
  it("S19: only a request that is signed with this job's key, for this path, now, is answered", async () => {
    const server = await serveRuns([largeRun(1)]);
    expect(await ask(server, signed(server))).toBe(200);
    expect(await ask(server, {})).toBe(401);
    expect(await ask(server, signed(server, { key: "ab".repeat(32) }))).toBe(401);
    expect(await ask(server, { ...signed(server), [signatureHeader]: "00" })).toBe(401);
    expect(await ask(server, { ...signed(server), [expiresHeader]: "99999999999" })).toBe(401);
    expect(await ask(server, signed(server, { date: new Date(Date.now() - 10 * 60_000) }))).toBe(401);
    expect(await ask(server, signed(server, { date: new Date(Date.now() + 60 * 60_000) }))).toBe(401);
    // The key of one job does not open another.
    expect(await ask(server, signed(server), body, segmentsPath("job-2"))).toBe(401);
  });

  it("S19: a request that was overheard can't be said with another body, at another worker, or at another time", async () => {
    const server = await serveRuns([largeRun(1)]);
    const other = await serveRuns([largeRun(1)]);
    const headers = signed(server);
    const otherBody = writeRequest({ partition: 0, from: 0, maps: [mapAttempt(0)] });
    expect(otherBody).toHaveLength(body.length);
    expect(await ask(server, headers, otherBody)).toBe(401);
    expect(await ask(server, headers, Buffer.alloc(0))).toBe(401);
    expect(await ask(server, { ...headers, [bodyHeader]: digestOfBody(otherBody) }, otherBody)).toBe(401);
    const nothing = signed(server, { sent: Buffer.alloc(0) });
    expect(await ask(server, nothing, body)).toBe(401);
    expect(await ask(server, nothing, Buffer.alloc(0))).toBe(400);
    expect(await ask(other, headers)).toBe(401);
    expect(await ask(other, { ...headers, host: new URL(server.address).host })).toBe(401);
    expect(await ask(server, { ...headers, [expiresHeader]: String(Number(headers[expiresHeader]) + 1) })).toBe(401);
    expect(await ask(server, headers)).toBe(200);
  });

  it("who fetches goes by the master's clock, however far its own is off", async () => {
    const dayMs = 24 * 3_600_000;
    // The server has the master's time here (worker/node/node.test.ts has one that has not); the fetching side is a day
    // ahead of both.
    const server = await serveRuns([largeRun(1)]);
    const ahead = { ...systemClock, date: () => new Date(Date.now() + dayMs) };
    const fetched = await fetching(new TestFiles(), [server], {
      clock: ahead,
      access: { ...access, clockAheadMs: -dayMs },
    });
    expect(fetched.inputs).toHaveLength(1);
    const limits = { triesMax: 1, backOffMsMin: 1, backOffMsMax: 5 };
    await expect(fetching(new TestFiles(), [server], { clock: ahead, limits })).rejects.toMatchObject({
      how: "unreachable",
    });
  });

  it("what is no request is refused, and one that is too long is not read", async () => {
    const server = await serveRuns([largeRun(1)]);
    expect(await ask(server, signed(server, { sent: Buffer.alloc(0) }), Buffer.alloc(0))).toBe(400);
    expect(await ask(server, signed(server, { sent: Buffer.from("hello") }), Buffer.from("hello"))).toBe(400);
    expect(await ask(server, signed(server, { sent: body.subarray(0, 30) }), body.subarray(0, 30))).toBe(400);
    expect(await ask(server, signed(server, { sent: Buffer.alloc(100_000) }), Buffer.alloc(100_000))).toBe(413);
    expect(await ask(server, signed(server))).toBe(200);
  });

  it("fault 54: who stalls holds two buffers at most, and is dropped after a while", async () => {
    const server = await serveRuns([largeRun(40 * MiB)], { servedMax: 1, stallMs: 500 });
    const socket = await stalledReader(server);
    const closed = new Promise((resolve) => socket.once("close", resolve));
    let status = 0;
    while (status !== 503) status = await ask(server, signed(server)); // until it is under way
    while (status !== 200) status = await ask(server, signed(server)).catch(() => 0); // until it was dropped
    socket.resume();
    await closed;
    expect(socket.bytesRead).toBeLessThan(39 * MiB);
    const other = await fetching(new TestFiles(), [server]);
    expect(other.inputs).toHaveLength(1);
  });

  it("who does not send its request to the end is dropped after a while, also when a byte comes now and then", async () => {
    const server = await serveRuns([largeRun(1)], { servedMax: 1, stallMs: 500 });
    const socket = connect({ port: server.port, host: "127.0.0.1" });
    onTestFinished(() => void socket.destroy());
    socket.on("error", () => {});
    const closed = new Promise((resolve) => socket.once("close", resolve));
    const headers = Object.entries({ ...signed(server), host: "127.0.0.1", "content-length": body.length });
    socket.write(`POST ${path} HTTP/1.1\r\n${headers.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`);
    socket.write(body.subarray(0, 1));
    let status = 0;
    while (status !== 503) status = await ask(server, signed(server)); // until it is under way
    const dripping = setInterval(() => socket.write(body.subarray(1, 2)), 100);
    onTestFinished(() => clearInterval(dripping));
    while (status !== 200) status = await ask(server, signed(server)).catch(() => 0); // until it was dropped
    await closed;
  });

  it("serves so many at once and tells the others to come back", async () => {
    const run = largeRun(40 * MiB);
    const server = await serveRuns([run], { servedMax: 1 });
    const socket = await stalledReader(server);
    let status = 0;
    while (status !== 503) status = await ask(server, signed(server)); // until the other is under way
    const waiting = fetching(new TestFiles(), [server]);
    socket.destroy();
    expect((await waiting).inputs).toHaveLength(1);
  });

  it("fault 6: one that does not know yet what it has tells nobody that something is missing", async () => {
    const run = largeRun(1);
    let asked = 0;
    const server = await serveRuns([run], { isReady: () => ++asked > 3 });
    expect(await ask(server, signed(server))).toBe(503);
    const fetched = await fetching(new TestFiles(), [server], { limits: { triesMax: 1 } });
    expect(asked).toBe(4);
    expect(fetched.inputs).toHaveLength(1);
  });

  it("serves a segment through buffers that are smaller", async () => {
    const run = largeRun(2 * MiB);
    const server = await serveRuns([run], { bufferBytes: 10 * KiB });
    const here = new TestFiles();
    const fetched = await fetching(here, [server]);
    expect(fetched.inputs[0]!.input.bytes).toBeGreaterThan(2 * MiB);
    expect(here.names).toHaveLength(1);
  });
});

describe("FooterCache", () => {
  it("holds the footers that were used last, within its bound", async () => {
    const files = new TestFiles();
    const runs = Array.from({ length: 10 }, (_, map) =>
      writeRun(files.tier, `map-${map}`, mapAttempt(map), [{ partition: 1, key: "a", value: "b" }]),
    );
    const cache = new FooterCache(3_000);
    for (const run of runs) {
      const file = await ServedFile.open(run.path);
      expect((await cache.read(run, file)).pairs).toBe(1);
      await file.close();
      expect(cache.find(runs[0]!)?.writtenBy).toEqual(mapAttempt(0)); // always used
    }
    expect(cache.bytes).toBeLessThanOrEqual(3_000);
    const held = runs.filter((run) => cache.find(run) !== undefined).map((run) => run.writtenBy.index);
    expect(held).toEqual([0, 7, 8, 9]);
    cache.drop(runs[9]!);
    expect(cache.find(runs[9]!)).toBeUndefined();
  });

  it("refuses a run by another attempt", async () => {
    const files = new TestFiles();
    const run = writeRun(files.tier, "map-0", mapAttempt(0), [{ partition: 1, key: "a", value: "b" }]);
    const file = await ServedFile.open(run.path);
    const other = { ...run, writtenBy: mapAttempt(0, 2) };
    await expect(new FooterCache(1_000).read(other, file)).rejects.toThrow("written by map-00000.1.1");
    await file.close();
  });
});
