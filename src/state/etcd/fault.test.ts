// What etcd may do to a leader, by a member in this process that does it when it is told to.
import { Code, ConnectError } from "@connectrpc/connect";
import { afterEach, beforeEach, expect, test } from "vitest";
import { storeConformance } from "../../../test/conformance/store.ts";
import { type FakeEtcd, startFakeEtcd } from "../../../test/support/fake-etcd.ts";
import { type Clock, systemClock } from "../../base/system/clock.ts";
import type { TxnResponse } from "../../wire/gen/etcd/rpc_pb.ts";
import { openStateStore } from "../open.ts";
import type { Change, StateStore } from "../store.ts";

const never = new AbortController().signal;
const put = (key: string, value = key): Change => ({ put: { key, value: Buffer.from(value) } });

let etcd: FakeEtcd;
let store: StateStore;
/** Added to the clock: time in which the process stood still. */
let stoodStillMs: number;
const clock: Clock = { ...systemClock, now: () => systemClock.now() + stoodStillMs };
const others: StateStore[] = [];

const open = async () => {
  const other = await openStateStore(`etcd://${etcd.client}`, { clock });
  others.push(other);
  return other;
};

beforeEach(async () => {
  stoodStillMs = 0;
  etcd = await startFakeEtcd();
  store = await open();
});
afterEach(async () => {
  etcd.onTransaction = undefined;
  for (const other of others.splice(0)) await other.close();
  await etcd.close();
});

async function all(from = store): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for await (const { key, value } of from.scan("")) found[key] = Buffer.from(value).toString();
  return found;
}

storeConformance("etcd in this process", async () => {
  const own = await startFakeEtcd();
  const opened = await openStateStore(`etcd://${own.client}`);
  return {
    store: opened,
    another: () => openStateStore(`etcd://${own.client}`),
    reopen: async () => {
      await opened.close();
      return await openStateStore(`etcd://${own.client}`);
    },
    remove: () => void own.close(),
  };
});

test("fault 33: a transaction whose answer is lost is recognised, and applied once", async () => {
  const leading = await store.lead("a", never);
  const before = etcd.transactions.length;
  let lost = 0;
  etcd.onTransaction = (apply) => {
    const answer = apply();
    if (lost++ > 0) return answer;
    return new Promise(() => {});
  };
  await leading.commit([put("k")]);
  expect(etcd.transactions.length - before).toBe(2);
  expect(leading.lost.aborted).toBe(false);
  await leading.commit([put("l")]);
  expect(await all()).toEqual({ k: "k", l: "l" });
});

test("fault 33: a transaction that is applied late puts nothing back", async () => {
  const leading = await store.lead("a", never);
  const late: (() => TxnResponse)[] = [];
  etcd.onTransaction = (apply) => {
    if (late.length > 0) return apply();
    late.push(apply);
    return new Promise(() => {});
  };
  await leading.commit([put("k", "old")]);
  await leading.commit([put("k", "new")]);
  expect(late.map((apply) => apply().succeeded)).toEqual([false]);
  expect(await all()).toEqual({ k: "new" });
});

test("fault 33: a transaction of a leader that was replaced has no effect", async () => {
  const leading = await store.lead("a", never);
  const late: (() => TxnResponse)[] = [];
  etcd.onTransaction = (apply) => {
    late.push(apply);
    return new Promise(() => {});
  };
  const commit = leading.commit([put("k", "zombie")]);
  const refused = expect(commit).rejects.toMatchObject({ code: "not-leader" });
  while (late.length === 0) await new Promise(setImmediate);
  etcd.onTransaction = undefined;
  etcd.expire();
  const other = await open();
  await (await other.lead("b", never)).commit([put("k", "of b")]);
  expect(late[0]!().succeeded).toBe(false);
  await refused;
  expect(leading.lost.aborted).toBe(true);
  expect(await all(other)).toEqual({ k: "of b" });
});

test("fault 33: a transaction behind the end of the lease has no effect, though no one leads yet", async () => {
  const leading = await store.lead("a", never);
  await leading.commit([put("k", "before")]);
  etcd.expire();
  await expect(leading.commit([put("k", "zombie")])).rejects.toMatchObject({ code: "not-leader" });
  expect(leading.lost.aborted).toBe(true);
  expect(await all()).toEqual({ k: "before" });
});

