import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { JobDescription } from "../job/load/describe.ts";
import { createLocalStorage } from "../storage/local/local.ts";
import { buildSpec, type SpecParts, type SubmitOptions } from "./spec.ts";

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "millrace-spec-"));
  mkdirSync(join(directory, "in"));
  writeFileSync(join(directory, "in/a.txt"), "a\n");
  writeFileSync(join(directory, "stop.txt"), "stop\n");
});
afterAll(() => rmSync(directory, { recursive: true }));

const description: JobDescription = {
  name: "job",
  inputs: [{ name: "" }],
  outputs: [{ name: "main", extension: "tsv", headerBytes: 0 }],
  outputsNamed: false,
  mapOnly: false,
  params: { kind: "table", params: [] },
  files: [],
  nondeterministic: "rerun",
  partition: "hash",
  hasReduce: true,
};

function build(options: Partial<SubmitOptions> = {}, described: Partial<JobDescription> = {}) {
  const parts: SpecParts = {
    module: join(directory, "job.ts"),
    description: { ...description, ...described },
    bundle: "digest",
    destination: "/out",
    replaces: undefined,
    environment: { TZ: "UTC" },
    startedAt: "2024-01-01T00:00:00.000Z",
    storage: createLocalStorage(),
    validate: async () => undefined,
  };
  return buildSpec({ inputs: [{ name: "", paths: [join(directory, "in")] }], ...options }, parts);
}

test("what is not said is filled in, so that a spec is complete", async () => {
  expect(await build()).toEqual({
    name: "job",
    bundle: "digest",
    inputs: [{ name: "", paths: [join(directory, "in")] }],
    directory: process.cwd(),
    standardInput: undefined,
    files: [],
    output: "/out",
    writes: "formats",
    partitions: undefined,
    splitBytes: undefined,
    attemptsMax: 4,
    maxSlots: undefined,
    skipBad: 0,
    params: "{}",
    taskTimeoutMs: 600_000,
    checkpointMs: 30_000,
    taskLimitMs: undefined,
    nondeterministic: "rerun",
    replaces: undefined,
    environment: { TZ: "UTC" },
    startedAt: "2024-01-01T00:00:00.000Z",
  });
});

test("fault 69: no file, and a glob that matches none, are refused before any work", async () => {
  await expect(build({ inputs: [] })).rejects.toMatchObject({ code: "wrong-usage" });
  await expect(build({ inputs: [{ name: "", paths: [join(directory, "*.none")] }] })).rejects.toMatchObject({
    code: "no-input",
  });
});

test("inputs are matched by name, and an unknown name is told what there is", async () => {
  const several = { inputs: [{ name: "users" }, { name: "orders" }] };
  const path = join(directory, "in");
  await expect(build({ inputs: [{ name: "user", paths: [path] }] }, several)).rejects.toThrow(/users, orders/);
  await expect(build({}, several)).rejects.toThrow(/several inputs/);
  await expect(build({ inputs: [{ name: "users", paths: [path] }] }, several)).rejects.toThrow(/orders has no files/);
  const given = [
    { name: "orders", paths: [path] },
    { name: "users", paths: [path] },
  ];
  expect((await build({ inputs: given }, several)).inputs.map(({ name }) => name)).toEqual(["users", "orders"]);
});

test("side files are beside the job's module, unless another is given; their content is part of the job", async () => {
  const withFile = { files: [{ name: "stop", path: "stop.txt" }] };
  const own = await build({}, withFile);
  expect(own.files).toEqual([
    { name: "stop", path: join(directory, "stop.txt"), sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
  ]);
  const other = await build({ files: { stop: join(directory, "in/a.txt") } }, withFile);
  expect(other.files[0]!.sha256).not.toBe(own.files[0]!.sha256);
  await expect(build({ files: { none: "x" } }, withFile)).rejects.toThrow(/no side file named "none"/);
  await expect(build({ files: { stop: "/no/such" } }, withFile)).rejects.toThrow(/no such file.*--file stop=PATH/);
});

test("--reducers does not make a job map-only, nor a map-only job another", async () => {
  await expect(build({ reducers: 0 })).rejects.toThrow(/makes no job map-only/);
  await expect(build({ reducers: 2 }, { reducers: 0, mapOnly: true })).rejects.toThrow(/leave out --reducers/);
  expect((await build({ reducers: 3 }, { reducers: 8 })).partitions).toBe(3);
});
