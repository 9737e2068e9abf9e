// What a job's code does to its process (faults 10 to 26), with the built command: the fault happens, is named, and
// costs one attempt.
import { existsSync, readdirSync, readFileSync, statSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  commandLineOf,
  eventsOf,
  failuresOf,
  isRunning,
  jobFile,
  partsOf,
  processIds,
  runToEnd,
  Scratch,
  start,
  until,
} from "./support.ts";

let scratch: Scratch;
beforeEach(() => {
  scratch = new Scratch();
  scratch.write("in/a.txt", "one two\ntwo TRIGGER\nthree\n");
  scratch.write("in/b.txt", "three three\n");
});
afterEach(() => scratch.remove());

const counts = "TRIGGER\t1\none\t1\nthree\t3\ntwo\t2\n";

function hostile(fault: string, more: readonly string[] = []): string[] {
  const params = ["--param", `fault=${fault}`, "--param", `mark=${scratch.mark}`];
  return [
    "run",
    jobFile("hostile"),
    "in",
    "-o",
    "out",
    "--json",
    "--slots",
    "1",
    "--memory",
    "64MB",
    ...params,
    ...more,
  ];
}

describe("while a slot loads the job", () => {
  /** Its module does this once; the first slot that loads it is the one that describes it. */
  const jobThat = (does: string) => `import { existsSync, writeFileSync } from "node:fs";
import { defineJob, text } from "millrace";
if (!existsSync(process.env.MARK)) { writeFileSync(process.env.MARK, ""); ${does}; await new Promise(() => setInterval(() => {}, 1000)); }
export default defineJob({ name: "loading", input: text(), reducers: 0, output: text(), map: (line, emit) => emit(line) });\n`;
  const run = async (does: string, ...more: string[]) => {
    scratch.write("loading.mjs", jobThat(does));
    const words = ["run", "loading.mjs", "in", "-o", "out", "--slots", "1", "--env", `MARK=${scratch.mark}`, ...more];
    const ended = await runToEnd(scratch, words);
    expect(existsSync(scratch.mark), "its fault fired").toBe(true);
    return ended;
  };

  test.each(["SIGKILL", "SIGTERM"])("a %s of somebody is tried again", async (signal) => {
    const { code, stderr } = await run(`process.kill(process.pid, "${signal}")`);
    expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringContaining("done") });
    expect(partsOf(scratch.output)).toContain("one two");
  });

  test("not with --attempts 1, and never an exit by the job's code or an exception", async () => {
    const { code, stderr } = await run('process.kill(process.pid, "SIGKILL")', "--attempts", "1");
    expect(code).not.toBe(0);
    expect(stderr).toContain("SIGKILL");
    for (const [does, message] of [
      ["process.exit(3)", "process.exit(3)"],
      ['throw new Error("not today")', "not today"],
    ] as const) {
      unlinkSync(scratch.mark);
      const ended = await run(does);
      expect(ended.code).not.toBe(0);
      expect(ended.stderr).toContain(message);
    }
  });
});

describe("once is survived, and the failed attempt is told with its cause", () => {
  const once = ["--param", "times=1"];
  const cases: readonly (readonly [row: string, fault: string, message: RegExp, more: readonly string[]])[] = [
    ["fault 16: an abort", "abort", /aborted/, []],
    ["fault 16: a crash in native code", "segv", /SIGSEGV/, []],
    ["fault 18: SIGTERM to itself", "term", /SIGTERM/, []],
    ["fault 18: process.exit(0) is no success", "exit", /process\.exit\(0\)/, []],
    ["fault 12: a regular expression without end", "regex", /progress/, ["--task-timeout", "1s"]],
    ["fault 12: a loop without end", "loop", /progress/, ["--task-timeout", "1s"]],
    ["fault 12: Atomics.wait", "wait", /progress/, ["--task-timeout", "1s"]],
  ];
  for (const [row, fault, message, more] of cases) {
    test(row, async () => {
      const { code, stdout } = await runToEnd(scratch, hostile(fault, [...once, ...more]));
      expect({ code, fired: scratch.fired }).toEqual({ code: 0, fired: 1 });
      expect(failuresOf(stdout).join()).toMatch(message);
      expect(partsOf(scratch.output)).toBe(counts);
      // Fault 87: what the dead attempt had counted is not in the sum.
      expect(eventsOf(stdout).at(-1)).toMatchObject({ event: "done", counters: { lines: 4 } });
      expect(scratch.leftovers()).toEqual([]);
    });
  }
});

test("fault 10: while the code keeps its thread, its slot is heard and watched all the same", async () => {
  const go = join(scratch.path, "go");
  const run = start(scratch, hostile("busy", ["--param", `path=${go}`]));
  await until(() => scratch.fired === 1);
  const before = eventsOf(run.stdout()).length;
  await until(() => eventsOf(run.stdout()).length >= before + 2);
  writeFileSync(go, "");
  expect(await run.ended).toMatchObject({ code: 0 });
  expect(scratch.fired).toBe(1);
});

test("fault 13: a child that the code waits for by spawnSync ends with its slot", async () => {
  const run = start(scratch, hostile("spawn-sync", ["--param", "times=1", "--task-timeout", "1s"]));
  let child: number | undefined;
  await until(() => {
    child = scratch.processes().find((pid) => commandLineOf(pid).startsWith("sleep 1000"));
    return child !== undefined;
  });
  expect(await run.ended).toMatchObject({ code: 0 });
  expect(isRunning(child!)).toBe(false);
  expect(partsOf(scratch.output)).toBe(counts);
});

