import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { lockDirectory } from "./directory-lock.ts";
import { thisProcess } from "./process-identity.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "millrace-lock-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

/** Real numbers, of a process that never was: pid 1 is alive, and was not started then. */
const dead = { pid: 1, started: "0" };
const locks = () => readdirSync(directory);

test("a directory is locked by one, and free after release", () => {
  const lock = lockDirectory(directory);
  expect(() => lockDirectory(directory)).toThrow(
    expect.objectContaining({ code: "state-busy", message: expect.stringContaining(`process ${process.pid} `) }),
  );
  lock.release();
  const next = lockDirectory(directory);
  lock.release(); // again, late: the next one's stays
  expect(() => lockDirectory(directory)).toThrow(/already/);
  expect(locks()).toEqual(["lock.2"]);
  next.release();
});

test("a lock of a process that has ended is taken over, and its file goes", () => {
  lockDirectory(directory, dead);
  const lock = lockDirectory(directory);
  expect(locks()).toEqual(["lock.2"]);
  expect(() => lockDirectory(directory)).toThrow(/work directory/);
  lock.release();
});

test("of two who find a dead lock, the slower one does not remove the lock of the quicker", () => {
  lockDirectory(directory, dead);
  // The slower one has seen lock.1 only; by now the quicker has lock.2, and lock.1 is gone.
  const quicker = lockDirectory(directory);
  expect(() => lockDirectory(directory, { ...thisProcess() })).toThrow(/already/);
  expect(existsSync(join(directory, "lock.2"))).toBe(true);
  quicker.release();
});

test("a lock that the machine's crash left empty is nobody's", () => {
  writeFileSync(join(directory, "lock.7"), "");
  const lock = lockDirectory(directory);
  expect(locks()).toEqual(["lock.8"]);
  lock.release();
});
