import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openLevelStore } from "../state/leveldb.ts";
import { createWorkDirectory, removeWorkDirectory } from "../worker/disk/work-directory.ts";
import {
  makeParents,
  refuseIfBusy,
  refuseIfOvertaken,
  removeAbandoned,
  removeOlder,
  workDirectories,
  workDirectoriesOf,
} from "./work-directories.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "millrace-places-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

const job = "0123456789abcdef0123456789abcdef";

/** As a process leaves it that has ended: without a memory directory. */
function left(path: string, pid: number, deadLetters?: string): void {
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, "work.json"), JSON.stringify({ version: 1, process: { pid, started: "1" }, deadLetters }));
}

const noStorage = { discard: () => Promise.reject(new Error("nothing is staged elsewhere")) };

test("a work directory is a hidden sibling of its output, and --work-dir moves it but not the staging", () => {
  const output = join(directory, "out");
  expect(workDirectories({ output, workDir: undefined }, job)).toEqual({
    destination: output,
    work: join(directory, `.out.millrace-${job}`),
    beside: join(directory, `.out.millrace-${job}`),
  });
  expect(workDirectories({ output, workDir: "/fast" }, job)).toMatchObject({
    work: `/fast/.out.millrace-${job}`,
    beside: join(directory, `.out.millrace-${job}`),
  });
});

test("without an output everything is in one directory of its own", () => {
  const places = workDirectories({ output: undefined, workDir: directory }, job);
  expect(places.destination.startsWith(`${places.work}/`)).toBe(true);
  expect(places.beside.startsWith(`${places.work}/`)).toBe(true);
});

test("a second run on the same output is refused while the first one is at work, and only then", async () => {
  const output = join(directory, "out");
  const { work: path } = workDirectories({ output, workDir: undefined }, job);
  await refuseIfBusy(output, undefined);
  const work = createWorkDirectory({ path, id: `places-${process.pid}`, memoryRoot: directory });
  await expect(refuseIfBusy(output, undefined)).rejects.toThrow(new RegExp(`process ${process.pid} is running`));
  await refuseIfBusy(join(directory, "other"), undefined);
  removeWorkDirectory(work);
  left(path, 2 ** 22 + 1);
  await refuseIfBusy(output, undefined);
  expect(workDirectoriesOf(output, undefined)).toEqual([{ path, job }]);
});

test("of two runs on the same output that begin at once, the one that was there first goes on", async () => {
  const output = join(directory, "out");
  const make = (id: string) => {
    const { work: path } = workDirectories({ output, workDir: undefined }, id);
    return createWorkDirectory({ path, id: `places-${process.pid}-${id}`, memoryRoot: directory });
  };
  // Both have looked and seen no other run.
  const first = make("f".repeat(32));
  await refuseIfOvertaken(output, undefined, first.path);
  // Until the file system's clock has ticked.
  let second = make(job);
  while (changedAt(second.path) === changedAt(first.path)) {
    removeWorkDirectory(second);
    second = make(job);
  }
  await expect(refuseIfOvertaken(output, undefined, second.path)).rejects.toThrow(
    new RegExp(`process ${process.pid} is running`),
  );
  await refuseIfOvertaken(output, undefined, first.path);
  removeWorkDirectory(second);
  // An ended run is in no one's way.
  writeFileSync(
    join(first.path, "work.json"),
    JSON.stringify({ version: 1, process: { pid: 2 ** 22 + 1, started: "1" } }),
  );
  const third = make(job);
  await refuseIfOvertaken(output, undefined, third.path);
});

function changedAt(work: string): bigint {
  return lstatSync(join(work, "work.json"), { bigint: true }).ctimeNs;
}

