// What is awkward to tell as a scenario; the rest is in test/scenarios, and in the simulation beside this file.
import { describe, expect, test } from "vitest";
import { done, failed, options, plan, report, spec, text } from "../../test/schedule/build.ts";
import { FakeWorker } from "../../test/schedule/fake-worker.ts";
import type { Assignment, WorkerOrders, WorkerReport } from "../protocol/messages.ts";
import type { StoredRecord } from "../state/store.ts";
import { createScheduler, recoverScheduler } from "./scheduler.ts";
import type { Scheduler, Step } from "./step.ts";

function hear(scheduler: Scheduler, heard: WorkerReport, now = 0): { step: Step; orders: WorkerOrders } {
  const step = scheduler.step({ kind: "worker-heard", report: heard }, now);
  return { step, orders: scheduler.ordersFor(heard.worker) };
}

function running({ attempt }: Assignment) {
  return { attempt, records: 0, bytes: 0, idleMs: 0, runningMs: 0, at: undefined };
}

/** A job whose plan is running on "w", as its newest report, of sequence 2, says. */
function planning() {
  const scheduler = createScheduler(1, options, 0);
  scheduler.step({ kind: "job-submitted", job: "j", spec: spec(), idempotencyKey: "k" }, 0);
  const assignment = hear(scheduler, report("w", 1)).orders.start[0]!;
  hear(scheduler, report("w", 2, { slotsFree: 0, running: [running(assignment)] }));
  return { scheduler, assignment };
}

describe("reports", () => {
  test("fault 5: of an older report only what is finished is used", () => {
    const { scheduler, assignment } = planning();
    hear(scheduler, report("w", 1));
    expect(scheduler.view().jobs[0]!.tasks.plan.running).toBe(1);
    expect(scheduler.view().workers[0]).toMatchObject({ state: "busy", slotsFree: 0 });
    const late = report("w", 1, { finished: [done(assignment)] });
    hear(scheduler, late);
    expect(scheduler.view().jobs[0]!.tasks.plan.done).toBe(1);
  });

  test("fault 3: a result that is reported twice counts once", () => {
    const { scheduler, assignment } = planning();
    const failure = failed(assignment.attempt, {
      kind: "user-error",
      error: text("oops"),
      at: undefined,
      final: false,
    });
    const { step } = hear(scheduler, report("w", 3, { finished: [failure] }));
    expect(step.changes).not.toEqual([]);
    expect(hear(scheduler, report("w", 4, { finished: [failure], slotsFree: 0 })).step.changes).toEqual([]);
    expect(scheduler.view().jobs[0]!.failures).toHaveLength(1);
  });

  test("fault 3, 31: a failure that a master counted is not counted again by the next, which hears of it as its worker had no answer", () => {
    const scheduler = createScheduler(1, options, 0);
    const records = new Map<string, Uint8Array>();
    const keep = ({ changes }: Step) => {
      for (const change of changes) {
        if ("put" in change) records.set(change.put.key, change.put.value);
        else records.delete(change.delete);
      }
    };
    keep(scheduler.step({ kind: "job-submitted", job: "j", spec: spec(), idempotencyKey: "k" }, 0));
    let heard = hear(scheduler, report("w", 1));
    keep(heard.step);
    heard = hear(scheduler, report("w", 2, { finished: [done(heard.orders.start[0]!, { plan: plan(1, 1) })] }));
    keep(heard.step);
    const at = { file: 0, offset: 17 };
    const death = (careful: boolean) =>
      failed(heard.orders.start[0]!.attempt, { kind: "slot-died", error: text("killed"), at, careful });
    heard = hear(scheduler, report("w", 3, { finished: [death(false)] }));
    keep(heard.step);
    // A careful attempt dies as well: once more at this record, and the job would fail.
    const second = death(true);
    keep(hear(scheduler, report("w", 4, { finished: [second] })).step);
    const stored = [...records].map(([key, value]): StoredRecord => ({ key, value }));
    for (const first of [[], [running({ ...heard.orders.start[0]! })]]) {
      const next = recoverScheduler(stored, 2, options, 0);
      hear(next, report("w", 4, { slotsFree: 0, running: first })); // a report that was late may come first
      const { step, orders } = hear(next, report("w", 5, { finished: [second] }));
      expect(next.view().jobs[0]!.state).toBe("mapping");
      expect(step.changes).toEqual([]);
      expect(orders.start.map(({ attempt }) => attempt.epoch)).toEqual([2]);
    }
  });

  test("fault 60: a full disk is tried as often as `attempts` says, other trouble of a machine more often", () => {
    for (const [code, tries] of [
      ["no-space", spec().attemptsMax],
      ["io-error", options.infrastructureFailuresMax],
    ] as const) {
      const { scheduler, assignment } = planning();
      let next: Assignment | undefined = assignment;
      let failures = 0;
      // What keeps the worker from getting more ends with time, and a worker that is not heard gets nothing.
      for (let round = 0; scheduler.view().jobs[0]!.state === "planning" && round < 10_000; round++) {
        const finished =
          next === undefined ? [] : [failed(next.attempt, { kind: "infrastructure", error: text("trouble", code) })];
        failures += finished.length;
        const { orders } = hear(scheduler, report("w", 3 + round, { finished }), (round * options.leaseMs) / 2);
        next = orders.start[0];
      }
      expect(scheduler.view().jobs[0]!.state).toBe("failed");
      expect(failures).toBe(tries);
    }
  });

  test("fault 6: of a process that is dead nothing is used", () => {
    const { scheduler, assignment } = planning();
    hear(scheduler, report("w", 1, { incarnation: 2, slotsFree: 0 }));
    const { step } = hear(scheduler, report("w", 9, { incarnation: 1, finished: [done(assignment)] }));
    expect(step.changes).toEqual([]);
    expect(scheduler.view().jobs[0]!.tasks.plan.done).toBe(0);
    hear(scheduler, report("w", 2, { incarnation: 2, slots: 7, slotsFree: 0 }));
    expect(scheduler.view().workers[0]!.slots).toBe(7);
  });

  test("an assignment is repeated, under the same id, until a report lists it", () => {
    const scheduler = createScheduler(1, options, 0);
    scheduler.step({ kind: "job-submitted", job: "j", spec: spec(), idempotencyKey: "k" }, 0);
    const first = hear(scheduler, report("w", 1)).orders.start;
    expect(hear(scheduler, report("w", 2)).orders.start).toEqual(first);
    expect(hear(scheduler, report("w", 3, { running: [running(first[0]!)] })).orders.start).toEqual([]);
  });

  test("what a report says is finished is acknowledged at once, though nothing is to be done", () => {
    const { scheduler, assignment } = planning();
    const { step } = hear(scheduler, report("w", 3, { finished: [done(assignment, { plan: plan(0, 0) })] }));
    expect(step.commands.map((command) => command.kind)).toContain("send-orders");
    expect(hear(scheduler, report("w", 4)).step.commands.map((command) => command.kind)).not.toContain("send-orders");
  });

  test("a success without what it should bring is not one, and ends its job, naming the worker", () => {
    const { scheduler, assignment } = planning();
    const { plan: _, ...nothing } = done(assignment);
    hear(scheduler, report("w", 3, { finished: [nothing] }));
    expect(scheduler.view().jobs[0]).toMatchObject({
      state: "failed",
      failures: [{ task: "plan-00000" }],
      reason: { code: "bad-report", message: expect.stringContaining("worker w reported success with no plan") },
    });
  });

  test("a number of its own under another attempt's name is no result of that attempt, nor of its own", () => {
    const { scheduler, assignment } = planning();
    const attempt = { ...assignment.attempt, phase: "map" as const };
    hear(scheduler, report("w", 3, { slotsFree: 0, finished: [{ ...done(assignment), attempt }] }));
    expect(scheduler.view().jobs[0]).toMatchObject({ state: "planning" });
  });

  test("of offered runs only those of winners are remembered", () => {
    const { scheduler } = planning();
    const offered = Array.from({ length: 1000 }, (_, attempt) => ({
      run: {
        writtenBy: { job: "j", phase: "map" as const, index: 0, epoch: 0, attempt },
        path: "/r",
        bytes: 1,
        pairs: 1,
      },
      emissionDigest: 1n,
    }));
    hear(scheduler, report("w", 3, { slotsFree: 0, offered }));
    expect(scheduler.view().workers[0]).toMatchObject({ id: "w", runs: 0 });
  });
});

