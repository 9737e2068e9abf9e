// A job module that never finishes loading: the command says so, and the first interrupt ends it at once and leaves
// nothing.
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startCluster, type TestCluster } from "../cluster/processes.ts";
import { millrace, repository, scratchFolder } from "../support/cli.ts";

const folder = scratchFolder();
const temporary = join(folder.path, "tmp");
const hanging: Readonly<Record<string, string>> = {
  "never.ts": "await new Promise(() => {});\nexport default 1;\n",
  "loops.ts": "while (true) {}\nexport default 1;\n",
};
let before: string[];
let cluster: TestCluster;

beforeAll(async () => {
  symlinkSync(join(repository, "node_modules"), join(folder.path, "node_modules"));
  for (const [name, source] of Object.entries(hanging)) writeFileSync(join(folder.path, name), source);
  writeFileSync(join(folder.path, "in.txt"), "a line\n");
  mkdirSync(temporary);
  before = readdirSync(folder.path).sort();
  cluster = await startCluster([]);
}, 60_000);
afterAll(async () => {
  await cluster?.close();
  folder.remove();
});

describe.each(Object.keys(hanging))("%s", (job) => {
  test.each([
    ["run", "in.txt"],
    ["run", "in.txt", "-o", "out"],
    ["run", "in.txt", "-o", "out", "--master"],
    ["plan", "in.txt"],
    ["test", "in.txt"],
    ["replay", "in.txt:0"],
    ["sim", "in.txt"],
  ])("millrace %s: says so, and the first interrupt ends it", { timeout: 60_000 }, async (command, ...words) => {
    const more = words.at(-1) === "--master" ? [...words, cluster.address] : words;
    let killedAt = 0;
    const { code, signal, stderr } = await millrace([command, job, ...more], {
      cwd: folder.path,
      env: { TMPDIR: temporary, ...cluster.env },
      started: (child) => {
        let said = "";
        child.stderr!.on("data", (chunk: Buffer) => {
          said += chunk.toString();
          if (killedAt > 0 || !said.includes(`still loading ${job}`)) return;
          killedAt = Date.now();
          child.kill("SIGINT");
        });
      },
    });
    expect({ code, signal }, stderr).toEqual({ code: 130, signal: null });
    expect(stderr).toMatch(/\bcancelled\b/);
    // The limit of loading is a minute: it was not that.
    expect(Date.now() - killedAt).toBeLessThan(30_000);
    expect(readdirSync(temporary)).toEqual([]);
    expect(readdirSync(folder.path).sort()).toEqual(before);
  });
});
