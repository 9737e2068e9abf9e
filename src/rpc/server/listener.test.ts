import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { request as httpsRequest } from "node:https";
import { createConnection, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { fakeMaster, type ServedMaster, serveMaster, someReport } from "../../../test/support/fake-master.ts";
import { MillraceError } from "../../base/error.ts";
import { systemClock } from "../../base/system/clock.ts";
import type { MasterApi } from "../../protocol/services.ts";
import { randomToken } from "../access/token-digest.ts";
import { fixedTokens } from "../access/tokens.ts";
import { connectMaster } from "../client/client.ts";
import { Gate } from "./gate.ts";
import type { HttpRoute } from "./http.ts";
import { type ListenOptions, listen } from "./listener.ts";

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

async function serve(options: Partial<ListenOptions> = {}, api: Partial<MasterApi> = {}): Promise<ServedMaster> {
  const served = await serveMaster(fakeMaster(api), options);
  open.push({ close: () => served.listener.close(0) });
  return served;
}

function raw(port: number): Socket {
  const socket = createConnection({ port, host: "127.0.0.1" });
  socket.on("error", () => {});
  open.push({ close: () => socket.destroy() });
  return socket;
}

/** All that comes until the other side ends the connection. */
function heard(socket: Socket): Promise<string> {
  let text = "";
  return new Promise((resolve) => {
    socket.on("data", (bytes) => (text += bytes.toString("latin1")));
    socket.once("close", () => resolve(text));
  });
}

const bearer = (served: ServedMaster) => ({ authorization: `Bearer ${served.tokens.admin.reveal()}` });
const getJob = "/millrace.v1.Jobs/Get";

describe("one port", () => {
  it("speaks gRPC over HTTP/2, and Connect's JSON and plain routes over HTTP/1.1", async () => {
    const route: HttpRoute = {
      method: "GET",
      path: "/hello/:name",
      scope: "read",
      bodyBytesMax: 0,
      handle: async ({ params, query }, response) => void response.end(`${params.name} ${query.get("q")}`),
    };
    const served = await serve({ routes: [route] });
    const master = connectMaster({
      address: served.address,
      token: served.tokens.read,
      role: "client",
      clock: systemClock,
      random: Math.random,
    });
    open.push(master);
    expect((await master.get("j")).job).toBe("j");
    const json = await fetch(served.address + getJob, {
      method: "POST",
      headers: { ...bearer(served), "content-type": "application/json" },
      body: JSON.stringify({ job: "j" }),
    });
    expect(await json.json()).toMatchObject({ job: "j", state: "mapping", output: "/out" });
    const plain = await fetch(`${served.address}/hello/w%2D1?q=a%20b`, { headers: bearer(served) });
    expect(await plain.text()).toBe("w-1 a b");
    expect(plain.headers.get("x-content-type-options")).toBe("nosniff");
  });

  it("speaks gRPC-Web and gRPC to clients that are not ours", async () => {
    const served = await serve();
    const body = Buffer.from([0, 0, 0, 0, 3, 0x0a, 1, 0x6a]); // GetRequest{job:"j"} in its envelope
    const web = await fetch(served.address + getJob, {
      method: "POST",
      headers: { ...bearer(served), "content-type": "application/grpc-web+proto" },
      body,
    });
    expect(Buffer.from(await web.arrayBuffer()).toString("latin1")).toContain("grpc-status: 0");
    const session = connectHttp2(served.address);
    open.push({ close: () => session.destroy() });
    const call = session.request({
      ...bearer(served),
      ":method": "POST",
      ":path": getJob,
      "content-type": "application/grpc",
      te: "trailers",
    });
    const trailers = new Promise<Record<string, unknown>>((resolve) => call.once("trailers", resolve));
    call.resume();
    call.end(body);
    expect((await trailers)["grpc-status"]).toBe("0");
  });

  it("tells HTTP/2 from HTTP/1.1 however the first bytes arrive", async () => {
    const { port } = await serve();
    const put = raw(port);
    const answer = heard(put);
    for (const byte of "P") put.write(byte);
    await new Promise((resolve) => setImmediate(resolve));
    put.write("UT / HTTP/1.1\r\nhost: localhost\r\n\r\n");
    expect(await answer).toMatch(/^HTTP\/1\.1 401 /);
    const preface = raw(port);
    const first = new Promise<Buffer>((resolve) => preface.once("data", resolve));
    for (const part of ["P", "R", "I * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\0\0\0\x04\0\0\0\0\0"]) {
      preface.write(part, "latin1");
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect((await first)[3]).toBe(4); // a SETTINGS frame
  });
});

describe("S21: who has shown no token", () => {
  it("is answered without a byte of the body being read", async () => {
    let bytes = 0;
    const route: HttpRoute = {
      method: "POST",
      path: "/upload",
      scope: "submit",
      bodyBytesMax: 1e9,
      async handle({ raw }, response) {
        for await (const chunk of raw) bytes += (chunk as Buffer).length;
        response.end(String(bytes));
      },
    };
    const { port } = await serve({ routes: [route] });
    const socket = raw(port);
    const answer = heard(socket);
    socket.write("POST /upload HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000000\r\n\r\n");
    socket.write(Buffer.alloc(500_000));
    expect(await answer).toMatch(/^HTTP\/1\.1 401 [\s\S]*connection: close/i);
    expect(bytes).toBe(0);
    const careful = raw(port);
    const refused = heard(careful);
    careful.write("POST /upload HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\nexpect: 100-continue\r\n\r\n");
    expect(await refused).toMatch(/^HTTP\/1\.1 401 /);
  });

  it("may send a head of 8 kB", async () => {
    const { port, address } = await serve();
    const socket = raw(port);
    const answer = heard(socket);
    socket.write(`GET / HTTP/1.1\r\nhost: localhost\r\nx: ${"y".repeat(9000)}\r\n\r\n`);
    expect(await answer).toMatch(/^HTTP\/1\.1 431 /);
    const session = connectHttp2(address);
    open.push({ close: () => session.destroy() });
    session.on("error", () => {});
    const call = session.request({ ":path": "/", x: "y".repeat(12_000) });
    const end = await new Promise((resolve) => {
      call.once("response", ({ ":status": status }) => resolve(status));
      call.once("error", () => resolve("reset"));
      call.once("close", () => resolve("closed"));
    });
    expect([431, "reset", "closed"]).toContain(end);
  });

  it("is let go after some time, whatever it does meanwhile", async () => {
    const { port } = await serve({ bounds: { headMs: 150 } });
    const silent = raw(port);
    const slow = raw(port);
    const http2 = raw(port);
    const polite = raw(port);
    const ended = [silent, slow, http2, polite].map(heard);
    slow.write("GET / HT");
    http2.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", "latin1");
    polite.write("GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: keep-alive\r\n\r\n");
    await Promise.all(ended);
  });

  it("makes room when there are too many, the oldest first; who has shown a token stays", async () => {
    const served = await serve({ bounds: { unknownPerAddress: 3 } });
    const master = connectMaster({
      address: served.address,
      token: served.tokens.read,
      role: "client",
      clock: systemClock,
      random: Math.random,
      patienceMs: { first: 0, later: 0 },
    });
    open.push(master);
    await master.view();
    const sockets: Socket[] = [];
    const ends: Promise<number>[] = [];
    for (let index = 0; index < 8; index++) {
      const socket = raw(served.port);
      await new Promise((resolve) => socket.once("connect", resolve));
      sockets.push(socket);
      ends.push(heard(socket).then(() => index));
    }
    expect((await Promise.all(ends.slice(0, 5))).toSorted()).toEqual([0, 1, 2, 3, 4]);
    expect(sockets.slice(5).every((socket) => !socket.destroyed)).toBe(true);
    expect((await master.view()).epoch).toBe(7);
  });

  it("is told to wait after twenty failures, while a right token from the same place passes", async () => {
    const served = await serve();
    const ask = async (headers: Record<string, string>) =>
      (await fetch(served.address + getJob, { method: "POST", headers, body: "{}" })).status;
    const statuses = await Promise.all(Array.from({ length: 60 }, () => ask({})));
    // One more for each second that this takes.
    const refused = statuses.filter((status) => status === 401).length;
    expect(refused).toBeGreaterThanOrEqual(20);
    expect(refused).toBeLessThan(50);
    expect(statuses.filter((status) => status === 429).length).toBe(60 - refused);
    expect(await ask({ ...bearer(served), "content-type": "application/json" })).toBe(200);
  });

  it("S2: can send what it likes: nothing of ours runs, and the port goes on answering", async () => {
    let calls = 0;
    const count = async () => {
      calls++;
      throw new Error("called");
    };
    const served = await serve({}, { hello: count, heartbeat: count, submit: count, get: count, view: count });
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
      fc
        .constantFrom(
          "GET / HTTP/1.1\r\n",
          "POST /millrace.v1.Jobs/Submit HTTP/1.1\r\n",
          "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
          "host: localhost\r\n",
          "authorization: Bearer \r\n",
          "transfer-encoding: chunked\r\n",
          "content-length: 5\r\ncontent-length: 6\r\n",
          "connection: upgrade, http2-settings\r\nupgrade: h2c\r\n",
          "\r\n",
          "\0\0\0\x04\0\0\0\0\0",
          "\0\x40\0\x01\x05\0\0\0\x01",
          "\x16\x03\x01\x02\0\x01",
        )
        .map((text) => Buffer.from(text, "latin1")),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { minLength: 1, maxLength: 6 }), async (pieces) => {
        const socket = raw(served.port);
        const end = heard(socket);
        for (const bytes of pieces) socket.write(bytes);
        socket.end();
        const answer = await end;
        // HTTP/1.1: refused or no HTTP. HTTP/2: frames, none of them an answer with status 200 (static table, index 8).
        expect(answer).not.toMatch(/^HTTP\/1\.1 2/);
        expect(answer).not.toContain("\x88");
      }),
      { numRuns: 150 },
    );
    expect(calls).toBe(0);
    expect(Object.keys(Object.prototype)).toEqual([]);
    expect([401, 429]).toContain((await fetch(served.address)).status);
  });
});

