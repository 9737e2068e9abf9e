import { describe, expect, test } from "vitest";
import { done, options, plan, spec } from "../../../test/schedule/build.ts";
import { FakeWorker } from "../../../test/schedule/fake-worker.ts";
import type { AttemptDone } from "../../protocol/messages.ts";
import type { Fact } from "../facts.ts";
import { createScheduler } from "../scheduler.ts";

interface World {
  /** Its next report, and what it is told. */
  readonly call: (worker: FakeWorker) => void;
  /** Ends the attempt that has run longest, after that time. */
  readonly finish: (worker: FakeWorker, wallMs?: number) => void;
  readonly facts: Fact[];
  now: number;
}

/** A job with that number of maps, planned by the first worker. */
function mapping(maps: number, workers: readonly FakeWorker[], change = {}): World {
  const scheduler = createScheduler(1, options, 0);
  const facts: Fact[] = [];
  const world: World = {
    facts,
    now: 0,
    call: (worker) => {
      const sent = worker.report();
      facts.push(...scheduler.step({ kind: "worker-heard", report: sent }, world.now).facts);
      worker.follow(scheduler.ordersFor(worker.id), sent);
    },
    finish: (worker, wallMs = 5) => {
      const [key, { assignment }] = [...worker.running][0]!;
      const result = done(assignment, { plan: plan(maps, 1) }) as AttemptDone;
      worker.finish(key, { ...result, stats: { ...result.stats, wallMs } });
      world.call(worker);
      world.call(worker); // it lists what it has begun
    },
  };
  scheduler.step({ kind: "job-submitted", job: "j", spec: spec(change), idempotencyKey: "k" }, 0);
  for (const worker of workers) world.call(worker);
  world.finish(workers[0]!);
  return world;
}

function worker(id: string, slots = 1, slotsAhead = slots): FakeWorker {
  return Object.assign(new FakeWorker(id, slots), { slotsAhead });
}

describe("tasks given out before there is a slot for them", () => {
  test("short ones are, once one has shown that they are, while more wait than run", () => {
    const w = worker("w", 2);
    const world = mapping(9, [w]);
    const given: number[] = [];
    for (let left = 9; left > 0; left--) {
      given.push(w.running.size);
      world.finish(w);
    }
    // Of the last ones none waits for a slot here that might be free elsewhere.
    expect(given).toEqual([2, 4, 4, 3, 3, 2, 2, 2, 1]);
  });

  test("long ones are not", () => {
    const w = worker("w", 2);
    const world = mapping(9, [w]);
    for (let i = 0; i < 4; i++) {
      expect(w.running.size).toBe(2);
      world.finish(w, 1_001);
    }
  });

  test("nor where the worker takes none, or the job may not use more slots", () => {
    for (const [w, change] of [
      [worker("w", 2, 0), {}],
      [worker("w", 2, 2), { maxSlots: 2 }],
    ] as const) {
      const world = mapping(9, [w], change);
      for (let i = 0; i < 4; i++) {
        expect(w.running.size).toBe(2);
        world.finish(w);
      }
    }
  });

  test("one that waits behind a long one after all is given to a worker with a free slot", () => {
    const [a, b] = [worker("a"), worker("b")];
    const world = mapping(7, [a, b]);
    world.finish(a);
    const [first, queued] = [...a.running.keys()];
    expect(a.running.get(queued!)!.assignment.attempt).toMatchObject({ phase: "map", index: 3 });
    a.running.get(first!)!.runningMs = 5_000;
    world.now += 5_000;
    world.call(b);
    while (b.running.size > 0) world.finish(b);
    expect(world.facts.some(({ kind }) => kind === "attempt-revoked")).toBe(false); // the last report is old
    world.now += 1_000;
    world.call(a);
    expect(world.facts).toContainEqual(
      expect.objectContaining({ kind: "attempt-revoked", worker: "a", why: "another worker has a free slot" }),
    );
    world.call(b);
    expect([...b.running.values()].map(({ assignment }) => assignment.attempt.index)).toEqual([3]);
    expect([...a.running.keys()]).toEqual([first]);
  });

  test("what it says of attempts that wait is kept to: no more than it takes", () => {
    const w = worker("w", 1, 3);
    const world = mapping(40, [w]);
    for (let i = 0; i < 10; i++) world.finish(w);
    expect(w.running.size).toBe(4);
  });
});
