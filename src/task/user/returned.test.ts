// Results that map and reduce return instead of emitting them.
import { describe, expect, it } from "vitest";
import { TaskRun } from "../../../test/support/run-tasks.ts";
import { text } from "../../format/lines/text.ts";
import { tsv } from "../../format/table/tsv.ts";
import { uint } from "../../job/codecs/numbers.ts";
import { utf8 } from "../../job/codecs/utf8.ts";
import { defineJob } from "../../job/define-job.ts";
import type { AttemptResult } from "../../protocol/messages.ts";
import { runInline } from "../../testing.ts";

type Emit = (key: string, value: number) => void;
type AnyMap = (line: string, emit: Emit) => unknown;

/** Types refuse most of these, but not all, and JavaScript none of them. */
function jobOf(
  map: AnyMap,
  reduce?: (key: string, values: Iterable<number>, emit: (record: unknown) => void) => unknown,
) {
  return defineJob({
    name: "returning",
    input: text(),
    key: utf8,
    value: uint,
    output: tsv(),
    map: map as (line: string, emit: Emit) => void,
    reduce: (reduce ?? ((key: string, _values: unknown, emit: (record: unknown) => void) => emit([key]))) as () => void,
  });
}

async function attempts(job: unknown, skipBad = 0): Promise<AttemptResult[]> {
  const run = new TaskRun(job, { files: { in: "a b\n\nc\n" }, spec: { partitions: 1 } });
  const plan = await run.plan();
  const map = await run.map(plan, 0, { skipBad });
  return map.ok ? [map, await run.reduce(plan, 0, [map.run!])] : [map];
}

const flags = (results: readonly AttemptResult[]) => results.map((result) => result.ok && result.stats.valuesReturned);
const emitAll: AnyMap = (line, emit) => emit(line, 1);
function* generator() {
  yield 1;
}
async function* asyncGenerator() {
  yield 1;
}

describe("an iterator", () => {
  it.each<[string, AnyMap]>([
    ["of a generator", () => generator()],
    ["of an async generator", () => asyncGenerator()],
    ["of an array", (line) => line.split(" ").values()],
    ["behind a promise", async () => generator()],
    ["after something was emitted", (line, emit) => [emit(line, 1), generator()][1]],
  ])("%s that map returns is the job's error at the first call, whatever may be put aside", async (_, map) => {
    const [result] = await attempts(jobOf(map), 100);
    expect(result).toMatchObject({
      ok: false,
      reason: {
        kind: "user-error",
        final: true,
        at: { file: 0, offset: 0 },
        error: { message: expect.stringContaining("map returned an iterator"), where: "in:0" },
      },
    });
  });

  it.each<[string, () => unknown]>([
    ["of a generator", () => generator()],
    ["behind a promise", async () => asyncGenerator()],
  ])("%s that reduce returns is too", async (_, reduce) => {
    const [, result] = await attempts(jobOf(emitAll, reduce));
    expect(result).toMatchObject({
      ok: false,
      reason: {
        kind: "user-error",
        final: true,
        error: { message: expect.stringContaining("reduce returned an iter") },
      },
    });
  });

  it("that map returns in a test is thrown there", async () => {
    await expect(
      runInline(
        jobOf(() => generator()),
        ["a"],
      ),
    ).rejects.toThrow("map returned an iterator");
  });
});

describe("what else is returned", () => {
  it.each<[string, AnyMap]>([
    ["an array", (line) => [line]],
    ["an array of pairs", (line) => line.split(" ").map((word) => [word, 1])],
    ["an object", (line) => ({ line })],
    ["a string", (line) => line.toUpperCase()],
    ["an array behind a promise", async (line) => [line]],
  ])("by map and looks like a result is noted: %s", async (_, map) => {
    expect(flags(await attempts(jobOf(map)))).toEqual([1, 0]);
  });

  it.each<[string, AnyMap]>([
    ["words.map((word) => emit(word, 1))", (line, emit) => line.split(" ").map((word) => emit(word, 1))],
    ["isRight && emit(line, 1)", (line, emit) => line === "c" && emit(line, 1)],
    ["line && emit(line, 1)", (line, emit) => line && emit(line, 1)],
    [
      "words.map((word) => isRight && emit(word, 1))",
      (line, emit) => line.split(" ").map((w) => w === "x" && emit(w, 1)),
    ],
    ["numbers and null", (line) => (line === "" ? null : 7)],
    ["promises of nothing", async () => {}],
  ])("by map and is what an expression leaves is not: %s", async (_, map) => {
    expect(flags(await attempts(jobOf(map)))).toEqual([0, 0]);
  });

  it("by reduce is noted there", async () => {
    expect(flags(await attempts(jobOf(emitAll, (key) => [key, 1])))).toEqual([0, 1]);
  });
});

it("teardown that returns an iterator has not run either", async () => {
  const job = defineJob({
    name: "returning",
    input: text(),
    reducers: 0,
    output: text(),
    map: (line, emit) => emit(line),
    teardown: (() => generator()) as unknown as () => void,
  });
  const run = new TaskRun(job, { files: { in: "a\n" } });
  expect(await run.map(await run.plan(), 0)).toMatchObject({
    reason: { final: true, error: { message: expect.stringContaining("teardown returned an iterator") } },
  });
});
