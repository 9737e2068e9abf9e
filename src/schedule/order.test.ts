import { expect, test } from "vitest";
import { done, options, plan, report, spec } from "../../test/schedule/build.ts";
import type { StoredRecord } from "../state/store.ts";
import { createScheduler, recoverScheduler } from "./scheduler.ts";
import type { SchedulerOptions, Step } from "./step.ts";

/** The tasks that a worker of one slot is given, one after the other, with a new master after the second map. */
function tasksInOrder(order: SchedulerOptions["order"]): string[] {
  const ordered = { ...options, order };
  const stored = new Map<string, StoredRecord>();
  const keep = ({ changes }: Step) => {
    for (const change of changes) {
      if ("put" in change) stored.set(change.put.key, change.put);
      else stored.delete(change.delete);
    }
  };
  let scheduler = createScheduler(1, ordered, 0);
  keep(scheduler.step({ kind: "job-submitted", job: "j", spec: spec(), idempotencyKey: "k" }, 0));
  keep(scheduler.step({ kind: "worker-heard", report: report("w", 1) }, 0));
  const given: string[] = [];
  for (let sequence = 2; ; sequence++) {
    const assignment = scheduler.ordersFor("w").start[0];
    if (assignment === undefined) return given;
    const { phase, index } = assignment.attempt;
    given.push(`${phase} ${index}`);
    const result = done(assignment, phase === "plan" ? { plan: plan(3, 2) } : {});
    keep(scheduler.step({ kind: "worker-heard", report: report("w", sequence, { finished: [result] }) }, 0));
    if (given.length === 3) {
      scheduler = recoverScheduler(stored.values(), 2, ordered, 0);
      keep(scheduler.step({ kind: "worker-heard", report: report("w", ++sequence) }, 0));
    }
  }
}

test("tasks of a phase are given out by their index, or, where that is asked for, the last one first", () => {
  expect(tasksInOrder(undefined).filter((task) => task.startsWith("map"))).toEqual(["map 0", "map 1", "map 2"]);
  expect(tasksInOrder("reverse").filter((task) => task.startsWith("map"))).toEqual(["map 2", "map 1", "map 0"]);
});
