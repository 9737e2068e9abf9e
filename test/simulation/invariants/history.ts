// I17 history: what clients see is what one machine could have said. A job that was acknowledged is seen from then
// on; what has ended never does anything else (but go on, when a failed one was resumed); nothing is seen that is not
// stored. A job goes from publishing back to its tasks only as often as a decision of it was withdrawn: when publishing
// has failed because files of it are gone, a job that is resumed makes them again. A client that did not look while the
// job was failed sees only "publishing" and then "reducing".
import type { ClusterView, JobState } from "../../../src/protocol/view.ts";
import type { Invariant } from "../checks.ts";
import type { SimJob } from "../workload.ts";
import type { OracleWorld } from "../world.ts";

const isEnd = (state: JobState) => state === "succeeded" || state === "failed" || state === "cancelled";

export class History implements Invariant {
  readonly #world: OracleWorld;
  readonly #states = new Map<string, JobState>();
  readonly #resumed = new Set<string>();
  /** How often a job was seen to go from publishing back to its tasks. */
  readonly #stepsBack = new Map<string, number>();

  constructor(world: OracleWorld) {
    this.#world = world;
  }

  resuming({ id }: SimJob): void {
    this.#resumed.add(id);
  }

  viewed(job: SimJob, view: ClusterView): void {
    const state = view.jobs.find((candidate) => candidate.job === job.id)?.state;
    if (state === undefined) {
      this.#world.violate("I17", `${job.spec.name} was acknowledged and is not seen`);
      return;
    }
    const before = this.#states.get(job.id);
    this.#states.set(job.id, state);
    const isResumed = this.#resumed.has(job.id) && before === "failed";
    if (before !== undefined && isEnd(before) && before !== state && !isResumed)
      this.#world.violate("I17", `${job.spec.name} was seen as ${before}, then as ${state}`);
    if (before === "publishing" && !isEnd(state) && state !== "publishing") this.#steppedBack(job, state);
    const outcome = this.#world.checks.ends.outcomes.get(job.id);
    if (isEnd(state) && !isResumed && outcome !== state && !this.#resumed.has(job.id))
      this.#world.violate("I17", `${job.spec.name} is seen as ${state} and stored as ${outcome ?? "not over"}`);
  }

  /** What a client is told may be older than what is stored, so withdrawals are only counted. */
  #steppedBack({ id, spec }: SimJob, state: JobState): void {
    const count = (this.#stepsBack.get(id) ?? 0) + 1;
    this.#stepsBack.set(id, count);
    if (count > (this.#world.checks.ends.withdrawals.get(id) ?? 0))
      this.#world.violate("I17", `${spec.name} went from publishing back to ${state}`);
  }
}
