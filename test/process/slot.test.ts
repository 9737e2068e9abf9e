// What the job's own code can do to its process, and what becomes of it: always one clear error or a right result,
// never a hang, never an orphan, nothing left behind.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  faultyJob,
  memoryDirectoriesOf,
  partsOf,
  processesBelow,
  type RunResult,
  removeAll,
  runToEnd,
  startRun,
  until,
} from "./support.ts";

let directory: string;
let input: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "millrace-slot-"));
  input = join(directory, "in");
  mkdirSync(input);
  writeFileSync(join(input, "a.txt"), "one two\ntwo TRIGGER\nthree\n");
  writeFileSync(join(input, "b.txt"), "three three\n");
});
afterEach(() => removeAll(directory));

const output = () => join(directory, "out");
const counts = "TRIGGER\t1\none\t1\nthree\t3\ntwo\t2\n";

function optionsOf(
  fault: string,
  more: Readonly<Record<string, unknown>> = {},
  params: Readonly<Record<string, unknown>> = {},
) {
  return {
    module: faultyJob,
    inputs: [input],
    output: output(),
    slots: 1,
    memory: "64MB",
    params: { fault, ...params },
    ...more,
  };
}

/** The fault happens at every attempt. */
function always(fault: string, more: Readonly<Record<string, unknown>> = {}): Promise<RunResult> {
  return runToEnd(optionsOf(fault, more));
}

/** The fault happens once; the run must then succeed. */
async function once(fault: string, more: Readonly<Record<string, unknown>> = {}): Promise<RunResult> {
  const happened = join(directory, "happened");
  const result = await runToEnd(optionsOf(fault, more, { once: happened }));
  expect(existsSync(happened)).toBe(true); // without it the run would succeed all the same
  return result;
}

function expectSuccess(result: RunResult): void {
  expect(result, JSON.stringify(result)).toMatchObject({ ok: true });
  expect(readFileSync(join(output(), "part-00000.tsv"), "utf8")).toBe(counts);
  expectNothingLeft();
}

function expectNothingLeft(): void {
  expect(readdirSync(directory).filter((name) => name.startsWith("."))).toEqual([]);
  expect(memoryDirectoriesOf(directory)).toEqual([]);
  expect(processesBelow(directory)).toEqual([]);
}

/** A failed run publishes nothing, and leaves only what can be resumed. */
function expectFailure(result: RunResult, message: RegExp): void {
  expect(result.ok).toBe(false);
  expect(result.message).toMatch(message);
  expect(existsSync(output())).toBe(false);
  expect(processesBelow(directory)).toEqual([]);
}

describe("a slot that dies once is replaced, and the result is right", () => {
  test("fault 16: killed by a signal", async () => expectSuccess(await once("kill")));
  test("fault 18: process.exit", async () => expectSuccess(await once("exit")));
  test("fault 14: out of heap", async () => expectSuccess(await once("heap")));
  test("fault 15: out of memory beside the heap", async () => expectSuccess(await once("buffers")));
  test("fault 12: an endless loop", async () => expectSuccess(await once("loop", { taskTimeout: "1s" })));
  test("fault 12: Atomics.wait", async () => expectSuccess(await once("wait", { taskTimeout: "1s" })));
});

// Trying again would not make the code wait for it: once is enough.
test.each([
  ["a timer that throws", "timer", /thrown by a timer/],
  ["a promise that is rejected and forgotten", "rejection", /a promise that nobody waits for/],
])("fault 17: %s fails the job the first time, with its line", async (_, fault, message) => {
  const result = await once(fault);
  expectFailure(result, message);
  expect(result.stack).toMatch(/faults\.ts:\d+/);
});

describe("a slot that dies always fails the job with what happened, where", () => {
  const at = /in\/a\.txt:8/;

  test("fault 21: process.exit names its code and the record", async () => {
    const result = await always("exit");
    expectFailure(result, /process\.exit\(3\)/);
    expectFailure(result, at);
  });

  test("fault 14: out of heap says so, with the heap's size and the record", async () => {
    const result = await always("heap");
    expectFailure(result, /out of memory.*heap of 128 MiB/);
    expectFailure(result, at);
  });

  test("fault 15: out of memory beside the heap says so", async () => {
    expectFailure(await always("buffers", { attempts: 1 }), /out of memory: .*more than the/);
  });

  test("fault 12: an endless loop is named as such", async () => {
    expectFailure(await always("loop", { taskTimeout: "500ms", attempts: 1 }), /a\.txt|progress/);
  });

  test("fault 13: what the code had started goes with its slot", async () => {
    expectFailure(await always("child", { taskTimeout: "500ms", attempts: 1 }), /progress/);
  });

  test("fault 17: a thrown error comes with the user's own line", async () => {
    const result = await always("throw");
    expectFailure(result, /TypeError: the record is not to my liking/);
    expectFailure(result, at);
    expect(result.stack).toMatch(/faults\.ts:\d+/);
  });

  test("fault 17: throw null is no riddle", async () => {
    expectFailure(await always("throw-null"), /null/);
  });
});

