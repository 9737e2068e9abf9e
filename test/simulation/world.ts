// A cluster of one seed whose slots answer from an oracle, with clients that submit jobs to it. First there is chaos,
// and the checks watch for what must never be; then a part of it is healed and has to finish every job.
import { jobIdOf } from "../../src/master/master.ts";
import { Chance } from "../../src/sim/chance.ts";
import { Process } from "../../src/sim/process.ts";
import type { Slots } from "../../src/sim/scene.ts";
import { type SimListener, World } from "../../src/sim/world.ts";
import { type Checks, createChecks } from "./checks.ts";
import { SimClient } from "./client.ts";
import { Files } from "./files.ts";
import { optionsOf, type Profile, type SimOptions } from "./options.ts";
import { Sightings } from "./sightings.ts";
import { oracleSlots } from "./slot.ts";
import { makeJobs, type SimJob } from "./workload.ts";

/** What was not as it must be. */
export interface Violation {
  /** "I5" */
  readonly invariant: string;
  readonly message: string;
  readonly at: number;
}

/** From the end of chaos a job has this many leases to end (I16). */
export const healedLeasesMax = 20;
/** And then all that is left of it this many to go, under one leader. */
const quietLeases = 6;
const quietLeasesMax = 40;

export class OracleWorld extends World {
  override readonly options: SimOptions;
  readonly sightings = new Sightings();
  readonly slots: Slots;
  readonly files: Files;
  readonly jobs: readonly SimJob[];
  readonly clients: readonly SimClient[];
  readonly checks: Checks;
  violation: Violation | undefined;

  constructor(seed: number, profile?: Profile, onEvent?: SimListener) {
    const options = optionsOf(seed, profile);
    super(options, onEvent);
    this.options = options;
    this.isFaulty = true;
    this.checks = createChecks(this);
    this.files = new Files(new Process(this.timeline, "storage", this.chance.random, 0), this);
    this.slots = oracleSlots(this);
    this.jobs = makeJobs(options, new Chance(seed, 7), jobIdOf);
    this.populate(() => 1 + this.chance.below(options.maxSlots));
    this.clients = this.jobs.map((job, index) => new SimClient(this, job, index));
  }

  get observer(): Checks {
    return this.checks;
  }

  get outputs(): Files {
    return this.files;
  }

  get hosts(): readonly string[] {
    return [
      "store",
      "storage",
      ...this.masters.map(({ host }) => host),
      ...this.workers.map(({ id }) => id),
      ...this.clients.map(({ process }) => process.host),
    ];
  }

  jobOf(id: string): SimJob {
    const job = this.jobs.find((candidate) => candidate.id === id);
    if (job === undefined) throw new Error(`nobody submitted ${id}`);
    return job;
  }

  /** The first one counts; the world stops. */
  violate(invariant: string, message: string): void {
    if (this.violation !== undefined) return;
    this.violation = { invariant, message, at: this.now };
    this.note(`VIOLATION ${invariant} ${message}`);
  }

  async run(): Promise<void> {
    const { timeline, options, checks, chance } = this;
    const { leaseMs, chaosMs } = options;
    timeline.afterEach = () => checks.happened();
    // Some workers come later.
    this.start(() => (chance.happens(0.8) ? chance.between(0, 100) : chance.between(0, chaosMs)));
    for (const client of this.clients)
      timeline.after(chance.happens(0.5) ? 0 : chance.between(0, chaosMs * 0.7), () => void client.run());
    const isOver = () => this.violation !== undefined;
    await this.endure(isOver);
    if (isOver()) return;
    const end = this.now + healedLeasesMax * leaseMs;
    await timeline.runUntil(end, () => isOver() || checks.ends.areAllOver());
    if (isOver()) return;
    if (!checks.ends.areAllOver()) {
      this.violate("I16", `not over ${healedLeasesMax} leases after the faults: ${checks.ends.unfinished()}`);
      return;
    }
    // Late messages of the chaos come in, and what is left is cleared away.
    // One that leads and hears nothing goes on until its next commit is not answered.
    const calmSince = () =>
      !this.core.has(this.server.leader ?? "")
        ? this.now
        : Math.max(this.ledAt, end - healedLeasesMax * leaseMs, checks.ends.endedAt);
    for (let lease = 0; lease < quietLeasesMax && this.now < calmSince() + quietLeases * leaseMs; lease++) {
      await timeline.runUntil(this.now + leaseMs, isOver);
      if (isOver()) return;
    }
    checks.atEnd();
  }
}
