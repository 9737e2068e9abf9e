// What a worker that leaves hands over, to whom and in which order, and when it may go.
import { expect, test } from "vitest";
import { done, failed, options, plan, report, spec, text } from "../../test/schedule/build.ts";
import type { Assignment, AttemptDone, CopyOrder, WorkerReport } from "../protocol/messages.ts";
import type { StoredRecord } from "../state/store.ts";
import { createScheduler, recoverScheduler } from "./scheduler.ts";
import type { Scheduler, SchedulerEvent, Step } from "./step.ts";

/** A scheduler, and its store. */
class World {
  scheduler: Scheduler = createScheduler(1, options, 0);
  readonly store = new Map<string, Uint8Array>();
  readonly sequences = new Map<string, number>();
  readonly facts: Step["facts"][number][] = [];
  #epoch = 1;

  step(event: SchedulerEvent, now = 0): Step {
    const step = this.scheduler.step(event, now);
    for (const change of step.changes) {
      if ("put" in change) this.store.set(change.put.key, change.put.value);
      else this.store.delete(change.delete);
    }
    this.facts.push(...step.facts);
    return step;
  }

  hear(worker: string, change: Partial<WorkerReport> = {}, now = 0): Step {
    const sequence = (this.sequences.get(worker) ?? 0) + 1;
    this.sequences.set(worker, sequence);
    return this.step(
      { kind: "worker-heard", report: report(worker, sequence, { slots: 4, slotsFree: 4, ...change }) },
      now,
    );
  }

  started(worker: string): readonly Assignment[] {
    return this.scheduler.ordersFor(worker).start;
  }

  copies(worker: string): readonly CopyOrder[] {
    return this.scheduler.ordersFor(worker).copy ?? [];
  }

  mayLeave(worker: string): boolean {
    return this.scheduler.ordersFor(worker).mayLeave === true;
  }

  /** A job that w1 plans, and all of whose maps it does, one after the other. */
  submit(job: string, maps: number, reduces: number): void {
    this.step({ kind: "job-submitted", job, spec: spec({ output: `/out/${job}` }), idempotencyKey: job });
    this.hear("w1");
    const planning = this.started("w1").find(({ attempt }) => attempt.phase === "plan")!;
    this.hear("w1", { finished: [done(planning, { plan: plan(maps, reduces) })] });
  }

  runMaps(worker = "w1"): AttemptDone[] {
    const finished = this.started(worker)
      .filter(({ attempt }) => attempt.phase === "map")
      .map((assignment) => done(assignment) as AttemptDone);
    this.hear(worker, { finished });
    return finished;
  }

  changeMaster(): void {
    const records: StoredRecord[] = [...this.store].map(([key, value]) => ({ key, value }));
    this.scheduler = recoverScheduler(
      records.sort((a, b) => (a.key < b.key ? -1 : 1)),
      ++this.#epoch,
      options,
      0,
    );
  }
}

const offerOf = ({ run, emissionDigest }: CopyOrder, worker: string) => ({
  run: { ...run, path: `/${worker}${run.path}` },
  emissionDigest,
});
const indexes = (orders: readonly CopyOrder[]) => orders.map(({ run }) => run.writtenBy.index);

test("runs of the job with the most reduces left come first, and a copy counts at its new holder once that offers it", () => {
  const world = new World();
  world.submit("few", 1, 1);
  world.runMaps();
  // Its one reduce has not begun: w1 has no more to do with it.
  world.submit("many", 2, 3);
  world.runMaps();
  world.hear("w1", { draining: true, slotsFree: 0 });
  world.hear("w2", { slots: 1, slotsFree: 0 });
  const orders = world.copies("w2");
  expect(orders.map(({ run }) => `${run.writtenBy.job} ${run.writtenBy.index}`)).toEqual(["many 0", "many 1", "few 0"]);
  expect(orders.every(({ from, address }) => from === "w1" && address === "w1:1")).toBe(true);
  expect(world.mayLeave("w1")).toBe(false);
  world.hear("w2", { slots: 1, slotsFree: 0, offered: orders.map((order) => offerOf(order, "w2")) });
  expect(world.facts.filter(({ kind }) => kind === "map-output-moved")).toHaveLength(3);
  expect(world.facts.filter(({ kind }) => kind === "map-output-lost")).toEqual([]);
  expect(world.copies("w2")).toEqual([]);
});

