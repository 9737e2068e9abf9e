import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { stagingDirectoryOf } from "../storage/local/hidden.ts";
import { createLocalStorage } from "../storage/local/local.ts";
import { checkProbe, writeProbe } from "./probe.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "millrace-probe-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

test("a worker that sees what the master left may begin; discarding the job removes it", async () => {
  const output = join(directory, "out");
  await writeProbe(output, "j1");
  await writeProbe(output, "j1");
  await checkProbe(output, "j1", "w1");
  await expect(checkProbe(output, "j2", "w1")).rejects.toMatchObject({ code: "io-error" });
  await createLocalStorage().discard(output, "j1");
  await expect(checkProbe(output, "j1", "w1")).rejects.toMatchObject({ code: "io-error" });
});

test("the message names the worker and the path, and asks whether it is shared", async () => {
  await expect(checkProbe(join(directory, "elsewhere"), "j", "w2")).rejects.toThrow(
    /worker w2 .*can't see .*\/elsewhere as the master does: is it a shared directory/,
  );
});

test("another directory of the same name is noticed", async () => {
  const output = join(directory, "out");
  mkdirSync(stagingDirectoryOf(output, "j"), { recursive: true });
  writeFileSync(join(stagingDirectoryOf(output, "j"), "probe"), "another\n");
  await expect(checkProbe(output, "j", "w2")).rejects.toThrow(/sees another .*out than the master/);
});

test("a URL is in reach of all", async () => {
  await writeProbe("s3://bucket/out", "j");
  await checkProbe("s3://bucket/out", "j", "w1");
});

test("a master that can't write there says so", async () => {
  writeFileSync(join(directory, "file"), "");
  await expect(writeProbe(join(directory, "file", "out"), "j")).rejects.toThrow(/the master can't write beside/);
});
