import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { storeConformance } from "../../test/conformance/store.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { systemClock } from "../base/system/clock.ts";
import { openLevelStore } from "./leveldb.ts";
import { MemoryFirstStore } from "./memory-first.ts";
import type { Change, StateStore } from "./store.ts";

let folder: string;
let stores = 0;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "millrace-memory-first-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const never = new AbortController().signal;
const put = (key: string, value: string): Change => ({ put: { key, value: Buffer.from(value) } });
const fresh = () => join(folder, `state-${++stores}`);
const lost: string[] = [];

function openIn(directory: string, afterMs: number | undefined = 3_600_000, clock = systemClock): MemoryFirstStore {
  lost.length = 0;
  return new MemoryFirstStore({ directory, clock, afterMs, onLost: ({ code }) => lost.push(code) });
}

async function all(store: StateStore): Promise<[string, string][]> {
  const found: [string, string][] = [];
  for await (const { key, value } of store.scan("")) found.push([key, Buffer.from(value).toString()]);
  return found;
}

storeConformance("a state that stays in memory", async () => ({ store: openIn(fresh()) }));

storeConformance("a state that is on disk from the beginning", async () => {
  const directory = fresh();
  const store = openIn(directory);
  expect(await store.keep()).toBe(true);
  return {
    store,
    async reopen() {
      await store.close();
      return await openLevelStore(directory);
    },
  };
});

storeConformance("a state that moves to disk while it is used", async () => {
  const directory = fresh();
  const store = openIn(directory, 0);
  return {
    store,
    async reopen() {
      expect(await store.keep()).toBe(true);
      await store.close();
      return await openLevelStore(directory);
    },
  };
});

describe("the move to disk", () => {
  test("I4: loses nothing, whenever it comes between commits that follow each other", async () => {
    for (let moveAt = 0; moveAt < 12; moveAt++) {
      const directory = fresh();
      const store = openIn(directory);
      const leader = await store.lead("a", never);
      const commits: Promise<void>[] = [];
      for (let i = 0; i < 12; i++) {
        if (i === moveAt) void store.keep();
        commits.push(leader.commit([put(`k/${i}`, String(i)), put("last", String(i)), { delete: `k/${i - 3}` }]));
        if (i % 3 === 0) await commits.at(-1);
      }
      await Promise.all(commits);
      const expected = [
        ["k/10", "10"],
        ["k/11", "11"],
        ["k/9", "9"],
        ["last", "11"],
      ];
      expect(await store.keep()).toBe(true);
      expect(await all(store), `moved at ${moveAt}`).toEqual(expected);
      await store.close();
      const again = await openLevelStore(directory);
      expect(await all(again), `moved at ${moveAt}`).toEqual(expected);
      expect((await again.lead("b", never)).epoch).toBeGreaterThan(leader.epoch);
      await again.close();
      expect(existsSync(`${directory}.new`)).toBe(false);
    }
  });

  test("comes by itself when the time has come, and not before", async () => {
    const clock = new FakeClock();
    const directory = fresh();
    const store = openIn(directory, 1_000, clock);
    await (await store.lead("a", never)).commit([put("k", "v")]);
    await clock.pass(999);
    expect({ isKept: store.isKept, isThere: existsSync(directory) }).toEqual({ isKept: false, isThere: false });
    await clock.pass(1);
    expect(await store.keep()).toBe(true);
    expect(existsSync(join(directory, "CURRENT"))).toBe(true);
    await store.close();
  });

  test("never comes for a store that was closed before: nothing is on disk", async () => {
    const clock = new FakeClock();
    const directory = fresh();
    const store = openIn(directory, 1_000, clock);
    await (await store.lead("a", never)).commit([put("k", "v")]);
    await store.close();
    await clock.pass(5_000);
    expect(existsSync(directory)).toBe(false);
  });

  test("a leadership that ended before it does not come back by it", async () => {
    const store = openIn(fresh());
    const first = await store.lead("a", never);
    const second = await store.lead("b", never);
    await store.keep();
    await expect(first.commit([put("k", "zombie")])).rejects.toMatchObject({ code: "not-leader" });
    await second.commit([put("k", "new")]);
    expect(await all(store)).toEqual([["k", "new"]]);
    await store.close();
  });

  test("where it can't be, the run goes on, is told once, and leaves nothing that looks like a state", async () => {
    const directory = join(folder, "a-file", "state");
    writeFileSync(join(folder, "a-file"), "");
    const store = openIn(directory);
    const leader = await store.lead("a", never);
    await leader.commit([put("k", "v")]);
    expect(await store.keep()).toBe(false);
    expect(await store.keep()).toBe(false);
    await leader.commit([put("l", "w")]);
    expect(leader.lost.aborted).toBe(false);
    expect(lost).toEqual(["io-error"]);
    expect(existsSync(directory)).toBe(false);
    await store.close();
  });
});

test("a state that is for no one is not kept, in memory neither", async () => {
  const directory = fresh();
  const store = new MemoryFirstStore({ directory, clock: systemClock, afterMs: undefined, onLost: () => {} });
  const first = await store.lead("a", never);
  await first.commit([put("k", "v")]);
  expect(await all(store)).toEqual([]);
  const second = await store.lead("b", never);
  expect(second.epoch).toBeGreaterThan(first.epoch);
  await expect(first.commit([])).rejects.toMatchObject({ code: "not-leader" });
  expect(await store.keep()).toBe(false);
  await store.close();
  expect(existsSync(directory)).toBe(false);
});
