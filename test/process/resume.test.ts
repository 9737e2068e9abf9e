// The whole run is killed at named points; `resume` goes on and publishes the bytes of an undisturbed run. The state is
// on disk from the beginning; what becomes of a run whose state is still in memory is in test/faults/early.test.ts.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { faultyJob, memoryDirectoriesOf, partsOf, processesBelow, removeAll, runToEnd, until } from "./support.ts";

let directory: string;
let input: string;
let undisturbed: Readonly<Record<string, string>>;
beforeAll(async () => {
  input = mkdtempSync(join(tmpdir(), "millrace-input-"));
  for (let file = 0; file < 6; file++) {
    const lines = Array.from(
      { length: 400 },
      (_, line) => `word${(line * 7 + file) % 31} of file${file} line${line % 50}`,
    );
    writeFileSync(join(input, `${file}.txt`), `${lines.join("\n")}\n`);
  }
  directory = mkdtempSync(join(tmpdir(), "millrace-resume-"));
  expect(await runToEnd(optionsOf())).toMatchObject({ ok: true });
  undisturbed = partsOf(output());
  rmSync(directory, { recursive: true });
});
afterAll(() => rmSync(input, { recursive: true, force: true }));
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "millrace-resume-"));
});
afterEach(() => removeAll(directory));

const output = () => join(directory, "out");
const leftovers = () => readdirSync(directory).filter((name) => name !== "out");

function optionsOf(more: Readonly<Record<string, unknown>> = {}) {
  return {
    module: faultyJob,
    inputs: [join(input, "*.txt")],
    output: output(),
    slots: 2,
    memory: "128MB",
    splitSize: "8KB",
    reducers: 3,
    ...more,
  };
}

async function killedAt(point: string, more: Readonly<Record<string, unknown>> = {}): Promise<void> {
  const result = await runToEnd(optionsOf(more), { MILLRACE_FAILPOINT: point, MILLRACE_STATE_MS: "0" });
  expect(result.signal).toBe("SIGKILL");
  await until(() => processesBelow(directory).length === 0);
}

function expectUndisturbed(): void {
  expect(Object.keys(undisturbed)).toHaveLength(3);
  expect(partsOf(output())).toEqual(undisturbed);
  expect(leftovers()).toEqual([]);
  expect(memoryDirectoriesOf(directory)).toEqual([]);
}

describe("fault 32, I14: killed, resumed, and nobody can tell", () => {
  const points = [
    "master.afterCommit:kill:1",
    "master.beforeCommit:kill:2",
    "master.afterCommit:kill:2",
    "worker.beforeStart:kill:3",
    "master.beforeCommit:kill:5",
    "master.afterCommit:kill:7",
    "worker.beforeReport:kill:9",
    "master.beforeCommit:kill:10",
    "master.beforePublish:kill",
    "master.afterPublish:kill",
  ];
  for (const point of points) {
    test(point, async () => {
      await killedAt(point);
      expect(await runToEnd(optionsOf({ resume: true }))).toMatchObject({ ok: true });
      expectUndisturbed();
    });
  }

  test("again and again, a little further each time", async () => {
    await killedAt("master.afterCommit:kill:4");
    await killedAt("master.afterCommit:kill:3", { resume: true });
    await killedAt("worker.beforeReport:kill:5", { resume: true });
    await killedAt("master.beforePublish:kill", { resume: true });
    expect(await runToEnd(optionsOf({ resume: true }))).toMatchObject({ ok: true });
    expectUndisturbed();
  });

  test("by other means: more slots, less memory, no tmpfs directory any more", async () => {
    await killedAt("master.afterCommit:kill:8");
    for (const name of memoryDirectoriesOf(directory)) rmSync(`/dev/shm/${name}`, { recursive: true });
    expect(await runToEnd(optionsOf({ resume: true, slots: 3, memory: "200MB" }))).toMatchObject({ ok: true });
    expectUndisturbed();
  });
});

