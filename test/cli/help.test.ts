// Help as a terminal and a pipe show it.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { millrace, repository } from "../support/cli.ts";

test("help COMMAND is COMMAND --help, and a command that there is not is named", async () => {
  const [helped, asked] = await Promise.all([millrace(["help", "run"]), millrace(["run", "-h"])]);
  expect(helped.code).toBe(0);
  expect(helped.stdout.toString()).toBe(asked.stdout.toString());
  expect(helped.stdout.toString()).toContain("--resume-or-begin");
  const wrong = await millrace(["help", "rum"]);
  expect(wrong.code).toBe(2);
  expect(wrong.stderr).toContain('there is no command "rum"');
});

test("COMMAND JOB --help has what the job itself takes, below the help of the command", async () => {
  const [run, plain, replay] = await Promise.all([
    millrace(["run", "examples/grep.ts", "--help"]),
    millrace(["run", "--help"]),
    millrace(["replay", "examples/join.ts", "-h"]),
  ]);
  expect([run.code, run.stderr]).toEqual([0, ""]);
  const own = run.stdout.toString().slice(plain.stdout.length);
  expect(run.stdout.toString().startsWith(plain.stdout.toString())).toBe(true);
  expect(own).toContain("The job grep (examples/grep.ts):");
  expect(own).toMatch(/-p, --param pattern=<string> /);
  expect(replay.stdout.toString()).toMatch(/-i, --input users\[=<path>\]\n {2}-i, --input orders\[=<path>\]\n/);
}, 60_000);

test("a job that can't be loaded leaves the help as it is, and a warning says why", async () => {
  const { code, stdout, stderr } = await millrace(["plan", "test/cli/nowhere.ts", "--help"]);
  expect([code, stdout.toString()]).toEqual([0, (await millrace(["plan", "-h"])).stdout.toString()]);
  expect(stderr).toMatch(/^warning: .*nowhere\.ts.*there is no job file/);
});

test.each([["help"], ["run", "--help"], ["completions", "bash"], ["--version"]])(
  "%s %s may lose its reader",
  (...words) => {
    // The reader is gone before the first line is written.
    const program = `"${process.execPath}" "${join(repository, "bin/millrace.js")}" ${words.join(" ")}`;
    const { stderr } = spawnSync("bash", ["-c", `{ sleep 0.2; ${program}; echo "code $?" >&2; } | true`], {
      encoding: "utf8",
    });
    expect(stderr).toBe("code 0\n");
  },
);
