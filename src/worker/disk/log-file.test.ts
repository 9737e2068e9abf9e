import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { LogFile, logLine } from "./log-file.ts";

const directory = mkdtempSync(join(tmpdir(), "millrace-log-"));
afterAll(() => rmSync(directory, { recursive: true }));

test("fault 20: a flood is cut at the cap, and the cut is marked with how much is missing", () => {
  const path = join(directory, "flood");
  const log = new LogFile(path, 100);
  for (let i = 0; i < 50; i++) log.write(Buffer.from("0123456789"));
  log.close();
  expect(readFileSync(path, "utf8")).toBe(`${"0123456789".repeat(10)}\n[truncated: 400 more bytes were dropped]\n`);
});

test("an attempt that prints nothing leaves no file", () => {
  const path = join(directory, "silent");
  new LogFile(path).close();
  expect(existsSync(path)).toBe(false);
});

test("a log that can't be written is lost without a word", () => {
  const log = new LogFile(join(directory, "no/such/directory"));
  log.write(Buffer.from("a"));
  log.write(Buffer.from("b"));
  log.close();
  expect(existsSync(join(directory, "no"))).toBe(false);
});

test("fault 20: a giant log line is cut", () => {
  const line = logLine(new Date(0), "x".repeat(1 << 20), "").toString();
  expect(line.length).toBeLessThan(10_000);
  expect(line.endsWith(" [truncated]\n")).toBe(true);
  expect(logLine(new Date(0), "hello", '{"a":1}').toString()).toBe('1970-01-01T00:00:00.000Z hello {"a":1}\n');
});
