// Settings in a file and in the environment, as the built command takes them.
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { millrace, publishedText, repository, scratchFolder } from "../support/cli.ts";

const folder = scratchFolder();
const below = join(folder.path, "jobs");

beforeAll(() => {
  mkdirSync(below);
  symlinkSync(join(repository, "node_modules"), join(below, "node_modules"));
  writeFileSync(join(below, "in.txt"), "to be or not to be\n");
  writeFileSync(
    join(below, "job.ts"),
    `import { defineJob, words, text, utf8, uint, sum } from "millrace";
export default defineJob({ name: "job", input: text(), key: utf8, value: uint, map: words(), combine: sum });
`,
  );
  writeFileSync(join(folder.path, "millrace.json"), JSON.stringify({ reducers: 3, slots: 1, ca: "none.pem" }));
});
afterAll(() => folder.remove());

test("a run takes what the file above it says, and plan says so", async () => {
  const run = await millrace(["run", "job.ts", "in.txt", "-o", "out", "--json"], { cwd: below });
  expect([run.code, run.stderr]).toEqual([0, ""]);
  expect(publishedText(join(below, "out"))).toContain("be\t2");
  const planned = await millrace(["plan", "job.ts", "in.txt"], { cwd: below });
  expect(planned.stdout.toString()).toMatch(/reduce +3 partitions/);
  expect(planned.stdout.toString()).toMatch(/ settings +--reducers 3, --slots 1 from \.\.\/millrace\.json\n/);
  const without = await millrace(["plan", "job.ts", "in.txt", "--no-config", "--json"], { cwd: below });
  expect(JSON.parse(without.stdout.toString())).toMatchObject({ partitions: 1, settings: [] });
}, 120_000);

test("what a file has for other jobs and runs is left out, and refused where it is typed", async () => {
  const other = join(below, "unfit");
  mkdirSync(other);
  writeFileSync(join(other, "millrace.json"), JSON.stringify({ reducers: 3, skipBad: 5, slots: 1 }));
  writeFileSync(
    join(other, "lines.ts"),
    `import { defineJob, text } from "millrace";
export default defineJob({ name: "lines", input: text(), reducers: 0, output: text(), map: (line, emit) => emit(line) });
`,
  );
  const run = await millrace(["run", "lines.ts", "../in.txt", "--quiet"], { cwd: other });
  expect([run.code, run.stdout.toString(), run.stderr]).toEqual([0, "to be or not to be\n", ""]);
  const planned = await millrace(["plan", "lines.ts", "../in.txt"], { cwd: other });
  expect([planned.code, planned.stderr]).toEqual([0, ""]);
  expect(planned.stdout.toString()).toMatch(/reduce +none[\s\S]* settings +--slots 1 from millrace\.json\n/);
  const typed = await millrace(["run", "lines.ts", "../in.txt", "--reducers", "3"], { cwd: other });
  expect([typed.code, typed.stderr]).toEqual([2, expect.stringContaining("leave out --reducers")]);
}, 120_000);

test("a cluster that the environment names is where a run goes, which --master none takes back", async () => {
  const env = { MILLRACE_MASTER: "http://127.0.0.1:1" };
  const there = await millrace(["run", "job.ts", "in.txt"], { cwd: below, env });
  expect([there.code, there.stderr]).toEqual([2, expect.stringMatching(/-o DIR.*MILLRACE_MASTER; --master none runs/)]);
  const here = await millrace(["run", "job.ts", "in.txt", "--master", "none", "--quiet"], { cwd: below, env });
  expect([here.code, here.stdout.toString().split("\n").toSorted()]).toEqual([
    0,
    ["", "be\t2", "not\t1", "or\t1", "to\t2"],
  ]);
});

test("a refusal names the file, the help is there all the same", async () => {
  const other = join(folder.path, "other");
  mkdirSync(other);
  writeFileSync(join(other, "package.json"), `{"millrace":{"slosts":2}}`);
  const run = await millrace(["run", "job.ts", "in.txt"], { cwd: other });
  expect([run.code, run.stderr]).toEqual([
    2,
    expect.stringMatching(/package\.json: .*"slosts" \(did you mean "slots"\?\)/),
  ]);
  const help = await millrace(["run", "--help"], { cwd: other });
  expect([help.code, help.stderr]).toEqual([0, expect.stringMatching(/^warning: .*"slosts"/)]);
  expect(help.stdout.toString()).toContain("--slots <n>");
  writeFileSync(join(other, "package.json"), `{"millrace":{"memory":"1KB"}}`);
  const little = await millrace(["run", join(below, "job.ts"), join(below, "in.txt")], { cwd: other });
  expect([little.code, little.stderr]).toEqual([
    2,
    expect.stringContaining("with memory 1KB from the key millrace of package.json"),
  ]);
});
