// The programs start from code that V8 compiled before, and start all the same where there is none, or not theirs.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
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
  // Masters of other tests may have left the cache of their look process, or be writing it at this moment.
  for (const name of readdirSync(programs)) if (/^look-|\.cache\.\d+$/.test(name)) rmSync(join(programs, name));
});
afterAll(() => {
  rmSync(copy, { recursive: true, force: true });
  folder.remove();
});

function caches(): string[] {
  return readdirSync(programs).filter((name) => name.endsWith(".cache"));
}

function run(...flags: string[]): string {
  const words = ["run", join(repository, "examples/word-count.ts"), join(folder.path, "in.txt")];
  return execFileSync(process.execPath, [...flags, join(copy, "cli.cjs"), ...words], {
    encoding: "utf8",
    stdio: "pipe",
  });
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

test("what is no cache is not taken, and replaced", () => {
  const [first, second] = caches().map((name) => join(programs, name)) as [string, string];
  writeFileSync(first, "not a cache");
  writeFileSync(second, "");
  expect(run()).toContain("to\t2");
  for (const path of [first, second]) expect(statSync(path).size).toBeGreaterThan(100_000);
});

test.each([0.001, 0.3, 0.5, 0.9, 0.999_999])(
  "a cache with one wrong byte at %f of its length is ignored, which V8 would crash of, and replaced",
  (place) => {
    const paths = caches().map((name) => join(programs, name));
    const whole = paths.map((path) => readFileSync(path));
    for (const [i, path] of paths.entries()) {
      const damaged = Buffer.from(whole[i]!);
      damaged[Math.floor(damaged.length * place)]! ^= 0x55;
      writeFileSync(path, damaged);
    }
    expect(run()).toContain("to\t2");
    for (const [i, path] of paths.entries()) {
      const now = readFileSync(path);
      expect(createHash("sha256").update(now.subarray(0, -32)).digest()).toEqual(now.subarray(-32));
      expect(now.length).toBeGreaterThan(whole[i]!.length / 2);
    }
  },
);

test("a cache that was cut is ignored and replaced", () => {
  const paths = caches().map((name) => join(programs, name));
  for (const path of paths) writeFileSync(path, readFileSync(path).subarray(0, -5));
  expect(run()).toContain("to\t2");
  for (const path of paths) {
    const now = readFileSync(path);
    expect(createHash("sha256").update(now.subarray(0, -32)).digest()).toEqual(now.subarray(-32));
  }
});

test("another V8, or one with other flags, has caches of its own beside these", () => {
  const before = caches();
  const written = before.map((name) => readFileSync(join(programs, name)));
  expect(before.every((name) => name.includes(`-${process.arch}-`))).toBe(true);
  expect(run("--no-flush-bytecode")).toContain("to\t2");
  const after = caches();
  expect(after.filter((name) => !before.includes(name)).map((name) => name.split("-")[0])).toEqual(["cli"]);
  expect(before.map((name) => readFileSync(join(programs, name)))).toEqual(written);
  for (const name of after) if (!before.includes(name)) rmSync(join(programs, name));
});

test("where nothing may be written it runs", () => {
  const names = caches();
  for (const name of names) rmSync(join(programs, name));
  // Root may write everywhere but where a folder is in the way.
  for (const name of names) cpSync(join(repository, "examples"), join(programs, name), { recursive: true });
  expect(run()).toContain("to\t2");
  expect(readdirSync(programs).filter((name) => /\.cache\.\d+$/.test(name))).toEqual([]);
  for (const name of names) expect(existsSync(join(programs, name, "word-count.ts"))).toBe(true);
});