describe("hosts", () => {
  const health: HttpRoute = {
    method: "GET",
    path: "/healthz",
    scope: "open",
    bodyBytesMax: 0,
    handle: async (_request, response) => void response.end("ok"),
  };

  it("two of them are refused by HTTP/1.1, the same twice too, whoever asks for whatever", async () => {
    const served = await serve({ routes: [health] });
    const say = async (line: string, ...headers: string[]) => {
      const socket = raw(served.port);
      const answer = heard(socket);
      socket.write(`${line}\r\n${[...headers, "connection: close"].join("\r\n")}\r\n\r\n`);
      return Number(/^HTTP\/1\.1 (\d+) /.exec(await answer)?.[1]);
    };
    const get = "GET /healthz HTTP/1.1";
    const token = `authorization: ${bearer(served).authorization}`;
    expect(await say(get, "host: localhost")).toBe(200);
    expect(await say(get, "host: localhost", "Host: localhost")).toBe(400);
    expect(await say(get, "host: localhost", "HOST: evil.example")).toBe(400);
    expect(await say(get, "host: evil.example", "host: localhost")).toBe(400);
    expect(await say(get, "host: localhost", "x: y", "host:")).toBe(400);
    expect(await say(get)).toBe(400);
    expect(await say(`POST ${getJob} HTTP/1.1`, token, "host: localhost", "host: 127.0.0.1")).toBe(400);
    expect(await say("GET /nothing HTTP/1.1", token, "host: localhost", "host: 127.0.0.1")).toBe(400);
  });

  it("two of them are refused by HTTP/2", async () => {
    const served = await serve({ routes: [health] });
    const say = async (headers: Record<string, string | string[]>, path = "/healthz") => {
      const session = connectHttp2(served.address);
      session.on("error", () => {});
      open.push({ close: () => session.destroy() });
      const call = session.request({ ":path": path, ...headers });
      call.on("error", () => {});
      return await new Promise((resolve) => {
        call.once("response", (head) => resolve(head[":status"]));
        call.once("close", () => resolve("closed"));
      });
    };
    expect(await say({ ":authority": "localhost:1" })).toBe(200);
    expect(await say({ ":authority": "localhost:1", host: "LOCALHOST:1" })).toBe(200);
    expect(await say({ ":authority": "localhost:1", host: "localhost:2" })).toBe(400);
    expect(await say({ ":authority": "localhost:1", host: "evil.example" })).toBe(400);
    expect(await say({ ":authority": "localhost:1", host: "127.0.0.1:1", ...bearer(served) }, "/nothing")).toBe(400);
  });
});

