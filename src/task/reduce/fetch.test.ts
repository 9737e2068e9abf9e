import { describe, expect, it } from "vitest";
import { failed, partsOf, succeeded, TaskRun } from "../../../test/support/run-tasks.ts";
import { text } from "../../format/lines/text.ts";
import { uint } from "../../job/codecs/numbers.ts";
import { utf8 } from "../../job/codecs/utf8.ts";
import { defineJob } from "../../job/define-job.ts";
import type { Assignment } from "../../protocol/messages.ts";
import type { Fetched } from "../../shuffle/client.ts";
import { SegmentLost } from "../../shuffle/segment-lost.ts";
import { runInput } from "../../sort/merge-input.ts";
import type { RunRef } from "../../sort/run.ts";
import { openRun } from "../../sort/run-reader.ts";
import type { FetchRequest, ReduceInputs } from "../environment.ts";
import { runAttempt } from "../run-attempt.ts";

const lines = "x\ny\nx\nz\nx\ny\nz\n";

/** A job whose values tell their order; every line is a map of its own. */
async function mapped(over: object = {}) {
  const calls: string[] = [];
  const job = defineJob({
    name: "test",
    input: text(),
    key: utf8,
    value: uint,
    setup: () => void calls.push("setup"),
    map: (line, emit, ctx) => emit(line, ctx.offset),
    reduce: (key, values, emit) => emit([key, [...values].join()]),
    teardown: () => void calls.push("teardown"),
    ...over,
  });
  const run = new TaskRun(job, { files: { in: lines }, spec: { partitions: 1, splitBytes: 1 } });
  const plan = await run.plan();
  const runs: RunRef[] = [];
  for (const index of plan.splits.keys()) runs.push(succeeded(await run.map(plan, index)).run!);
  calls.length = 0;
  run.statuses.length = 0;
  let closed = 0;
  const open = (ref: RunRef) => openRun(run.runFiles.open(ref.path), ref.writtenBy, ref.path);
  /** The runs that lie elsewhere, as if they had come; 100 bytes a map. */
  const fetchOf = (remote: readonly RunRef[]) => async (request: FetchRequest) => {
    const inputs = remote.flatMap((ref) => {
      request.onBytes(100);
      const input = runInput(() => open(ref), request.partition);
      return input === undefined ? [] : [{ map: ref.writtenBy, input }];
    });
    const close = () => void closed++;
    return { inputs, bytes: 100 * remote.length, close } satisfies Fetched;
  };
  const reduce = (here: readonly RunRef[], fetch: ReduceInputs["fetch"]) => {
    const attempt = { job: "job", phase: "reduce", index: 0, epoch: 1, attempt: 99 } as const;
    const work = { phase: "reduce", partitions: 1, mapVersion: 1 } as const;
    const assignment: Assignment = { attempt, spec: run.spec, careful: false, work };
    return runAttempt(assignment, run.environment(), { mapVersion: 1, runs: here, open, fetch });
  };
  return { run, runs, calls, fetchOf, reduce, closed: () => closed };
}

describe("a reduce that fetches", () => {
  it("gives what it gives where all lies here, values in input order", async () => {
    const { run, runs, calls, fetchOf, reduce, closed } = await mapped();
    const odd = runs.filter((_, index) => index % 2 === 1);
    const even = runs.filter((_, index) => index % 2 === 0);
    const done = succeeded(await reduce(even, fetchOf(odd)));
    expect(done.stats).toMatchObject({ pairs: 7, groups: 3, fetchedBytes: 300 });
    const [file] = done.staged;
    expect(partsOf({ [file!.name]: run.storage.staged.get(file!.token)!.toString() })).toEqual([
      "x\t0,4,8\ny\t2,10\nz\t6,12\n",
    ]);
    expect(closed()).toBe(1);
    // The attempt says that it fetches, and how much has come, before user code runs.
    const phases = run.statuses.map(({ phase, bytes }) => `${phase} ${bytes}`);
    expect(phases.slice(0, 5)).toEqual(["fetch 0", "fetch 100", "fetch 200", "fetch 300", "setup 300"]);
    expect(calls).toEqual(["setup", "teardown"]);
  });

  it("faults 51, 53: names the map whose output can't be had, and how; nothing of it is left", async () => {
    const { run, runs, calls, reduce } = await mapped();
    for (const how of ["missing", "corrupt", "unreachable"] as const) {
      const outcome = await reduce([], async () => {
        throw new SegmentLost(runs[2]!.writtenBy, how, new Error("gone"));
      });
      expect(failed(outcome)).toMatchObject({ kind: "segment-lost", map: runs[2]!.writtenBy, how });
    }
    expect(calls).toEqual([]);
    expect(run.storage.unfinished).toBe(0);
  });

  it("lets go of what was fetched when reduce fails", async () => {
    const reduce = () => {
      throw new Error("no");
    };
    const { runs, fetchOf, reduce: attempt, closed } = await mapped({ reduce });
    expect(failed(await attempt([], fetchOf(runs)))).toMatchObject({ kind: "user-error" });
    expect(closed()).toBe(1);
  });

  it("fault 59: what was damaged here after it had come is this machine's trouble, not the map's", async () => {
    const { run, runs, fetchOf, reduce, closed } = await mapped();
    const stored = run.runFiles.bytesOf(runs[3]!.path);
    const damaging = async (request: FetchRequest) => {
      const fetched = await fetchOf(runs)(request);
      stored[20]! ^= 1;
      return fetched;
    };
    expect(failed(await reduce([], damaging))).toMatchObject({
      kind: "infrastructure",
      error: { code: "corrupt-run" },
    });
    expect(closed()).toBe(1);
  });
});
