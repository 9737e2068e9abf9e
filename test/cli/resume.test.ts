// --resume and --resume-or-begin as a user and a script meet them: nothing there, something left, all there.
import { appendFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeEach, expect, test } from "vitest";
import { millrace, scratchFolder } from "../support/cli.ts";

const folder = scratchFolder();
afterAll(() => folder.remove());

const job = (more = "") => `import { defineJob, sum, text, tsv, uint, utf8 } from "millrace";
export default defineJob({ name: "count", input: text(), key: utf8, value: uint, combine: sum, output: tsv(),
  map(line, emit) { emit(line, 1);${more} } });
`;
let made = 0;
let cwd = "";
beforeEach(() => {
  cwd = join(folder.path, `case-${made++}`);
  mkdirSync(cwd);
  writeFileSync(join(cwd, "job.ts"), job());
  writeFileSync(join(cwd, "in.txt"), "a\nb\na\n");
});
const run = (...words: string[]) => millrace(["run", "job.ts", "in.txt", "-o", "out", ...words], { cwd });
const output = () => readFileSync(join(cwd, "out/part-00000.tsv"), "utf8");
/** Kills a run before it publishes. */
const killed = async () => {
  const { signal } = await millrace(["run", "job.ts", "in.txt", "-o", "out"], {
    cwd,
    env: { MILLRACE_FAILPOINT: "master.beforePublish:kill", MILLRACE_STATE_MS: "0" },
  });
  expect(signal).toBe("SIGKILL");
  expect(readdirSync(cwd).some((name) => name.startsWith(".out.millrace-"))).toBe(true);
};

test("an output that is there already is said, ends with 0 and stays as it was", async () => {
  expect((await run("--resume-or-begin")).code).toBe(0);
  const before = readFileSync(join(cwd, "out/_SUCCESS"), "utf8");
  for (const word of ["--resume", "--resume-or-begin"]) {
    const { code, stderr } = await run(word);
    expect(code, stderr).toBe(0);
    expect(stderr).toContain("out is there already: count published 2 records in 1 file");
  }
  const { stdout } = await run("--resume", "--json");
  expect(JSON.parse(stdout.toString())).toMatchObject({ event: "already-done", name: "count", output: "out" });
  expect(readFileSync(join(cwd, "out/_SUCCESS"), "utf8")).toBe(before);
  expect(readdirSync(cwd).toSorted()).toEqual(["in.txt", "job.ts", "out"]);
});

test("an output of other code or other input is not taken for this run's", async () => {
  expect((await run()).code).toBe(0);
  appendFileSync(join(cwd, "in.txt"), "c\n");
  const grown = await run("--resume");
  expect(grown.code).toBe(2);
  expect(grown.stderr).toContain("the input has 8 bytes now, and had 6 then");
  writeFileSync(join(cwd, "job.ts"), job(' emit("lines", 1);'));
  const changed = await run("--resume-or-begin");
  expect(changed.code).toBe(3);
  expect(changed.stderr).toContain("the job's code is not the same");
  expect(changed.stderr).toContain("[output-exists]");
  expect(output()).toBe("a\t2\nb\t1\n");
  expect((await run("--resume-or-begin", "--overwrite")).code).toBe(0);
  expect(output()).toBe("a\t2\nb\t1\nc\t1\nlines\t4\n");
});

test("a killed run is gone on with", async () => {
  await killed();
  expect((await run("--resume-or-begin")).code).toBe(0);
  expect(output()).toBe("a\t2\nb\t1\n");
  expect(readdirSync(cwd).toSorted()).toEqual(["in.txt", "job.ts", "out"]);
});

test("a killed run of other code is refused by --resume, and begun again by --resume-or-begin", async () => {
  await killed();
  writeFileSync(join(cwd, "job.ts"), job(' emit("lines", 1);'));
  const refused = await run("--resume");
  expect(refused.code).toBe(2);
  expect(refused.stderr).toContain("the job's code is not the same");
  const begun = await run("--resume-or-begin");
  expect(begun.code, begun.stderr).toBe(0);
  expect(begun.stderr).toContain("It begins again");
  expect(output()).toBe("a\t2\nb\t1\nlines\t3\n");
  expect(readdirSync(cwd).toSorted()).toEqual(["in.txt", "job.ts", "out"]);
});
