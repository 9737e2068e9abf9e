import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Change, Leader, StateStore } from "../../src/state/store.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const put = (key: string, value: string): Change => ({ put: { key, value: bytes(value) } });
const never = new AbortController().signal;

async function all(store: StateStore, prefix = ""): Promise<[string, string][]> {
  const found: [string, string][] = [];
  for await (const { key, value } of store.scan(prefix)) found.push([key, new TextDecoder().decode(value)]);
  return found;
}

/** A store on fresh storage. */
export interface OpenedStore {
  readonly store: StateStore;
  /** Closes the store and opens the same storage again. */
  readonly reopen?: () => Promise<StateStore>;
  /** Opens another store on the same storage, as another master does. Without it: only one can have it open. */
  readonly another?: () => Promise<StateStore>;
  readonly remove?: () => void;
}

/** What every `StateStore` promises. */
export function storeConformance(name: string, open: () => Promise<OpenedStore>): void {
  describe(`${name} store`, () => {
    let opened: OpenedStore;
    let store: StateStore;
    /** Other stores on the same storage. */
    const others: StateStore[] = [];
    const another = async () => {
      const other = await opened.another!();
      others.push(other);
      return other;
    };
    beforeEach(async () => {
      opened = await open();
      store = opened.store;
    });
    afterEach(async () => {
      for (const other of others.splice(0)) await other.close();
      await store.close();
      opened.remove?.();
    });

    it("gives every leadership a larger epoch than any before", async () => {
      const first = await store.lead("a", never);
      const second = await store.lead("b", never);
      expect(first.epoch).toBeGreaterThan(0);
      expect(second.epoch).toBeGreaterThan(first.epoch);
      if (opened.reopen !== undefined) {
        store = await opened.reopen();
        expect((await store.lead("c", never)).epoch).toBeGreaterThan(second.epoch);
      }
    });

    it("fault 33: refuses the writes of a leadership once a later one exists, and tells it", async () => {
      const old = await store.lead("a", never);
      await old.commit([put("k", "old")]);
      const next = await store.lead("b", never);
      expect(old.lost.aborted).toBe(true);
      await expect(old.commit([put("k", "zombie")])).rejects.toMatchObject({ code: "not-leader" });
      await next.commit([put("l", "new")]);
      expect(await all(store)).toEqual([
        ["k", "old"],
        ["l", "new"],
      ]);
    });

    it("refuses writes after resigning", async () => {
      const leader = await store.lead("a", never);
      await leader.resign();
      await expect(leader.commit([put("k", "v")])).rejects.toMatchObject({ code: "not-leader" });
    });

    it("applies changes in order, so that the last word on a key counts", async () => {
      const leader = await store.lead("a", never);
      await leader.commit([
        put("k", "1"),
        { delete: "k" },
        put("k", "2"),
        put("gone", "x"),
        { delete: "gone" },
        { delete: "never there" },
      ]);
      expect(await all(store)).toEqual([["k", "2"]]);
    });

    it("lists a prefix in the order of the keys' UTF-8 bytes", async () => {
      const leader = await store.lead("a", never);
      const keys = ["job/10", "job/2", "job/", "jobs", "job", "job/\u{1F600}", "job/\uFF5E", "k"];
      await leader.commit(keys.map((key) => put(key, key)));
      const expected = keys
        .filter((key) => key.startsWith("job/"))
        .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      expect((await all(store, "job/")).map(([key]) => key)).toEqual(expected);
      expect(await all(store, "none")).toEqual([]);
    });

    it("keeps a value's bytes, whatever they are, and does not share them", async () => {
      const leader = await store.lead("a", never);
      const value = new Uint8Array([0, 255, 10, 13, 0]);
      await leader.commit([{ put: { key: "v", value } }, put("empty", "")]);
      value.fill(7);
      const found = new Map<string, Uint8Array>();
      for await (const record of store.scan("")) found.set(record.key, record.value);
      expect([...found.get("v")!]).toEqual([0, 255, 10, 13, 0]);
      expect(found.get("empty")).toHaveLength(0);
    });

    it("shows a scan the store as it was when it began", async () => {
      const leader = await store.lead("a", never);
      await leader.commit([put("k/1", "old"), put("k/2", "old")]);
      const seen: string[] = [];
      for await (const { key, value } of store.scan("k/")) {
        if (seen.length === 0) await leader.commit([put("k/2", "new"), put("k/3", "new"), { delete: "k/1" }]);
        seen.push(`${key} ${new TextDecoder().decode(value)}`);
      }
      expect(seen).toEqual(["k/1 old", "k/2 old"]);
      expect(await all(store, "k/")).toEqual([
        ["k/2", "new"],
        ["k/3", "new"],
      ]);
    });

    it("keeps ten thousand records of one commit, and all of them after a restart", async () => {
      const leader = await store.lead("a", never);
      await leader.commit([]);
      await leader.commit(Array.from({ length: 10_000 }, (_, i) => put(`t/${String(i).padStart(5, "0")}`, String(i))));
      if (opened.reopen !== undefined) store = await opened.reopen();
      const found = await all(store, "t/");
      expect(found).toHaveLength(10_000);
      expect(found[9999]).toEqual(["t/09999", "9999"]);
    });

    it("says who leads, in which epoch and since when", async () => {
      expect(await store.leader()).toBeUndefined();
      const leading = await store.lead("https://a:7070", never);
      const leader = await store.leader();
      expect(leader).toMatchObject({ owner: "https://a:7070", epoch: leading.epoch });
      expect(leader!.since).toBeGreaterThan(0);
      await leading.resign();
      expect(await store.leader()).toBeUndefined();
    });

    it("tells who watches of each change of the leader, and stops when it is told to", async () => {
      const ending = new AbortController();
      const told = store.watchLeader(ending.signal)[Symbol.asyncIterator]();
      const next = async () => ((await told.next()).value as Leader | undefined)?.owner;
      expect(await next()).toBeUndefined();
      const first = await store.lead("a", never);
      expect(await next()).toBe("a");
      await first.resign();
      expect(await next()).toBeUndefined();
      await store.lead("b", never);
      expect(await next()).toBe("b");
      ending.abort();
      expect(await told.next()).toMatchObject({ done: true });
    });

    it("stands for no election that was called off before", async () => {
      const reason = new Error("no more");
      await expect(store.lead("a", AbortSignal.abort(reason))).rejects.toBe(reason);
      expect(await store.leader()).toBeUndefined();
    });

    it("fault 33: waits while another store leads, and leads once that has resigned", async ({ skip }) => {
      if (opened.another === undefined) return skip("one process at a time can open it");
      const other = await another();
      const first = await store.lead("a", never);
      const second = other.lead("b", never);
      await first.commit([put("k", "of a")]); // b waits, so this is no old leader's
      expect(await other.leader()).toMatchObject({ owner: "a", epoch: first.epoch });
      await first.resign();
      const next = await second;
      expect(next.epoch).toBeGreaterThan(first.epoch);
      await expect(first.commit([put("k", "zombie")])).rejects.toMatchObject({ code: "not-leader" });
      await next.commit([put("l", "of b")]);
      expect(await all(other)).toEqual([
        ["k", "of a"],
        ["l", "of b"],
      ]);
      expect(await store.leader()).toMatchObject({ owner: "b", epoch: next.epoch });
    });

    it("lets another lead when the leader's store is closed, and one of those that wait only", async ({ skip }) => {
      if (opened.another === undefined) return skip("one process at a time can open it");
      const [b, c, watcher] = [await another(), await another(), await another()];
      const first = await store.lead("a", never);
      const waiting = [b.lead("b", never), c.lead("c", never)];
      await store.close();
      expect(first.lost.aborted).toBe(true);
      const second = await Promise.race(waiting);
      const leader = await watcher.leader();
      expect(leader?.epoch).toBe(second.epoch);
      const [loser, waits] = leader?.owner === "b" ? [c, waiting[1]!] : [b, waiting[0]!];
      await second.commit([put("k", "v")]);
      await second.resign();
      expect((await waits).epoch).toBeGreaterThan(second.epoch);
      expect(await all(loser)).toEqual([["k", "v"]]);
    });

    it("stops waiting when it is called off or closed", async ({ skip }) => {
      if (opened.another === undefined) return skip("one process at a time can open it");
      const other = await another();
      const first = await store.lead("a", never);
      const ending = new AbortController();
      const waiting = other.lead("b", ending.signal);
      const reason = new Error("no more");
      ending.abort(reason);
      await expect(waiting).rejects.toBe(reason);
      const again = other.lead("b", never);
      const refused = expect(again).rejects.toMatchObject({ code: "not-leader" });
      await other.close();
      others.splice(0);
      await refused;
      await first.commit([put("k", "v")]);
      expect(await store.leader()).toMatchObject({ owner: "a", epoch: first.epoch });
    });
  });
}
