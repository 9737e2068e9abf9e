// `millrace verify` as a user runs it.
import { readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { millrace, repository, scratchFolder } from "../support/cli.ts";

let folder: ReturnType<typeof scratchFolder>;
beforeEach(async () => {
  folder = scratchFolder();
  symlinkSync(join(repository, "node_modules"), join(folder.path, "node_modules"));
  writeFileSync(join(folder.path, "in.txt"), "a b c\nd e f\n");
  const run = await millrace(["run", join(repository, "examples/word-count.ts"), "in.txt", "-o", "out", "--quiet"], {
    cwd: folder.path,
  });
  expect(run.code, run.stderr).toBe(0);
});
afterEach(() => folder.remove());

const verify = (...words: string[]) => millrace(["verify", ...words], { cwd: folder.path });
const events = (text: string | Buffer) =>
  String(text)
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as Record<string, unknown>);

test("an output as it was published is said to be right, and nothing else happens to it", async () => {
  const { code, stdout, stderr } = await verify("out");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout.toString()).toMatch(/^ok 1 file, .*word-count/);
  const json = await verify("out", "--json");
  expect({ code: json.code, events: events(json.stdout) }).toEqual({
    code: 0,
    events: [{ event: "verified", output: "out", job: expect.any(String), files: 1, bytes: 24, problems: 0 }],
  });
});

test("a flipped bit and a file that does not belong there are named, and it ends with an error", async () => {
  const part = join(folder.path, "out/part-00000.tsv");
  const bytes = readFileSync(part);
  bytes[3]! ^= 1;
  writeFileSync(part, bytes);
  writeFileSync(join(folder.path, "out/part-00001.tsv"), "mine\t1\n");
  const { code, stdout, stderr } = await verify("out");
  expect(code).not.toBe(0);
  expect(stdout.toString()).toContain("part-00000.tsv has the right size, but other bytes than were written");
  expect(stdout.toString()).toContain("part-00001.tsv is not in the manifest");
  expect(stderr).toMatch(/out is not what its manifest says: 2 differences/);
  const json = await verify("out", "--json");
  expect(json.code).not.toBe(0);
  expect(events(json.stdout).map(({ event, kind }) => [event, kind])).toEqual([
    ["problem", "unlisted"],
    ["problem", "content"],
    ["verified", undefined],
  ]);
  expect(events(json.stderr)).toMatchObject([{ event: "error", code: "corrupt-output" }]);
});

test("a folder that is no output, and a manifest that leads out of it, are refused by code", async () => {
  for (const output of ["node_modules", "nothing", "in.txt"]) {
    const { code, stderr } = await verify(output, "--json");
    expect(code).not.toBe(0);
    expect(events(stderr), output).toMatchObject([{ event: "error", code: "corrupt-output" }]);
  }
  expect((await verify()).code).toBe(2);
  expect((await verify("")).code).toBe(2);
});
