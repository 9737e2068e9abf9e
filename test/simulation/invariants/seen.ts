// No invariant: what has been seen of a world, for the sometimes-assertions.
import type { JobId } from "../../../src/base/ids.ts";
import type { WorkerOrders } from "../../../src/protocol/messages.ts";
import { parseKey } from "../../../src/protocol/records.ts";
import type { Cluster } from "../../../src/schedule/state/state.ts";
import { attemptKey } from "../../../src/schedule/state/task.ts";
import type { SchedulerEvent, Step } from "../../../src/schedule/step.ts";
import type { MasterLife, WorkerLife } from "../../../src/sim/scene.ts";
import type { Change } from "../../../src/state/store.ts";
import { endedRecord, taskRecord } from "../../../src/wire/stored/records.ts";
import type { Invariant } from "../checks.ts";
import type { OracleWorld } from "../world.ts";

export class Seen implements Invariant {
  readonly #world: OracleWorld;
  readonly #finished = new Set<string>();
  readonly #publishing = new Map<JobId, number>();
  readonly #backups = new Set<string>();

  constructor(world: OracleWorld) {
    this.#world = world;
  }

  offered(_worker: WorkerLife, runs: number): void {
    if (runs > 0) this.#world.sightings.saw("worker offered its runs");
  }

  fenced(): void {
    this.#world.sightings.saw("stale epoch rejected at the store");
  }

  commitCut(): void {
    this.#world.sightings.saw("commit cut");
  }

  heardOrders(worker: WorkerLife, orders: WorkerOrders): void {
    if (orders.epoch < worker.epochSeen) this.#world.sightings.saw("stale epoch rejected at a worker");
  }

  recovered(_master: MasterLife, cluster: Cluster): void {
    for (const job of cluster.jobs.values())
      if (job.stage === "publishing") this.#world.sightings.saw("publish resumed by a successor");
  }

  stored(change: Change, before: Uint8Array | undefined): void {
    if (!("put" in change)) return;
    const { sightings } = this.#world;
    const parsed = parseKey(change.put.key);
    if (parsed?.kind === "decision") this.#publishing.set(parsed.job, this.#world.now);
    if (parsed?.kind === "ended") {
      const { outcome, deadLetters } = endedRecord.decode(change.put.value);
      if (outcome === "succeeded") sightings.saw("job succeeded");
      if (outcome === "failed") sightings.saw("job failed");
      if (outcome === "succeeded" && deadLetters > 0) sightings.saw("poison record put aside");
      const since = this.#publishing.get(parsed.job);
      if (since !== undefined && this.#world.now - since > this.#world.options.leaseMs)
        sightings.saw("lease expired during publish");
    }
    if (parsed?.kind !== "task" || before === undefined) return;
    const [was, is] = [taskRecord.decode(before), taskRecord.decode(change.put.value)];
    if (is.digestRollbacks > was.digestRollbacks) sightings.saw("digest rolled back");
    const why = was.winner?.runLost;
    if (why?.includes(" is ") && is.winner?.runLost === undefined) sightings.saw("fetch failed, map run again");
  }

  stepped(_master: MasterLife, cluster: Cluster, event: SchedulerEvent, { facts }: Step): void {
    const { sightings } = this.#world;
    for (const fact of facts) {
      if (fact.kind === "attempt-revoked" && fact.why === "another attempt has won") sightings.saw("speculative loser");
      if (fact.kind === "attempt-started") {
        const worker = cluster.workers.get(fact.worker)!;
        if (worker.attempts.size > worker.slots) sightings.saw("attempt given out ahead of a slot");
      }
      if (fact.kind === "worker-quarantined") sightings.saw("worker quarantined");
      if (fact.kind === "holder-unreachable") {
        const task = cluster.jobs.get(fact.attempt.job)?.reduces[fact.attempt.index];
        if (task !== undefined && task.moves > 0) sightings.saw("reduce moved away from a cut");
      }
      if (fact.kind === "output-lost" && event.kind === "files-looked-at")
        sightings.saw("staged file gone before the decision");
      if (fact.kind === "worker-excluded") sightings.saw("worker excluded");
    }
    for (const job of cluster.jobs.values()) {
      for (const { task, id } of job.attempts) {
        if (task.attempts.length === 2 && !this.#backups.has(attemptKey(id))) {
          this.#backups.add(attemptKey(id));
          sightings.saw("backup attempt");
        }
      }
    }
    if (event.kind !== "worker-heard") return;
    for (const { attempt, ok } of event.report.finished) {
      const key = attemptKey(attempt);
      if (this.#finished.has(key)) sightings.saw("completion repeated");
      this.#finished.add(key);
      if (attempt.epoch < cluster.epoch) sightings.saw("attempt adopted by a successor");
      const job = cluster.jobs.get(attempt.job);
      const task = attempt.phase === "map" ? job?.maps[attempt.index] : job?.reduces[attempt.index];
      if (ok && task?.winner !== undefined && attemptKey(task.winner.attempt) !== key)
        sightings.saw("stale attempt rejected");
    }
  }
}
