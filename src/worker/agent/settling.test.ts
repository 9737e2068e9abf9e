import { describe, expect, test } from "vitest";
import type { AttemptId, JobId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { FailureText, RunningAttempt, WorkerReport } from "../../protocol/messages.ts";
import { Settling } from "./settling.ts";

function attempt(index: number, job = "j"): AttemptId {
  return { job, phase: "map", index, epoch: 1, attempt: index };
}

const error: FailureText = {
  code: "late-call",
  message: "emit was called late",
  stack: undefined,
  where: undefined,
  excerpt: undefined,
};

function start() {
  const running = new Map<JobId, number>();
  const asked: { readonly job: JobId; readonly done: () => void }[] = [];
  let changes = 0;
  const sleeps: (() => void)[] = [];
  const settling = new Settling({
    clock: { now: () => 0, date: () => new Date(0), sleep: () => new Promise((resolve) => sleeps.push(resolve)) },
    settleSlots: (job) => new Promise((done) => asked.push({ job, done })),
    running: (job) => running.get(job) ?? 0,
    changed: () => changes++,
  });
  return { settling, running, asked, sleeps, changes: () => changes };
}

const soon = () => new Promise((resolve) => setImmediate(resolve));

function report(change: Partial<WorkerReport>): WorkerReport {
  return { late: [], running: [], settled: [], ...change } as unknown as WorkerReport;
}

describe("what a worker says of a job that ends", () => {
  test("nothing while an attempt of it runs, and not before its slots have said all", async () => {
    const { settling, running, asked } = start();
    running.set("j", 1);
    settling.ask(["j"], 1);
    settling.advance([]);
    expect(asked).toEqual([]);
    running.set("j", 0);
    settling.advance([]);
    settling.advance([]);
    expect(asked.map(({ job }) => job)).toEqual(["j"]);
    expect(settling.report([]).settled).toEqual([]);
    asked[0]!.done();
    await soon();
    expect(settling.report([]).settled).toEqual(["j"]);
  });

  test("an attempt that begins meanwhile, or later, takes the answer back", async () => {
    const { settling, asked } = start();
    settling.ask(["j"], 1);
    settling.advance([]);
    settling.begin("j");
    asked[0]!.done();
    await soon();
    expect(settling.report([]).settled).toEqual([]);
    settling.advance([]);
    asked[1]!.done();
    await soon();
    expect(settling.report([]).settled).toEqual(["j"]);
    settling.begin("j");
    expect(settling.report([]).settled).toEqual([]);
  });

  test("an older answer of the master's does not change what is asked", async () => {
    const { settling, asked } = start();
    settling.ask(["j"], 2);
    settling.ask([], 1);
    settling.advance([]);
    expect(asked).toHaveLength(1);
  });

  test("with the last result, where it comes in no time; else the result goes first", async () => {
    const { settling, running, asked, sleeps, changes } = start();
    running.set("j", 1);
    settling.ask(["j"], 1);
    const together = settling.together(attempt(1));
    asked[0]!.done();
    await together;
    expect(changes()).toBe(0);
    running.set("j", 0);
    expect(settling.report([]).settled).toEqual(["j"]);
    settling.begin("j");
    running.set("j", 1);
    const slow = settling.together(attempt(2));
    sleeps.at(-1)!();
    await slow;
    running.set("j", 0);
    expect(settling.report([]).settled).toEqual([]);
    asked[1]!.done();
    await soon();
    expect(changes()).toBe(1);
    expect(settling.report([]).settled).toEqual(["j"]);
  });

  test("late calls are told once per attempt, until the master has them", () => {
    const { settling } = start();
    settling.called(attempt(1), error);
    settling.called(attempt(1), { ...error, message: "again" });
    expect(settling.report([]).late).toEqual([{ attempt: attempt(1), error }]);
    expect(settling.report([]).late).toHaveLength(1);
    settling.acknowledged(report({ late: settling.report([]).late }));
    expect(settling.hasLate).toBe(false);
  });

  test("of an attempt that runs they are told again: the next master may take its result", () => {
    const { settling } = start();
    settling.called(attempt(1), error);
    const { late } = settling.report([]);
    settling.acknowledged(report({ late, running: [{ attempt: attempt(1) } as RunningAttempt] }));
    expect(settling.report([]).late).toEqual(late);
  });

  test("what was revoked has nothing to tell", () => {
    const { settling } = start();
    settling.called(attempt(1), error);
    settling.revoke(attempt(1));
    settling.called(attempt(1), error);
    expect(settling.report([]).late).toEqual([]);
  });

  test("a job is settled when all that was called late is told: a page at a time", async () => {
    const { settling, asked } = start();
    for (let index = 0; index <= limits.lateCallsPerReport; index++) settling.called(attempt(index), error);
    settling.ask(["j"], 1);
    settling.advance([]);
    asked[0]!.done();
    await soon();
    const first = settling.report([]);
    expect([first.late.length, first.settled]).toEqual([limits.lateCallsPerReport, []]);
    expect(settling.acknowledged(report(first))).toBe(true);
    const second = settling.report([]);
    expect([second.late.length, second.settled]).toEqual([1, ["j"]]);
  });
});
