// Runs that a worker has from an earlier life, or that come back with it.
import { expect, test } from "vitest";
import { done, options, plan, report, spec } from "../../test/schedule/build.ts";
import type { Assignment, AttemptDone, WorkerReport } from "../protocol/messages.ts";
import { createScheduler } from "./scheduler.ts";
import type { Step } from "./step.ts";

/** A job of one map that has won on w1, and of one reduce; w2 is there, too. */
function worldWithAWinner() {
  const scheduler = createScheduler(1, options, 0);
  const sequence = new Map<string, number>();
  const hear = (worker: string, change: Partial<WorkerReport>, now = 0): Step => {
    const next = (sequence.get(worker) ?? 0) + 1;
    sequence.set(worker, next);
    return scheduler.step({ kind: "worker-heard", report: report(worker, next, { slotsFree: 1, ...change }) }, now);
  };
  const started = (worker: string): Assignment[] => [...scheduler.ordersFor(worker).start];
  scheduler.step({ kind: "job-submitted", job: "j", spec: spec(), idempotencyKey: "j" }, 0);
  hear("w1", {});
  hear("w1", { finished: [done(started("w1")[0]!, { plan: plan(1, 1) })] });
  const map = done(started("w1")[0]!) as AttemptDone;
  hear("w1", { finished: [map] });
  return { scheduler, hear, started, map };
}

const restored = (step: Step) => step.facts.filter(({ kind }) => kind === "map-output-restored");

test("fault 6: a run that a restarted worker offers counts with its winner's digest, and with no other", () => {
  for (const digest of ["same", "other"]) {
    const { hear, map } = worldWithAWinner();
    const emissionDigest = digest === "same" ? map.emissionDigest! : map.emissionDigest! + 1n;
    const step = hear("w1", { incarnation: 2, offered: [{ run: map.run!, emissionDigest }] });
    expect({ digest, restored: restored(step).length }).toEqual({ digest, restored: digest === "same" ? 1 : 0 });
  }
});

test("fault 6: a silent worker that comes back in another life brings no run back: the map that runs again is not stopped", () => {
  const { hear, started, scheduler } = worldWithAWinner();
  hear("w2", {}, 9_000);
  scheduler.step({ kind: "clock-ticked" }, 11_000);
  hear("w2", {}, 11_000);
  const [again] = started("w2");
  expect(again?.attempt).toMatchObject({ phase: "map" });
  const step = hear("w1", { incarnation: 2 }, 12_000);
  expect(restored(step)).toEqual([]);
  expect(step.facts.filter(({ kind }) => kind === "attempt-revoked")).toEqual([]);
  expect(started("w2")[0]?.attempt).toEqual(again?.attempt);
});

test("a silent worker that comes back in the same life brings its runs back", () => {
  const { hear, started, scheduler } = worldWithAWinner();
  hear("w2", {}, 9_000);
  scheduler.step({ kind: "clock-ticked" }, 11_000);
  hear("w2", {}, 11_000);
  expect(started("w2")).toHaveLength(1);
  const step = hear("w1", {}, 12_000);
  expect(restored(step)).toHaveLength(1);
});

test("simulation, seed 766: what a silent worker had offered counts when it is heard again, not when a job that closed works again", () => {
  const { scheduler, hear, started, map } = worldWithAWinner();
  const lives = { incarnation: 2 } as const;
  hear("w1", { ...lives, offered: [{ run: map.run!, emissionDigest: map.emissionDigest! }] });
  hear("w2", {}, 1_000);
  const reduce = [...started("w1"), ...started("w2")].find(({ attempt }) => attempt.phase === "reduce")!;
  const by = started("w2").includes(reduce) ? "w2" : "w1";
  hear(by, { ...(by === "w1" ? lives : {}), finished: [done(reduce)] }, 1_000);
  const steps = [
    hear("w2", { settled: ["j"] }, 12_000),
    scheduler.step({ kind: "clock-ticked" }, 12_000),
    hear("w2", { settled: ["j"] }, 12_000),
  ];
  const look = steps.flatMap(({ commands }) => commands).find(({ kind }) => kind === "look-at-files");
  if (look?.kind !== "look-at-files") throw new Error("the files are not looked at");
  const lost = look.folders.flatMap(({ files }) => files.map(({ token }) => ({ token, why: "is gone" })));
  const opened = scheduler.step({ kind: "files-looked-at", job: "j", look: look.look, lost }, 12_000);
  expect(opened.facts.map(({ kind }) => kind)).toContain("map-output-lost");
  expect(restored(opened)).toEqual([]);
  expect(restored(hear("w1", lives, 13_000))).toHaveLength(1);
});