test("the reason of ctx.signal says why the attempt was revoked", async () => {
  const why = join(directory, "why");
  const module = fileURLToPath(new URL("./jobs/waiting.ts", import.meta.url));
  const result = await runToEnd({
    module,
    inputs: [input],
    output: output(),
    slots: 1,
    taskLimit: "1s",
    attempts: 10, // a busy machine may kill the slot before it has written it down
    params: { why },
  });
  expect(result, result.message).toMatchObject({ ok: true });
  expect(readFileSync(why, "utf8")).toMatch(/the attempt was revoked: map-00000 took longer than its limit of 1/);
});

test("fault 21: a record that always kills its process is put aside where that is allowed, and only it", async () => {
  const result = await runToEnd(optionsOf("exit", { skipBad: 1 }));
  expect(result).toMatchObject({ ok: true });
  expect(readFileSync(join(output(), "part-00000.tsv"), "utf8")).toBe("one\t1\nthree\t3\ntwo\t1\n");
  expectNothingLeft();
});

test("fault 20: a flood of output neither stops the job nor fills the disk", async () => {
  expectSuccess(await always("flood"));
});

describe("after SIGKILL to the run no process is left, whatever its code is doing", () => {
  for (const fault of ["loop", "wait", "child"]) {
    test(fault, async () => {
      const { child, ended } = startRun(optionsOf(fault, {}, { once: join(directory, "happened") }));
      await until(() => existsSync(join(directory, "happened")));
      expect(processesBelow(directory).length).toBeGreaterThan(0);
      child.kill("SIGKILL");
      expect((await ended).signal).toBe("SIGKILL");
      await until(() => processesBelow(directory).length === 0);
    });
  }
});

test("a cancelled run ends at once, also in the midst of an endless loop, and leaves nothing behind", async () => {
  const happened = join(directory, "happened");
  const result = await runToEnd(optionsOf("loop", { cancelWhen: happened }, { once: happened }));
  expect(result).toMatchObject({ ok: false, code: "cancelled" });
  expect(existsSync(output())).toBe(false);
  expectNothingLeft();
});

test("a job file that throws while it is loaded is one clear error, and nothing is left", async () => {
  const module = join(directory, "job.ts");
  writeFileSync(module, 'const options: Record<string, string> = {};\nthrow new Error("no " + options["x"]);\n');
  const result = await runToEnd({ ...optionsOf("none"), module });
  expect(result).toMatchObject({ ok: false, code: "wrong-job" });
  expect(result.message).toMatch(/throws while it is loaded: no undefined/);
  expect(result.stack).toMatch(/job\.ts:2/);
  expectNothingLeft();
});

test("a job file that ends its process while it is loaded is one clear error", async () => {
  const module = join(directory, "job.ts");
  writeFileSync(module, "process.exit(7);\n");
  const result = await runToEnd({ ...optionsOf("none"), module });
  expect(result).toMatchObject({ ok: false, code: "wrong-job" });
  expect(result.message).toMatch(/process\.exit\(7\)/);
  expectNothingLeft();
});

test("user code sees UTC, what --env gives and nothing else of who started the run", async () => {
  const module = join(import.meta.dirname, "jobs/environment.ts");
  const env = { SECRET_OF_THE_USER: "x", TZ: "Asia/Tokyo", NODE_OPTIONS: "--trace-warnings", HOME: "/home/somebody" };
  const result = await runToEnd({ module, inputs: [input], records: true, env: { GIVEN: "yes" }, slots: 1 }, env);
  const seen = Object.fromEntries(result.records as [string, string][]);
  expect(
    Object.keys(seen)
      .filter((name) => name !== "LD_LIBRARY_PATH")
      .toSorted(),
  ).toEqual(["GIVEN", "LANG", "PATH", "TZ", "hour"]);
  expect(seen).toMatchObject({ GIVEN: "yes", LANG: "C.UTF-8", TZ: "UTC", hour: "0" });
});

describe("fault 59: intermediate data that is damaged is noticed, and made again", () => {
  for (const how of ["flip", "cut", "remove"]) {
    test(how, async () => {
      const module = join(import.meta.dirname, "jobs/vandal.ts");
      const once = join(directory, "happened");
      const result = await runToEnd({ ...optionsOf("none"), module, slots: 2, memory: "128MB", params: { how, once } });
      expectSuccess(result);
      const attempts = readFileSync(`${once}.trace`, "utf8").split("\n");
      expect(attempts.filter((name) => name === "map-0").length).toBeGreaterThan(1);
    });
  }
});

test("a second run on the same output is refused while the first is at work", async () => {
  const { child, ended } = startRun(optionsOf("loop", {}, { once: join(directory, "happened") }));
  await until(() => existsSync(join(directory, "happened")));
  const second = await runToEnd(optionsOf("none"));
  expect(second).toMatchObject({ ok: false, code: "state-busy" });
  child.kill("SIGKILL");
  await ended;
});

test("parts have the same bytes with one slot and with three, on disk and in memory", async () => {
  const books = { inputs: [join(input, "*.txt")] };
  await runToEnd(optionsOf("none", { ...books, output: join(directory, "a") }));
  await runToEnd(
    optionsOf("none", { ...books, output: join(directory, "b"), slots: 3, memory: "300MB", splitSize: "1B" }),
  );
  expect(partsOf(join(directory, "b"))).toEqual(partsOf(join(directory, "a")));
});
