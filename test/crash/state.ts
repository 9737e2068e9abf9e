// The state store: it has what was acknowledged, at most one commit more, and is never taken for damaged.
import assert from "node:assert/strict";
import { cpSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openLevelStore } from "../../src/state/leveldb.ts";
import type { Scene } from "./scene.ts";
import { stateCommits, stateKept, stateKey, stateValue } from "./state-contents.ts";

export const stateScene: Scene = {
  name: "state",
  victim: "state",
  prepare: async () => {},
  words: (folder, victims) => [victims.script("state"), folder],
  async check(folder, said, isOver) {
    const found = await recordsIn(join(folder, "store"));
    const acknowledged = Number(said.at(-1)?.split(" ")[1] ?? -1);
    const last = Number(Buffer.from(found.get("last") ?? Buffer.from("-1")).toString());
    assert([acknowledged, acknowledged + 1].includes(last), `${acknowledged} was acknowledged, ${last} is stored`);
    const wanted = Array.from({ length: Math.min(last + 1, stateKept) }, (_, n) => last - n).toReversed();
    const keys = last < 0 ? [] : ["last", ...wanted.map(stateKey)];
    assert.deepEqual([...found.keys()], keys, "its records are not those of one commit");
    for (const n of wanted) assert.deepEqual(Buffer.from(found.get(stateKey(n))!), Buffer.from(stateValue(n)));
    if (isOver) assert.equal(last, stateCommits - 1, "it ended well with commits left out");
  },
  codes: {
    ENOSPC: ["no-space"],
    EIO: ["io-error"],
    EMFILE: ["io-error"],
    EROFS: ["io-error"],
  },
};

/** What a store holds, read from a copy: opening changes it. */
async function recordsIn(directory: string): Promise<ReadonlyMap<string, Uint8Array>> {
  const found = new Map<string, Uint8Array>();
  if (!existsSync(directory)) return found;
  const copy = mkdtempSync(join(tmpdir(), "millrace-crash-copy-"));
  try {
    cpSync(directory, copy, { recursive: true });
    const store = await openLevelStore(copy);
    try {
      for await (const { key, value } of store.scan("")) found.set(key, value);
    } finally {
      await store.close();
    }
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
  return found;
}
