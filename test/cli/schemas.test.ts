// Standard Schemas in a job, with the built command: one run, one value of its parameters.
import { readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { millrace, publishedText, repository, scratchFolder } from "../support/cli.ts";

let folder: ReturnType<typeof scratchFolder>;
beforeEach(() => {
  folder = scratchFolder();
  symlinkSync(join(repository, "node_modules"), join(folder.path, "node_modules"));
  writeFileSync(join(folder.path, "lines"), "a\nb\nc\nd\n");
});
afterEach(() => folder.remove());

const run = (...words: string[]) =>
  millrace(["run", "job.mjs", "lines", "--split-size", "2B", ...words], { cwd: folder.path });

/** Counts what its tasks see as `ctx.params.since`. */
function job(params: string, map = "emit(String(ctx.params.since), 1);"): void {
  writeFileSync(
    join(folder.path, "job.mjs"),
    `import { defineJob, sum, text, tsv, uint, utf8 } from "millrace";
import { z } from "zod";
import { appendFileSync } from "node:fs";
export default defineJob({ name: "job", input: text(), key: utf8, value: uint, combine: sum, output: tsv(), reducers: 1,
params: ${params}, map(line, emit, ctx) { ${map} } });
`,
  );
}

describe("a default that is computed is one value in all tasks", () => {
  test.each([
    ["of a schema", "z.object({ since: z.string().default(() => String(Math.random())) })"],
    [
      "of an asynchronous schema",
      "z.object({ since: z.string().default('').refine(async () => true).transform(async () => String(Math.random())) })",
    ],
    ["of a table", "{ since: { type: 'string', default: String(Math.random()) } }"],
  ])("%s", async (_, params) => {
    job(params);
    expect(await run("-o", "out")).toMatchObject({ code: 0 });
    expect(publishedText(join(folder.path, "out"))).toMatch(/^0\.\d+\t4\n$/);
  });

  test("and millrace test takes it for no difference", async () => {
    job("z.object({ since: z.string().default(() => String(Math.random())) })");
    const { code, stdout } = await millrace(["test", "job.mjs", "lines"], { cwd: folder.path });
    expect({ code, stdout: stdout.toString() }).toMatchObject({ code: 0 });
  });
});

test("a run that is resumed goes on with the value that it had", async () => {
  const mend = join(folder.path, "mended");
  job(
    "z.object({ since: z.string().default(() => String(Math.random())), more: z.string().optional() })",
    `emit(ctx.params.since, 1);
     appendFileSync(${JSON.stringify(join(folder.path, "seen"))}, ctx.params.since + "\\n");
     if (line === "d" && !process.getBuiltinModule("fs").existsSync(${JSON.stringify(mend)})) throw new Error("not yet");`,
  );
  const failed = await run("-o", "out", "--slots", "1");
  expect(failed.code).not.toBe(0);
  writeFileSync(mend, "");
  const other = await run("-o", "out", "--resume", "--param", "more=x");
  expect(other.stderr).toContain("other parameters are given");
  expect(await run("-o", "out", "--resume")).toMatchObject({ code: 0 });
  const seen = new Set(readFileSync(join(folder.path, "seen"), "utf8").trim().split("\n"));
  expect(seen.size).toBe(1);
  expect(publishedText(join(folder.path, "out"))).toBe(`${[...seen][0]}\t4\n`);
});

test("what is refused is refused before any task, and leaves nothing", async () => {
  for (const [params, words] of [
    ["z.object({ since: z.number().min(3) })", "since: Too small"],
    ["z.object({ since: z.string().transform((s) => new Map([[s, s]])) })", "make it in `setup`"],
    ["z.object({ since: z.string().transform(() => { throw new TypeError('boom'); }) })", "TypeError: boom"],
  ] as const) {
    job(params);
    const { code, stderr } = await run("-o", "out", "--param", "since=2");
    expect(code).not.toBe(0);
    expect(stderr).toContain(words);
    expect(readdirSync(folder.path).sort()).toEqual(["job.mjs", "lines", "node_modules"]);
  }
});

test("replay and plan give it too", async () => {
  job("z.object({ since: z.number().min(3) })");
  const replayed = await millrace(["replay", "job.mjs", "lines:2", "--param", "since=7"], { cwd: folder.path });
  expect(replayed.stdout.toString()).toContain('"7"');
  const planned = await millrace(["plan", "job.mjs", "lines", "--param", "since=2"], { cwd: folder.path });
  expect(planned).toMatchObject({ stderr: expect.stringContaining("Too small") });
});
