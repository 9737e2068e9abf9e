import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Change, StateStore } from "../../src/state/store.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const put = (key: string, value: string): Change => ({ put: { key, value: bytes(value) } });
const never = new AbortController().signal;

async function all(store: StateStore, prefix = ""): Promise<[string, string][]> {
  const found: [string, string][] = [];
  for await (const { key, value } of store.scan(prefix)) found.push([key, new TextDecoder().decode(value)]);
  return found;
}

/**
 * What every `StateStore` promises. `open` makes one on fresh storage; `reopen` closes it and opens the same storage
 * again.
 */
export function storeConformance(
  name: string,
  open: () => Promise<{ store: StateStore; reopen?: () => Promise<StateStore>; remove?: () => void }>,
): void {
  describe(`${name} store`, () => {
    let opened: Awaited<ReturnType<typeof open>>;
    let store: StateStore;
    beforeEach(async () => {
      opened = await open();
      store = opened.store;
    });
    afterEach(async () => {
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
  });
}
