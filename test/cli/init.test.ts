// What `millrace init` writes, as a newcomer meets it: in an empty folder, where nothing is installed.
import { spawn } from "node:child_process";
import { readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { millrace, repository, scratchFolder } from "../support/cli.ts";

let folder: ReturnType<typeof scratchFolder>;
beforeEach(() => {
  folder = scratchFolder();
});
afterEach(() => folder.remove());

const here = (...words: string[]) => millrace(words, { cwd: folder.path });
const node = (...words: string[]) =>
  new Promise<{ code: number | null; output: string }>((resolve) => {
    const child = spawn(process.execPath, words, { cwd: folder.path, env: { ...process.env, NO_COLOR: "1" } });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (part: Buffer) => (output += part.toString()));
    child.on("close", (code) => resolve({ code, output }));
  });

test("its test runs by the command that it prints, and fails when the job is wrong", async () => {
  const made = await here("init", "page-views");
  expect(made.code, made.stderr).toBe(0);
  expect(made.stdout.toString()).toContain("  millrace test page-views.test.ts\n");
  const passed = await here("test", "page-views.test.ts");
  expect(passed.code, passed.stderr + passed.stdout).toBe(0);
  expect(passed.stdout.toString()).toMatch(/page-views.*\n(?:.*\n)*passed page-views\.test\.ts/);
  const job = join(folder.path, "page-views.ts");
  writeFileSync(job, readFileSync(job, "utf8").replace("word.toLowerCase()", "word"));
  const failed = await here("test", "page-views.test.ts");
  expect(failed.code).toBe(1);
  expect(failed.stdout.toString()).toContain("FAILED page-views.test.ts");
  expect(failed.stdout.toString()).toMatch(/page-views\.test\.ts:1\d:/); // its own line, not the bundle's
}, 120_000);

test("it type-checks with the tsconfig.json beside it, and its test runs in vitest too", async () => {
  await here("init");
  symlinkSync(join(repository, "node_modules"), join(folder.path, "node_modules"));
  const config = JSON.parse(readFileSync(join(folder.path, "tsconfig.json"), "utf8"));
  const declared = (name: string) => [join(repository, `dist/${name}.d.ts`)];
  const paths = { millrace: declared("index"), "millrace/testing": declared("testing") };
  writeFileSync(
    join(folder.path, "with-sources.json"),
    JSON.stringify({
      ...config,
      compilerOptions: { ...config.compilerOptions, paths },
      files: ["my-job.test.ts"],
    }),
  );
  const types = await node(join(repository, "node_modules/typescript/bin/tsc"), "-p", "with-sources.json");
  expect(types).toEqual({ code: 0, output: "" });
  const alias = {
    millrace: join(repository, "dist/index.js"),
    "millrace/testing": join(repository, "dist/testing.js"),
  };
  const aliases = Object.entries(alias).map(([find, replacement]) => ({ find, replacement }));
  writeFileSync(
    join(folder.path, "vitest.config.mjs"),
    `export default { resolve: { alias: ${JSON.stringify(aliases.toReversed())} } };\n`,
  );
  const vitest = await node(join(repository, "node_modules/vitest/vitest.mjs"), "run", "my-job.test.ts");
  expect(vitest.code, vitest.output).toBe(0);
  expect(vitest.output).toMatch(/Tests\s+1 passed/);
}, 120_000);

test("a test takes no options, and no sample", async () => {
  await here("init");
  for (const words of [["my-job.test.ts", "my-job.ts"], ["my-job.test.ts", "--slots", "2"], ["nothing.test.ts"]]) {
    const { code, stderr } = await here("test", ...words);
    expect([code, stderr]).toEqual([2, expect.stringMatching(/is none|leave out --slots|there is no test/)]);
  }
}, 60_000);
