import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runStoreConformance } from "../../../test/conformance/run-store.ts";
import { attemptName } from "../../base/ids.ts";
import { FileRunStore } from "./file-run-store.ts";

/** A store in a folder of its own, the memory tier too. */
function opened(hasMemory: boolean) {
  const folder = mkdtempSync(join(tmpdir(), "millrace-runs-"));
  const [memory, disk, slots] = ["memory", "disk", "slots"].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  for (const path of [memory, disk, slots]) mkdirSync(path);
  const store = new FileRunStore({
    memory: hasMemory ? memory : undefined,
    disk,
    slots,
    checkpoints: { memory: hasMemory ? `${memory}-checkpoints` : undefined, disk: `${disk}-checkpoints` },
    tierBytes: hasMemory ? 1000 : 0,
    slotsMax: 2,
  });
  return { folder, memory, disk, slots, store };
}

for (const hasMemory of [false, true])
  runStoreConformance(hasMemory ? "files, in memory and on disk" : "files, on disk alone", () => {
    const { folder, store } = opened(hasMemory);
    let written = 0;
    return {
      store,
      seesFiles: true,
      write(attempt, { memoryDirectory, diskDirectory }) {
        // What overflowed lies on disk, though there is a memory tier.
        const directory = written++ % 2 === 0 ? (memoryDirectory ?? diskDirectory) : diskDirectory;
        const path = join(directory, `${attemptName(attempt)}.0.run`);
        writeFileSync(path, "pairs");
        return { writtenBy: attempt, path, bytes: 5, pairs: 1 };
      },
      has: ({ path }) => existsSync(path),
      close: () => rmSync(folder, { recursive: true }),
    };
  });

test("an attempt finds its working directory empty, whatever was left in it, and each slot has its own", () => {
  const { folder, slots, store } = opened(false);
  const attempt = (number: number) => ({ job: "j", phase: "map", index: 0, epoch: 1, attempt: number }) as const;
  const { directory } = store.begin(attempt(1), "slot-1");
  expect(directory).toBe(join(slots, "slot-1"));
  mkdirSync(join(directory, "deep"));
  writeFileSync(join(directory, "deep/file"), "");
  expect(readdirSync(store.begin(attempt(2), "slot-2").directory)).toEqual([]);
  expect(readdirSync(directory)).toEqual(["deep"]);
  expect(readdirSync(store.begin(attempt(3), "slot-1").directory)).toEqual([]);
  rmSync(folder, { recursive: true });
});

test("what runs and what is kept have the memory tier between them, and what ends gives its share back", () => {
  const { folder, store } = opened(true);
  const attempt = (number: number) => ({ job: "j", phase: "map", index: number, epoch: 1, attempt: number }) as const;
  const first = store.begin(attempt(1), "slot-1").memoryBytesMax;
  const second = store.begin(attempt(2), "slot-2").memoryBytesMax;
  expect(first).toBeGreaterThan(0);
  expect(first + second).toBeLessThanOrEqual(1000);
  store.end(attempt(1), { isFailed: true, kept: undefined });
  store.end(attempt(2), { isFailed: true, kept: undefined });
  expect(store.begin(attempt(3), "slot-1").memoryBytesMax).toBe(first);
  rmSync(folder, { recursive: true });
});
