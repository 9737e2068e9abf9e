import { describe, expect, test } from "vitest";
import { done, failed, options, plan, report, spec, text } from "../../../test/schedule/build.ts";
import type { Assignment, Failure, WorkerReport } from "../../protocol/messages.ts";
import type { Fact } from "../facts.ts";
import { stepCluster } from "../scheduler.ts";
import { newCluster } from "./cluster.ts";

const disk: Failure = { kind: "infrastructure", error: text("disk broken", "io-error") };
const died: Failure = { kind: "slot-died", error: text("died", "slot-died"), at: undefined, careful: false };

/** A job of 40 maps on workers that are told one by one how their attempts end. */
class Cluster {
  readonly cluster = newCluster(1, options, 0);
  readonly facts: Fact[] = [];
  readonly #given = new Map<string, Assignment>();
  readonly #sequence = new Map<string, number>();
  readonly #incarnation = new Map<string, number>();
  now = 0;

  constructor(attemptsMax = 4) {
    this.#step({ kind: "job-submitted", job: "j", spec: spec({ attemptsMax }), idempotencyKey: "k" });
    this.hear("w0");
    this.end("w0", (assignment) => done(assignment, { plan: plan(40, 1) }));
    // It is not heard of again, and drops out of what follows.
    this.#step({ kind: "worker-drained", worker: "w0" });
  }

  submit(job: string): void {
    this.#step({ kind: "job-submitted", job, spec: spec({ attemptsMax: 1 }), idempotencyKey: job });
  }

  cancel(job: string): void {
    this.#step({ kind: "job-cancelled", job });
  }

  hear(worker: string, change: Partial<WorkerReport> = {}): void {
    const sequence = (this.#sequence.get(worker) ?? 0) + 1;
    this.#sequence.set(worker, sequence);
    const incarnation = this.#incarnation.get(worker) ?? 1;
    this.#step({ kind: "worker-heard", report: report(worker, sequence, { incarnation, ...change }) });
  }

  restart(worker: string): void {
    this.#incarnation.set(worker, (this.#incarnation.get(worker) ?? 1) + 1);
    this.#given.delete(worker);
    this.hear(worker);
  }

  /** Whether the worker has something to do. */
  has(worker: string): boolean {
    return this.#given.has(worker);
  }

  fail(worker: string, reason: Failure): void {
    this.end(worker, ({ attempt }) => failed(attempt, reason));
  }

  end(worker: string, how: (assignment: Assignment) => NonNullable<WorkerReport["finished"][number]>): void {
    const assignment = this.#given.get(worker)!;
    this.#given.delete(worker);
    this.hear(worker, { finished: [how(assignment)] });
  }

  charged(): number {
    return this.cluster.jobs.get("j")!.maps.reduce((sum, task) => sum + task.infrastructureFailures, 0);
  }

  penalties(): string[] {
    return this.facts.flatMap((fact) => (/excluded|quarantined|readmitted/.test(fact.kind) ? [fact.kind] : []));
  }

  #step(event: Parameters<typeof stepCluster>[1]): void {
    const { commands, facts } = stepCluster(this.cluster, event, this.now);
    this.facts.push(...facts);
    for (const command of commands) {
      if (command.kind !== "send-orders") continue;
      for (const assignment of command.orders.start) this.#given.set(command.worker, assignment);
    }
  }
}

describe("fault 29: one bad host fails everything", () => {
  test("it is excluded, and nothing of it is held against the tasks", () => {
    const world = new Cluster();
    world.hear("good");
    world.hear("bad");
    for (let failure = 0; failure < options.failuresPerWorkerMax; failure++) {
      expect(world.has("bad")).toBe(true);
      world.fail("bad", disk);
    }
    expect(world.has("bad")).toBe(false);
    expect(world.penalties()).toEqual(["worker-excluded"]);
    expect(world.charged()).toBe(0);
  });

  test("it is tried again after a lease, once, and after a second failure two leases later", () => {
    const world = new Cluster();
    world.hear("good");
    world.hear("bad");
    for (let failure = 0; failure < options.failuresPerWorkerMax; failure++) world.fail("bad", disk);
    const isTriedAt = (now: number) => {
      world.now = now;
      world.hear("good", { slotsFree: 0 });
      world.hear("bad");
      return world.has("bad");
    };
    expect(isTriedAt(9_000)).toBe(false);
    expect(isTriedAt(10_000)).toBe(true);
    world.fail("bad", disk);
    expect(isTriedAt(19_000)).toBe(false);
    expect(isTriedAt(29_000)).toBe(false);
    expect(isTriedAt(30_000)).toBe(true);
    world.end("bad", (assignment) => done(assignment));
    world.fail("bad", disk);
    expect(world.has("bad")).toBe(true);
    expect(world.charged()).toBe(1);
  });

  test("where all are bad, failures count, so that the job ends", () => {
    const world = new Cluster();
    world.hear("bad");
    for (let failure = 0; failure < 200 && world.has("bad"); failure++) world.fail("bad", disk);
    expect(world.cluster.jobs.get("j")?.ended).toMatchObject({
      outcome: "failed",
      reason: { message: `disk broken (tried ${options.infrastructureFailuresMax} times)` },
    });
  });

  test("slots that die there count too, but one task's deaths say nothing of the worker", () => {
    const world = new Cluster(9);
    world.hear("w");
    for (let death = 0; death < 6; death++) world.fail("w", died); // the last worker: always the first task
    expect(world.penalties()).toEqual([]);
    const several = new Cluster(9);
    several.hear("good");
    several.hear("bad");
    for (let death = 0; death < options.failuresPerWorkerMax; death++) several.fail("bad", died);
    expect(several.penalties()).toEqual(["worker-excluded"]);
  });

  test.each([
    ["that throws, or is missing", { kind: "fatal", error: text("throws", "wrong-job") } as const],
    ["that crashes its process", died],
  ])("jobs with a bundle %s while it is loaded don't take a worker from the others", (_, reason) => {
    const world = new Cluster();
    world.cancel("j");
    world.hear("good", { slotsFree: 0 });
    world.hear("w");
    for (let job = 0; job < 2 * options.failuresPerWorkerMax; job++) {
      world.submit(`broken${job}`);
      expect(world.has("w")).toBe(true);
      world.fail("w", reason);
    }
    expect(world.facts.filter(({ kind }) => kind === "attempt-failed")).toHaveLength(2 * options.failuresPerWorkerMax);
    expect(world.penalties()).toEqual([]);
  });
});

describe("fault 27: a worker that comes and goes", () => {
  test("is quarantined, each time twice as long, ten minutes at most", () => {
    const world = new Cluster();
    world.hear("good");
    world.hear("w");
    for (let flap = 0; flap < 20; flap++) world.restart("w");
    const times = world.facts.flatMap((fact) => (fact.kind === "worker-quarantined" ? [fact.ms / 1000] : []));
    expect(times.slice(0, 8)).toEqual([10, 20, 40, 80, 160, 320, 600, 600]);
  });

  test("is not for restarts that are far from each other", () => {
    const world = new Cluster();
    world.hear("w");
    for (let flap = 0; flap < 20; flap++) {
      world.now += 30_000;
      world.restart("w");
    }
    expect(world.penalties()).toEqual([]);
  });
});
