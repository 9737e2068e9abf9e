// I6 attempt unique: no attempt is executed twice, by whomever, whenever. I11 capacity: no worker runs more than it
// has slots, no task has more than two attempts alive for the master that leads. I10 failure accounting: no attempt
// counts as vanished while it runs. I12 dependency: no reduce runs before it has a place for the output of every map,
// one each.
import type { AttemptId } from "../../../src/base/ids.ts";
import { isActive } from "../../../src/schedule/state/job.ts";
import type { Cluster, Worker } from "../../../src/schedule/state/state.ts";
import { isDone } from "../../../src/schedule/state/task.ts";

import type { SchedulerEvent, Step } from "../../../src/schedule/step.ts";
import type { MasterLife, WorkerLife } from "../../../src/sim/scene.ts";
import type { RunAttempt } from "../../../src/slot/messages.ts";
import type { Invariant } from "../checks.ts";
import { fullName } from "../workload.ts";
import type { OracleWorld } from "../world.ts";

export class Attempts implements Invariant {
  /** The worker that executed it. */
  readonly #executed = new Map<string, string>();
  /** What the slots of each worker's life run now. */
  readonly #running = new Map<WorkerLife, Set<string>>();
  readonly #world: OracleWorld;

  constructor(world: OracleWorld) {
    this.#world = world;
  }

  started(worker: WorkerLife, { assignment, inputs, remote }: RunAttempt): void {
    const { attempt, work } = assignment;
    const name = fullName(attempt);
    const by = `${worker.id} in its life ${worker.incarnation}`;
    this.#world.note(`${worker.id} runs ${name.slice(0, 4)}${name.slice(32)}`);
    const before = this.#executed.get(name);
    if (before !== undefined) this.#world.violate("I6", `${name} is executed by ${before}, and by ${by}`);
    // The pair (epoch, attempt) is never used for anything else either.
    const number = `#${attempt.epoch}.${attempt.attempt}`;
    const other = this.#executed.get(number);
    if (other !== undefined && other !== name) this.#world.violate("I6", `${name} has the number of ${other}`);
    this.#executed.set(name, by);
    this.#executed.set(number, name);
    let running = this.#running.get(worker);
    if (running === undefined) this.#running.set(worker, (running = new Set()));
    running.add(name);
    if (running.size > worker.host.slots)
      this.#world.violate("I11", `${worker.id} runs ${running.size} attempts in ${worker.host.slots} slots`);
    if (work.phase !== "reduce") return;
    const maps = [...inputs, ...remote.flatMap(({ runs }) => runs)].map(({ writtenBy }) => writtenBy.index);
    const must = this.#world.jobOf(attempt.job).maps;
    if (new Set(maps).size !== must || maps.length !== must)
      this.#world.violate("I12", `${name} starts with the outputs of maps ${maps.join()} of ${must}`);
  }

  ended(worker: WorkerLife, attempt: AttemptId): void {
    const name = fullName(attempt);
    this.#running.get(worker)?.delete(name);
    this.#world.note(`${worker.id} ends ${name.slice(0, 4)}${name.slice(32)}`);
  }

  died(worker: WorkerLife): void {
    this.#running.delete(worker);
  }

  stepped(_master: MasterLife, cluster: Cluster, _event: SchedulerEvent, { facts }: Step): void {
    for (const fact of facts) {
      if (fact.kind !== "attempt-failed" || fact.failure !== "vanished") continue;
      const name = fullName(fact.attempt);
      for (const [{ id, incarnation }, running] of this.#running)
        if (id === fact.worker && running.has(name))
          this.#world.violate("I10", `${name} counts as vanished, and runs on ${id} in its life ${incarnation}`);
    }
    for (const worker of cluster.workers.values()) {
      let live = 0;
      for (const { state } of worker.attempts.values()) if (state !== "stopping") live++;
      if (live > Math.max(worker.slots + this.#world.options.slotsAhead, 1))
        this.#world.violate("I11", `${worker.id} is to run ${live} attempts in ${worker.slots} slots`);
      this.#checkRuns(worker);
      if (live > 0 && worker.isSilent) this.#world.violate("I11", `${worker.id} is silent and has attempts`);
    }
    for (const job of cluster.jobs.values()) {
      if (job.attempts.size === 0) continue;
      for (const { task, worker } of job.attempts) {
        if (task.attempts.length > 2) this.#world.violate("I11", `${task.phase} ${task.index} has too many attempts`);
        if (task.attempts.length === 2 && task.attempts.every((attempt) => attempt.worker === worker))
          this.#world.violate("I11", `${task.phase} ${task.index} has its backup where it is slow`);
        if (isDone(task)) this.#world.violate("I11", `${task.phase} ${task.index} is won and still runs`);
      }
    }
  }

  /** What lies on a worker that is silent, or was started again since, counts as lost until it is offered. */
  #checkRuns(worker: Worker): void {
    for (const { winner, job, index } of worker.runs) {
      if (winner?.run === undefined || winner.runLost !== undefined || !isActive(job)) continue;
      if (worker.isSilent) this.#world.violate("I12", `the output of map ${index} counts, and ${worker.id} is silent`);
      if (winner.worker !== worker.id || winner.incarnation !== worker.incarnation)
        this.#world.violate("I12", `the output of map ${index} is of another life than ${worker.id}'s`);
    }
  }
}
