// Ctrl-Z in a shell: the command and the process in which it calls the job's code stop together, and go on together.
import { spawn } from "node:child_process";
import { readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { commandLineOf, Scratch, until } from "../faults/support.ts";
import { repository } from "../support/cli.ts";

const program = fileURLToPath(new URL("../../bin/millrace.js", import.meta.url));

let scratch: Scratch;
beforeEach(() => {
  scratch = new Scratch();
  symlinkSync(join(repository, "node_modules"), join(scratch.path, "node_modules"));
  scratch.write("in.txt", "b\na\nb\nb\n");
  // What it does is seen in the mark, from the command's own process only.
  scratch.write(
    "job.ts",
    `import { appendFileSync } from "node:fs";
import { defineJob, text } from "millrace";
function work(): void {
  while (!process.argv[1]!.endsWith("slot.cjs")) {
    appendFileSync(${JSON.stringify(scratch.mark)}, "on\\n");
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
  }
}
export default defineJob({ name: "work", input: text(), reducers: 0, map(line, emit) { work(); emit(line); }, output: text() });
`,
  );
});
afterEach(() => scratch.remove());

/** "R", "S", "T": stopped, "Z"; undefined: it has ended. */
function stateOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2)[0];
  } catch {
    return undefined;
  }
}

/** The command and the process that calls the job's code, in the order of their starts. */
const commands = () =>
  scratch
    .processes()
    .filter((pid) => /^\S*node\S* .*bin\/millrace\.js/.test(commandLineOf(pid)))
    .sort((a, b) => a - b);

async function untilItWorks(): Promise<void> {
  const before = scratch.fired;
  await until(() => scratch.fired > before + 3);
}

test.each([
  ["test", ["test", "job.ts", "in.txt", "--slots", "1"]],
  ["replay", ["replay", "job.ts", "in.txt:0"]],
  ["sim", ["sim", "job.ts", "in.txt", "--seeds", "1"]],
])(
  "millrace %s stops with Ctrl-Z, goes on when the shell lets it, and ends with Ctrl-C while it is stopped",
  { timeout: 90_000 },
  async (_, words) => {
    const line = [process.execPath, program, ...words].map((word) => `'${word}'`).join(" ");
    // With job control each command has a group of its own, which this shell looks after.
    const shell = spawn("bash", ["-c", `set -m; ${line} & wait -f %1`], {
      cwd: scratch.path,
      detached: true,
      env: { ...process.env, NO_COLOR: "1", TMPDIR: scratch.temporary },
      stdio: "ignore",
    });
    const ended = new Promise<number | null>((resolve) => shell.once("exit", resolve));
    await untilItWorks();
    const [command, child] = commands() as [number, number];
    for (let times = 0; times < 2; times++) {
      process.kill(-command, "SIGTSTP");
      await until(() => stateOf(command) === "T" && stateOf(child) === "T");
      const stopped = scratch.fired;
      await new Promise((resolve) => setTimeout(resolve, 200));
      expect(scratch.fired).toBe(stopped);
      process.kill(-command, "SIGCONT");
      await until(() => stateOf(command) !== "T");
      await untilItWorks();
    }
    process.kill(-command, "SIGTSTP");
    await until(() => stateOf(command) === "T");
    process.kill(-command, "SIGINT");
    process.kill(-command, "SIGCONT");
    expect(await ended).toBe(130);
    expect(scratch.leftovers()).toEqual([]);
  },
);

test("a command that no shell looks after is not stopped, and neither is its child", { timeout: 90_000 }, async () => {
  const command = spawn(process.execPath, [program, "replay", "job.ts", "in.txt:0"], {
    cwd: scratch.path,
    detached: true,
    env: { ...process.env, NO_COLOR: "1", TMPDIR: scratch.temporary },
    stdio: "ignore",
  });
  const ended = new Promise<number | null>((resolve) => command.once("exit", resolve));
  await untilItWorks();
  for (let times = 0; times < 2; times++) {
    command.kill("SIGTSTP");
    await untilItWorks();
    expect(commands().map(stateOf)).not.toContain("T");
  }
  command.kill("SIGINT");
  expect(await ended).toBe(130);
  expect(scratch.leftovers()).toEqual([]);
});