describe("fault 54: a silent peer", () => {
  /** What became of each of the bodies: their bytes, or the error. */
  function silenceRoutes(seen: string[]): readonly HttpRoute[] {
    return [
      {
        method: "PUT",
        path: "/b",
        scope: "submit",
        bodyBytesMax: 1e9,
        async handle({ raw: body }, response) {
          try {
            let bytes = 0;
            for await (const chunk of body) bytes += (chunk as Buffer).length;
            seen.push(String(bytes));
            response.end();
          } catch (error) {
            seen.push(String(error));
            throw error;
          }
        },
      },
      {
        method: "GET",
        path: "/large",
        scope: "read",
        bodyBytesMax: 0,
        async handle(_request, response) {
          const closed = new Promise((resolve) => response.once("close", () => resolve("closed")));
          const piece = Buffer.alloc(10_000);
          for (let n = 0; n < 10_000; n++) {
            if ((response as ServerResponse).write(piece)) continue;
            const drained = new Promise((resolve) => response.once("drain", resolve));
            if ((await Promise.race([closed, drained])) === "closed") {
              seen.push("gone");
              return;
            }
          }
          seen.push("whole");
          response.end();
        },
      },
      {
        method: "GET",
        path: "/slow",
        scope: "read",
        bodyBytesMax: 0,
        async handle(_request, response) {
          response.writeHead(200);
          for (let n = 0; n < 8; n++) {
            await new Promise((resolve) => setTimeout(resolve, 100));
            (response as ServerResponse).write("x");
          }
          response.end();
        },
      },
    ];
  }
  const bounds = { silenceMs: 200, silenceBytesMin: 1000 };

  it("that sends nothing of a body is dropped, by HTTP/1.1 and HTTP/2", async () => {
    const seen: string[] = [];
    const served = await serve({ routes: silenceRoutes(seen), bounds });
    const socket = raw(served.port);
    const gone = heard(socket);
    socket.write(
      `PUT /b HTTP/1.1\r\nhost: localhost\r\nauthorization: ${bearer(served).authorization}\r\ncontent-length: 1000000\r\n\r\n`,
    );
    await gone;
    const session = connectHttp2(served.address);
    session.on("error", () => {});
    open.push({ close: () => session.destroy() });
    const call = session.request({ ...bearer(served), ":method": "PUT", ":path": "/b" });
    call.on("error", () => {});
    await new Promise((resolve) => call.once("close", resolve));
    const why = expect.stringMatching(/moved less than 1000 bytes in 200 ms/);
    expect(seen).toEqual([why, why]);
  });

  it("that drips a body is dropped, by HTTP/1.1 and HTTP/2; one that sends enough is not", async () => {
    const seen: string[] = [];
    const served = await serve({ routes: silenceRoutes(seen), bounds });
    const socket = raw(served.port);
    const gone = heard(socket);
    socket.write(
      `PUT /b HTTP/1.1\r\nhost: localhost\r\nauthorization: ${bearer(served).authorization}\r\ncontent-length: 1000000\r\n\r\n`,
    );
    let timer = setInterval(() => socket.write("x"), 20);
    await gone;
    clearInterval(timer);
    expect(seen.splice(0)).toEqual([expect.stringMatching(/moved less than 1000 bytes in 200 ms/)]);

    const session = connectHttp2(served.address);
    session.on("error", () => {});
    open.push({ close: () => session.destroy() });
    const put = (bytes: number) => {
      const call = session.request({ ...bearer(served), ":method": "PUT", ":path": "/b" });
      call.on("error", () => {});
      timer = setInterval(() => call.write(Buffer.alloc(bytes)), 20);
      return call;
    };
    const dripping = put(1);
    await new Promise((resolve) => dripping.once("close", resolve));
    clearInterval(timer);
    expect(seen.splice(0)).toEqual([expect.stringMatching(/moved less than 1000 bytes in 200 ms/)]);

    const steady = put(20_000);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    clearInterval(timer);
    expect(seen).toEqual([]);
    steady.end();
    steady.resume();
    await new Promise((resolve) => steady.once("close", resolve));
    expect(seen).toEqual([expect.stringMatching(/^\d+$/)]);
  });

  it("that reads nothing is dropped, by HTTP/1.1 and HTTP/2, and the connection's other streams go on", async () => {
    const seen: string[] = [];
    const served = await serve({ routes: silenceRoutes(seen), bounds });
    const socket = raw(served.port);
    socket.pause();
    socket.write(`GET /large HTTP/1.1\r\nhost: localhost\r\nauthorization: ${bearer(served).authorization}\r\n\r\n`);
    await vi.waitUntil(() => seen.length > 0, { timeout: 20_000 });
    expect(seen.splice(0)).toEqual(["gone"]);

    const session = connectHttp2(served.address);
    session.on("error", () => {});
    open.push({ close: () => session.destroy() });
    const deaf = session.request({ ...bearer(served), ":path": "/large" });
    deaf.on("error", () => {});
    await vi.waitUntil(() => seen.length > 0, { timeout: 20_000 });
    expect(seen.splice(0)).toEqual(["gone"]);
    const hearing = session.request({ ...bearer(served), ":path": "/large" });
    let bytes = 0;
    hearing.on("data", (chunk: Buffer) => (bytes += chunk.length));
    await new Promise((resolve) => hearing.once("close", resolve));
    expect([bytes, seen]).toEqual([100_000_000, ["whole"]]);
  });

  it("is not one that has nothing to send or to take: the handler takes its time", async () => {
    const served = await serve({ routes: silenceRoutes([]), bounds });
    const answer = await fetch(`${served.address}/slow`, { headers: bearer(served) });
    expect(await answer.text()).toBe("x".repeat(8));
    const session = connectHttp2(served.address);
    open.push({ close: () => session.destroy() });
    const call = session.request({ ...bearer(served), ":path": "/slow" });
    let text = "";
    call.setEncoding("utf8").on("data", (part) => (text += part));
    await new Promise((resolve) => call.once("close", resolve));
    expect(text).toBe("x".repeat(8));
  });
});

