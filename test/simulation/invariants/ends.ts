// I9 commit once: a job's end is written once, and it has one decision at a time, which is undone only behind an end:
// when it has failed and was resumed, as what it had staged is gone. I2 in part: a job that has failed or was
// cancelled publishes nothing. A failed job that was kept may be resumed by whoever asks for it.
import type { JobId } from "../../../src/base/ids.ts";
import { parseKey } from "../../../src/protocol/records.ts";
import type { Change } from "../../../src/state/store.ts";
import type { CommitDecision } from "../../../src/storage/storage.ts";
import { decodeDecision } from "../../../src/wire/stored/commit.ts";
import { endedRecord } from "../../../src/wire/stored/records.ts";
import type { Invariant } from "../checks.ts";
import type { SimJob } from "../workload.ts";
import type { OracleWorld } from "../world.ts";

export class Ends implements Invariant {
  /** As stored. */
  readonly decisions = new Map<JobId, CommitDecision>();
  readonly outcomes = new Map<JobId, "succeeded" | "failed" | "cancelled">();
  /** How often a job's decision was undone behind its end. */
  readonly withdrawals = new Map<JobId, number>();
  /** When a job last ended. */
  endedAt = 0;
  readonly #world: OracleWorld;
  /** Failed, and to be resumed: all they have is kept. */
  readonly #kept = new Set<JobId>();
  readonly #resumable = new Set<JobId>();
  readonly #specs = new Set<JobId>();

  constructor(world: OracleWorld) {
    this.#world = world;
  }

  stored(change: Change): void {
    const key = "put" in change ? change.put.key : change.delete;
    const parsed = parseKey(key);
    // Others' records are of masters and workers, not of jobs.
    if (parsed === undefined || parsed.kind === "drain") return;
    const { job } = parsed;
    if (parsed.kind === "spec") {
      if (!("put" in change)) this.#world.violate("I4", `the job ${job} is removed`);
      this.#specs.add(job);
    }
    if (parsed.kind === "decision") {
      if ("put" in change) this.#decided(job, decodeDecision(change.put.value));
      else this.#undecided(job);
    }
    if (parsed.kind !== "ended") return;
    const before = this.outcomes.get(job);
    if ("put" in change) {
      const { outcome, reason, kept } = endedRecord.decode(change.put.value);
      const isGivenUp = before === "failed" && outcome === "failed" && this.#kept.has(job) && !kept;
      if (kept) this.#kept.add(job);
      else this.#kept.delete(job);
      this.endedAt = this.#world.now;
      if (isGivenUp) return;
      this.#world.note(`${job.slice(0, 4)} ${outcome} ${reason?.message ?? ""}`);
      if (before !== undefined) this.#world.violate("I9", `${job} ended ${before}, then ${outcome}`);
      if (outcome === "succeeded" && !this.decisions.has(job)) this.#world.violate("I9", `${job} ended undecided`);
      if (outcome === "cancelled" && this.decisions.has(job))
        this.#world.violate("I9", `${job} cancelled when decided`);
      this.outcomes.set(job, outcome);
    } else {
      if (before !== "failed" || !this.#resumable.has(job)) this.#world.violate("I9", `the end of ${job} is undone`);
      this.outcomes.delete(job);
    }
  }

  resuming({ id }: SimJob): void {
    if (this.#world.options.keepFailed) this.#resumable.add(id);
  }

  visible(_destination: string, job: JobId, name: string): void {
    const outcome = this.outcomes.get(job);
    if (outcome === "failed" || outcome === "cancelled")
      this.#world.violate("I2", `${name} of ${job}, which ${outcome}, became visible`);
    if (!this.decisions.has(job)) this.#world.violate("I2", `${name} of ${job} became visible before it was decided`);
  }

  isKept(job: JobId): boolean {
    return this.#kept.has(job);
  }

  areAllOver(): boolean {
    return this.#world.clients.every(({ job, isSubmitted }) => isSubmitted && this.outcomes.has(job.id));
  }

  unfinished(): string {
    return this.#world.clients
      .filter(({ job }) => !this.outcomes.has(job.id))
      .map(({ job, isSubmitted }) => {
        const stage = this.decisions.has(job.id) ? "decided" : this.#specs.has(job.id) ? "stored" : "not stored";
        return `${job.spec.name} (${stage}${isSubmitted ? "" : ", its client does not know"}) ${this.#tasksOf(job.id)}`;
      })
      .join(", ");
  }

  /** As the leader sees it. */
  #tasksOf(id: JobId): string {
    const { masters, server } = this.#world;
    const cluster = masters.find(({ host }) => host === server.leader)?.life?.cluster;
    const job = cluster?.jobs.get(id);
    if (cluster === undefined || job === undefined) return "";
    const tasks = [job.planTask, ...job.maps, ...job.reduces].map((task) => {
      const { phase, index, winner, attempts, isQueued } = task;
      const runs = attempts.map(
        ({ id: { epoch, attempt }, worker, state }) => `${epoch}.${attempt} ${state} on ${worker.id}`,
      );
      return `${phase}-${index} ${winner === undefined ? "" : `won ${winner.runLost ?? ""}`}${isQueued ? " queued" : ""} ${runs.join()}`;
    });
    const workers = [...cluster.workers.values()].map(
      ({ id: name, slots, slotsFree, isSilent, isDraining, isToDrain, attempts, strays, failuresInRow }) =>
        `${name} ${slots}/${slotsFree} ${isSilent ? "silent" : ""} ${isDraining || isToDrain ? "leaves" : ""} ${attempts.size}+${strays.length} failed ${failuresInRow}`,
    );
    return `${job.stage}: ${tasks.join("; ")} | ${workers.join("; ")}`;
  }

  /** A decision whose job is over is swept away with the job's other records. */
  #undecided(job: JobId): void {
    const outcome = this.outcomes.get(job);
    if (outcome === undefined) this.#world.violate("I9", `the decision of ${job}, which goes on, is undone`);
    if (outcome !== "failed" || !this.#kept.has(job)) return;
    this.#world.sightings.saw("decision withdrawn");
    this.withdrawals.set(job, (this.withdrawals.get(job) ?? 0) + 1);
    this.decisions.delete(job);
  }

  #decided(job: JobId, decision: CommitDecision): void {
    if (this.decisions.has(job)) this.#world.violate("I9", `${job} is decided twice`);
    if (this.outcomes.has(job)) this.#world.violate("I9", `${job} is decided when it has ended`);
    this.decisions.set(job, decision);
  }
}
