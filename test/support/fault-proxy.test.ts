import { createConnection, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type FaultProxy, faultProxy } from "./fault-proxy.ts";

/** Answers each byte with itself, and ends when the other end does. */
let echo: Server;
let proxy: FaultProxy;

beforeEach(async () => {
  echo = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {});
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => echo.listen(0, "127.0.0.1", resolve));
  proxy = await faultProxy({ port: (echo.address() as { port: number }).port });
});
afterEach(async () => {
  await proxy.close();
  await new Promise((resolve) => echo.close(resolve));
});

interface Answer {
  readonly bytes: Buffer;
  readonly end: "end" | "reset";
}

function connect(): Socket {
  const socket = createConnection({ port: proxy.port, host: "127.0.0.1" });
  socket.on("error", () => {});
  return socket;
}

/** All that comes until the connection is over. */
function answer(socket: Socket): Promise<Answer> {
  const parts: Buffer[] = [];
  return new Promise((resolve) => {
    socket.on("data", (bytes) => parts.push(bytes));
    socket.once("error", () => resolve({ bytes: Buffer.concat(parts), end: "reset" }));
    socket.once("end", () => resolve({ bytes: Buffer.concat(parts), end: "end" }));
  });
}

async function say(bytes: Uint8Array): Promise<Answer> {
  const socket = connect();
  const heard = answer(socket);
  socket.end(bytes);
  return await heard;
}

const content = Buffer.from(Uint8Array.from({ length: 300_000 }, (_, index) => index % 251));

describe("the fault proxy", () => {
  it("changes nothing without a fault", async () => {
    const { bytes, end } = await say(content);
    expect(end).toBe("end");
    expect(bytes.equals(content)).toBe(true);
  });

  it("refuses, resets, cuts and flips where it is told to", async () => {
    proxy.fault = { kind: "refuse" };
    expect(await say(content)).toEqual({ bytes: Buffer.alloc(0), end: "reset" });
    proxy.fault = { kind: "reset", afterBytes: 1000, direction: "down" };
    expect((await say(content)).end).toBe("reset");
    proxy.fault = { kind: "cut", afterBytes: 1000, direction: "down" };
    const cut = await say(content);
    expect(cut.end).toBe("end");
    expect(cut.bytes.equals(content.subarray(0, 1000))).toBe(true);
    proxy.fault = { kind: "flip", atByte: 100_000, direction: "down" };
    const flipped = (await say(content)).bytes;
    expect(flipped[100_000]).toBe(content[100_000]! ^ 1);
    flipped[100_000]! ^= 1;
    expect(flipped.equals(content)).toBe(true);
  });

  it("drips and delays without losing anything", async () => {
    proxy.fault = { kind: "drip", bytes: 4, everyMs: 1, direction: "down" };
    expect((await say(content.subarray(0, 40))).bytes.equals(content.subarray(0, 40))).toBe(true);
    proxy.fault = { kind: "delay", ms: 2 };
    expect((await say(content)).bytes.equals(content)).toBe(true);
  });

  it("swallows what is sent into a black hole, and delivers it once healed", async () => {
    proxy.fault = { kind: "black-hole" };
    const socket = connect();
    const heard = answer(socket);
    await new Promise((resolve) => socket.write("late", resolve));
    proxy.fault = { kind: "none" };
    socket.end();
    expect((await heard).bytes.toString()).toBe("late");
  });

  it("loses the end of one side, so that the other waits", async () => {
    proxy.fault = { kind: "half-close" };
    const socket = connect();
    const first = new Promise<string>((resolve) => socket.once("data", (bytes) => resolve(bytes.toString())));
    let ended = false;
    socket.once("end", () => (ended = true));
    socket.end("x");
    expect(await first).toBe("x");
    expect(ended).toBe(false);
    expect(proxy.open).toBe(1);
    proxy.resetAll();
  });
});
