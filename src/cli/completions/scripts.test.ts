// The scripts, as the shells themselves read them.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { program } from "../main.ts";
import { bashScript } from "./bash.ts";
import { fishScript } from "./fish.ts";
import { completedCommands } from "./words.ts";
import { zshScript } from "./zsh.ts";

const commands = completedCommands(program());
const cwd = mkdtempSync(join(tmpdir(), "millrace-completions-"));
beforeAll(() => {
  mkdirSync(join(cwd, "a folder"));
  writeFileSync(join(cwd, "job.ts"), "");
  writeFileSync(join(cwd, "script.bash"), bashScript(commands));
  writeFileSync(join(cwd, "_millrace"), zshScript(commands));
  writeFileSync(join(cwd, "script.fish"), fishScript(commands));
});
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

const hasShell = (shell: string) => spawnSync(shell, ["-c", "true"]).status === 0;
/** CI installs them; elsewhere one may be missing. */
const isNeeded = (shell: string) => process.env["CI"] !== undefined || hasShell(shell);

function said(shell: string, words: readonly string[]): string[] {
  const { stdout, stderr, status } = spawnSync(shell, words, { cwd, encoding: "utf8" });
  expect(stderr, words.join(" ")).toBe("");
  expect(status).toBe(0);
  return stdout.split("\n").filter((line) => line !== "");
}

const names = commands.map(({ name }) => name);
const optionsOf = (name: string) =>
  commands.find((command) => command.name === name)!.options.flatMap((each) => each.names);

test("every command and every option of the help is known", () => {
  expect(names).toEqual(expect.arrayContaining(["run", "test", "init", "worker", "clean", "completions", "help"]));
  expect(optionsOf("run")).toEqual(expect.arrayContaining(["--output", "-o", "--resume", "--master", "--help", "-h"]));
});

describe.runIf(isNeeded("bash"))("bash", () => {
  const complete = (...words: string[]) =>
    said("bash", [
      "-c",
      `source ./script.bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _millrace; printf '%s\\n' "\${COMPREPLY[@]}"`,
      "bash",
      "millrace",
      ...words,
    ]);

  test("completes commands, options, and values by what they are", () => {
    expect(complete("ru")).toEqual(["run"]);
    expect(complete("")).toEqual([...names, "--version", "--help"]);
    expect(complete("run", "--res")).toEqual(["--resume", "--resume-or-begin"]);
    expect(complete("run", "j")).toEqual(["job.ts"]);
    expect(complete("run", "job.ts", "-o", "")).toEqual(["a folder"]);
    expect(complete("run", "--reducers", "")).toEqual([]);
    expect(complete("worker", "--log-level", "w")).toEqual(["warn"]);
    expect(complete("completions", "z")).toEqual(["zsh"]);
    expect(complete("help", "wor")).toEqual(["worker", "workers"]);
    expect(complete("cancel", "j")).toEqual([]);
  });
});

describe.runIf(isNeeded("zsh"))("zsh", () => {
  // The functions that show something print what they were asked to show instead.
  const stubs = `compdef() { :; }; _describe() { print -rl -- "\${(@P)2}"; }; _arguments() { print -rl -- "$@"; };`;
  const complete = (...line: string[]) =>
    said("zsh", [
      "-fc",
      `${stubs} source ./_millrace; words=("$@"); CURRENT=$#; _millrace`,
      "zsh",
      "millrace",
      ...line,
    ]);

  test("describes commands, and hands each one's options and arguments to _arguments", () => {
    expect(complete("")).toEqual(commands.map(({ name, help }) => `${name}:${help}`));
    const run = complete("run", "");
    expect(run).toContainEqual(expect.stringMatching(/^\*--output\[.*\]:value:_files -\/$/));
    expect(run).toContainEqual(expect.stringMatching(/^\*-o\[.*\]:value:_files -\/$/));
    expect(run).toContainEqual(expect.stringMatching(/^\*--dead-letters\[.*\]:value:_files -\/$/));
    expect(run.slice(-2)).toEqual(["1:argument:_files", "*:argument:_files"]);
    for (const name of optionsOf("worker")) expect(complete("worker", "").join("\n")).toContain(`*${name}[`);
  });

  test.each(names)("is read without an error for %s", (name) => {
    said("zsh", ["-fc", `${stubs} source ./_millrace; words=(millrace "$1" ''); CURRENT=3; _millrace`, "zsh", name]);
  });
});

describe.runIf(isNeeded("fish"))("fish", () => {
  const complete = (line: string) =>
    said("fish", ["--no-config", "-c", `source ./script.fish; complete -C "$argv[1]"`, line]).map((each) =>
      each.split("\t")[0]!.replaceAll("\\", ""),
    );

  test("completes commands, options, and values by what they are", () => {
    expect(complete("millrace ru")).toEqual(["run"]);
    expect(complete("millrace run --resume-")).toEqual(["--resume-or-begin"]);
    expect(complete("millrace run j")).toEqual(["job.ts"]);
    expect(complete("millrace run job.ts -o a")).toEqual(["a folder/"]);
    expect(complete("millrace worker --log-level w")).toEqual(["warn"]);
    expect(complete("millrace completions z")).toEqual(["zsh"]);
  });
});