describe("bodies", () => {
  it("beyond a route's bound are refused, announced or not", async () => {
    let ended = "";
    const route: HttpRoute = {
      method: "PUT",
      path: "/b",
      scope: "submit",
      bodyBytesMax: 1000,
      async handle({ raw }, response) {
        try {
          let bytes = 0;
          for await (const chunk of raw) bytes += (chunk as Buffer).length;
          response.end(String(bytes));
        } catch (error) {
          ended = String(error);
          throw error;
        }
      },
    };
    const served = await serve({ routes: [route] });
    const put = (body: string) => fetch(`${served.address}/b`, { method: "PUT", headers: bearer(served), body });
    expect(await (await put("x".repeat(1000))).text()).toBe("1000");
    const announced = await put("x".repeat(1001));
    expect(announced.status).toBe(413);
    const { port } = served;
    const socket = raw(port);
    const answer = heard(socket);
    socket.write(
      `PUT /b HTTP/1.1\r\nhost: localhost\r\nauthorization: ${bearer(served).authorization}\r\ntransfer-encoding: chunked\r\n\r\n`,
    );
    socket.write(`400\r\n${"x".repeat(1024)}\r\n`);
    expect(await answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(ended).toMatch(/at most 1000 bytes/);
    ended = "";
    const session = connectHttp2(served.address);
    open.push({ close: () => session.destroy() });
    const over = async (body: string) => {
      const call = session.request({ ...bearer(served), ":method": "PUT", ":path": "/b" });
      call.on("error", () => {});
      let text = "";
      call.setEncoding("utf8").on("data", (part) => (text += part));
      const status = new Promise((resolve) => call.once("response", (head) => resolve(head[":status"])));
      for (let at = 0; at < body.length; at += 400) call.write(body.slice(at, at + 400));
      call.end();
      const found = await status;
      await new Promise((resolve) => call.once("close", resolve));
      return [found, text];
    };
    expect(await over("x".repeat(1000))).toEqual([200, "1000"]);
    expect((await over("x".repeat(1001)))[0]).toBe(413);
    expect(ended).toMatch(/at most 1000 bytes/);
  });

  it("S18: a small message that grows to a gigabyte is refused, and memory stays flat", async () => {
    const served = await serve();
    const bomb = gzipSync(Buffer.alloc(256 * 1024 * 1024));
    const before = process.memoryUsage.rss();
    const answer = await fetch(served.address + getJob, {
      method: "POST",
      headers: { ...bearer(served), "content-type": "application/proto", "content-encoding": "gzip" },
      body: bomb,
    });
    expect(answer.status).toBe(429); // resource_exhausted, as Connect writes it
    expect(await answer.json()).toMatchObject({ code: "resource_exhausted" });
    expect(process.memoryUsage.rss() - before).toBeLessThan(64 * 1024 * 1024);
  });

  it("S18: a message that is too long is refused before it is read; a report may be longer than a question", async () => {
    const served = await serve();
    const post = (path: string, body: Uint8Array<ArrayBuffer>) =>
      fetch(served.address + path, {
        method: "POST",
        headers: { ...bearer(served), "content-type": "application/proto" },
        body,
      });
    const long = new Uint8Array(5 * 1024 * 1024);
    expect((await post(getJob, long)).status).toBe(429);
    expect((await post("/millrace.v1.Workers/Heartbeat", long)).status).toBe(500); // read, and no report
    expect((await post("/millrace.v1.Workers/Heartbeat", new Uint8Array(17 * 1024 * 1024))).status).toBe(429);
  });

  it("S17, S21: deep JSON does not overflow the stack, and names of prototypes change none", async () => {
    const served = await serve();
    const depth = 100_000;
    for (const body of ["[".repeat(depth) + "]".repeat(depth), `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`]) {
      const answer = await fetch(served.address + getJob, {
        method: "POST",
        headers: { ...bearer(served), "content-type": "application/json" },
        body,
      });
      expect([200, 400]).toContain(answer.status); // fields that we don't know are passed over
    }
    const proto = await fetch(served.address + getJob, {
      method: "POST",
      headers: { ...bearer(served), "content-type": "application/json" },
      body: `{"job":"j","__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}`,
    });
    expect(proto.status).toBe(200);
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });
});

describe("S23: a worker's address", () => {
  it.each([
    "http://169.254.169.254:80",
    "http://w1:70/path",
    "ftp://w1:1",
    "http://u:p@w1:1",
    "http://[fe80::1]:1",
    "http://0.0.0.0:1",
    "w1",
    "http://[::ffff:169.254.169.254]:80",
  ])("%s is not asked", async (address) => {
    const served = await serve();
    const master = connectMaster({
      address: served.address,
      token: served.tokens.worker,
      role: "worker",
      clock: systemClock,
      random: Math.random,
    });
    open.push(master);
    await expect(master.heartbeat({ ...someReport, address }, new AbortController().signal)).rejects.toMatchObject({
      code: "wrong-usage",
    });
  });
});

describe("closing", () => {
  it("lets a request under way end, and ends the rest when the grace is over", async () => {
    const asked = { raise: () => {} };
    const isAsked = new Promise<void>((resolve) => (asked.raise = resolve));
    let finish = () => {};
    let aborted = 0;
    const route: HttpRoute = {
      method: "GET",
      path: "/slow/:kind",
      scope: "read",
      bodyBytesMax: 0,
      async handle({ params, signal }, response) {
        signal.addEventListener("abort", () => aborted++);
        if (params.kind === "ends") {
          asked.raise();
          await new Promise<void>((resolve) => (finish = resolve));
          response.end("done");
        } else await new Promise(() => {});
      },
    };
    const served = await serve({ routes: [route] });
    const never = fetch(`${served.address}/slow/never`, { headers: bearer(served) }).catch(() => "cut");
    const ends = fetch(`${served.address}/slow/ends`, { headers: bearer(served) }).then((answer) => answer.text());
    await isAsked;
    const closed = served.listener.close(600);
    finish();
    expect(await ends).toBe("done");
    expect(await never).toBe("cut");
    await closed;
    expect(aborted).toBe(1);
    await expect(fetch(served.address)).rejects.toThrow();
  });
});

describe("S20: where a process may listen", () => {
  const gate = () => new Gate({ tokens: fixedTokens({ admin: [randomToken()] }), clock: systemClock });

  it.each(["0.0.0.0", "::", "192.0.2.1", "master.example"])("%s is refused without TLS", async (host) => {
    await expect(listen({ host, port: 0, gate: gate(), routes: [] })).rejects.toMatchObject({
      code: "wrong-usage",
      message: expect.stringMatching(/is refused without TLS.*--tls-cert FILE and --tls-key FILE/),
    });
  });

  it("S10: nothing listens without a token, not even on loopback", async () => {
    const none = new Gate({ tokens: fixedTokens({}), clock: systemClock });
    await expect(listen({ host: "127.0.0.1", port: 0, gate: none, routes: [] })).rejects.toMatchObject({
      code: "wrong-usage",
    });
  });

  it("a port that is taken is said so", async () => {
    const { port } = await serve();
    await expect(listen({ host: "127.0.0.1", port, gate: gate(), routes: [] })).rejects.toMatchObject({
      code: "wrong-usage",
      message: `can't listen on 127.0.0.1:${port}: another process listens there already; choose another port`,
    });
  });

  it("files that are no certificate are named", async () => {
    const directory = mkdtempSync(join(tmpdir(), "millrace-tls-"));
    open.push({ close: () => rmSync(directory, { recursive: true }) });
    const [cert, key] = [join(directory, "cert"), join(directory, "key")];
    const start = () => listen({ host: "0.0.0.0", port: 0, tls: { cert, key }, gate: gate(), routes: [] });
    await expect(start()).rejects.toThrow(`--tls-cert ${cert} can't be read: ENOENT`);
    writeFileSync(cert, "x");
    await expect(start()).rejects.toThrow(/is no PEM file/);
    writeFileSync(cert, "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
    writeFileSync(key, "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n");
    await expect(start()).rejects.toBeInstanceOf(MillraceError);
  });
});

const hasOpenssl = spawnSync("openssl", ["version"]).status === 0;
describe.skipIf(!hasOpenssl && process.env.CI === undefined)("TLS (needs openssl)", () => {
  let directory: string;
  let files: { cert: string; key: string };

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), "millrace-tls-"));
    files = { cert: join(directory, "cert.pem"), key: join(directory, "key.pem") };
    execFileSync("openssl", [
      ..."req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost".split(" "),
      ...["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", files.key, "-out", files.cert],
    ]);
    return () => rmSync(directory, { recursive: true });
  });

  it("ALPN says which protocol; both work, and other machines may be let in", async () => {
    const served = await serve({ host: "0.0.0.0", tls: files, advertise: "localhost" });
    expect(served.address).toBe(`https://localhost:${served.port}`);
    const master = connectMaster({
      address: served.address,
      token: served.tokens.read,
      ca: files.cert,
      role: "client",
      clock: systemClock,
      random: Math.random,
    });
    open.push(master);
    expect((await master.view()).epoch).toBe(7);
    const status = await new Promise((resolve, reject) => {
      const request = httpsRequest(
        served.address + getJob,
        {
          method: "POST",
          ca: readFileSync(files.cert),
          headers: { "content-type": "application/json", ...bearer(served) },
        },
        (response) => {
          response.resume();
          resolve(response.statusCode);
        },
      );
      request.once("error", reject);
      request.end(`{"job":"j"}`);
    });
    expect(status).toBe(200);
  });

  it("S4: TLS 1.2 and clear text are refused", async () => {
    const served = await serve({ tls: files });
    const old = connectTls({ port: served.port, maxVersion: "TLSv1.2", ca: readFileSync(files.cert) });
    open.push({ close: () => old.destroy() });
    await expect(
      new Promise((resolve, reject) => {
        old.once("secureConnect", resolve);
        old.once("error", reject);
      }),
    ).rejects.toThrow();
    const socket = raw(served.port);
    const answer = heard(socket);
    socket.write("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n");
    expect(await answer).not.toMatch(/HTTP/);
  });

  it("a certificate that nobody vouches for, or of another name, is refused with what to do, at once", async () => {
    const served = await serve({ host: "0.0.0.0", tls: files, advertise: "localhost" });
    const call = (address: string, ca: string | undefined) => {
      const master = connectMaster({
        address,
        token: served.tokens.read,
        ca,
        role: "client",
        clock: systemClock,
        random: Math.random,
        patienceMs: { first: 1e9 },
      });
      open.push(master);
      return master.view();
    };
    await expect(call(served.address, undefined)).rejects.toMatchObject({
      code: "unreachable",
      message: expect.stringMatching(/not signed by an authority that is trusted here; give --ca FILE/),
    });
    await expect(call(`https://127.0.0.2:${served.port}`, files.cert)).rejects.toThrow(
      /certificate is for another name/,
    );
  });

  it("a client that speaks clear text to TLS, or TLS to clear text, learns so", async () => {
    const secure = await serve({ tls: files });
    const plain = await serve();
    const call = (address: string) => {
      const master = connectMaster({
        address,
        token: plain.tokens.read,
        ca: files.cert,
        role: "client",
        clock: systemClock,
        random: () => 0,
        patienceMs: { first: 200 },
      });
      open.push(master);
      return master.view();
    };
    await expect(call(`http://127.0.0.1:${secure.port}`)).rejects.toThrow(/can't reach the master at http:.*TLS/);
    await expect(call(`https://127.0.0.1:${plain.port}`)).rejects.toThrow(/can't reach the master at https:.*TLS/);
  });
});
