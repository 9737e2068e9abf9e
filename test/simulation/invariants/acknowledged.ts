// I4 durable acknowledgement: what a client or a worker was told is in what any later master recovers; the same key
// gives at most one job. So: the live state after a commit is the state that its records give, and an answer leaves
// after its commit.
import type { JobId } from "../../../src/base/ids.ts";
import { sameAttempt } from "../../../src/base/ids.ts";
import type { WorkerReport } from "../../../src/protocol/messages.ts";
import { keys, parseKey } from "../../../src/protocol/records.ts";
import { recoverCluster } from "../../../src/schedule/recover.ts";
import type { Cluster } from "../../../src/schedule/state/state.ts";

import { Chance } from "../../../src/sim/chance.ts";
import { schedulerOptions } from "../../../src/sim/master.ts";
import type { MasterLife } from "../../../src/sim/scene.ts";
import type { Change } from "../../../src/state/store.ts";
import { jobRecord, taskRecord } from "../../../src/wire/stored/records.ts";
import { assertEqual, durable } from "../../schedule/bookkeeping.ts";
import type { Invariant } from "../checks.ts";
import type { SimJob } from "../workload.ts";
import type { OracleWorld } from "../world.ts";

/** The share of commits that are followed by a recovery to compare with. */
const comparedRate = 0.03;

export class Acknowledged implements Invariant {
  readonly #world: OracleWorld;
  readonly #chance: Chance;
  readonly #submitted = new Set<JobId>();
  readonly #byKey = new Map<string, JobId>();

  constructor(world: OracleWorld) {
    this.#world = world;
    this.#chance = new Chance(world.options.seed, 9);
  }

  stored(change: Change): void {
    if (!("put" in change)) return;
    const parsed = parseKey(change.put.key);
    if (parsed?.kind !== "spec") return;
    const { idempotencyKey } = jobRecord.decode(change.put.value);
    const before = this.#byKey.get(idempotencyKey);
    if (before !== undefined) this.#world.violate("I4", `${parsed.job} is submitted again`);
    this.#byKey.set(idempotencyKey, parsed.job);
  }

  submitted({ key }: SimJob, id: JobId): void {
    this.#submitted.add(id);
    if (this.#byKey.get(key) !== id) this.#world.violate("I4", `the client knows ${id}, the store does not`);
  }

  cancelAnswered({ id }: SimJob, answer: "cancelled" | "too-late"): void {
    const { outcomes, decisions } = this.#world.checks.ends;
    const outcome = outcomes.get(id);
    this.#world.sightings.saw(answer === "cancelled" ? "cancelled before the decision" : "cancel came too late");
    if (answer === "cancelled" && outcome !== "cancelled")
      this.#world.violate("I4", `${id} was said to be cancelled, and ${outcome ?? "is not"}`);
    // One that had failed when it was asked may have been resumed meanwhile.
    if (answer === "too-late" && outcome === undefined && !decisions.has(id) && !this.#world.options.keepFailed)
      this.#world.violate("I4", `it was said to be too late to cancel ${id}, and it is not`);
  }

  recovered(_master: MasterLife, cluster: Cluster): void {
    if (cluster.epoch !== this.#world.server.epoch) return; // it led when it read, and leads no more
    for (const id of this.#submitted)
      if (!cluster.jobs.has(id)) this.#world.violate("I4", `${id} was submitted, and a new master does not know it`);
  }

  /** A finished attempt that the reply acknowledges: if it has won, the record says so. */
  answered(master: MasterLife, { finished }: WorkerReport): void {
    const { cluster } = master;
    if (cluster === undefined || cluster.epoch !== this.#world.server.epoch) return;
    for (const { attempt, ok } of finished) {
      const job = cluster.jobs.get(attempt.job);
      if (!ok || job === undefined || attempt.phase === "plan") continue;
      const task = (attempt.phase === "map" ? job.maps : job.reduces)[attempt.index];
      if (task?.winner === undefined || !sameAttempt(task.winner.attempt, attempt)) continue;
      const stored = this.#world.server.records.get(keys.task(job.id, attempt.phase, attempt.index));
      const winner = stored === undefined ? undefined : taskRecord.decode(stored).winner;
      if (winner === undefined || !sameAttempt(winner.attempt, attempt))
        this.#world.violate("I4", `${attempt.phase} ${attempt.index} is acknowledged and not stored`);
    }
  }

  committed(master: MasterLife): void {
    const { cluster } = master;
    const { server } = this.#world;
    if (cluster === undefined || cluster.epoch !== server.epoch || !this.#chance.happens(comparedRate)) return;
    const records = [...server.records].map(([key, value]) => ({ key, value }));
    const again = recoverCluster(records, cluster.epoch, schedulerOptions(this.#world), cluster.now);
    try {
      assertEqual(durable(cluster), durable(again));
    } catch (error) {
      this.#world.violate("I4", `what is stored is not what the master knows: ${(error as Error).message}`);
    }
  }
}
