import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { blobsConformance } from "../../../test/conformance/blobs.ts";
import { fakeMaster, type ServedMaster, serveMaster } from "../../../test/support/fake-master.ts";
import { type FaultProxy, faultProxy } from "../../../test/support/fault-proxy.ts";
import { memoryBlobs, sha256Of } from "../../../test/support/memory-blobs.ts";
import { systemClock } from "../../base/system/clock.ts";
import type { RemoteMaster } from "../../protocol/services.ts";
import type { TokenScope } from "../access/tokens.ts";
import { blobRoutes } from "../server/blob-routes.ts";
import { connectMaster } from "./client.ts";

const content = Buffer.from(Uint8Array.from({ length: 3_000_000 }, (_, index) => (index * 7919) % 251));
const name = sha256Of(content);

let kept: Map<string, Buffer>;
let served: ServedMaster;
let proxy: FaultProxy;
const clients: RemoteMaster[] = [];
beforeEach(async () => {
  kept = new Map();
  served = await serveMaster(fakeMaster(), { routes: blobRoutes(memoryBlobs(kept)) });
  proxy = await faultProxy({ port: served.port });
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await proxy.close();
  await served.listener.close(0);
});

function blobs(scope: TokenScope) {
  const client = connectMaster({
    address: `http://127.0.0.1:${proxy.port}`,
    token: served.tokens[scope],
    role: "client",
    clock: systemClock,
    random: () => 0,
    patienceMs: { first: 300, later: 300 },
  });
  clients.push(client);
  return client.blobs;
}

async function* pieces(bytes: Buffer, each = 100_000) {
  for (let at = 0; at < bytes.length; at += each) yield bytes.subarray(at, at + each);
}

async function whole(parts: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const part of parts) all.push(part);
  return Buffer.concat(all);
}

blobsConformance("a client over HTTP", async () => ({ blobs: blobs("submit") }));
blobsConformance("a test's heap", async () => ({ blobs: memoryBlobs() }));

describe("blobs over HTTP", () => {
  it("are put once and come back as they were", async () => {
    const submitter = blobs("submit");
    expect(await submitter.has(name)).toBe(false);
    await submitter.put(name, pieces(content), content.length);
    await submitter.put(name, pieces(content), content.length);
    expect(await submitter.has(name)).toBe(true);
    expect((await whole(await blobs("worker").get(name))).equals(content)).toBe(true);
  });

  it("that are empty are blobs too", async () => {
    const empty = sha256Of(Buffer.alloc(0));
    await blobs("submit").put(empty, pieces(Buffer.alloc(0)), 0);
    expect((await whole(await blobs("worker").get(empty))).length).toBe(0);
  });

  it("with another content, too long, or unknown are refused by what they are", async () => {
    const submitter = blobs("submit");
    await expect(submitter.put("0".repeat(64), pieces(content), 1e9)).rejects.toMatchObject({ code: "corrupt-run" });
    await expect(submitter.put(name, pieces(content), content.length - 1)).rejects.toMatchObject({
      code: "over-limit",
    });
    await expect(submitter.get(name)).rejects.toMatchObject({ code: "bad-input" });
    expect(kept.size).toBe(0);
  });

  it("S8: badly named are refused by the master itself, whatever its client lets through", async () => {
    const headers = { authorization: `Bearer ${served.tokens.submit.reveal()}` };
    for (const bad of ["abc", "..%2f..%2fetc%2fpasswd", "A".repeat(64)])
      for (const method of ["HEAD", "GET", "PUT"]) {
        const answer = await fetch(`${served.address}/v1/blobs/${bad}`, { method, headers });
        expect([400, 404], `${method} ${bad}`).toContain(answer.status);
      }
    expect(kept.size).toBe(0);
  });

  it("are not for tokens that only read, and workers don't put", async () => {
    kept.set(name, content);
    await expect(blobs("read").get(name)).rejects.toMatchObject({ code: "no-access" });
    await expect(blobs("read").has(name)).rejects.toMatchObject({ code: "no-access" });
    await expect(blobs("worker").put(name, pieces(content), 1e9)).rejects.toMatchObject({ code: "no-access" });
  });

  it("a put that is refused reads none of the content", async () => {
    let read = 0;
    const watched = (async function* () {
      for await (const piece of pieces(content)) {
        read++;
        yield piece;
      }
    })();
    await expect(blobs("read").put(name, watched, 1e9)).rejects.toMatchObject({ code: "no-access" });
    expect(read).toBe(0);
  });
});

describe("fault 53: blobs over a network that breaks", () => {
  it.each(["reset", "cut"] as const)("a get that is %s in the middle is an error, never a short blob", async (kind) => {
    kept.set(name, content);
    const parts = await blobs("worker").get(name);
    proxy.fault = { kind, afterBytes: 500_000, direction: "down" };
    await expect(whole(parts)).rejects.toMatchObject({ code: "unreachable", retry: "same" });
  });

  it("a put that is reset in the middle leaves nothing, and can be made again", async () => {
    const submitter = blobs("submit");
    proxy.fault = { kind: "reset", afterBytes: 500_000, direction: "up" };
    await expect(submitter.put(name, pieces(content), 1e9)).rejects.toMatchObject({ code: "unreachable" });
    expect(kept.size).toBe(0);
    proxy.fault = { kind: "none" };
    await submitter.put(name, pieces(content), 1e9);
    expect(kept.get(name)!.equals(content)).toBe(true);
  });

  it("a put whose bytes are changed on the way is refused", async () => {
    proxy.fault = { kind: "flip", atByte: 400_000, direction: "up" };
    await expect(blobs("submit").put(name, pieces(content), 1e9)).rejects.toMatchObject({
      code: expect.stringMatching(/corrupt-run|unreachable/), // or the chunk's length was what changed
    });
    expect(kept.size).toBe(0);
  });

  it("a question whose head is cut off on its way is asked again", async () => {
    kept.set(name, content);
    proxy.fault = { kind: "cut", afterBytes: 40, direction: "up" };
    const has = blobs("worker").has(name);
    while (proxy.accepted < 2) await new Promise((resolve) => setTimeout(resolve, 2));
    proxy.fault = { kind: "none" };
    expect(await has).toBe(true);
  });

  it("questions are asked again", async () => {
    kept.set(name, content);
    proxy.fault = { kind: "refuse" };
    const has = blobs("worker").has(name);
    while (proxy.accepted < 2) await new Promise((resolve) => setTimeout(resolve, 2));
    proxy.fault = { kind: "none" };
    expect(await has).toBe(true);
  });

  it("content that fails while it is read fails the put with its own error", async () => {
    const failing = (async function* () {
      yield content.subarray(0, 10);
      throw new Error("the file is gone");
    })();
    await expect(blobs("submit").put(name, failing, 1e9)).rejects.toThrow("the file is gone");
  });
});
