import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { systemClock } from "../../base/system/clock.ts";
import { noLog } from "../../base/system/log.ts";
import { parseNotice, watchNotice } from "./notice.ts";

let folder: string;
let said: string[];
const stop = { now: new AbortController() };
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "millrace-notice-"));
  said = [];
  stop.now = new AbortController();
});
afterEach(() => {
  stop.now.abort();
  rmSync(folder, { recursive: true });
});

function watch(text: string, everyMs = 20): Promise<boolean> {
  const log = { ...noLog, warn: (_: object, message: string) => void said.push(message) };
  return watchNotice({ notice: parseNotice(text), clock: systemClock, log, signal: stop.now.signal, everyMs });
}

async function until(what: () => boolean): Promise<void> {
  while (!what()) await systemClock.sleep(5);
}

test("a file that appears is a notice", async () => {
  const seen = watch(`file:${join(folder, "leave")}`);
  let isSeen = false;
  void seen.then(() => (isSeen = true));
  await systemClock.sleep(60);
  expect(isSeen).toBe(false);
  writeFileSync(join(folder, "leave"), "");
  expect(await seen).toBe(true);
  expect(said).toEqual([]);
});

test("a command's exit code 0 is a notice, 1 is none", async () => {
  const file = join(folder, "leave");
  const seen = watch(`command:echo x >> ${folder}/asked; test -e ${file}`, 50);
  await systemClock.sleep(60);
  writeFileSync(file, "");
  expect(await seen).toBe(true);
  expect(said).toEqual([]);
});

test("an error of the asking is told once, and the asking goes on", async () => {
  const file = join(folder, "leave");
  const asked = join(folder, "asked");
  const seen = watch(`command:test -e ${file} && exit 0; echo x >> ${asked}; exit 127`, 200);
  await until(() => existsSync(asked) && readFileSync(asked, "utf8").length >= 6);
  writeFileSync(file, "");
  expect(await seen).toBe(true);
  expect(said).toEqual([expect.stringContaining("the command ends with exit code 127")]);
});

test("a command that takes too long is ended, with what it has started", async () => {
  const seen = watch("command:sleep 600 & sleep 600", 100);
  await until(() => said.length > 0);
  stop.now.abort();
  expect(await seen).toBe(false);
  expect(said).toEqual([expect.stringContaining("takes more than 0.1 s and was ended")]);
});

test("a watch that is ended ends its command", async () => {
  const seen = watch(`command:touch ${folder}/begun; sleep 600`, 600_000);
  await until(() => existsSync(join(folder, "begun")));
  stop.now.abort();
  expect(await seen).toBe(false);
});

test("what is neither a file nor a command is refused with what it takes", () => {
  for (const text of ["", "file:", "command:", "/run/leave", "http://a"])
    expect(() => parseNotice(text)).toThrow(/--notice takes file:PATH or command:COMMAND/);
});