describe("time", () => {
  test("fault 40: a master that was stopped itself takes no lease for run out", () => {
    const { scheduler } = planning();
    const { wakeAt } = scheduler.step({ kind: "clock-ticked" }, 1);
    scheduler.step({ kind: "clock-ticked" }, wakeAt! + options.leaseMs);
    expect(scheduler.view().workers[0]!.state).toBe("busy");
    scheduler.step({ kind: "clock-ticked" }, wakeAt! + 2 * options.leaseMs);
    expect(scheduler.view().workers[0]!.state).toBe("silent");
  });

  test("a worker that is silent for very long is forgotten", () => {
    const { scheduler } = planning();
    let at: number | undefined = 0;
    for (let ticks = 0; at !== undefined && ticks < 100; ticks++)
      at = scheduler.step({ kind: "clock-ticked" }, at).wakeAt;
    expect(scheduler.view().workers).toEqual([]);
    expect(at).toBeUndefined();
  });

  test("fault 28: without workers a job waits, and nothing wakes the master", () => {
    const scheduler = createScheduler(1, options, 0);
    const step = scheduler.step({ kind: "job-submitted", job: "j", spec: spec(), idempotencyKey: "k" }, 0);
    expect(step.wakeAt).toBeUndefined();
    expect(scheduler.view().jobs[0]!.state).toBe("planning");
  });
});

