// A map that returns its results instead of emitting them publishes nothing, and is told so.
import { symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { millrace, repository, scratchFolder } from "../support/cli.ts";

let folder: ReturnType<typeof scratchFolder>;

beforeAll(() => {
  folder = scratchFolder();
  symlinkSync(join(repository, "node_modules"), join(folder.path, "node_modules"));
  writeFileSync(join(folder.path, "lines"), "1\n2\n3\n4\n");
  job("returns", "map: (line) => [line]");
  job("emits", "map: (line, emit) => line.split(' ').map((word) => emit(word))");
  job("filters", "map: (line, emit) => line > '9' && emit(line)");
  job("returns-sometimes", "map: (line, emit) => (line === '4' ? emit(line) : [line])");
  job("counts", "map: (line, emit, ctx) => [ctx.count('lines')].concat(line)");
});
afterAll(() => folder.remove());

function job(name: string, map: string): void {
  const text = `import { defineJob, text } from "millrace";
export default defineJob({ name: ${JSON.stringify(name)}, input: text(), reducers: 0, output: text(), ${map} });\n`;
  writeFileSync(join(folder.path, `${name}.mjs`), text);
}

const told = /map returned values and emitted nothing.*Call emit for each result/;
const cut = ["--split-size", "2B"];

test("the summary says so, with --quiet a line, with --json the event", async () => {
  const run = (...words: string[]) => millrace(["run", "returns.mjs", "lines", ...words], { cwd: folder.path });
  const plain = await run("-o", "out", ...cut);
  expect(plain).toMatchObject({ code: 0, stderr: expect.stringMatching(told) });
  expect(await run("--quiet")).toMatchObject({ code: 0, stderr: expect.stringMatching(told) });
  const events = (await run("--json")).stderr.trim().split("\n");
  expect(JSON.parse(events.at(-1)!)).toMatchObject({ event: "done", note: expect.stringMatching(told) });
});

test.each(["emits", "filters", "returns-sometimes", "counts"])(
  "the job %s is told nothing, however its input is cut",
  async (name) => {
    const { code, stderr } = await millrace(["run", `${name}.mjs`, "lines", ...cut], { cwd: folder.path });
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.not.stringMatching(/returned/) });
  },
);

test("millrace test fails", async () => {
  const { code, stdout } = await millrace(["test", "returns.mjs", "lines"], { cwd: folder.path });
  expect(code).toBe(1);
  expect(stdout.toString()).toMatch(told);
});
