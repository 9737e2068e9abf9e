// I18 nothing is decided over what a job's code still does: a decision that becomes durable finds each worker that is
// heard, and ran winners of the job in its life, to have answered since, and none of those winners called late before
// its worker answered. And of workers that leave: none does so while a job that is not over still needs a run that
// lies on it.
import type { AttemptId, JobId } from "../../../src/base/ids.ts";
import type { Assignment, WorkerReport } from "../../../src/protocol/messages.ts";
import { parseKey } from "../../../src/protocol/records.ts";
import type { Cluster, Job } from "../../../src/schedule/state/state.ts";

import type { SchedulerEvent, Step } from "../../../src/schedule/step.ts";
import type { MasterLife, WorkerLife } from "../../../src/sim/scene.ts";
import type { Change } from "../../../src/state/store.ts";
import type { Invariant } from "../checks.ts";
import { fullName } from "../workload.ts";
import type { OracleWorld } from "../world.ts";

interface Answer {
  readonly sequence: number;
  /** When it was given; a master may hear it later. */
  readonly at: number;
}

/** What one life of a worker had of one job. */
interface Ran {
  /** Its newest report when it last took an attempt: what was answered up to there says nothing. */
  since: number;
  readonly given: Answer[];
  heard: Answer | undefined;
}

export class Late implements Invariant {
  readonly #world: OracleWorld;
  readonly #sequences = new Map<WorkerLife, number>();
  readonly #ran = new Map<WorkerLife, Map<JobId, Ran>>();
  readonly #ended = new Set<string>();
  /** When an agent was told of it. */
  readonly #calls = new Map<string, number>();
  readonly #closing = new Set<JobId>();
  /** Calls that a job has failed by: a plan stays when the job is resumed, as no record is in it. */
  readonly #told = new Set<string>();
  /** What is wrong with a decision of that epoch, should it become durable. */
  readonly #wrong = new Map<string, string>();

  constructor(world: OracleWorld) {
    this.#world = world;
  }

  taken(worker: WorkerLife, { attempt }: Assignment): void {
    let jobs = this.#ran.get(worker);
    if (jobs === undefined) this.#ran.set(worker, (jobs = new Map()));
    const since = this.#sequences.get(worker) ?? 0;
    const ran = jobs.get(attempt.job);
    if (ran === undefined) jobs.set(attempt.job, { since, given: [], heard: undefined });
    else ran.since = since;
  }

  ended(_worker: WorkerLife, attempt: AttemptId): void {
    this.#ended.add(fullName(attempt));
  }

