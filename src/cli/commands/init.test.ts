import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { initJob } from "./init.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "millrace-init-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it("writes a job and its test, and never over what is there", () => {
  const files = initJob("page-views", folder);
  expect(files).toEqual([join(folder, "page-views.ts"), join(folder, "page-views.test.ts")]);
  const before = readFileSync(files[0]!, "utf8");
  expect(() => initJob("page-views", folder)).toThrow(/exists already/);
  expect(readFileSync(files[0]!, "utf8")).toBe(before);
});

it.each(["", "A", "a_b", "../a", "a b", "-a"])("refuses %j as a name", (name) => {
  expect(() => initJob(name, folder)).toThrow(/lower-case words/);
});
