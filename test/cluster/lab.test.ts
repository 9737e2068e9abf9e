// The checks of a well-known university lab on MapReduce, in our own words and against our own cluster: map and reduce
// tasks run side by side, each map runs exactly once where nothing fails, no one leaves before the output is final, and
// a third of the attempts exiting and a third stalling change nothing.
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { millrace, repository } from "../support/cli.ts";
import { startCluster, type TestCluster } from "./processes.ts";

const labJob = fileURLToPath(new URL("./jobs/lab.ts", import.meta.url));
const files = 8;
const reducers = 4;

let cluster: TestCluster;
let input: string;
let expected: string;
beforeAll(async () => {
  cluster = await startCluster(["w1", "w2"], ["--lease", "2s"]);
  input = join(cluster.folder, "in");
  mkdirSync(input);
  const book = readFileSync(join(repository, "examples/data/books/pg-huckleberry_finn.txt"), "latin1");
  const size = Math.ceil(book.length / files);
  for (let i = 0; i < files; i++)
    writeFileSync(join(input, `${i}.txt`), book.slice(i * size, (i + 1) * size), "latin1");
  const local = join(cluster.folder, "local");
  const folder = join(cluster.folder, "local-notes");
  mkdirSync(folder);
  const result = await millrace(["run", labJob, input, "-o", local, ...words(folder)]);
  expect(result.code, result.stderr).toBe(0);
  expected = digestOf(local);
});
afterAll(() => cluster.close());

/** One split a file: each fits, and no two of them do. */
const words = (folder: string, ...more: string[]) => [
  ...["--split-size", "100KB", "--reducers", String(reducers), "--param", `folder=${folder}`],
  ...more,
];

function digestOf(folder: string): string {
  const hash = createHash("sha256");
  for (const name of readdirSync(folder).toSorted()) {
    if (name.startsWith("part-")) hash.update(name).update(readFileSync(join(folder, name)));
  }
  return hash.digest("hex");
}

async function run(name: string, ...more: string[]) {
  const folder = join(cluster.folder, `${name}-notes`);
  const output = join(cluster.folder, name);
  mkdirSync(folder);
  const result = await cluster.ask(["run", labJob, input, "-o", output, ...words(folder, ...more)]);
  expect(result.code, result.stderr).toBe(0);
  const noted = (file: string) => readFileSync(join(folder, file), "utf8").split("\n").slice(0, -1);
  const manifest = JSON.parse(readFileSync(join(output, "_SUCCESS"), "utf8")) as {
    readonly counters: Readonly<Record<string, number>>;
  };
  return { output, noted, counters: manifest.counters, stderr: result.stderr };
}

describe("a cluster of two workers with one slot each", () => {
  test("runs map tasks side by side, each exactly once, and then reduce tasks side by side", async () => {
    const { output, noted, counters } = await run("parallel", "--param", "meetMaps=2", "--param", "meetReduces=2");
    const began = noted("attempts");
    expect(began.filter((task) => task.startsWith("map-")).toSorted()).toEqual(
      Array.from({ length: files }, (_, i) => `map-${i}`),
    );
    expect(began.filter((task) => task.startsWith("reduce-")).toSorted()).toEqual(
      Array.from({ length: reducers }, (_, i) => `reduce-${i}`),
    );
    // Summed over all attempts: each saw two at once.
    expect(counters["most maps at once"]).toBe(2 * files);
    expect(counters["most reduces at once"]).toBe(2 * reducers);
    expect(began.findIndex((task) => task.startsWith("reduce-"))).toBe(files);
    expect(digestOf(output)).toBe(expected);
  });

  test("nobody leaves early: what is there when the command ends is final, and the workers are still there", async () => {
    const { output } = await run("early");
    const atTheEnd = digestOf(output);
    expect(atTheEnd).toBe(expected);
    const workers = (await cluster.ask(["workers", "--json"])).stdout.toString();
    for (const name of ["w1", "w2"]) expect(workers).toContain(`"${name}"`);
    await run("later");
    expect(digestOf(output)).toBe(atTheEnd);
  });

  test("fault 1, 12, 18: a third of the first attempts exit and a third stall, and the output is the same", async () => {
    const { output, noted } = await run("crash", "--param", "crash=true", "--task-timeout", "2s");
    // 8 maps and 4 reduces: 0 3 6 and 0 3 exit, 1 4 7 and 1 stall.
    expect(noted("crashed").toSorted()).toEqual(["map-0", "map-3", "map-6", "reduce-0", "reduce-3"]);
    expect(noted("stalled").toSorted()).toEqual(["map-1", "map-4", "map-7", "reduce-1"]);
    expect(digestOf(output)).toBe(expected);
  });
});
