// Whoever submits a job: calls whatever master answers, again under the same key until it is told that the job is
// there, and then looks, and sometimes cancels. It believes no master of an epoch lower than the highest it has seen,
// as workers do.
import type { ClusterView } from "../../src/protocol/view.ts";
import { Process } from "../../src/sim/process.ts";
import type { Client } from "../../src/sim/scene.ts";
import type { SimJob } from "./workload.ts";
import type { OracleWorld } from "./world.ts";

export class SimClient implements Client {
  readonly world: OracleWorld;
  readonly job: SimJob;
  readonly process: Process;
  isSubmitted = false;
  #epochSeen = 0;
  #target: number;

  constructor(world: OracleWorld, job: SimJob, index: number) {
    this.world = world;
    this.job = job;
    this.process = new Process(world.timeline, `c${index}`, world.chance.random, 0);
    this.#target = world.chance.below(world.options.masters);
  }

  get name(): string {
    return this.job.id;
  }

  /** Until the job is seen to have ended. */
  async run(): Promise<void> {
    const { world, job, process } = this;
    const { options, checks, chance } = world;
    while (!this.isSubmitted) {
      const answer = await this.#call("submit", { spec: job.spec, key: job.key });
      if (answer !== undefined) {
        const { id, epoch } = answer as { id: string; epoch: number };
        this.isSubmitted = true;
        this.#epochSeen = Math.max(this.#epochSeen, epoch);
        checks.submitted(job, id);
      } else {
        world.sightings.saw("submission repeated");
        await process.clock.sleep(chance.between(50, options.leaseMs / 3));
      }
    }
    for (;;) {
      await process.clock.sleep(options.leaseMs * chance.between(0.3, 1));
      const view = (await this.#call("view", undefined)) as ClusterView | undefined;
      if (view === undefined || view.epoch < this.#epochSeen) continue;
      this.#epochSeen = view.epoch;
      checks.viewed(job, view);
    }
  }

  async cancel(): Promise<void> {
    const answer = await this.#call("cancel", this.job.id);
    if (answer !== undefined) this.world.checks.cancelAnswered(this.job, answer as "cancelled" | "too-late");
  }

  async resume(): Promise<void> {
    this.world.checks.resuming(this.job);
    await this.#call("resume", this.job.id);
  }

  async #call(kind: string, body: unknown): Promise<unknown> {
    const { network, options } = this.world;
    try {
      const timeoutMs = options.leaseMs / 2;
      return await network.call(this.process, `m${this.#target % options.masters}`, kind, body, { timeoutMs });
    } catch {
      this.#target++;
      return undefined;
    }
  }
}
