// A long reduce task is interrupted near its end, and the next attempt at it goes on behind the last checkpoint: with
// an output on this machine, and on an object store.
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../../src/base/system/clock.ts";
import { s3AccessFrom } from "../../src/storage/s3/access.ts";
import { S3Client } from "../../src/storage/s3/api/client.ts";
import { nodeTransport } from "../../src/storage/s3/api/transport.ts";
import { S3Objects } from "../../src/storage/s3/objects.ts";
import { type RunningS3, startS3rver } from "../support/s3rver.ts";
import { memoryDirectoriesOf, processesBelow, type RunResult, removeAll, runToEnd } from "./support.ts";

const longReduce = fileURLToPath(new URL("./jobs/long-reduce.ts", import.meta.url));
const keys = 1_000;
/** The fault comes at the key of this number. */
const triggerAt = 900;
const keyOf = (i: number) => `k${String(i).padStart(6, "0")}`;

let server: RunningS3;
let objects: S3Objects;
let directory: string;
let input: string;
let undisturbed: Readonly<Record<string, string>>;
beforeAll(async () => {
  server = await startS3rver("out");
  const options = { access: () => s3AccessFrom(server.env), clock: systemClock, random: Math.random };
  objects = new S3Objects(new S3Client({ ...options, pathStyle: undefined, transport: nodeTransport() }));
  input = mkdtempSync(join(tmpdir(), "millrace-input-"));
  const lines = Array.from({ length: 2 * keys }, (_, i) => `${keyOf(i % keys)} ${keyOf((i * 7) % keys)}`);
  writeFileSync(join(input, "in.txt"), `${lines.join("\n")}\n`);
  directory = mkdtempSync(join(tmpdir(), "millrace-checkpoints-"));
  expect(await runToEnd(optionsOf({ checkpoint: "off", params: params({ ms: 0 }) }))).toMatchObject({
    ok: true,
    counters: { keys },
  });
  undisturbed = localParts();
  expect(Object.keys(undisturbed)).toEqual(["main/part-00000.tsv.gz", "odd/part-00000.ndjson.gz"]);
  removeAll(directory);
});
afterAll(async () => {
  rmSync(input, { recursive: true, force: true });
  await server.close();
});
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "millrace-checkpoints-"));
});
afterEach(() => removeAll(directory));

const output = () => join(directory, "out");
const once = () => join(directory, "happened");
const calls = () => join(directory, "calls");

function params(more: Readonly<Record<string, unknown>> = {}) {
  return { calls: calls(), once: once(), ...more };
}

function optionsOf(more: Readonly<Record<string, unknown>> = {}) {
  return {
    module: longReduce,
    inputs: [input],
    output: output(),
    workDir: directory,
    slots: 1,
    memory: "64MB",
    reducers: 1,
    checkpoint: "50ms",
    params: params({ trigger: keyOf(triggerAt) }),
    ...more,
  };
}

const digest = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

function localParts(): Readonly<Record<string, string>> {
  const names = readdirSync(output(), { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".gz"));
  return Object.fromEntries(names.toSorted().map((name) => [name, digest(readFileSync(join(output(), name)))]));
}

async function storeParts(prefix: string): Promise<Readonly<Record<string, string>>> {
  const parts: [name: string, digest: string][] = [];
  for (const { key } of await objects.listAll("out", prefix)) {
    if (!key.endsWith(".gz")) continue;
    const found = await objects.get({ bucket: "out", key });
    parts.push([key.slice(prefix.length), digest(found!.bytes)]);
  }
  return Object.fromEntries(parts.toSorted());
}

/** The keys that reduce was called for, by attempt, in the order of the attempts. */
function callsByAttempt(): string[][] {
  const byAttempt = new Map<string, string[]>();
  for (const line of readFileSync(calls(), "utf8").trimEnd().split("\n")) {
    const [attempt, key] = line.split(" ") as [string, string];
    byAttempt.set(attempt, [...(byAttempt.get(attempt) ?? []), key]);
  }
  return [...byAttempt.values()];
}

function expectUndisturbed(result: RunResult): void {
  expect(existsSync(once())).toBe(true);
  expect(result, JSON.stringify(result)).toMatchObject({ ok: true, counters: { keys } });
  expect(memoryDirectoriesOf(directory)).toEqual([]);
  expect(processesBelow(directory)).toEqual([]);
  expect(readdirSync(directory).filter((name) => !["calls", "happened", "out"].includes(name))).toEqual([]);
}

/** The second attempt went on far behind the beginning, at a key that it may do again, and left none out. */
function expectResumed(): void {
  const [first, second, ...others] = callsByAttempt();
  expect(others).toEqual([]);
  expect(first).toHaveLength(triggerAt + 1);
  const repeated = first!.length + second!.length - keys;
  expect(repeated).toBeGreaterThan(0); // the key of the fault
  expect(repeated).toBeLessThan(keys / 2);
  expect(second![0]).toBe(first![first!.length - repeated]);
}

describe("a reduce whose slot is killed near its end: the next goes on behind the last checkpoint, to the same bytes", () => {
  test("on this machine", async () => {
    expectUndisturbed(await runToEnd(optionsOf()));
    expect(localParts()).toEqual(undisturbed);
    expectResumed();
  });

  test("on an object store, to which nothing was uploaded yet", async () => {
    const done = await runToEnd(optionsOf({ output: "s3://out/results" }), server.env);
    expectUndisturbed(done);
    expect(await storeParts("results/")).toEqual(undisturbed);
    expectResumed();
    const left = (await objects.listAll("out", "")).map(({ key }) => key).filter((key) => key.includes(".millrace-"));
    expect(left).toEqual([]);
  });

  test("without checkpoints it begins at the beginning", async () => {
    expectUndisturbed(await runToEnd(optionsOf({ checkpoint: "off" })));
    expect(localParts()).toEqual(undisturbed);
    expect(callsByAttempt().map((keys) => keys.length)).toEqual([triggerAt + 1, keys]);
  });
});