describe("fault 21: a record that always crashes its process", () => {
  test("is named by file and offset", async () => {
    const { code, stdout } = await runToEnd(scratch, hostile("segv"));
    expect(code).toBe(1);
    expect(scratch.fired).toBeGreaterThan(1);
    const reason = (eventsOf(stdout).at(-1) as { reason: { where: string; message: string } }).reason;
    expect(reason.where).toMatch(/in\/a\.txt:8$/);
    expect(reason.message).toMatch(/SIGSEGV/);
  });

  test("is put aside with its bytes where that is allowed, and only it", async () => {
    const { code } = await runToEnd(scratch, hostile("segv", ["--skip-bad", "1"]));
    expect(code).toBe(0);
    expect(scratch.fired).toBeGreaterThan(1);
    expect(partsOf(scratch.output)).toBe("one\t1\nthree\t3\ntwo\t1\n");
    const letters = join(scratch.output, "_dead-letters");
    const text = readdirSync(letters).map((name) => readFileSync(join(letters, name), "utf8"));
    expect(text.join("")).toMatch(/a\.txt.*TRIGGER/);
    expect(JSON.parse(text.join(""))).toMatchObject({ offset: 8 });
  });
});

test("fault 20: of a line of 1 GiB a log keeps a beginning, and how much more there was", async () => {
  const { code, stdout } = await runToEnd(scratch, hostile("giant-line", ["--attempts", "1"]));
  expect(code).toBe(1);
  expect(scratch.fired).toBeGreaterThan(0);
  expect(stdout).toMatch(/after a line of 1 GiB/);
  const [work] = scratch.workFolders();
  const logs = readdirSync(join(work!, "logs")).map((name) => join(work!, "logs", name));
  const sizes = logs.map((path) => statSync(path).size);
  expect(Math.max(...sizes)).toBeGreaterThanOrEqual(1 << 20);
  expect(Math.max(...sizes)).toBeLessThan((1 << 20) + 200);
  const dropped = logs.map((path) => Number(/(\d+) more bytes were dropped/.exec(readFileSync(path, "latin1"))?.[1]));
  expect(Math.max(...dropped)).toBeGreaterThanOrEqual((1 << 30) - (1 << 20));
}, 120_000);

test("fault 19: state of a module lives as long as its slot, and what it leaves open keeps no run from ending", async () => {
  for (const name of ["c", "d"]) scratch.write(`in/${name}.txt`, "x\n");
  const words = ["run", jobFile("leaky"), "in", "-o", "out", "--slots", "1", "--split-size", "1B", "--quiet"];
  const run = start(scratch, words);
  expect(await run.ended).toMatchObject({ code: 0 });
  // Six records in as many or fewer tasks; only with a shared module does the last one count all of them.
  expect(partsOf(scratch.output)).toBe("records\t6\n");
  expect(scratch.leftovers()).toEqual([]);
  expect(processIds().filter((pid) => commandLineOf(pid).includes(scratch.path))).toEqual([]);
});

test("fault 19: `millrace test` finds what a job keeps from task to task, by processes of their own", {
  timeout: 180_000, // it runs the job more than a dozen times
}, async () => {
  // Where no compiler is: it would follow this repository's tsconfig.json into all of its sources.
  scratch.write("leaky.ts", readFileSync(jobFile("leaky"), "utf8"));
  const { code, stdout } = await runToEnd(scratch, ["test", "leaky.ts", "in"]);
  expect(code).toBe(1);
  expect(stdout).toMatch(/^FAIL +.*a process of its own for each task: the result differs/m);
  expect(scratch.leftovers()).toEqual([]);
});

test("fault 22: when a map that ran again says something else, reduces that used the old are done again", async () => {
  const trace = join(scratch.path, "trace");
  scratch.write("in/a.txt", `${"alpha beta gamma delta epsilon zeta eta theta iota kappa\n".repeat(3)}`);
  scratch.write("in/b.txt", "");
  const words = ["run", jobFile("unsteady"), "in", "-o", "out", "--slots", "1", "--reducers", "3", "--json"];
  const params = ["--param", `trace=${trace}`, "--param", "last=2"];
  const { code, stdout, stderr } = await runToEnd(scratch, [...words, ...params, "--split-size", "1KB"]);
  expect(code, stdout + stderr).toBe(0);
  const attempts = readFileSync(trace, "utf8").split("\n");
  expect(attempts.filter((name) => name === "map-0").length).toBe(2);
  // They had ended before the run was lost.
  expect(attempts.filter((name) => name === "reduce-0").length).toBe(2);
  const said = partsOf(scratch.output).match(/map-0 by \d+/g)!;
  expect(said.length).toBe(30);
  expect(new Set(said).size).toBe(1);
});

test("fault 23: an attempt that died has had its effects, and the next one can tell itself apart", async () => {
  const { code } = await runToEnd(scratch, hostile("kill", ["--param", "times=2"]));
  expect(code).toBe(0);
  const effects = readFileSync(scratch.mark, "utf8").trimEnd().split("\n");
  expect(effects.map((line) => line.split(" ")[0])).toEqual(["map-0", "map-0"]);
  expect(new Set(effects).size).toBe(2);
});
