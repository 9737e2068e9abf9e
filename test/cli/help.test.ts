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
