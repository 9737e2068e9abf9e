// Several masters of one store: one leads, the others wait, answer with its address, and take over.
import { createHash } from "node:crypto";
import { appendFileSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { limits } from "../base/limits.ts";
import { systemClock } from "../base/system/clock.ts";
import { randomId } from "../base/system/random.ts";
import type { RemoteMaster, Submission } from "../protocol/services.ts";
import { findToken } from "../rpc/access/find-token.ts";
import { randomToken } from "../rpc/access/token-digest.ts";
import { createTokens } from "../rpc/access/tokens.ts";
import { connectMaster } from "../rpc/client/client.ts";
import { createMemoryStore, SharedMemory } from "../state/memory.ts";
import { createStorage } from "../storage/any.ts";
import { type MasterNode, type MasterNodeOptions, openMasterNode, type Standby } from "./node.ts";

let folder: string;
let configBefore: string | undefined;
let memory: SharedMemory;
const open: { close(): unknown }[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "millrace-standby-"));
  configBefore = process.env["XDG_CONFIG_HOME"];
  process.env["XDG_CONFIG_HOME"] = join(folder, "config");
  memory = new SharedMemory();
  createTokens(at("tokens"));
  writeFileSync(at("in.txt"), "a b\n");
});
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
  if (configBefore === undefined) delete process.env["XDG_CONFIG_HOME"];
  else process.env["XDG_CONFIG_HOME"] = configBefore;
  rmSync(folder, { recursive: true, force: true });
});

const at = (name: string) => join(folder, name);

function optionsOf(more: Partial<MasterNodeOptions> = {}): MasterNodeOptions {
  return {
    state: "memory:",
    sharedStore: async () => createMemoryStore(memory),
    tokens: at("tokens"),
    blobs: at("blobs"),
    listen: "127.0.0.1:0",
    storage: createStorage(),
    ...more,
  };
}

async function start(more: Partial<MasterNodeOptions> = {}): Promise<MasterNode> {
  const node = await openMasterNode(optionsOf(more));
  open.push(node);
  return node;
}

interface Waiting extends Standby {
  /** Resolves when it leads. */
  readonly led: Promise<MasterNode>;
}

/** Starts one while another leads. */
async function startStandby(more: Partial<MasterNodeOptions> = {}): Promise<Waiting> {
  const stop = new AbortController();
  open.push({ close: () => stop.abort() });
  return await new Promise((resolve, reject) => {
    const led = start({ ...more, signal: more.signal ?? stop.signal, standby: (told) => resolve({ ...told, led }) });
    led.catch(reject);
  });
}

function connect(...addresses: readonly string[]): RemoteMaster {
  const address = addresses.join(",");
  const token = findToken({ address });
  const remote = connectMaster({ address, token, role: "client", clock: systemClock, random: () => 0 });
  open.push(remote);
  return remote;
}

const bundle = Buffer.from("export default 1;");
const sha256 = createHash("sha256").update(bundle).digest("hex");

async function submit(remote: RemoteMaster): Promise<string> {
  const content = (async function* () {
    yield bundle;
  })();
  await remote.blobs.put(sha256, content, limits.bundleBytesMax);
  return await remote.submit(submission());
}

function submission(): Submission {
  return {
    idempotencyKey: randomId(),
    overwrite: false,
    spec: {
      name: "job",
      bundle: sha256,
      inputs: [{ name: "", paths: ["in.txt"] }],
      directory: folder,
      standardInput: undefined,
      files: [],
      output: at("out"),
      writes: "formats",
      partitions: 2,
      splitBytes: undefined,
      attemptsMax: 4,
      maxSlots: undefined,
      skipBad: 0,
      params: "{}",
      taskTimeoutMs: 1000,
      taskLimitMs: undefined,
      checkpointMs: 0,
      nondeterministic: "rerun",
      replaces: undefined,
      environment: {},
      startedAt: "2026-01-01T00:00:00.000Z",
    },
  };
}

async function collected<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

const statusOf = async (address: string, path: string) => (await fetch(`${address}${path}`)).status;

