import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { isAlive, thisProcess } from "./process-identity.ts";
import {
  createWorkDirectory,
  openWorkDirectory,
  removeLeftWorkDirectory,
  removeStaleMemory,
  removeWorkDirectory,
  userOf,
} from "./work-directory.ts";

const hasTmpfs = existsSync("/dev/shm");
let directory: string;
let memoryRoot: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "millrace-work-"));
  memoryRoot = hasTmpfs ? mkdtempSync("/dev/shm/millrace-test-") : directory;
});
afterEach(() => {
  rmSync(directory, { recursive: true });
  if (hasTmpfs) rmSync(memoryRoot, { recursive: true });
});

/** A process that has ended: its number was real, and no process has it now. */
function endedProcess() {
  const { pid } = spawnSync(process.execPath, ["-e", "0"]);
  return { pid, started: "1" };
}

function make(name = "work") {
  return createWorkDirectory({ path: join(directory, name), id: name, memoryRoot });
}

test("both directories are the user's alone", async () => {
  const work = make();
  expect(statSync(work.path).mode & 0o777).toBe(0o700);
  if (work.memory !== undefined) expect(statSync(work.memory).mode & 0o777).toBe(0o700);
  expect(await userOf(work.path)).toEqual(thisProcess());
});

test("I14: nothing is left of either after removal", () => {
  const work = make();
  writeFileSync(join(work.runs.disk, "run"), "x");
  removeWorkDirectory(work);
  removeWorkDirectory(work);
  expect(existsSync(work.path)).toBe(false);
  if (work.memory !== undefined) expect(existsSync(work.memory)).toBe(false);
});

test("where there is no tmpfs everything is on disk", () => {
  const work = createWorkDirectory({ path: join(directory, "w"), id: "w", memoryRoot: join(directory, "none") });
  expect(work.memory).toBeUndefined();
  expect(work.runs.memory).toBeUndefined();
  expect(work.pages).toBe(work.slots);
});

test.skipIf(!hasTmpfs)(
  "fault 66: a memory directory goes when its process and its work directory are gone, not before",
  () => {
    const work = make();
    const memory = work.memory!;
    removeStaleMemory(memoryRoot);
    expect(existsSync(memory)).toBe(true);
    writeFileSync(join(memory, "owner.json"), JSON.stringify({ process: endedProcess(), work: work.path }));
    removeStaleMemory(memoryRoot);
    expect(existsSync(memory)).toBe(true);
    rmSync(work.path, { recursive: true });
    removeStaleMemory(memoryRoot);
    expect(existsSync(memory)).toBe(false);
  },
);

test.skipIf(!hasTmpfs)("a memory directory that is being made is left alone for an hour", () => {
  const path = join(memoryRoot, `millrace-${process.getuid!()}-half`);
  mkdirSync(path);
  removeStaleMemory(memoryRoot);
  expect(existsSync(path)).toBe(true);
  utimesSync(path, 0, 0);
  removeStaleMemory(memoryRoot);
  expect(existsSync(path)).toBe(false);
});

test.skipIf(!hasTmpfs)("a memory directory that another run removes meanwhile is none of this run's business", () => {
  const path = join(memoryRoot, `millrace-${process.getuid!()}-going`);
  mkdirSync(path);
  let looks = 0;
  // Asked when the directory has been seen, and before its age is looked up.
  const now = {
    getTime() {
      looks++;
      rmdirSync(path);
      return Date.now();
    },
  } as Date;
  removeStaleMemory(memoryRoot, now);
  expect(looks).toBe(1);
  expect(existsSync(path)).toBe(false);
});

test.skipIf(!hasTmpfs)("a resumed run takes over the memory directory with its runs", () => {
  const work = make();
  writeFileSync(join(work.runs.memory!, "run"), "kept");
  const again = openWorkDirectory({ path: work.path, id: "work", memoryRoot });
  expect(again).toEqual(work);
  expect(readFileSync(join(again.runs.memory!, "run"), "utf8")).toBe("kept");
  rmSync(work.memory!, { recursive: true });
  expect(openWorkDirectory({ path: work.path, id: "work", memoryRoot }).memory).toBe(work.memory);
});

test("what an ended process left is removed with the memory directory that it names", () => {
  const work = make();
  removeLeftWorkDirectory(work.path);
  expect(existsSync(work.path)).toBe(false);
  if (work.memory !== undefined) expect(existsSync(work.memory)).toBe(false);
});

test("a process is alive only under its own start time", () => {
  expect(isAlive(thisProcess())).toBe(true);
  expect(isAlive(endedProcess())).toBe(false);
  if (existsSync("/proc/self/stat")) expect(isAlive({ pid: process.pid, started: "1" })).toBe(false);
});
