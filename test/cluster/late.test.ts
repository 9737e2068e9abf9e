// What the job's code does after its calls have returned, on a cluster: the job's error, with its line, and nothing is
// published.
import { existsSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runToEnd } from "../process/support.ts";
import { repository } from "../support/cli.ts";
import { startCluster, type TestCluster } from "./processes.ts";

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await startCluster();
  symlinkSync(join(repository, "node_modules"), at("node_modules"));
  writeFileSync(at("in.txt"), Array.from({ length: 40 }, (_, i) => `line ${i}\n`).join(""));
});
afterAll(() => cluster.close());

const at = (name: string) => join(cluster.folder, name);

/** The line of the late call is marked. */
function writeJob(name: string, of: string): { readonly job: string; readonly place: RegExp } {
  const code = `import { defineJob, sum, text, tsv, uint, utf8 } from "millrace";
import { gzip } from "node:zlib";
export default defineJob({
  name: "late", input: text(), key: utf8, value: uint, output: tsv(),
  ${of}
});
`;
  const job = at(`${name.replaceAll(/\W+/g, "-")}.ts`);
  writeFileSync(job, code);
  const line = code.split("\n").findIndex((text) => text.includes("/*late*/")) + 1;
  return { job, place: new RegExp(`at .*${job.slice(job.lastIndexOf("/") + 1)}:${line}:`) };
}

const map = "map(line, emit) { emit(line, 1); },";
const late: readonly (readonly [string, string])[] = [
  ["a timer of map", "combine: sum, map(line, emit) { setTimeout(() => emit(line, 1), 30); /*late*/ },"],
  ["zlib in map", "combine: sum, map(line, emit) { gzip(line, () => emit(line, 1)); /*late*/ },"],
  ["emit itself, given to a timer", "combine: sum, map(line, emit) { setTimeout(emit, 20, line, 1); /*late*/ },"],
  ["a timer of reduce", `${map} reduce(key, values, emit) { setTimeout(() => emit([key, 1]), 30); /*late*/ },`],
  [
    "emit of reduce, given to a promise",
    `${map} reduce(key, values, emit) { Promise.resolve([key, 1] as const).then(emit); /*late*/ },`,
  ],
  [
    "a timer of combine",
    `${map} combine(a, b) { setTimeout(() => { throw new Error("too late"); }, 20); /*late*/ return a + b; },`,
  ],
  ["a timer of setup", `combine: sum, setup(ctx) { setTimeout(() => ctx.count("late"), 100); /*late*/ }, ${map}`],
  ["a timer of teardown", `combine: sum, teardown(ctx) { setTimeout(() => ctx.count("late"), 30); /*late*/ }, ${map}`],
];

describe.each(late)("%s, after its call has returned", (name, of) => {
  const input = name.includes("combine") ? "equal.txt" : "in.txt";

  test("fails the job of run --master, with --quiet too", async () => {
    writeFileSync(at("equal.txt"), "line\n".repeat(40));
    const { job, place } = writeJob(name, of);
    const quiet = [[], ["--quiet"]];
    const outs = quiet.map((_, i) => at(`${name} ${i}`));
    const ended = await Promise.all(
      quiet.map((flags, i) => cluster.ask(["run", job, at(input), "-o", outs[i]!, "--split-size", "100", ...flags])),
    );
    for (const { code, stderr } of ended) {
      expect(code, stderr).toBe(1);
      expect(stderr).toContain("wait it or return its promise");
      expect(stderr).toMatch(place);
      expect(stderr).not.toMatch(/tried \d+ times/);
    }
    for (const out of outs) expect(existsSync(out)).toBe(false);
  });
});

test.each([
  ["of a master", () => ({ master: cluster.address })],
  ["on this machine", () => ({ slots: 1 })],
])("run() %s rejects with what is late in map and in reduce, with its line", async (where, options) => {
  for (const [name, of] of [late[1]!, late[2]!, late[3]!]) {
    const { job, place } = writeJob(`run ${name}`, of);
    const output = at(`run ${where} ${name}`);
    const result = await runToEnd({ module: job, inputs: [at("in.txt")], output, ...options() }, cluster.env);
    expect(result.ok).toBe(false);
    expect(result.message).toMatch(/emit was called after its call of (?:map|reduce) had returned/);
    expect(result.stack).toMatch(place);
    expect(existsSync(output)).toBe(false);
  }
});