test("fault 33: a process that stood still for its lease sends nothing", async () => {
  const leading = await store.lead("a", never);
  const before = etcd.transactions.length;
  stoodStillMs = 3400;
  await expect(leading.commit([put("k")])).rejects.toMatchObject({ code: "not-leader" });
  expect(leading.lost.aborted).toBe(true);
  expect(etcd.transactions).toHaveLength(before);
});

test("fault 33: a process that stood still does not act on an answer from before", async () => {
  const leading = await store.lead("a", never);
  let isLate = false;
  etcd.onTransaction = (apply) => {
    isLate = true;
    stoodStillMs = 3400;
    return apply();
  };
  await expect(leading.commit([put("k")])).rejects.toMatchObject({ code: "not-leader" });
  expect(isLate).toBe(true);
  expect(leading.lost.aborted).toBe(true);
});

test("a leader whose lease is not kept alive steps down by its own clock", async () => {
  etcd.keepsLeases = false;
  const leading = await store.lead("a", never);
  await new Promise((resolve) => leading.lost.addEventListener("abort", resolve));
  expect(leading.lost.reason).toMatchObject({ code: "not-leader", message: expect.stringContaining("two thirds") });
  await expect(leading.commit([])).rejects.toMatchObject({ code: "not-leader" });
});

test("a leader whose lease etcd has ended steps down", async () => {
  const leading = await store.lead("a", never);
  etcd.expire();
  await new Promise((resolve) => leading.lost.addEventListener("abort", resolve));
  expect(leading.lost.reason).toMatchObject({ message: expect.stringContaining("ended this master's lease") });
});

test("an election whose answer is lost is won once", async () => {
  let lost = 0;
  etcd.onTransaction = (apply) => {
    const answer = apply();
    if (lost++ > 0) return answer;
    return new Promise(() => {});
  };
  const leading = await store.lead("a", never);
  expect(lost).toBe(2);
  expect(leading.epoch).toBe(1);
  await leading.commit([put("k")]);
  expect(await all()).toEqual({ k: "k" });
});

test("fault 37: etcd's quota ends the leadership with no-space, and what helps", async () => {
  const leading = await store.lead("a", never);
  etcd.onTransaction = () => {
    throw new ConnectError("etcdserver: mvcc: database space exceeded", Code.ResourceExhausted);
  };
  await expect(leading.commit([put("k")])).rejects.toMatchObject({
    code: "no-space",
    message: expect.stringContaining("etcdctl alarm disarm"),
  });
  expect(leading.lost.aborted).toBe(true);
});

test("a scan whose revision is compacted goes on where nothing was written since, and gives every record once", async () => {
  const leading = await store.lead("a", never);
  const keys = Array.from({ length: 300 }, (_, index) => `k/${String(index).padStart(3, "0")}`);
  await leading.commit(keys.map((key) => put(key)));
  let compactions = 0;
  etcd.onRange = ({ revision }) => {
    if (revision === 0n || compactions > 0) return;
    compactions++;
    etcd.put("/somebody/else", "v");
    etcd.compact();
  };
  expect(Object.keys(await all())).toEqual(keys);
  expect(compactions).toBe(1);
});

test("a scan whose revision is compacted ends with an error where it can't go on as it began", async () => {
  const leading = await store.lead("a", never);
  await leading.commit(Array.from({ length: 300 }, (_, index) => put(`k/${index}`)));
  const scan = store.scan("")[Symbol.asyncIterator]();
  await scan.next();
  await leading.commit([put("k/0", "new")]);
  etcd.compact();
  const rest = (async () => {
    while (!(await scan.next()).done);
  })();
  await expect(rest).rejects.toMatchObject({ code: "io-error", message: expect.stringContaining("compacted") });
});

test("whoever waits for a leader finds its revision compacted, looks again, and leads", async () => {
  const leading = await store.lead("a", never);
  const other = await open();
  const original = etcd.revision;
  const waiting = other.lead("b", never);
  await leading.commit([put("k")]);
  etcd.compact();
  await leading.resign();
  expect((await waiting).epoch).toBe(2);
  expect(etcd.revision).toBeGreaterThan(original);
});