test("a reduce that read the old places keeps the worker until it has ended; one that begins later reads the new ones", () => {
  const world = new World();
  world.submit("j", 1, 2);
  world.hear("w2", { slots: 1, slotsFree: 0 });
  world.hear("w3", { slots: 1, slotsFree: 1 });
  const [map] = world.started("w1");
  world.hear("w1", { slotsFree: 0, finished: [done(map!)] });
  const [reduce] = world.started("w3");
  expect(reduce?.work).toEqual({ phase: "reduce", partitions: 2, mapVersion: 1 });
  const running = [{ attempt: reduce!.attempt, records: 0, bytes: 0, idleMs: 0, runningMs: 1, at: undefined }];
  world.hear("w3", { slots: 1, slotsFree: 0, running });
  world.hear("w1", { draining: true, slotsFree: 0 });
  const orders = world.copies("w2");
  expect(indexes(orders)).toEqual([0]);
  world.hear("w2", { slots: 1, slotsFree: 0, offered: orders.map((order) => offerOf(order, "w2")) });
  world.hear("w1", { draining: true, slotsFree: 0 });
  expect(world.mayLeave("w1")).toBe(false); // it is being read
  world.hear("w3", { slots: 1, slotsFree: 1, finished: [done(reduce!)] });
  expect(world.mayLeave("w1")).toBe(true);
  world.hear("w3", { slots: 1, slotsFree: 1 });
  const { start, holders } = world.scheduler.ordersFor("w3");
  expect(start.map(({ work }) => work)).toEqual([{ phase: "reduce", partitions: 2, mapVersion: 2 }]);
  expect(holders[0]?.workers.map(({ worker }) => worker)).toEqual(["w2"]);
  expect(world.facts.map(({ kind }) => kind)).not.toContain("map-output-lost");
});

test("a copy that fails goes to another peer, and is not asked of the first again; a copy with another digest does not count", () => {
  const world = new World();
  world.submit("j", 1, 1);
  world.runMaps();
  world.hear("w1", { draining: true, slotsFree: 0 });
  world.hear("w2", { slots: 1, slotsFree: 0 });
  const [order] = world.copies("w2");
  const attempt = order!.run.writtenBy;
  world.hear("w2", { slots: 1, slotsFree: 0, copiesFailed: [{ attempt, why: "the disk is full" }] });
  expect(world.copies("w2")).toEqual([]);
  world.hear("w3", { slots: 1, slotsFree: 0 });
  expect(indexes(world.copies("w3"))).toEqual([0]);
  const wrong = { ...offerOf(order!, "w3"), emissionDigest: order!.emissionDigest + 1n };
  world.hear("w3", { slots: 1, slotsFree: 0, offered: [wrong] });
  expect(world.facts.map(({ kind }) => kind)).not.toContain("map-output-moved");
  expect([world.copies("w2"), world.copies("w3")]).toEqual([[], []]);
  expect(world.mayLeave("w1")).toBe(false); // it is served from there as long as it can
});

test("a new master knows what was moved, and orders what is missing again; the time of a wish is stored", () => {
  const world = new World();
  world.submit("j", 2, 1);
  world.runMaps();
  world.hear("w2", { slots: 1, slotsFree: 0 });
  world.step({ kind: "worker-drained", worker: "w1", withinMs: 100_000 });
  expect(world.scheduler.ordersFor("w1")).toMatchObject({ drain: true, drainWithinMs: 100_000 });
  world.hear("w1", { draining: true, slotsFree: 0, leavesInMs: 99_000 });
  const [first] = world.copies("w2");
  world.hear("w2", { slots: 1, slotsFree: 0, offered: [offerOf(first!, "w2")] });
  world.changeMaster();
  world.hear("w1", { draining: true, slotsFree: 0, leavesInMs: 90_000 });
  world.hear("w2", { slots: 1, slotsFree: 0 });
  expect(world.scheduler.ordersFor("w1")).toMatchObject({ drain: true, drainWithinMs: 100_000 });
  expect(indexes(world.copies("w2"))).toEqual([1]);
});

