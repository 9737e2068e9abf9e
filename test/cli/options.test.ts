// Every option and argument of every command is given a value that no one means: the command says which one and ends
// with 2, and nothing is read or made. A variable of the shell that is not set leaves an empty word, and an empty word
// must not be the current folder.
import { readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { millrace, repository, scratchFolder } from "../support/cli.ts";

const folder = scratchFolder();
const left = () => readdirSync(folder.path).sort();
let before: string[];

beforeAll(() => {
  symlinkSync(join(repository, "node_modules"), join(folder.path, "node_modules"));
  writeFileSync(join(folder.path, "in.txt"), "to be\n");
  writeFileSync(
    join(folder.path, "job.ts"),
    `import { defineJob, text } from "millrace";
export default defineJob({ name: "job", input: text(), reducers: 0, output: text(), map: (line, emit) => emit(line + (process.env["SECRET"] ?? "")) });
`,
  );
  before = left();
});
afterAll(() => folder.remove());

const given = { run: ["job.ts", "in.txt"] };
const master = ["--master", "http://127.0.0.1:1"];

// The whole table is in src/cli/options.test.ts; here, what would have done harm.
test.each([
  ["run", "job.ts", ""],
  ["run", "job.ts", "in.txt", "-o", ""],
  ["run", "job.ts", "in.txt", "--output="],
  ["run", "job.ts", "in.txt", "-o", " "],
  ["run", "", "in.txt"],
  ["run", "job.ts", "in.txt", "--input", "a="],
  ["run", "job.ts", "in.txt", "--file", "a="],
  ["run", "job.ts", "in.txt", "--param", "=x"],
  ["run", "job.ts", "in.txt", "--work-dir", ""],
  ["run", "job.ts", "in.txt", "-o", "out", "--ca", "", ...master],
  ["plan", "job.ts", ""],
  ["plan", "job.ts", "in.txt", "-o", ""],
  ["test", "job.ts", ""],
  ["sim", "job.ts", ""],
  ["replay", "job.ts", ""],
  ["replay", "job.ts", " :0"],
  ["master", "--state", ""],
  ["worker", "--work-dir", "", ...master],
  ["cancel", "", ...master],
  ["retry", " ", ...master],
  ["drain", "", ...master],
  ["status", "", ...master],
  ["logs", "abc", "", ...master],
  ["init", ""],
])("millrace %s %s %s %s %s: is refused with 2, and nothing is made", async (...words) => {
  const { code, stdout, stderr } = await millrace(words, { cwd: folder.path });
  expect({ code, stdout: stdout.toString() }, stderr).toEqual({ code: 2, stdout: "" });
  expect(stderr).not.toMatch(/\bat .*(?:dist|program)\//);
  expect(left()).toEqual(before);
});

test("-o - is standard output, in every way to write it", async () => {
  for (const words of [["-o", "-"], ["--output", "-"], ["--output=-"], ["-o-"]]) {
    const { code, stdout, stderr } = await millrace(["run", ...given.run, ...words, "--quiet"], { cwd: folder.path });
    expect({ code, stdout: stdout.toString(), stderr }).toEqual({ code: 0, stdout: "to be\n", stderr: "" });
  }
  const planned = await millrace(["plan", ...given.run, "-o", "-"], { cwd: folder.path });
  expect(planned.stdout.toString()).toContain("standard output");
  const resumed = await millrace(["run", ...given.run, "-o", "-", "--resume"], { cwd: folder.path });
  expect(resumed.code).toBe(2);
  const remote = await millrace(["run", ...given.run, "-o", "-", "--master", "http://127.0.0.1:1"], {
    cwd: folder.path,
  });
  expect([remote.code, remote.stderr]).toEqual([2, expect.stringContaining("give one with -o DIR")]);
  expect(left()).toEqual(before);
});

test("an option whose value is missing does not take the next one for it", async () => {
  for (const name of ["-o", "--work-dir"]) {
    const { code, stderr } = await millrace(["run", ...given.run, name, "--quiet"], { cwd: folder.path });
    expect([code, stderr]).toEqual([2, expect.stringContaining("./--quiet")]);
  }
  expect(left()).toEqual(before);
});

describe("the environment of the job's code", () => {
  const run = (words: readonly string[], env: Record<string, string> = {}) =>
    millrace(["run", ...given.run, "--quiet", ...words], { cwd: folder.path, env });

  test("--env NAME passes on what it is here, --env NAME=VALUE says what it is, also empty", async () => {
    const set = { SECRET: "-from-here=1" };
    expect((await run(["--env", "SECRET"], set)).stdout.toString()).toBe("to be-from-here=1\n");
    expect((await run(["--env", "SECRET=-x"], set)).stdout.toString()).toBe("to be-x\n");
    expect((await run(["--env", "SECRET="], set)).stdout.toString()).toBe("to be\n");
    const replayed = await millrace(["replay", "job.ts", "in.txt:0", "--env", "SECRET"], {
      cwd: folder.path,
      env: set,
    });
    expect(replayed.stdout.toString()).toContain("to be-from-here=1");
  }, 120_000);

  test.each([
    ["run", ...given.run],
    ["plan", ...given.run],
    ["replay", "job.ts", "in.txt:0"],
    ["sim", ...given.run, "--seeds", "1"],
    ["test", ...given.run],
  ])(
    "millrace %s says once which names the job reads that are set here and not passed on",
    async (...words) => {
      const env = { SECRET: "x" };
      const { code, stderr, stdout } = await millrace(words, { cwd: folder.path, env });
      expect(code, stderr + stdout).toBe(0);
      expect(stderr.match(/reads SECRET from its environment/g)).toHaveLength(1);
      expect(stderr).toContain("--env SECRET");
      for (const more of [
        ["--env", "SECRET"],
        ["--env", "SECRET=y"],
      ]) {
        const passed = await millrace([...words, ...more], { cwd: folder.path, env });
        expect(passed.code, passed.stderr + passed.stdout).toBe(0);
        expect(passed.stderr).not.toContain("from its environment");
      }
      const unset = await millrace(words, { cwd: folder.path });
      expect(unset.stderr).not.toContain("from its environment");
    },
    240_000,
  );

  test("hints repeat names and no values", async () => {
    writeFileSync(
      join(folder.path, "fails.ts"),
      readFileSync(join(folder.path, "job.ts"), "utf8").replace("emit(line", "emit(boom(line) + line") +
        "function boom(line: string): string { throw new Error(line); }\n",
    );
    const words = ["run", "fails.ts", "in.txt", "-o", "out", "--env", "SECRET=hush-hush", "--env", "OTHER"];
    const { code, stderr } = await millrace(words, { cwd: folder.path, env: { OTHER: "not-told" } });
    expect(code).toBe(1);
    expect(stderr).not.toMatch(/hush-hush|not-told/);
    expect(stderr).toContain("--env SECRET --env OTHER");
    expect(stderr).toContain("set SECRET in your shell first, or give --env SECRET=VALUE again");
    const again = await millrace(["replay", "fails.ts", "in.txt:0", "--env", "SECRET"], { cwd: folder.path });
    expect([again.code, again.stderr]).toEqual([2, expect.stringContaining("give --env SECRET=VALUE")]);
  });
});

test.each([
  ["run", "job.ts", "in.txt", "--work-dir", "in.txt"],
  ["run", "job.ts", "in.txt", "--work-dir", "in.txt/below"],
  ["run", "job.ts", "in.txt", "-o", "out", "--work-dir", "in.txt/below"],
  ["test", "job.ts", "in.txt", "--work-dir", "in.txt"],
  ["master", "--state", "in.txt", "--listen", "127.0.0.1:0"],
  ["master", "--state", "in.txt/below", "--listen", "127.0.0.1:0"],
])("a file where a folder is to be made is wrong usage, which no other try helps: %s %s %s %s %s", async (...words) => {
  const before = left();
  const { code, stderr } = await millrace(words, { cwd: folder.path });
  expect(code, stderr).toBe(2);
  expect(stderr).toMatch(/in\.txt.*(EEXIST|ENOTDIR)/);
  expect(stderr).not.toContain("The output");
  expect(left()).toEqual(before);
});