describe("a master that waits for its turn", () => {
  test("listens, says that it is not ready, and answers each call with the address of the one that leads", async () => {
    const first = await start();
    const second = await startStandby();
    expect(second.leader).toBe(first.address);
    expect(await statusOf(second.address, "/healthz")).toBe(200);
    expect(await statusOf(second.address, "/readyz")).toBe(503);
    expect(await statusOf(first.address, "/readyz")).toBe(200);
    const token = readFileSync(join(at("tokens"), "admin"), "utf8").trim();
    for (const method of ["HEAD", "GET", "PUT"]) {
      const answer = await fetch(`${second.address}/v1/blobs/${sha256}`, {
        method,
        headers: { authorization: `Bearer ${token}` },
        ...(method === "PUT" ? { body: bundle } : {}),
      });
      expect([method, answer.status, answer.headers.get("x-millrace-leader")]).toEqual([method, 503, first.address]);
    }
    // Its tokens are looked at all the same.
    expect((await fetch(`${second.address}/v1/blobs/${sha256}`)).status).toBe(401);
    // A client that knows only this one finds the other.
    expect(await connect(second.address).view()).toMatchObject({
      epoch: first.epoch,
      leader: { address: first.address },
    });
  });

  test("takes over with all that there was: jobs, bundles, event logs, cluster and a later epoch", async () => {
    const first = await start();
    const second = await startStandby();
    const remote = connect(first.address, second.address);
    const job = await submit(remote);
    await vi.waitFor(async () => {
      expect(await collected(remote.history(job))).not.toEqual([]);
    });
    await first.close();
    const led = await second.led;
    expect(await statusOf(led.address, "/readyz")).toBe(200);
    expect([led.cluster, led.epoch]).toEqual([first.cluster, first.epoch + 1]);
    expect((await remote.get(job)).state).toBe("planning");
    expect(await remote.blobs.has(sha256)).toBe(true);
    await remote.cancel(job);
    const kinds = (await collected(remote.history(job))).map(({ kind }) => kind);
    expect([kinds[0], kinds.at(-1)]).toEqual(["job-submitted", "job-ended"]);
    expect((await remote.view()).leader).toMatchObject({ address: led.address });
  });

  test("fault 34: a leader that has lost its lease stops by itself, and its callers go to the next", async () => {
    const first = await start();
    const second = await startStandby();
    const remote = connect(first.address, second.address);
    const job = await submit(remote);
    const states = remote.watch(job)[Symbol.asyncIterator]();
    await states.next();
    memory.expire();
    const led = await second.led;
    expect(first.stopped.aborted).toBe(true);
    expect(first.stopped.reason).toMatchObject({ code: "not-leader" });
    await connect(led.address).cancel(job);
    let last: unknown;
    for (let next = await states.next(); next.done !== true; next = await states.next()) last = next.value.state;
    expect(last).toBe("cancelled");
  });

  test("is told to end while it waits", async () => {
    await start();
    const stop = new AbortController();
    const second = await startStandby({ signal: stop.signal });
    const reason = new Error("told to end");
    stop.abort(reason);
    await expect(second.led).rejects.toBe(reason);
    await expect(fetch(`${second.address}/healthz`)).rejects.toThrow();
  });

  test("needs tokens that are there, and a directory that others see", async () => {
    await expect(start({ tokens: undefined })).rejects.toThrow(/needs --tokens DIR: .* millrace token new DIR/);
    await expect(start({ blobs: undefined })).rejects.toThrow(/needs --blobs DIR/);
    await expect(start({ tokens: at("none") })).rejects.toThrow(/none\/admin can't be read: there is no such file/);
    await expect(start({ sharedStore: undefined, state: at("state"), tokens: undefined })).rejects.toThrow(
      /--blobs is for a state that several masters see/,
    );
  });
});

describe("the tokens of several masters", () => {
  const write = (directory: string, scope: string, ...tokens: readonly string[]) =>
    writeFileSync(join(at(directory), scope), `${tokens.join("\n")}\n`);
  const read = (directory: string, scope: string) => readFileSync(join(at(directory), scope), "utf8").trim();

  test("a master with others is refused at once, with what to do, and is never elected", async () => {
    const first = await start();
    cpSync(at("tokens"), at("others"), { recursive: true });
    write("others", "worker", randomToken().reveal());
    const refused = { code: "no-access", message: expect.stringMatching(/may not lead: .*others\/worker is one/) };
    await expect(start({ tokens: at("others") })).rejects.toMatchObject(refused);
    await first.close();
    await expect(start({ tokens: at("others") })).rejects.toMatchObject(refused);
    expect((await start()).epoch).toBe(first.epoch + 1);
  });

  test("one that was refused after its election gives it up", async () => {
    const first = await start();
    const second = await startStandby();
    // What the store knows changes while it waits.
    memory.records.set("tokens/read", Buffer.from("0".repeat(64)));
    await first.close();
    await expect(second.led).rejects.toMatchObject({ code: "no-access" });
    expect(memory.seat.leader).toBeUndefined();
  });

  test("may be changed one after the other, while the leader stays", async () => {
    await start();
    const [old, next] = [read("tokens", "admin"), randomToken().reveal()];
    cpSync(at("tokens"), at("others"), { recursive: true });
    write("others", "admin", old, next);
    const second = await startStandby({ tokens: at("others") });
    expect(second.leader).not.toBe(second.address);
    // The new one alone is not known yet.
    cpSync(at("tokens"), at("newest"), { recursive: true });
    write("newest", "admin", next);
    await expect(start({ tokens: at("newest") })).rejects.toMatchObject({ code: "no-access" });
    // Once the leader's file has it, the store has, too.
    appendFileSync(join(at("tokens"), "admin"), `${next}\n`);
    await vi.waitFor(() => expect(Buffer.from(memory.records.get("tokens/admin")!).toString()).toContain("\n"), 10_000);
    expect((await startStandby({ tokens: at("newest") })).leader).not.toBe(second.address);
    // No token can be read in the store.
    for (const value of memory.records.values()) expect(Buffer.from(value).includes(next)).toBe(false);
  });
});
