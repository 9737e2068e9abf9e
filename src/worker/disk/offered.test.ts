import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { writeRun } from "../../../test/support/pairs.ts";
import { type AttemptId, attemptName } from "../../base/ids.ts";
import { createMemoryFiles } from "../../sort/memory-files.ts";
import { createRunWriter } from "../../sort/run-writer.ts";
import { createTier } from "../../tier/tier.ts";
import { findOffered } from "./offered.ts";

let runs: { memory: string; disk: string };
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "millrace-offered-"));
  runs = { memory: join(directory, "memory"), disk: join(directory, "disk") };
  for (const path of [runs.memory, runs.disk]) mkdirSync(path);
});
afterEach(() => rmSync(directory, { recursive: true }));

function write(index: number, where: "memory" | "disk", name = "run", digest = 7n) {
  const attempt: AttemptId = { job: "j", phase: "map", index, epoch: 1, attempt: index };
  const diskDirectory = join(runs[where], "j");
  mkdirSync(diskDirectory, { recursive: true });
  const tier = createTier({ memoryDirectory: undefined, memoryBytesMax: 0, diskDirectory });
  return createRunWriter(tier, `${attemptName(attempt)}.${name}`, attempt).finish(digest);
}

test("whole runs are offered with their digests, wherever they lie", () => {
  const one = write(1, "memory", "run", 11n);
  const two = write(2, "disk", "run", 12n);
  expect(findOffered(runs)).toEqual([
    { run: one, emissionDigest: 11n },
    { run: two, emissionDigest: 12n },
  ]);
});

test("fault 6: a run that is cut short, or damaged, or no run at all, is not offered but removed", () => {
  const cut = write(1, "memory");
  truncateSync(cut.path, cut.bytes - 1);
  const damaged = write(2, "memory");
  const bytes = readFileSync(damaged.path);
  bytes[bytes.length - 20]! ^= 1;
  writeFileSync(damaged.path, bytes);
  const foreign = join(runs.disk, "j/notes");
  mkdirSync(join(runs.disk, "j"));
  writeFileSync(foreign, "hello");
  expect(findOffered(runs)).toEqual([]);
  expect([cut.path, damaged.path, foreign].map((path) => existsSync(path))).toEqual([false, false, false]);
});

test("spills of an attempt that was not finished are no output of it", () => {
  const first = write(1, "memory", "spill-0");
  write(1, "disk", "spill-1");
  expect(findOffered(runs)).toEqual([]);
  expect(existsSync(first.path)).toBe(false);
});

test("fault 6: of a footer that is too long to be read at once, every entry is verified before the run is offered", () => {
  const attempt: AttemptId = { job: "j", phase: "map", index: 1, epoch: 1, attempt: 1 };
  const diskDirectory = join(runs.disk, "j");
  mkdirSync(diskDirectory);
  const tier = createTier({ memoryDirectory: undefined, memoryBytesMax: 0, diskDirectory });
  const made = () => {
    const files = createMemoryFiles();
    const pairs = Array.from({ length: 400 }, (_, partition) => ({ partition, key: "k", value: "v" }));
    const bytes = files.bytesOf(writeRun(files, "run", attempt, pairs, 40).path);
    const file = tier.create(`${attemptName(attempt)}.run`);
    file.write(bytes);
    return { path: file.finish().path, bytes: bytes.length };
  };
  const { path, bytes: size } = made();
  expect(findOffered(runs)).toHaveLength(1);
  // Behind the blocks, before what is read when a run is opened.
  const damaged = readFileSync(path);
  damaged[size - 8 * 1024 - 200]! ^= 1;
  writeFileSync(path, damaged);
  expect(findOffered(runs)).toEqual([]);
  expect(existsSync(path)).toBe(false);
});