describe("fairness", () => {
  test("jobs take turns", () => {
    const scheduler = createScheduler(1, options, 0);
    const worker = new FakeWorker("w", 4);
    for (const job of ["a", "b"]) {
      scheduler.step({ kind: "job-submitted", job, spec: spec(), idempotencyKey: job }, 0);
    }
    const phases: string[] = [];
    for (let round = 0; round < 2; round++) {
      const heard = worker.report();
      const { orders } = hear(scheduler, heard);
      worker.follow(orders, heard);
      phases.push(...orders.start.map(({ attempt }) => attempt.job));
      for (const [key, { assignment }] of [...worker.running])
        worker.finish(key, done(assignment, { plan: plan(9, 1) }));
    }
    expect(phases.toSorted()).toEqual(["a", "a", "a", "b", "b", "b"]);
  });
});

describe("counters", () => {
  /** The job's state after its two maps and its reduce have counted this. */
  const counted = (maps: readonly Record<string, number>[], reduce: Record<string, number> = {}) => {
    const { scheduler, assignment } = planning();
    const { orders } = hear(scheduler, report("w", 3, { slots: 2, slotsFree: 2, finished: [done(assignment)] }));
    const finished = orders.start.map((start, index) => ({ ...done(start), counters: maps[index]! }));
    expect(finished).toHaveLength(maps.length);
    const next = hear(scheduler, report("w", 4, { slots: 2, slotsFree: 2, finished })).orders;
    const reduces = next.start.map((start) => ({ ...done(start), counters: reduce }));
    hear(scheduler, report("w", 5, { slots: 2, slotsFree: 2, finished: reduces }));
    return scheduler.view().jobs[0]!;
  };

  test("fault 87: a total that is no safe integer fails the job by name", () => {
    const huge = { seen: Number.MAX_SAFE_INTEGER };
    expect(counted([huge, huge])).toMatchObject({
      state: "failed",
      reason: { code: "over-limit", message: expect.stringContaining('"seen"') },
      counters: { seen: Number.MAX_SAFE_INTEGER },
    });
  });

  test("a total that is one again when all have counted fails nothing, in whichever order they end", () => {
    const huge = { seen: Number.MAX_SAFE_INTEGER };
    expect(counted([huge, huge], { seen: -Number.MAX_SAFE_INTEGER })).toMatchObject({
      state: "closing",
      counters: huge,
    });
  });

  test("fault 87: names are counted over the job: the 1,001st ends it, wherever it was counted", () => {
    const names = (from: number, to: number) =>
      Object.fromEntries(Array.from({ length: to - from }, (_, i) => [`c${from + i}`, 1]));
    expect(counted([names(0, 600), names(300, 1000)], names(0, 1000))).toMatchObject({ state: "closing" });
    for (const job of [
      counted([names(0, 600), names(600, 1001)]),
      counted([names(0, 1001), {}]),
      counted([{}, {}], names(0, 1001)),
      counted([names(0, 500), names(0, 500)], names(500, 1001)),
    ]) {
      expect(job).toMatchObject({
        state: "failed",
        reason: { code: "over-limit", message: expect.stringContaining("more than 1000 counters") },
        failures: [],
      });
    }
  });

  test("fault 81: names that objects treat specially are counted like others", () => {
    const { scheduler, assignment } = planning();
    const counters = { ...JSON.parse('{ "__proto__": 2, "constructor": 1 }') } as Record<string, number>;
    const { orders } = hear(scheduler, report("w", 3, { finished: [done(assignment)] }));
    hear(scheduler, report("w", 4, { finished: [{ ...done(orders.start[0]!), counters }] }));
    expect(Object.entries(scheduler.view().jobs[0]!.counters)).toEqual([
      ["__proto__", 2],
      ["constructor", 1],
    ]);
  });
});

describe("the store", () => {
  test("records that a later version added are left alone; a damaged one is an error", () => {
    const scheduler = createScheduler(1, options, 0);
    const { changes } = scheduler.step({ kind: "job-submitted", job: "j", spec: spec(), idempotencyKey: "k" }, 0);
    const stored = changes.flatMap((change): StoredRecord[] => ("put" in change ? [change.put] : []));
    const future = { key: "job/j/notes", value: Uint8Array.of(1) };
    expect(recoverScheduler([...stored, future], 2, options, 0).view().jobs).toHaveLength(1);
    const damaged = stored.map(({ key }) => ({ key, value: Uint8Array.of(255) }));
    expect(() => recoverScheduler(damaged, 2, options, 0)).toThrow(/JobRecord/);
  });

  test("I6: attempts of a new epoch never have the number of an old one", () => {
    const { scheduler, assignment } = planning();
    expect(assignment.attempt).toMatchObject({ epoch: 1, attempt: 1 });
    const { changes } = scheduler.step({ kind: "job-submitted", job: "k", spec: spec(), idempotencyKey: "l" }, 0);
    const stored = changes.flatMap((change): StoredRecord[] => ("put" in change ? [change.put] : []));
    const next = recoverScheduler(stored, 2, options, 0);
    expect(hear(next, report("w", 1)).orders.start[0]!.attempt).toMatchObject({ epoch: 2, attempt: 1 });
  });
});