test("an output on an object store has its work directory in the temporary one, found by its whole name", () => {
  const at = (output: string) => workDirectories({ output, workDir: directory }, job);
  expect(at("s3://bucket/a/out/")).toMatchObject({ destination: "s3://bucket/a/out" });
  expect(at("s3://bucket/a/out/").work).toBe(at("s3://bucket/a/out").work);
  expect(at("s3://bucket/b/out").work).not.toBe(at("s3://bucket/a/out").work);
  expect(
    workDirectories({ output: "s3://bucket/a/out", workDir: undefined }, job).work.startsWith(`${tmpdir()}/.out~`),
  ).toBe(true);
  left(at("s3://bucket/a/out").work, 2 ** 22 + 1);
  expect(workDirectoriesOf("s3://bucket/a/out/", directory)).toEqual([{ path: at("s3://bucket/a/out").work, job }]);
  expect(workDirectoriesOf("s3://bucket/b/out", directory)).toEqual([]);
});

test("what a killed run without output left is removed by the next one; what runs and what is not ours stays", async () => {
  const ended = join(directory, `.millrace-${job}`);
  const running = join(directory, `.millrace-${"f".repeat(32)}`);
  const foreign = join(directory, ".millrace-notes");
  left(ended, 2 ** 22 + 1);
  left(foreign, 2 ** 22 + 1);
  const work = createWorkDirectory({ path: running, id: `places-${process.pid}`, memoryRoot: directory });
  const discarded: string[] = [];
  const storage = { discard: async (place: string, of: string) => void discarded.push(`${place} ${of}`) };
  const elsewhere = join(directory, `.millrace-${"e".repeat(32)}`);
  left(elsewhere, 2 ** 22 + 1, "s3://bucket/bad");
  await removeAbandoned(directory); // it can't reach what is staged elsewhere
  expect(existsSync(elsewhere)).toBe(true);
  await removeAbandoned(directory, storage);
  expect(existsSync(elsewhere)).toBe(false);
  expect(discarded).toEqual([`s3://bucket/bad ${"e".repeat(32)}`]);
  expect([ended, running, foreign].map((path) => existsSync(path))).toEqual([false, true, true]);
  removeWorkDirectory(work);
});

test("a run in another container is told by its lock, because its process's number says nothing here", async () => {
  const output = join(directory, "out");
  const { work: path } = workDirectories({ output, workDir: undefined }, job);
  left(path, process.pid);
  const record = JSON.parse(readFileSync(join(path, "work.json"), "utf8"));
  // A number that lives here, and one that does not: neither is asked.
  for (const pid of [process.pid, 2 ** 22 + 1]) {
    writeFileSync(
      join(path, "work.json"),
      JSON.stringify({ ...record, process: { pid, started: "", namespace: "pid:[1]" } }),
    );
    if (!existsSync(join(path, "state"))) {
      // Its state may still be in memory: what was signed a moment ago counts as used, and later no more.
      await expect(refuseIfBusy(output, undefined)).rejects.toMatchObject({ code: "state-busy" });
      const longAgo = new Date(Date.now() - 120_000);
      utimesSync(join(path, "work.json"), longAgo, longAgo);
    }
    await refuseIfBusy(output, undefined);
    const state = await openLevelStore(join(path, "state"));
    await expect(refuseIfBusy(output, undefined)).rejects.toMatchObject({ code: "state-busy" });
    await removeOlder(output, undefined, noStorage);
    expect(existsSync(path)).toBe(true);
    await state.close();
  }
  await removeOlder(output, undefined, noStorage);
  expect(existsSync(path)).toBe(false);
});

test("parents that were made and stayed empty go again; others stay", () => {
  const path = join(directory, "a/b/out");
  makeParents(path)();
  expect(existsSync(join(directory, "a"))).toBe(false);
  const remove = makeParents(path);
  writeFileSync(join(directory, "a/mine"), "");
  remove();
  expect(existsSync(join(directory, "a/b"))).toBe(false);
  expect(existsSync(join(directory, "a/mine"))).toBe(true);
  makeParents(join(directory, "out"))();
  expect(existsSync(directory)).toBe(true);
});
