// Commands to copy: they do the same again, whatever the environment and a file of settings say.
import { expect, test } from "vitest";
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
  const command = program().commands.find((each) => each.name() === "run")!;
  await applySettings(command, words, env);
  const { operands } = command.parseOptions([...words]);
  settle(command);
  const [job = "", ...inputs] = operands;
  const hints = await failureHints({
    view: failed,
    handle: { isKept: true } as JobHandle,
    job,
    inputs,
    flags: command.opts<RunFlags>(),
    settings: new Set(settingsOf(command).map(({ name }) => name)),
    isKeptHere: isKeptHere(command),
  });
  return hints.find((hint) => hint.includes("start over:"))?.replace(/^.*: {2}/, "");
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
