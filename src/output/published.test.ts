import { createHash } from "node:crypto";
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { stagedDecision } from "../../test/conformance/storage.ts";
import { FakeS3 } from "../../test/support/fake-s3.ts";
import { s3StorageOn } from "../../test/support/s3.ts";
import type { FinishedJob } from "../protocol/finished-job.ts";
import { noStats } from "../protocol/stats.ts";
import { createLocalStorage } from "../storage/local/local.ts";
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
      maxSlots: undefined,
      skipBad: 0,
      params: '{"password":"secret"}',
      taskTimeoutMs: 1,
      checkpointMs: 0,
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

async function problemsOf(directory: string): Promise<string[]> {
  const problems: string[] = [];
  const verified = await verifyOutput(storage, directory, ({ text }) => problems.push(text));
  expect(verified.problems).toBe(problems.length);
  return problems;
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
  expect(await problemsOf(output)).toEqual([]);
  const path = `${output}/part-00000.tsv`;
  const original = readFileSync(path);
  for (let bit = 0; bit < original.length * 8; bit++) {
    const damaged = Buffer.from(original);
    damaged[bit >> 3]! ^= 1 << (bit & 7);
    writeFileSync(path, damaged);
    expect(await problemsOf(output)).toEqual(["part-00000.tsv has the right size, but other bytes than were written"]);
  }
  writeFileSync(path, original.subarray(1));
  rmSync(`${output}/part-00001.tsv`);
  expect(await problemsOf(output)).toEqual(["part-00000.tsv has 10 bytes instead of 11", "part-00001.tsv is missing"]);
});

test("a directory that holds no finished output is said to", async () => {
  await expect(readManifest(storage, top)).rejects.toMatchObject({
    code: "corrupt-output",
    message: expect.stringContaining("has no _SUCCESS"),
  });
  writeFileSync(join(top, "_SUCCESS"), "");
  await expect(problemsOf(top)).rejects.toMatchObject({
    code: "corrupt-output",
    message: expect.stringContaining("not written by Millrace"),
  });
});

test("files that the manifest does not list are named, hidden ones and those in folders too", async () => {
  await publish({ "part-00000.tsv": "a\n", "rejects/part-00000.txt": "r\n" });
  mkdirSync(`${output}/more/deep`, { recursive: true });
  for (const name of ["part-00001.tsv", ".hidden", "rejects/part-00001.txt", "more/deep/x"])
    writeFileSync(`${output}/${name}`, "x");
  expect((await problemsOf(output)).sort()).toEqual([
    ".hidden is not in the manifest",
    "more/deep/x is not in the manifest",
    "part-00001.tsv is not in the manifest",
    "rejects/part-00001.txt is not in the manifest",
  ]);
});

test("no link is followed: a listed file that is one, or lies behind one, counts as none", async () => {
  await publish({ "part-00000.tsv": "a\n", "rejects/part-00000.txt": "r\n" });
  const elsewhere = join(top, "elsewhere");
  renameSync(`${output}/rejects`, elsewhere);
  symlinkSync(elsewhere, `${output}/rejects`);
  renameSync(`${output}/part-00000.tsv`, join(top, "part"));
  symlinkSync(join(top, "part"), `${output}/part-00000.tsv`);
  expect(await problemsOf(output)).toEqual([
    "rejects is not in the manifest",
    "part-00000.tsv is no regular file",
    "rejects/part-00000.txt is missing",
  ]);
});

test("an object store's output is verified the same way", async () => {
  const fake = new FakeS3();
  const store = s3StorageOn(fake);
  const destination = "s3://bucket/results/out";
  const decision = await stagedDecision(store, destination, { "part-00000.tsv": "a\n", "x/part-00000.txt": "b\n" });
  await store.publish(decision);
  const problems: string[] = [];
  await verifyOutput(store, destination, ({ text }) => problems.push(text));
  expect(problems).toEqual([]);
  fake.put("bucket", "results/out/part-00000.tsv", "A\n");
  fake.put("bucket", "results/out/extra", "");
  fake.buckets.get("bucket")!.delete("results/out/x/part-00000.txt");
  await verifyOutput(store, destination, ({ text }) => problems.push(text));
  expect(problems).toEqual([
    "extra is not in the manifest",
    "part-00000.tsv has the right size, but other bytes than were written",
    "x/part-00000.txt is missing",
  ]);
});

describe("a hostile manifest is refused, and nothing outside of its folder is looked at", () => {
  const file = (name: string) =>
    `{"name": ${JSON.stringify(name)}, "output": "main", "bytes": 6, "records": 1, "sha256": ""}`;
  const body = (files: string) =>
    `{"millrace": 1, "job": {"name": "", "id": "", "bundle": "", "params": "", "startedAt": ""}, "partitions": 1,
"files": [${files}], "counters": {}, "stats": {"inputBytes": 0, "map": {}, "reduce": {}},
"versions": {"millrace": "", "node": ""},\n`;
  const cases: Readonly<Record<string, string>> = {
    "a name that leads up": body(file("../secret")),
    "a name that leads up from within": body(file("a/../../secret")),
    "an absolute name": body(file("/etc/passwd")),
    "a name that is none": body(file("")),
    "its own name": body(file("_SUCCESS")),
    "the same name twice": body(`${file("part")}, ${file("part")}`),
    "a zero byte in a name": body(file("part\0")),
    "no list of files": body("").replace("[]", "7"),
    "a negative size": body(file("part")).replace("6", "-6"),
    "a size that is no whole number": body(file("part")).replace("6", "1e400"),
    "no JSON": '"millrace" {{{\n',
    "an array": '["millrace",\n',
    "deep nesting": `"millrace"${"[".repeat(100_000)}\n`,
  };
  test.each(Object.keys(cases))("%s", async (name) => {
    writeFileSync(join(top, "secret"), "secret");
    mkdirSync(output);
    const text = Buffer.from(cases[name]!);
    const checksum = createHash("sha256").update(text).digest("hex");
    writeFileSync(join(output, "_SUCCESS"), `${text}  "checksum": "sha256:${checksum}"\n}\n`);
    await expect(problemsOf(output)).rejects.toMatchObject({ code: "corrupt-output" });
  });

  test("a manifest of gigabytes is not read", async () => {
    mkdirSync(output);
    writeFileSync(join(output, "_SUCCESS"), "millrace");
    truncateSync(join(output, "_SUCCESS"), 3 * 2 ** 30);
    await expect(problemsOf(output)).rejects.toMatchObject({
      code: "corrupt-output",
      message: expect.stringContaining("more than any manifest"),
    });
  });
});
