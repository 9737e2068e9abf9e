// The caller's side (the listener's is in listener.test.ts): servers that stop in the middle, at each place where they
// can.
import { createHash } from "node:crypto";
import { type ClientRequest, request as httpRequest, type IncomingMessage } from "node:http";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MillraceError } from "../base/error.ts";
import { Secret } from "../base/value/secret.ts";
import { blobClient } from "./client/blob-client.ts";
import { Line } from "./client/line.ts";
import { endSilentCall } from "./transfer-silence.ts";

const bounds = { silenceMs: 200, silenceBytesMin: 1000 };
let server: Server;
let port: number;
/** What the server does with a connection once it has heard something. */
let serve: (socket: Socket) => void;
let sockets: Socket[];
let timers: NodeJS.Timeout[];

beforeEach(async () => {
  sockets = [];
  timers = [];
  server = createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    socket.once("data", () => serve(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  port = (server.address() as AddressInfo).port;
});
afterEach(() => {
  for (const timer of timers) clearInterval(timer);
  for (const socket of sockets) socket.destroy();
  server.close();
});

function drip(socket: Socket, bytes: number): void {
  timers.push(setInterval(() => socket.write(Buffer.alloc(bytes, "x")), 20));
}

const drips = (socket: Socket) => {
  socket.write(head);
  drip(socket, 1);
};

const head = "HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n";

describe("fault 54: a server that stops in the middle", () => {
  /** The bytes that came, or the error. */
  async function call(send: (request: ClientRequest) => void = (request) => request.end(), method = "GET") {
    const expects = method === "PUT" ? { expect: "100-continue" } : {};
    const request = httpRequest({ port, host: "127.0.0.1", method, agent: false, headers: expects });
    endSilentCall(request, bounds, (what) => new MillraceError("unreachable", `it ${what}`));
    const answer = new Promise<IncomingMessage>((resolve, reject) => {
      request.once("response", resolve);
      request.on("error", reject);
    });
    send(request);
    let bytes = 0;
    for await (const chunk of await answer) bytes += (chunk as Buffer).length;
    return bytes;
  }
  const silence = { code: "unreachable", message: "it moved less than 1000 bytes in 200 ms" };

  it.each<[string, (socket: Socket) => void]>([
    ["before its answer", () => {}],
    ["within the answer's head", (socket) => socket.write(head.slice(0, 20))],
    ["behind the answer's head", (socket) => socket.write(head)],
    ["within the answer", (socket) => socket.write(`${head}${"x".repeat(5000)}`)],
    ["but for a byte now and then", drips],
  ])("%s is given up", async (_, serving) => {
    serve = serving;
    await expect(call()).rejects.toMatchObject(silence);
  });

  it("and takes nothing of a body, or never asks for it, or never answers it, is given up", async () => {
    const body = (request: ClientRequest) => request.end(Buffer.alloc(64_000_000));
    serve = (socket) => socket.pause();
    await expect(call(body, "POST")).rejects.toMatchObject(silence);
    serve = () => {};
    await expect(call((request) => request.flushHeaders(), "PUT")).rejects.toMatchObject(silence);
    serve = (socket) => {
      socket.resume();
      socket.write("HTTP/1.1 100 Continue\r\n\r\n");
    };
    const whenAsked = (request: ClientRequest) => {
      request.once("continue", () => request.end("body"));
      request.flushHeaders();
    };
    await expect(call(whenAsked, "PUT")).rejects.toMatchObject(silence);
  });

  it("is not one that moves, nor one whose caller takes its time to send or to read", async () => {
    serve = (socket) => {
      socket.resume();
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${40 * 1000}\r\n\r\n`);
      drip(socket, 1000);
    };
    expect(await call()).toBe(40_000);

    serve = (socket) => {
      socket.on("data", (chunk: Buffer) => {
        if (chunk.includes("end")) socket.end(`HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx`);
      });
    };
    const slowly = (request: ClientRequest) => {
      request.write("begin");
      setTimeout(() => request.end("end"), 1000);
    };
    expect(await call(slowly, "POST")).toBe(1);

    serve = (socket) =>
      socket.write("HTTP/1.1 200 OK\r\ncontent-length: 3000000\r\n\r\n") && socket.end(Buffer.alloc(3e6));
    const request = httpRequest({ port, host: "127.0.0.1", agent: false });
    endSilentCall(request, bounds, (what) => new MillraceError("unreachable", `it ${what}`));
    const response = await new Promise<IncomingMessage>((resolve) => request.end().once("response", resolve));
    let bytes = 0;
    for await (const chunk of response) {
      if (bytes === 0) await new Promise((resolve) => setTimeout(resolve, 1000));
      bytes += (chunk as Buffer).length;
    }
    expect(bytes).toBe(3_000_000);
  });
});

describe("fault 54: a master that stops in the middle of a blob", () => {
  const sha256 = createHash("sha256").update("blob").digest("hex");
  const blobs = () => {
    const access = { token: new Secret("t".repeat(43)), ca: undefined };
    const line = new Line(`http://127.0.0.1:${port}`, { token: access.token, tls: {}, pingMs: 1000 });
    return blobClient({
      ...access,
      line: () => line,
      failed: () => {},
      closed: new AbortController().signal,
      pause: async () => {},
      repeat: async (_signal, again) => await again(new AbortController().signal, line),
      silence: bounds,
    });
  };
  const silence = {
    code: "unreachable",
    retry: "same",
    message: expect.stringMatching(/^the master at http:\S+ moved less than 1000 bytes in 200 ms$/),
  };

  it("is given up by who gets it: its bytes are not waited for, nor those of a refusal, nor the answer to a question", async () => {
    serve = drips;
    const content = await blobs().get(sha256);
    await expect(
      (async () => {
        for await (const _ of content);
      })(),
    ).rejects.toMatchObject(silence);
    serve = (socket) => socket.write("HTTP/1.1 500 no\r\ncontent-length: 100\r\n\r\n{");
    await expect(blobs().get(sha256)).rejects.toMatchObject({ code: "io-error", message: "HTTP 500" });
    serve = () => {};
    await expect(blobs().has(sha256)).rejects.toMatchObject(silence);
  });

  it("is given up by who puts it", async () => {
    async function* content() {
      for (let n = 0; n < 64; n++) yield Buffer.alloc(1_000_000);
    }
    serve = (socket) => {
      socket.write("HTTP/1.1 100 Continue\r\n\r\n");
      socket.pause();
    };
    await expect(blobs().put(sha256, content(), 1e9)).rejects.toMatchObject(silence);
  });
});