test("what a reduce of the master before could not read says nothing about an output that has moved since", () => {
  for (const how of ["unreachable", "missing", "corrupt"] as const) {
    for (const isMoved of [true, false]) {
      const world = new World();
      world.submit("j", 1, 2);
      world.hear("w2", { slots: 1, slotsFree: 0 });
      world.hear("w3", { slots: 1, slotsFree: 1 });
      const [map] = world.started("w1");
      world.hear("w1", { slotsFree: 0, finished: [done(map!)] });
      const [reduce] = world.started("w3");
      const running = [{ attempt: reduce!.attempt, records: 0, bytes: 0, idleMs: 0, runningMs: 1, at: undefined }];
      world.hear("w3", { slots: 1, slotsFree: 0, running });
      if (isMoved) {
        world.hear("w1", { draining: true, slotsFree: 0 });
        const orders = world.copies("w2");
        world.hear("w2", { slots: 1, slotsFree: 0, offered: orders.map((order) => offerOf(order, "w2")) });
      }
      world.changeMaster();
      world.hear("w1", { slotsFree: 0 });
      world.hear("w2", { slots: 1, slotsFree: 0 });
      world.hear("w3", { slots: 1, slotsFree: 0, running });
      const loss = { kind: "segment-lost", map: map!.attempt, how, error: text("it could not be read") } as const;
      world.hear("w3", { slots: 1, slotsFree: 1, finished: [failed(reduce!.attempt, loss)] });
      const kinds = world.facts.map(({ kind }) => kind);
      const isBelieved = kinds.includes(how === "unreachable" ? "holder-unreachable" : "map-output-lost");
      expect({ how, isMoved, isBelieved }).toEqual({ how, isMoved, isBelieved: !isMoved });
      if (isMoved)
        expect(world.started("w3").map(({ work }) => work)).toMatchObject([{ phase: "reduce", mapVersion: 2 }]);
    }
  }
});

test("a map that would not end before its worker leaves goes to another; one that would goes on", () => {
  for (const [bytes, isGivenUp] of [
    [10, true],
    [90, false],
  ] as const) {
    const world = new World();
    world.submit("j", 1, 1);
    const [map] = world.started("w1");
    const progress = { attempt: map!.attempt, records: 1, bytes, idleMs: 0, runningMs: 9_000, at: undefined };
    world.hear("w1", { slotsFree: 3, running: [progress] });
    world.hear("w2");
    world.hear("w1", { draining: true, slotsFree: 0, leavesInMs: 20_000, running: [progress] });
    const stopped = world.scheduler.ordersFor("w1").stop.map(({ why }) => why);
    expect({ bytes, stopped }).toEqual({
      bytes,
      stopped: isGivenUp ? ["it would not end before its worker leaves"] : [],
    });
  }
});

test("what a worker that leaves hands back, or takes with it, is not held against its task", () => {
  for (const isSilent of [false, true]) {
    const world = new World();
    world.submit("j", 1, 1);
    // More often than a task may fail for want of infrastructure.
    for (let life = 0; life < options.infrastructureFailuresMax + 2; life++) {
      const [name, next] = [`w${life + 1}`, `w${life + 2}`];
      const now = life * (options.leaseMs + 1);
      const [map] = world.started(name);
      const running = [{ attempt: map!.attempt, records: 1, bytes: 10, idleMs: 0, runningMs: 9_000, at: undefined }];
      world.hear(name, { slotsFree: 3, running }, now);
      world.hear(name, { draining: true, slotsFree: 0, running }, now);
      if (!isSilent) world.hear(name, { draining: true, slotsFree: 0 }, now);
      const left = now + options.leaseMs + 1;
      world.hear(next, {}, left);
      expect({ isSilent, life, started: world.started(next).length }).toEqual({ isSilent, life, started: 1 });
    }
    const kinds = world.facts.map((fact) => (fact.kind === "attempt-failed" ? fact.failure : fact.kind));
    expect(kinds).toContain(isSilent ? "attempt-lost" : "vanished");
    expect(kinds).not.toContain("job-ended");
  }
});

test("it goes to the worker that came last, as the one that was idle for longest may be the next to leave", () => {
  const world = new World();
  world.submit("j", 1, 1);
  const [map] = world.started("w1");
  const running = [{ attempt: map!.attempt, records: 1, bytes: 10, idleMs: 0, runningMs: 9_000, at: undefined }];
  world.hear("w1", { slotsFree: 3, running });
  world.hear("w2", {}, 1_000);
  world.hear("w4", {}, 2_000);
  world.hear("w3", {}, 3_000);
  world.hear("w2", {}, 4_000);
  world.hear("w1", { draining: true, slotsFree: 0, running }, 5_000);
  world.hear("w1", { draining: true, slotsFree: 0 }, 6_000);
  expect(["w2", "w3", "w4"].map((name) => world.started(name).length)).toEqual([0, 1, 0]);
});
