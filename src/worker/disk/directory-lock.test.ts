import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { isLocked, lockDirectory } from "./directory-lock.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "millrace-lock-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

test("a directory is locked by one, and free after release", async () => {
  const lock = await lockDirectory(directory);
  await expect(lockDirectory(directory)).rejects.toMatchObject({
    code: "state-busy",
    message: expect.stringContaining(`process ${process.pid} on `),
  });
  expect(await isLocked(join(directory, "lock"))).toBe(true);
  await lock.release();
  expect(await isLocked(join(directory, "lock"))).toBe(false);
  const next = await lockDirectory(directory);
  await lock.release(); // again, late: the next one's stays
  await expect(lockDirectory(directory)).rejects.toMatchObject({ code: "state-busy" });
  await next.release();
});

test("asking whether a database is locked changes nothing in it", async () => {
  const lock = await lockDirectory(directory);
  await lock.release();
  const path = join(directory, "lock");
  // LOG is LevelDB's own, for people.
  const contents = () =>
    readdirSync(path)
      .filter((name) => !name.startsWith("LOG"))
      .map((name) => [name, readFileSync(join(path, name), "latin1")]);
  const before = contents();
  expect(await isLocked(path)).toBe(false);
  expect(contents()).toEqual(before);
});

test("a database of which it can't be told whether it is locked counts as locked", async () => {
  const path = join(directory, "lock");
  mkdirSync(join(path, "LOCK"), { recursive: true }); // opening it fails
  writeFileSync(join(path, "CURRENT"), "MANIFEST-000001\n");
  expect(await isLocked(path)).toBe(true);
});

test("a process that is killed leaves the directory free", async () => {
  const holder = spawn(
    process.execPath,
    [
      "-e",
      `const { ClassicLevel } = require("classic-level");
       const lock = new ClassicLevel(${JSON.stringify(join(directory, "lock"))});
       lock.open().then(() => { console.log("held"); setInterval(() => {}, 1000); });`,
    ],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  try {
    await new Promise<void>((resolve) => holder.stdout.once("data", () => resolve()));
    await expect(lockDirectory(directory)).rejects.toMatchObject({
      code: "state-busy",
      message: expect.stringContaining("another process is a worker"),
    });
  } finally {
    holder.kill("SIGKILL");
    await new Promise((resolve) => holder.once("close", resolve));
  }
  const lock = await lockDirectory(directory);
  await lock.release();
});

test("a lock that the machine's crash cut short is made again", async () => {
  const first = await lockDirectory(directory);
  await first.release();
  truncateSync(join(directory, "lock", "CURRENT"), 0);
  const second = await lockDirectory(directory);
  await second.release();
  writeFileSync(join(directory, "lock", "CURRENT"), "MANIFEST-999999\n");
  const third = await lockDirectory(directory);
  await third.release();
});

test("where there is no database nobody has it open", async () => {
  expect(await isLocked(join(directory, "nothing"))).toBe(false);
});
