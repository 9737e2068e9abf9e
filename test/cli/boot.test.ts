// The programs start from code that V8 compiled before, and start all the same where there is none, or not theirs.
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { repository, scratchFolder } from "../support/cli.ts";

const copy = join(repository, `.dist-test-${process.pid}`);
const programs = join(copy, "program");
let folder: ReturnType<typeof scratchFolder>;
beforeAll(() => {
  folder = scratchFolder();
  writeFileSync(join(folder.path, "in.txt"), "to be or not to be\n");
  cpSync(join(repository, "dist"), copy, { recursive: true });
});
afterAll(() => {
  rmSync(copy, { recursive: true, force: true });
  folder.remove();
});

function caches(): string[] {
  return readdirSync(programs).filter((name) => name.endsWith(".cache"));
}

function run(): string {
  const words = ["run", join(repository, "examples/word-count.ts"), join(folder.path, "in.txt")];
  return execFileSync(process.execPath, [join(copy, "cli.cjs"), ...words], { encoding: "utf8", stdio: "pipe" });
}

test("a build has compiled both, and a run leaves that as it is", () => {
  const before = caches();
  expect(before.map((name) => name.split("-")[0])).toEqual(["cli", "slot"]);
  const written = before.map((name) => statSync(join(programs, name)).mtimeMs);
  expect(run()).toContain("to\t2");
  expect(caches()).toEqual(before);
  expect(before.map((name) => statSync(join(programs, name)).mtimeMs)).toEqual(written);
});

test("without caches it runs, and there are some afterwards", () => {
  const before = caches();
  for (const name of before) rmSync(join(programs, name));
  expect(run()).toContain("to\t2");
  expect(caches()).toEqual(before);
});

test("what is no cache, or another version's, is not taken, and replaced", () => {
  const [first, second] = caches().map((name) => join(programs, name)) as [string, string];
  const whole = readFileSync(second);
  writeFileSync(first, "not a cache");
  // The first bytes say which V8 it is for.
  writeFileSync(second, Buffer.concat([Buffer.alloc(16, 0xff), whole.subarray(16)]));
  expect(run()).toContain("to\t2");
  for (const path of [first, second]) expect(statSync(path).size).toBeGreaterThan(100_000);
  expect(readFileSync(second).subarray(0, 16)).toEqual(whole.subarray(0, 16));
});

test("where nothing may be written it runs", () => {
  for (const name of caches()) rmSync(join(programs, name));
  // Root may write everywhere but where a file is in the way.
  const digest = (name: string) => /"([0-9a-f]{16})"/.exec(readFileSync(join(copy, `${name}.cjs`), "utf8"))![1]!;
  for (const name of ["cli", "slot"])
    cpSync(join(repository, "examples"), join(programs, `${name}-${digest(name)}.cache`), { recursive: true });
  expect(run()).toContain("to\t2");
  expect(readdirSync(programs).filter((name) => /\.cache\.\d+$/.test(name))).toEqual([]);
  expect(existsSync(join(programs, `cli-${digest("cli")}.cache`, "word-count.ts"))).toBe(true);
});
