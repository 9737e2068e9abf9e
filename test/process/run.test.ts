// What `run()` of the built package gives back, and what an `onProgress` that fails costs: a warning.
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, expect, test } from "vitest";
import { repository, scratchFolder } from "../support/cli.ts";

const folder = scratchFolder();
afterAll(() => folder.remove());

const program = `import { run } from ${JSON.stringify(pathToFileURL(join(repository, "dist/index.js")).href)};
const module = ${JSON.stringify(join(repository, "examples/word-count.ts"))};
const told = [];
const options = { inputs: "in.txt", module, slots: 1, output: "out" };
const first = await run({}, { ...options, onProgress: (progress) => void told.push(progress) });
const again = await run({}, { ...options, resume: true });
const failing = await run({}, { ...options, output: "other", onProgress: async () => { throw new Error("no bar"); } });
const wrong = await run({}, { ...options, outptu: "out" }).catch(({ code, message }) => ({ code, message }));
console.log(JSON.stringify({ first, again, failing, wrong, told }));
`;

test("run() gives statistics, dead letters, output and time, tells its progress, and outlives who listens", () => {
  writeFileSync(join(folder.path, "in.txt"), "to be or not to be\n");
  writeFileSync(join(folder.path, "program.mjs"), program);
  const { status, stdout, stderr } = spawnSync(process.execPath, ["program.mjs"], {
    cwd: folder.path,
    encoding: "utf8",
  });
  expect(status, stderr).toBe(0);
  const { first, again, failing, wrong, told } = JSON.parse(stdout);
  const output = join(folder.path, "out");
  expect(first).toMatchObject({
    output,
    deadLetters: 0,
    stats: { inputBytes: 19, map: { recordsIn: 1, pairs: 6 }, reduce: { groups: 4, recordsOut: 4 } },
    elapsedMs: expect.any(Number),
    files: [{ path: join(output, "part-00000.tsv"), records: 4 }],
  });
  // The statistics are those of the manifest, name by name.
  expect(first.stats).toEqual(JSON.parse(readFileSync(join(output, "_SUCCESS"), "utf8")).stats);
  // What an earlier run has published is told with what that run did.
  const { elapsedMs: _, ...same } = first;
  expect(again).toMatchObject(same);
  expect(told.at(-1)).toMatchObject({ state: "succeeded", percent: 100, bytes: 19, name: "word-count" });
  expect(failing.stats.map.recordsIn).toBe(1);
  expect(stderr.match(/MillraceWarning: onProgress is not called any more, because it failed: no bar/g)).toHaveLength(
    1,
  );
  expect(wrong).toMatchObject({ code: "wrong-usage", message: expect.stringContaining('did you mean "output"') });
}, 60_000);