test("fault 37: a state that can't be written ends the run at once, and can be gone on with", async () => {
  const failed = await runToEnd(optionsOf(), { MILLRACE_FAILPOINT: "master.beforeCommit:error:4" });
  expect(failed).toMatchObject({ ok: false, code: "io-error" });
  expect(existsSync(output())).toBe(false);
  expect(processesBelow(directory)).toEqual([]);
  expect(await runToEnd(optionsOf({ resume: true }))).toMatchObject({ ok: true });
  expectUndisturbed();
});

test("fault 16: slots that die at every third attempt cost time, nothing else", async () => {
  expect(await runToEnd(optionsOf(), { MILLRACE_FAILPOINT: "slot.after.map:kill:3" })).toMatchObject({ ok: true });
  expectUndisturbed();
});

test("a failed job goes on once its cause is gone, and what was finished is not run again", async () => {
  const fixed = join(directory, "fixed");
  const trace = join(directory, "trace");
  const options = { params: { fault: "throw", trigger: "file5 line49", unless: fixed, trace }, slots: 1 };
  const failed = await runToEnd(optionsOf(options));
  expect(failed).toMatchObject({ ok: false, code: "job-failed" });
  expect(existsSync(output())).toBe(false);
  expect(leftovers().filter((name) => name.startsWith(".out.millrace-"))).toHaveLength(1);
  expect(await runToEnd(optionsOf({ ...options, resume: true }))).toMatchObject({ ok: false, code: "job-failed" });
  const before = readFileSync(trace, "utf8").split("\n");
  writeFileSync(fixed, "");
  expect(await runToEnd(optionsOf({ ...options, resume: true }))).toMatchObject({ ok: true });
  const after = readFileSync(trace, "utf8")
    .split("\n")
    .slice(before.length - 1);
  expect(before.filter((name) => name === "map-0")).toHaveLength(1);
  expect(after.filter((name) => name === "map-0" || name.startsWith("plan"))).toEqual([]);
  expect(after.filter((name) => name.startsWith("reduce"))).toHaveLength(3);
  rmSync(fixed);
  rmSync(trace);
  expectUndisturbed();
});

test("a new run of the same output takes away what a failed one left", async () => {
  await runToEnd(optionsOf({ params: { fault: "throw", trigger: "file5 line49" } }));
  expect(leftovers()).toHaveLength(1);
  expect(await runToEnd(optionsOf())).toMatchObject({ ok: true });
  expectUndisturbed();
});

describe("what can't be gone on with is told, and stays", () => {
  test("nothing was left", async () => {
    const result = await runToEnd(optionsOf({ resume: true }));
    expect(result).toMatchObject({ ok: false, code: "nothing-to-resume" });
    expect(leftovers()).toEqual([]);
  });

  test("other parameters, another number of reducers", async () => {
    await killedAt("master.afterCommit:kill:6");
    const result = await runToEnd(optionsOf({ resume: true, reducers: 4, params: { trigger: "other" } }));
    expect(result).toMatchObject({ ok: false, code: "nothing-to-resume" });
    expect(result.message).toMatch(/other parameters are given; another number of reducers/);
    expect(await runToEnd(optionsOf({ resume: true }))).toMatchObject({ ok: true });
    expectUndisturbed();
  });

  test("an input file was changed, one is gone, one is new", async () => {
    const own = join(directory, "in");
    mkdirSync(own);
    for (const name of ["a", "b"]) writeFileSync(join(own, `${name}.txt`), "one two\n");
    const more = { inputs: [join(own, "*.txt")] };
    await killedAt("master.beforePublish:kill", more);
    writeFileSync(join(own, "a.txt"), "one two three\n");
    rmSync(join(own, "b.txt"));
    writeFileSync(join(own, "c.txt"), "new\n");
    const result = await runToEnd(optionsOf({ ...more, resume: true }));
    expect(result).toMatchObject({ ok: false, code: "nothing-to-resume" });
    expect(result.message).toMatch(/a\.txt was changed; .*b\.txt is gone; .*c\.txt is new/);
    expect(existsSync(output())).toBe(false);
  });
});
