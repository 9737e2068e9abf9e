import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { noStats } from "../rpc/stats.ts";
import type { FinishedJob } from "../schedule/step.ts";
import { createLocalStorage } from "../storage/local.ts";
import { parseManifest } from "../storage/manifest.ts";
import type { StagedFile } from "../storage/storage.ts";
import { manifestBuilder } from "./manifest.ts";
import { publishedFiles, readManifest, verifyOutput } from "./published.ts";

let top: string;
let output: string;
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), "millrace-published-"));
  output = join(top, "out");
});
afterEach(() => rmSync(top, { recursive: true, force: true }));

const storage = createLocalStorage();

async function finished(contents: Readonly<Record<string, string>>): Promise<FinishedJob> {
  const files: StagedFile[] = [];
  for (const [name, content] of Object.entries(contents)) {
    const writer = storage.stage(
      output,
      { job: "j1", phase: "reduce", index: files.length, epoch: 1, attempt: 1 },
      name,
    );
    writer.write(Buffer.from(content));
    files.push({
      output: name.split("/")[0]!.replace(/^part.*/, "main"),
      name,
      records: 1,
      ...(await writer.finish()),
    });
  }
  return {
    job: "j1",
    spec: {
      name: "word-count",
      bundle: "ab",
      inputs: [],
      files: [],
      directory: "/",
      standardInput: undefined,
      output,
      writes: "formats",
      partitions: 2,
      splitBytes: undefined,
      attemptsMax: 4,
      slotsMax: undefined,
      deadLettersMax: 0,
      params: '{"password":"secret"}',
      taskTimeoutMs: 1,
      taskLimitMs: undefined,
      nondeterministic: "rerun",
      replaces: undefined,
      environment: {},
      startedAt: "2026-01-01T00:00:00.000Z",
    },
    partitions: 2,
    files,
    counters: { words: 3 },
    stats: { inputBytes: 10, map: { ...noStats, recordsIn: 5 }, reduce: { ...noStats, groups: 2 } },
  };
}

async function publish(contents: Readonly<Record<string, string>>): Promise<Uint8Array> {
  const job = await finished(contents);
  const manifest = manifestBuilder({ millrace: "0.1.0", node: "20.20.2" })(job);
  await storage.publish({ job: job.job, destination: output, files: job.files, replaces: undefined, manifest });
  return manifest;
}

test("the manifest lists the main output first, each output in partition order, and no parameter's value", async () => {
  const bytes = await publish({
    "rejects/part-m-00000.txt": "r",
    "part-00001.tsv": "b",
    "part-00000.tsv": "a",
    "_dead-letters/part-m-00000.ndjson": "d",
  });
  const manifest = parseManifest(bytes, "x")!;
  expect(manifest.files.map((file) => file.name)).toEqual([
    "part-00000.tsv",
    "part-00001.tsv",
    "_dead-letters/part-m-00000.ndjson",
    "rejects/part-m-00000.txt",
  ]);
  expect(manifest).toMatchObject({
    job: { name: "word-count", id: "j1" },
    counters: { words: 3 },
    stats: { inputBytes: 10, map: { recordsIn: 5 } },
  });
  expect(Buffer.from(bytes).toString()).not.toContain("secret");
});

test("published files are found by output, in partition order", async () => {
  await publish({ "part-00001.tsv": "b", "part-00000.tsv": "a", "rejects/part-00000.txt": "r" });
  expect((await publishedFiles(storage, output)).map((file) => file.path)).toEqual([
    `${output}/part-00000.tsv`,
    `${output}/part-00001.tsv`,
  ]);
  expect((await publishedFiles(storage, output, "rejects")).map((file) => file.path)).toEqual([
    `${output}/rejects/part-00000.txt`,
  ]);
  expect((await readManifest(storage, `${output}/`)).job.id).toBe("j1");
});

test("an output is verified byte by byte: every flipped bit, every cut and every lost file is named", async () => {
  await publish({ "part-00000.tsv": "some bytes\n", "part-00001.tsv": "others\n" });
  expect((await verifyOutput(storage, output)).problems).toEqual([]);
  const path = `${output}/part-00000.tsv`;
  const original = readFileSync(path);
  for (let bit = 0; bit < original.length * 8; bit++) {
    const damaged = Buffer.from(original);
    damaged[bit >> 3]! ^= 1 << (bit & 7);
    writeFileSync(path, damaged);
    expect((await verifyOutput(storage, output)).problems).toEqual([
      "part-00000.tsv has the right size, but other bytes than were written",
    ]);
  }
  writeFileSync(path, original.subarray(1));
  rmSync(`${output}/part-00001.tsv`);
  expect((await verifyOutput(storage, output)).problems).toEqual([
    "part-00000.tsv has 10 bytes instead of 11",
    "part-00001.tsv is missing",
  ]);
});

test("a directory that holds no finished output is said to", async () => {
  await expect(readManifest(storage, top)).rejects.toMatchObject({
    code: "corrupt-output",
    message: expect.stringContaining("has no _SUCCESS"),
  });
  writeFileSync(join(top, "_SUCCESS"), "");
  await expect(verifyOutput(storage, top)).rejects.toMatchObject({
    code: "corrupt-output",
    message: expect.stringContaining("not written by Millrace"),
  });
});
