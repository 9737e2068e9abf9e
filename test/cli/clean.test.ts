// `millrace clean`: what a killed run has left is listed with its size, stays until --remove, and is gone then.
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { millrace, scratchFolder } from "../support/cli.ts";

const folder = scratchFolder();
afterAll(() => folder.remove());
const temporary = join(folder.path, "tmp");
mkdirSync(temporary);
const cwd = join(folder.path, "project");
mkdirSync(cwd);
const env = { TMPDIR: temporary };

test("lists what a killed run has left, and removes it when asked to", async () => {
  writeFileSync(
    join(cwd, "job.ts"),
    `import { defineJob, sum, text, tsv, uint, utf8 } from "millrace";
export default defineJob({ name: "count", input: text(), key: utf8, value: uint, combine: sum, output: tsv(),
  map(line, emit) { emit(line, 1); } });
`,
  );
  writeFileSync(join(cwd, "in.txt"), "a\nb\n");
  // A folder that only looks like one of ours, and other files, are no one's business.
  mkdirSync(join(cwd, `.data.millrace-${"0".repeat(32)}`));
  writeFileSync(join(cwd, `.data.millrace-${"1".repeat(32)}`), "a file");
  const nothing = await millrace(["clean"], { cwd, env });
  expect(nothing.stdout.toString()).toBe("nothing is left of killed runs\n");
  const failpoint = { ...env, MILLRACE_FAILPOINT: "master.beforePublish:kill" };
  expect((await millrace(["run", "job.ts", "in.txt", "-o", "out"], { cwd, env: failpoint })).signal).toBe("SIGKILL");
  expect((await millrace(["run", "job.ts", "in.txt"], { cwd, env: failpoint })).signal).toBe("SIGKILL");
  const before = readdirSync(cwd).toSorted();

  const listed = await millrace(["clean"], { cwd, env });
  expect(listed.code, listed.stderr).toBe(0);
  expect(listed.stdout.toString()).toMatch(/run for out +\S+.* KiB.*\.out\.millrace-/);
  expect(listed.stdout.toString()).toMatch(/run without an output/);
  expect(listed.stdout.toString()).toContain("millrace clean --remove");
  expect(readdirSync(cwd).toSorted()).toEqual(before);

  const events = (await millrace(["clean", "--json"], { cwd, env })).stdout.toString().trim().split("\n");
  const kinds = events.map((line) => JSON.parse(line)).filter(({ kind }) => kind !== "memory");
  expect(kinds.map(({ kind }) => kind)).toEqual(["output", "temporary"]);
  for (const { diskBytes, removed } of kinds) {
    expect(diskBytes).toBeGreaterThan(0);
    expect(removed).toBe(false);
  }

  const removed = await millrace(["clean", "--remove"], { cwd, env });
  expect(removed.code, removed.stdout.toString()).toBe(0);
  expect(removed.stdout.toString()).toContain("removed");
  expect(readdirSync(cwd).toSorted()).toEqual(
    [`.data.millrace-${"0".repeat(32)}`, `.data.millrace-${"1".repeat(32)}`, "in.txt", "job.ts"].toSorted(),
  );
  expect(readdirSync(temporary)).toEqual([]);
  expect((await millrace(["clean"], { cwd, env })).stdout.toString()).toBe("nothing is left of killed runs\n");
});

test("a folder that is not there is refused: it would look like one where nothing is left", async () => {
  for (const [words, why] of [
    [["nowhere"], "nowhere: there is no such folder"],
    [[".", "in.txt"], "in.txt: it is no folder"],
    [["--work-dir", "nowhere"], "nowhere: there is no such folder"],
    [["s3://b/k"], "s3://b/k is on an object store"],
  ] as const) {
    const { code, stderr, stdout } = await millrace(["clean", ...words], { cwd, env });
    expect([code, stdout.toString(), stderr]).toEqual([2, "", expect.stringContaining(why)]);
  }
});

test("a run that is at work is not listed", async () => {
  writeFileSync(
    join(cwd, "slow.ts"),
    `import { defineJob, text } from "millrace";
export default defineJob({ name: "slow", input: text(), reducers: 0, output: text(),
  async map(line, emit) { await new Promise(() => {}); } });
`,
  );
  const work = () => readdirSync(cwd).find((name) => name.startsWith(".slow.millrace-"));
  let cleaned: Promise<{ readonly stdout: Buffer }> | undefined;
  const { code } = await millrace(["run", "slow.ts", "in.txt", "-o", "slow", "--task-timeout", "1h"], {
    cwd,
    env,
    started: (child) => {
      const look = setInterval(() => {
        const name = work();
        if (name === undefined || !existsSync(join(cwd, name, "work.json"))) return;
        clearInterval(look);
        cleaned = millrace(["clean", "--remove"], { cwd, env });
        void cleaned.finally(() => child.kill("SIGINT"));
      }, 20);
    },
  });
  expect(code).toBe(130);
  expect((await cleaned)!.stdout.toString()).toBe("nothing is left of killed runs\n");
  expect(work()).toBeUndefined();
});
