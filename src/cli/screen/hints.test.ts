// Commands to copy: they do the same again, whatever the environment and a file of settings say.
import { expect, test } from "vitest";
import type { ErrorCode } from "../../base/error.ts";
import type { JobHandle } from "../../engine/engine.ts";
import type { RunFlags } from "../../engine/run/option-values.ts";
import { noStats } from "../../protocol/stats.ts";
import type { JobView } from "../../protocol/view.ts";
import { program } from "../main.ts";
import { applySettings, isKeptHere, settingsOf, settle } from "../settings/apply.ts";
import { failureHints } from "./hints.ts";

const tasks = { done: 0, running: 0, total: 1 };
const failed: JobView = {
  job: "j",
  name: "job",
  number: 1,
  state: "failed",
  resumable: false,
  tasks: { plan: tasks, map: tasks, reduce: tasks },
  counters: {},
  stats: { inputBytes: 10, map: noStats, reduce: noStats },
  deadLetters: 0,
  running: [],
  failures: [],
  output: "/out",
  reason: { code: "user-error", message: "no", stack: "", where: undefined, excerpt: undefined },
};

/** The command by which a failed one is begun again. */
async function again(words: readonly string[], env: Readonly<Record<string, string>>): Promise<string | undefined> {
  const hints = await hintsOf(words, env);
  return hints.find((hint) => hint.includes("start over:"))?.replace(/^.*: {2}/, "");
}

async function hintsOf(
  words: readonly string[],
  env: Readonly<Record<string, string>>,
  view = failed,
): Promise<readonly string[]> {
  const command = program().commands.find((each) => each.name() === "run")!;
  await applySettings(command, words, env);
  const { operands } = command.parseOptions([...words]);
  settle(command);
  const [job = "", ...inputs] = operands;
  return await failureHints({
    view,
    handle: { isKept: true } as JobHandle,
    job,
    inputs,
    flags: command.opts<RunFlags>(),
    settings: new Set(settingsOf(command).map(({ name }) => name)),
    isKeptHere: isKeptHere(command),
  });
}

const here = ["job.ts", "in", "-o", "out", "--no-config"];

test("a run that was kept from a cluster is kept from it again", async () => {
  const env = { MILLRACE_MASTER: "https://m1:7070" };
  const command = "millrace run job.ts in -o out --no-config";
  expect(await again([...here, "--master", "none"], env)).toBe(`${command} --master none`);
  expect(await again(here, env)).toBe(`${command} --master https://m1:7070`);
  expect(await again([...here, "--master", "none"], {})).toBe(command);
  expect(await again(here, { MILLRACE_MASTER: "none" })).toBe(command);
});

test("a failed run is gone on with only where the same job may do better, here and on a cluster", async () => {
  const codes: readonly ErrorCode[] = ["user-error", "wrong-value", "bad-output", "over-limit", "nondeterministic"];
  const offered = async (code: ErrorCode, more: readonly string[]) => {
    const hints = await hintsOf([...here, ...more], {}, { ...failed, reason: { ...failed.reason!, code } });
    return hints.some((hint) => / --resume$|millrace retry /.test(hint));
  };
  for (const more of [[], ["--master", "https://m1:7070"]]) {
    for (const code of [...codes, "bad-input", "input-changed"] as const)
      expect(await offered(code, more), code).toBe(false);
    for (const code of ["no-space", "io-error", "slot-died", "task-timeout", "missing-package", "no-access"] as const)
      expect(await offered(code, more), code).toBe(true);
  }
});

test("sizes and times are repeated as a person writes them", async () => {
  const given = [...here, "--memory", "256MB", "--split-size", "1536KB", "--task-timeout", "2s", "--task-limit", "90m"];
  const command = "millrace run job.ts in -o out --memory 256MB --split-size 1536KB --task-timeout 2s --task-limit 90m";
  expect(await again(given, {})).toBe(`${command} --no-config`);
});