  called(_worker: WorkerLife, attempt: AttemptId): void {
    const { sightings, now, checks } = this.#world;
    const name = fullName(attempt);
    if (!this.#calls.has(name)) this.#calls.set(name, now);
    if (!this.#ended.has(name)) sightings.saw("late call while its attempt ran");
    else if (checks.ends.decisions.has(attempt.job)) sightings.saw("late call after the decision");
    else if (this.#closing.has(attempt.job)) sightings.saw("late call while its worker was asked");
    else if (!checks.ends.outcomes.has(attempt.job)) sightings.saw("late call before its job closed");
  }

  reported(worker: WorkerLife, { sequence, settled }: WorkerReport): void {
    this.#sequences.set(worker, sequence);
    for (const job of settled) this.#ran.get(worker)?.get(job)?.given.push({ sequence, at: this.#world.now });
  }

  served(_master: MasterLife, { worker, incarnation, sequence, settled }: WorkerReport): void {
    const life = this.#world.workers.find(({ id }) => id === worker)?.life;
    if (life === undefined || life.incarnation !== incarnation) return;
    for (const job of settled) {
      const ran = this.#ran.get(life)?.get(job);
      const answer = ran?.given.find((given) => given.sequence === sequence);
      if (ran !== undefined && answer !== undefined && sequence > (ran.heard?.sequence ?? 0)) ran.heard = answer;
    }
  }

  recovered(): void {
    const { checks, sightings } = this.#world;
    for (const job of this.#closing)
      if (!checks.ends.decisions.has(job) && !checks.ends.outcomes.has(job))
        sightings.saw("master changed while workers were asked");
    this.#closing.clear();
  }

  stepped(_master: MasterLife, cluster: Cluster, _event: SchedulerEvent, { facts }: Step): void {
    const { sightings } = this.#world;
    for (const fact of facts) {
      switch (fact.kind) {
        case "job-closing":
          this.#closing.add(fact.job);
          break;
        case "job-ended":
          this.#closing.delete(fact.job);
          break;
        case "job-decided":
          sightings.saw(
            this.#closing.delete(fact.job) ? "answered before the decision" : "answered with the last result",
          );
          this.#judge(cluster, cluster.jobs.get(fact.job)!);
          break;
        case "worker-silent":
          for (const job of cluster.closing)
            if (job.closing?.unanswered.has(fact.worker)) sightings.saw("worker lost while it was asked");
          break;
        case "late-call":
          if (!fact.isTooLate && fact.attempt.phase === "plan") this.#told.add(fullName(fact.attempt));
          sightings.saw(fact.isTooLate ? "late call told after the decision" : "job failed by a late call");
          break;
        default:
      }
    }
  }

  stored(change: Change, _before: Uint8Array | undefined, epoch: number): void {
    const parsed = "put" in change ? parseKey(change.put.key) : undefined;
    if (parsed?.kind !== "decision") return;
    const wrong = this.#wrong.get(`${epoch} ${parsed.job}`);
    if (wrong !== undefined) this.#world.violate("I18", wrong);
  }

  /** The worker goes by itself. */
  left(worker: WorkerLife): void {
    const world = this.#world;
    const { id: host, incarnation, disk } = worker;
    for (const [id, tasks] of world.checks.winners.tasks) {
      const { ends } = world.checks;
      if (ends.outcomes.has(id) || ends.decisions.has(id)) continue;
      const job = world.jobOf(id);
      const reducesWon = [...tasks].filter(([name, { winner }]) => name.startsWith("reduce") && winner !== undefined);
      if (reducesWon.length === job.partitions) continue;
      for (const [name, { winner }] of tasks) {
        const isHere = winner?.worker === host && winner.incarnation === incarnation && winner.runLost === undefined;
        if (isHere && winner.run !== undefined && disk.find(winner.run.writtenBy) !== undefined)
          world.violate("I18", `${host} has left, and ${id} needs the run of ${name} that lies there`);
      }
    }
  }

  #judge(cluster: Cluster, job: Job): void {
    const winners = [...job.maps, ...job.reduces].flatMap(({ winner }) => winner ?? []);
    const { plannedBy } = job;
    for (const { id, life } of this.#world.workers) {
      const worker = cluster.workers.get(id);
      if (life === undefined || worker === undefined || worker.isSilent || worker.incarnation !== life.incarnation)
        continue;
      const theirs = [...winners, ...(plannedBy === undefined ? [] : [plannedBy])].filter(
        (winner) => winner.worker === id && winner.incarnation === life.incarnation,
      );
      // Runs that an earlier life wrote are offered by this one, which ran nothing.
      const ran = this.#ran.get(life)?.get(job.id);
      if (theirs.length === 0 || ran === undefined) continue;
      const { heard, since } = ran;
      if (heard === undefined || heard.sequence <= since) {
        this.#wrong.set(`${cluster.epoch} ${job.id}`, `${job.id} is decided, and ${id} has not answered`);
        return;
      }
      for (const { attempt } of theirs) {
        const calledAt = this.#calls.get(fullName(attempt));
        if (calledAt !== undefined && calledAt < heard.at && !this.#told.has(fullName(attempt)))
          this.#wrong.set(`${cluster.epoch} ${job.id}`, `${job.id} is decided, and ${fullName(attempt)} called late`);
      }
    }
  }
}
