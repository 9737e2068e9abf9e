// Durable means synced: what `commit` acknowledges, LevelDB was told to sync, every batch of it.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ClassicLevel } from "classic-level";
import { expect, test, vi } from "vitest";
import { openLevelStore } from "./leveldb.ts";

test("fault 31: each batch of a commit, and the epoch of a leadership, are written with a sync", async () => {
  const directory = mkdtempSync(join(tmpdir(), "millrace-sync-"));
  const batches = vi.spyOn(ClassicLevel.prototype as { batch: (...args: unknown[]) => unknown }, "batch");
  try {
    const store = await openLevelStore(join(directory, "state"));
    const leadership = await store.lead("test", new AbortController().signal);
    const value = new Uint8Array(3 << 20);
    await leadership.commit([{ put: { key: "a", value } }, { put: { key: "b", value } }, { delete: "a" }]);
    await store.close();
    // The epoch, and a commit that is cut into several batches.
    expect(batches.mock.calls.length).toBeGreaterThanOrEqual(3);
    for (const [, options] of batches.mock.calls) expect(options).toMatchObject({ sync: true });
  } finally {
    batches.mockRestore();
    rmSync(directory, { recursive: true, force: true });
  }
});