test("changes of one key are folded, and a commit is cut at 125 keys and 1 MiB", async () => {
  const leading = await store.lead("a", never);
  const before = etcd.transactions.length;
  const many = Array.from({ length: 400 }, (_, index) => put(`k/${index % 200}`, String(index)));
  await leading.commit(many);
  const sizes = etcd.transactions.slice(before).map(({ success }) => success.length);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(126);
  expect((await all())["k/0"]).toBe("200");
  await leading.commit(Array.from({ length: 5 }, (_, index) => put(`large/${index}`, "x".repeat(400_000))));
  expect(Object.keys(await all())).toHaveLength(205);
});

test("a value over 512 KiB lies in parts, which go with it", async () => {
  const leading = await store.lead("a", never);
  const value = Buffer.alloc(3_060_941, "0123456789abcdef");
  const parts = () => etcd.keys().filter((key) => key.startsWith("/millrace/p/"));
  await leading.commit([put("before"), { put: { key: "large", value } }, put("after")]);
  expect(parts()).toHaveLength(6);
  for await (const record of store.scan("large")) expect(Buffer.compare(record.value, value)).toBe(0);
  await leading.commit([{ put: { key: "large", value: value.subarray(1) } }]);
  expect(parts()).toHaveLength(6);
  for await (const record of store.scan("large")) expect(Buffer.compare(record.value, value.subarray(1))).toBe(0);
  await leading.resign();
  const next = await store.lead("b", never);
  await next.commit([{ put: { key: "large", value } }, put("large", "small")]);
  expect(parts()).toEqual([]);
  expect((await all()).large).toBe("small");
  await next.commit([{ put: { key: "large", value } }]);
  await next.commit([{ delete: "large" }]);
  expect(etcd.keys().filter((key) => key.includes("large"))).toEqual([]);
});

test("parts that no record names are removed by the next leader", async () => {
  const leading = await store.lead("a", never);
  const value = Buffer.alloc(700_000, 7);
  await leading.commit([{ put: { key: "kept", value } }]);
  let transactions = 0;
  etcd.onTransaction = (apply) => {
    if (transactions++ < 2) return apply();
    throw new ConnectError("etcdserver: mvcc: database space exceeded", Code.ResourceExhausted);
  };
  await expect(leading.commit([{ put: { key: "half", value } }])).rejects.toMatchObject({ code: "no-space" });
  etcd.onTransaction = undefined;
  await leading.resign();
  expect(etcd.keys().filter((key) => key.includes("half"))).toHaveLength(2);
  const next = await (await open()).lead("b", never);
  expect(etcd.keys().filter((key) => key.includes("half"))).toEqual([]);
  expect(Object.keys(await all())).toEqual(["kept"]);
  await next.commit([{ delete: "kept" }]);
  expect(etcd.keys().filter((key) => key.includes("kept"))).toEqual([]);
});

test.each(["/millrace/r/k", "/millrace/p/large\0"])("fault 38: a damaged record is refused: %s", async (prefix) => {
  const leading = await store.lead("a", never);
  await leading.commit([put("k"), { put: { key: "large", value: Buffer.alloc(600_000) } }]);
  const key = etcd.keys().find((candidate) => candidate.startsWith(prefix))!;
  etcd.put(key, "other bytes");
  await expect(all()).rejects.toMatchObject({ code: "corrupt-state" });
});

test("a store of another version is refused, with both versions named", async () => {
  etcd.put("/millrace/version", "7");
  await expect(open()).rejects.toMatchObject({
    code: "not-supported",
    message: expect.stringMatching(/version "7".*version 1/),
  });
});

test("a member that does not answer is left for the next one, and none at all is an error", async () => {
  const closed = await startFakeEtcd();
  await closed.close();
  const other = await openStateStore(`etcd://${closed.client},${etcd.client}`, { clock });
  const leading = await other.lead("a", never);
  await leading.commit([put("k")]);
  expect(await all()).toEqual({ k: "k" });
  await other.close();
  const jumping: Clock = { ...clock, sleep: async (ms, signal) => systemClock.sleep(Math.min(ms, 1), signal) };
  let at = 0;
  const soon: Clock = { ...jumping, now: () => (at += 500) };
  await expect(openStateStore(`etcd://${closed.client}`, { clock: soon })).rejects.toMatchObject({
    code: "unreachable",
    message: expect.stringContaining(closed.client),
  });
});
