// What must be true of a scheduler's state after every step, whatever happened: what it counts is what there is, no
// task is forgotten, each attempt that was told to begin has one end, and what must survive a master is in its
// records. Checked in the scheduler's own worlds (world.ts), and in the simulation
// (test/simulation/invariants/bookkeeping.ts).
import { isDeepStrictEqual } from "node:util";
import { assert } from "../../src/base/assert.ts";
import { sameAttempt } from "../../src/base/ids.ts";
import type { Fact } from "../../src/schedule/facts.ts";
import type { Cluster, Job } from "../../src/schedule/state/state.ts";
import { attemptKey, isDone, recordOf } from "../../src/schedule/state/task.ts";
import type { SchedulerOptions } from "../../src/schedule/step.ts";
import { viewOf } from "../../src/schedule/view.ts";

/** Attempts that one master's facts have said to have begun, and not yet to have ended. */
export class Told {
  readonly #live = new Set<string>();

  hear(fact: Fact): void {
    if (!("attempt" in fact) || !fact.kind.startsWith("attempt-")) return;
    const key = attemptKey(fact.attempt);
    const isStart = fact.kind === "attempt-started" || fact.kind === "attempt-adopted";
    assert(this.#live.has(key) !== isStart, `${fact.kind} of ${key}, which ${isStart ? "has" : "has not"} begun`);
    if (isStart) this.#live.add(key);
    else this.#live.delete(key);
  }

  check(cluster: Cluster): void {
    const live = [...cluster.workers.values()].flatMap((worker) =>
      [...worker.attempts].flatMap(([key, { state }]) => (state === "stopping" ? [] : [key])),
    );
    assertEqual([...this.#live].sort(), live.sort());
  }
}

/** A job that is not over. */
export function checkJob(job: Job, options: SchedulerOptions): void {
  const live = job.maps.filter(isDone).length;
  assert(live === job.mapsLive, "mapsLive is miscounted");
  assert(job.maps.filter((task) => task.winner !== undefined).length === job.mapsWon, "mapsWon is miscounted");
  assert(job.reduces.filter(isDone).length === job.reducesWon, "reducesWon is miscounted");
  for (const task of [job.planTask, ...job.maps, ...job.reduces]) {
    assert(task.attempts.length <= 2, "more than two attempts of a task");
    assert(
      new Set(task.attempts.map(({ worker }) => worker)).size === task.attempts.length,
      "backup on the same worker",
    );
    const isWaiting = !isDone(task) && task.attempts.length === 0;
    const mayWait = task.phase === "plan" ? job.plan === undefined : true;
    // Nothing is forgotten.
    const isClosed = job.stage === "closing" || job.stage === "publishing";
    assert(!isWaiting || !mayWait || task.isQueued || isClosed, "no one will run it");
    const run = task.winner?.run;
    assert(run === undefined || sameAttempt(run.writtenBy, task.winner!.attempt), "a run that another attempt wrote");
    for (const attempt of task.attempts)
      assert(attempt.worker.attempts.has(attemptKey(attempt.id)), "unknown to its worker");
    // I10
    assert(task.failures < job.spec.attemptsMax, "failed too often");
    assert(task.infrastructureFailures < options.infrastructureFailuresMax, "failed too often elsewhere");
  }
  const { maxSlots } = job.spec;
  assert(maxSlots === undefined || job.attempts.size <= maxSlots, "more slots than it may have");
  assert(job.digestRollbacks <= options.digestRollbacksMax, "rolled back too often");
}

/** What must survive a master. */
export function durable(cluster: Cluster): unknown {
  return {
    wishes: [...cluster.workers.values()].flatMap(({ id, isToDrain }) => (isToDrain ? [id] : [])).sort(),
    // That a job closes is not stored: in its first step a new master finds that it does.
    jobs: viewOf(cluster).jobs.map(({ waiting: _, ...view }) => ({
      ...view,
      running: [],
      state: ["mapping", "reducing", "closing"].includes(view.state) ? "working" : view.state,
      tasks: Object.values(view.tasks).map(({ total }) => total),
    })),
    details: [...cluster.jobs.values()].map((job) =>
      job.stage === "over"
        ? job.stage
        : {
            stage: job.stage === "closing" ? "working" : job.stage,
            mapsWon: job.mapsWon,
            mapsLive: job.mapsLive,
            reducesWon: job.reducesWon,
            mapVersion: job.mapVersion,
            mapVersionMin: job.mapVersionMin,
            digestRollbacks: job.digestRollbacks,
            decision: job.decision,
            tasks: [job.planTask, ...job.maps, ...job.reduces].map(recordOf),
          },
    ),
  };
}

/** Throws with the first place at which they differ. */
export function assertEqual(actual: unknown, expected: unknown): void {
  if (isDeepStrictEqual(actual, expected)) return;
  const show = (value: unknown) => JSON.stringify(value, (_, v) => (typeof v === "bigint" ? `${v}n` : v));
  let [place, one, other] = ["", actual, expected];
  for (;;) {
    const [a, b] = [one, other];
    const isInside = typeof a === "object" && typeof b === "object" && a !== null && b !== null;
    const keys = isInside ? [...new Set([...Object.keys(a), ...Object.keys(b)])] : [];
    const key = keys.find((name) => !isDeepStrictEqual(Reflect.get(a as object, name), Reflect.get(b as object, name)));
    if (key === undefined) break;
    [place, one, other] = [`${place}/${key}`, Reflect.get(a as object, key), Reflect.get(b as object, key)];
  }
  throw new Error(`not equal${place === "" ? "" : ` at ${place}`}: ${show(one)} and ${show(other)}`);
}
