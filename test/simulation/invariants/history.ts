// I17 history: what clients see is what one machine could have said. A job that was acknowledged is seen from then
// on; what has ended never does anything else (but go on, when a failed one was resumed); nothing is seen that is not
// stored.
import type { ClusterView, JobState } from "../../../src/protocol/view.ts";
import type { Invariant } from "../checks.ts";
import type { SimJob } from "../workload.ts";
import type { OracleWorld } from "../world.ts";

const isEnd = (state: JobState) => state === "succeeded" || state === "failed" || state === "cancelled";

export class History implements Invariant {
  readonly #world: OracleWorld;
  readonly #states = new Map<string, JobState>();
  readonly #resumed = new Set<string>();

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
    if (before === "publishing" && !isEnd(state) && state !== "publishing")
      this.#world.violate("I17", `${job.spec.name} went from publishing back to ${state}`);
    const outcome = this.#world.checks.ends.outcomes.get(job.id);
    if (isEnd(state) && !isResumed && outcome !== state && !this.#resumed.has(job.id))
      this.#world.violate("I17", `${job.spec.name} is seen as ${state} and stored as ${outcome ?? "not over"}`);
  }
}
