// I16 in part: a task that is miscounted or forgotten would never be run. I10 in part: each attempt that a master
// told to have begun has one end. What is checked of the scheduler's state stands in test/schedule/bookkeeping.ts.
import type { Cluster } from "../../../src/schedule/state/state.ts";
import type { SchedulerEvent, Step } from "../../../src/schedule/step.ts";
import { schedulerOptions } from "../../../src/sim/master.ts";
import type { MasterLife } from "../../../src/sim/scene.ts";
import { checkJob, Told } from "../../schedule/bookkeeping.ts";
import type { Invariant } from "../checks.ts";
import type { OracleWorld } from "../world.ts";

export class Bookkeeping implements Invariant {
  readonly #world: OracleWorld;
  /** By the master that told it. */
  readonly #told = new WeakMap<MasterLife, Told>();
  /** What was wrong first, and is said at the end: what comes of it, other invariants say more plainly. */
  #wrong: { readonly at: number; readonly invariant: "I10" | "I16"; readonly message: string } | undefined;

  constructor(world: OracleWorld) {
    this.#world = world;
  }

  recovered(master: MasterLife): void {
    this.#told.set(master, new Told());
  }

  stepped(master: MasterLife, cluster: Cluster, _event: SchedulerEvent, { facts, changes }: Step): void {
    if (this.#wrong !== undefined) return;
    this.#check("I10", () => {
      const told = this.#told.get(master)!;
      for (const fact of facts) told.hear(fact);
      if (changes.length > 0) told.check(cluster);
    });
    const options = schedulerOptions(this.#world);
    this.#check("I16", () => {
      for (const job of cluster.jobs.values()) if (job.stage !== "over") checkJob(job, options);
    });
  }

  atEnd(): void {
    const wrong = this.#wrong;
    if (wrong === undefined) return;
    const message = `${wrong.message} (at ${wrong.at.toFixed(1)} ms)`;
    if (wrong.invariant === "I10") this.#world.violate("I10", message);
    else this.#world.violate("I16", message);
  }

  #check(invariant: "I10" | "I16", check: () => void): void {
    try {
      check();
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.#wrong ??= { at: this.#world.now, invariant, message };
    }
  }
}
