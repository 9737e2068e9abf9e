// A long map task is interrupted near its end, and the next attempt at it goes on behind the last checkpoint.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { memoryDirectoriesOf, partsOf, processesBelow, type RunResult, removeAll, runToEnd, until } from "./support.ts";

const longTask = fileURLToPath(new URL("./jobs/long-task.ts", import.meta.url));
const lines = 1_000;
/** The fault comes at the line of this number. */
const triggerAt = 900;

let directory: string;
let input: string;
let undisturbed: Readonly<Record<string, string>>;
beforeAll(async () => {
  input = mkdtempSync(join(tmpdir(), "millrace-input-"));
  const text = Array.from({ length: lines }, (_, i) => `${i === triggerAt ? "TRIGGER" : "a"} b${i % 37} c${i}`);
  writeFileSync(join(input, "in.txt"), `${text.join("\n")}\n`);
  directory = mkdtempSync(join(tmpdir(), "millrace-checkpoints-"));
  expect(await runToEnd(optionsOf("none", { checkpoint: "off", params: params("none", { ms: 0 }) }))).toMatchObject({
    ok: true,
    counters: { lines, setups: expect.any(Number) },
  });
  undisturbed = partsOf(output());
  removeAll(directory);
});
afterAll(() => rmSync(input, { recursive: true, force: true }));
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "millrace-checkpoints-"));
});
afterEach(() => removeAll(directory));

const output = () => join(directory, "out");
const once = () => join(directory, "happened");
const calls = () => join(directory, "calls");

function params(fault: string, more: Readonly<Record<string, unknown>> = {}) {
  return { fault, once: once(), calls: calls(), ...more };
}

function optionsOf(fault: string, more: Readonly<Record<string, unknown>> = {}) {
  return {
    module: longTask,
    inputs: [input],
    output: output(),
    workDir: directory,
    slots: 1,
    memory: "64MB",
    reducers: 2,
    splitSize: "1GB",
    checkpoint: "50ms",
    params: params(fault),
    ...more,
  };
}

/** The offsets that map was called for, by attempt, in the order of the attempts. */
function callsByAttempt(): number[][] {
  const byAttempt = new Map<string, number[]>();
  for (const line of readFileSync(calls(), "utf8").trimEnd().split("\n")) {
    const [attempt, offset] = line.split(" ") as [string, string];
    byAttempt.set(attempt, [...(byAttempt.get(attempt) ?? []), Number(offset)]);
  }
  return [...byAttempt.values()];
}

function expectUndisturbed(result: RunResult): void {
  expect(result, JSON.stringify(result)).toMatchObject({ ok: true, counters: { lines } });
  expect(partsOf(output())).toEqual(undisturbed);
  expect(readdirSync(directory).toSorted()).toEqual(["calls", "happened", "out"]);
  expect(memoryDirectoriesOf(directory)).toEqual([]);
  expect(processesBelow(directory)).toEqual([]);
}

/** The second attempt went on far behind the beginning, at a line that it may do again, and left none out. */
function expectResumed(): void {
  const [first, second, ...others] = callsByAttempt();
  expect(others).toEqual([]);
  expect(first).toHaveLength(triggerAt + 1);
  const repeated = first!.length + second!.length - lines;
  expect(repeated).toBeGreaterThan(0); // the line of the fault
  expect(repeated).toBeLessThan(lines / 2);
  expect(second![0]).toBe(first![first!.length - repeated]);
}

describe("an attempt that is interrupted near its end", () => {
  test("its slot is killed: the next goes on behind the last checkpoint, to the same bytes", async () => {
    const result = await runToEnd(optionsOf("kill"));
    expect(existsSync(once())).toBe(true);
    expectUndisturbed(result);
    expectResumed();
  });

  test("it makes no progress for --task-timeout: the same", async () => {
    const result = await runToEnd(optionsOf("hang", { taskTimeout: "1s" }));
    expect(existsSync(once())).toBe(true);
    expectUndisturbed(result);
    expectResumed();
  });

  test("the whole run is killed: with --resume the same", async () => {
    const killed = await runToEnd(optionsOf("killAgent"), { MILLRACE_STATE_MS: "0" });
    expect(killed.signal).toBe("SIGKILL");
    await until(() => processesBelow(directory).length === 0);
    expectUndisturbed(await runToEnd(optionsOf("killAgent", { resume: true })));
    expectResumed();
  });

  test("without checkpoints the next begins at the beginning", async () => {
    const result = await runToEnd(optionsOf("kill", { checkpoint: "off" }));
    expectUndisturbed(result);
    const [first, second] = callsByAttempt();
    expect(first).toHaveLength(triggerAt + 1);
    expect(second).toHaveLength(lines);
  });
});
