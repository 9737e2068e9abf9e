// Workers that are late: what they tell of an earlier time, and what they stage for a job that is over.
import { expect, test } from "vitest";
import { done, options, plan, report, spec } from "../../test/schedule/build.ts";
import type { WorkerReport } from "../protocol/messages.ts";
import type { StoredRecord } from "../state/store.ts";
import { createScheduler, recoverScheduler } from "./scheduler.ts";
import type { SchedulerEvent, Step } from "./step.ts";

/** A job with one map and one reduce, and two workers with a slot each. */
function world() {
  const scheduler = createScheduler(1, options, 0);
  const sequence = new Map<string, number>();
  const changes: Step["changes"][number][] = [];
  const step = (event: SchedulerEvent, now = 0): Step => {
    const made = scheduler.step(event, now);
    changes.push(...made.changes);
    return made;
  };
  const hear = (worker: string, change: Partial<WorkerReport>, now = 0): Step => {
    const next = (sequence.get(worker) ?? 0) + 1;
    sequence.set(worker, next);
    return step({ kind: "worker-heard", report: report(worker, next, { slotsFree: 1, ...change }) }, now);
  };
  const started = (worker: string) => [...scheduler.ordersFor(worker).start];
  step({ kind: "job-submitted", job: "j", spec: spec(), idempotencyKey: "j" });
  hear("w1", {});
  hear("w1", { finished: [done(started("w1")[0]!, { plan: plan(1, 1) })] });
  return { scheduler, hear, started, changes };
}

const discards = (step: Step) => step.commands.filter(({ kind }) => kind === "discard-job");
const running = (attempt: WorkerReport["running"][number]["attempt"]) => ({
  running: [{ attempt, records: 0, bytes: 0, at: undefined, idleMs: 0, runningMs: 0 }] as WorkerReport["running"],
  slotsFree: 0,
});

test("fault 5, simulation, seed 3279: a result that was on its way until its worker counts as silent wins nothing", () => {
  const before = world();
  const map = done(before.started("w1")[0]!);
  const store = new Map<string, StoredRecord>();
  for (const change of before.changes) if ("put" in change) store.set(change.put.key, change.put);
  const scheduler = recoverScheduler([...store.values()], 2, options, 0);
  const hear = (worker: string, sequence: number, change: Partial<WorkerReport>, now: number) =>
    scheduler.step({ kind: "worker-heard", report: report(worker, sequence, change) }, now);
  expect(hear("w1", 5, { finished: [map] }, 0).facts.map(({ kind }) => kind)).toContain("attempt-won");
  hear("w2", 1, {}, 9_000);
  expect(scheduler.step({ kind: "clock-ticked" }, 11_000).facts.map(({ kind }) => kind)).toContain("map-output-lost");
  const late = hear("w1", 4, { finished: [map] }, 12_000);
  expect(late.facts).toEqual([]);
  hear("w2", 2, {}, 12_000);
  expect([...scheduler.ordersFor("w2").start][0]?.attempt).toMatchObject({ phase: "map" });
});

test("I14, simulation, seed 934: files of a job that is over are removed again when a worker that had an attempt of it has none any more", () => {
  const { scheduler, hear, started } = world();
  const [map] = started("w1");
  hear("w1", running(map!.attempt));
  const cancelled = scheduler.step({ kind: "job-cancelled", job: "j" }, 1_000);
  expect(discards(cancelled)).toHaveLength(1);
  expect(discards(hear("w1", running(map!.attempt), 1_100))).toHaveLength(0);
  expect(discards(hear("w1", {}, 1_200))).toHaveLength(1);
  expect(discards(hear("w1", {}, 1_300))).toHaveLength(0);
});

test("they are, too, when a worker comes back that was silent when the job ended, and when it is forgotten", () => {
  for (const comesBack of [true, false]) {
    const { scheduler, hear, started } = world();
    hear("w1", running(started("w1")[0]!.attempt));
    scheduler.step({ kind: "clock-ticked" }, 11_000);
    scheduler.step({ kind: "job-cancelled", job: "j" }, 12_000);
    const step = comesBack
      ? hear("w1", {}, 13_000)
      : scheduler.step({ kind: "clock-ticked" }, 11_000 + 61 * options.leaseMs);
    expect({ comesBack, discards: discards(step).length }).toEqual({ comesBack, discards: 1 });
  }
});

test("no one who had nothing of a job when it ended has its files removed again", () => {
  const { scheduler, hear, started } = world();
  hear("w2", {});
  hear("w1", running(started("w1")[0]!.attempt));
  scheduler.step({ kind: "job-cancelled", job: "j" }, 1_000);
  expect(discards(hear("w2", {}, 2_000))).toHaveLength(0);
});
