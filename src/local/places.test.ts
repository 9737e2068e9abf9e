import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createWorkDirectory, removeWorkDirectory } from "../worker/work-directory.ts";
import { localPlaces, makeParents, refuseIfBusy, removeAbandoned, workDirectoriesOf } from "./places.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "millrace-places-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

const job = "0123456789abcdef0123456789abcdef";

/** As a process leaves it that has ended: without a memory directory. */
function left(path: string, pid: number): void {
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, "work.json"), JSON.stringify({ version: 1, process: { pid, started: "1" } }));
}

test("a work directory is a hidden sibling of its output, and --work-dir moves it but not the staging", () => {
  const output = join(directory, "out");
  expect(localPlaces({ output, workDir: undefined }, job)).toEqual({
    destination: output,
    work: join(directory, `.out.millrace-${job}`),
    beside: join(directory, `.out.millrace-${job}`),
  });
  expect(localPlaces({ output, workDir: "/fast" }, job)).toMatchObject({
    work: `/fast/.out.millrace-${job}`,
    beside: join(directory, `.out.millrace-${job}`),
  });
});

test("without an output everything is in one directory of its own", () => {
  const places = localPlaces({ output: undefined, workDir: directory }, job);
  expect(places.destination.startsWith(`${places.work}/`)).toBe(true);
  expect(places.beside.startsWith(`${places.work}/`)).toBe(true);
});

test("a second run on the same output is refused while the first one is at work, and only then", () => {
  const output = join(directory, "out");
  const { work: path } = localPlaces({ output, workDir: undefined }, job);
  refuseIfBusy(output, undefined);
  const work = createWorkDirectory({ path, id: `places-${process.pid}`, memoryRoot: directory });
  expect(() => refuseIfBusy(output, undefined)).toThrow(new RegExp(`process ${process.pid} is running`));
  refuseIfBusy(join(directory, "other"), undefined);
  removeWorkDirectory(work);
  left(path, 2 ** 22 + 1);
  refuseIfBusy(output, undefined);
  expect(workDirectoriesOf(output, undefined)).toEqual([{ path, job }]);
});

test("what a killed run without output left is removed by the next one; what runs and what is not ours stays", () => {
  const ended = join(directory, `.millrace-${job}`);
  const running = join(directory, `.millrace-${"f".repeat(32)}`);
  const foreign = join(directory, ".millrace-notes");
  left(ended, 2 ** 22 + 1);
  left(foreign, 2 ** 22 + 1);
  const work = createWorkDirectory({ path: running, id: `places-${process.pid}`, memoryRoot: directory });
  removeAbandoned(directory);
  expect([ended, running, foreign].map((path) => existsSync(path))).toEqual([false, true, true]);
  removeWorkDirectory(work);
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
