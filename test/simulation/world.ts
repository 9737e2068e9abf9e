// The world of one seed: a store, storage, masters, workers and clients, all simulated but for what is under test, which is the
// product's own scheduler, master loop, worker agent and messages. First there is chaos, and the checks watch for what must
// never be; then a part of it is healed and has to finish every job.
import { jobIdOf } from "../../src/master/master.ts";
import { Chance } from "../../src/sim/chance.ts";
import { Network } from "../../src/sim/network.ts";
import { Process } from "../../src/sim/process.ts";
import { StateServer } from "../../src/sim/state-server.ts";
import { Timeline } from "../../src/sim/timeline.ts";
import { Trace } from "../../src/sim/trace.ts";
import { type Checks, createChecks } from "./checks.ts";
import { SimClient } from "./client.ts";
import { Files } from "./files.ts";
import { MasterHost } from "./master.ts";
import { Nemesis } from "./nemesis.ts";
import { optionsOf, type Profile, type SimOptions } from "./options.ts";
import { Sightings } from "./sightings.ts";
import { WorkerHost } from "./worker.ts";
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

export class World {
  readonly options: SimOptions;
  readonly timeline = new Timeline();
  readonly trace: Trace;
  readonly sightings = new Sightings();
  /** For all that has no dice of its own. */
  readonly chance: Chance;
  readonly slotChance: Chance;
  readonly network: Network;
  readonly server: StateServer;
  readonly files: Files;
  readonly masters: MasterHost[];
  readonly workers: WorkerHost[];
  readonly jobs: readonly SimJob[];
  readonly clients: readonly SimClient[];
  readonly checks: Checks;
  /** Workers and masters that are well for good. */
  readonly core = new Set<string>();
  isFaulty = true;
  violation: Violation | undefined;
  readonly #nemesis: Nemesis;
  #ledAt = 0;

  constructor(seed: number, profile?: Profile, onLine?: (line: string) => void) {
    const options = optionsOf(seed, profile);
    this.options = options;
    this.trace = new Trace(onLine);
    this.chance = new Chance(seed, 2);
    this.slotChance = new Chance(seed, 3);
    const { timeline, sightings } = this;
    const now = () => timeline.now;
    this.network = new Network(timeline, new Chance(seed, 4), options, sightings);
    this.checks = createChecks(this);
    this.server = new StateServer(
      new Process(timeline, "store", this.chance.random, 0),
      now,
      new Chance(seed, 5),
      options,
      sightings,
    );
    this.server.watch = (change, before, epoch) => this.checks.stored(change, before, epoch);
    this.server.onLead = (epoch, host) => {
      this.trace.note(this.now, `epoch ${epoch} for ${host}`);
      this.#ledAt = this.now;
      this.checks.led(epoch, host);
    };
    this.files = new Files(new Process(timeline, "storage", this.chance.random, 0), now, new Chance(seed, 6), options);
    this.files.onVisible = (destination, job, name) => {
      this.trace.note(this.now, `${destination}/${name} of ${job.slice(0, 4)} is visible`);
      this.checks.visible(destination, job, name);
    };
    this.network.answerAt("store", this.server);
    this.network.answerAt("storage", this.files);
    this.jobs = makeJobs(options, new Chance(seed, 7), jobIdOf);
    this.masters = Array.from({ length: options.masters }, (_, index) => new MasterHost(this, `m${index}`));
    this.workers = Array.from(
      { length: options.workers },
      (_, index) => new WorkerHost(this, `w${index}`, 1 + this.chance.below(options.slotsMax)),
    );
    this.clients = this.jobs.map((job, index) => new SimClient(this, job, index));
    this.#nemesis = new Nemesis(this, new Chance(seed, 8));
  }

  get now(): number {
    return this.timeline.now;
  }

  get hosts(): string[] {
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
    this.trace.note(this.now, `VIOLATION ${invariant} ${message}`);
  }

  async run(): Promise<void> {
    const { timeline, options, checks, chance } = this;
    const { leaseMs, chaosMs } = options;
    timeline.afterEach = () => checks.happened();
    for (const master of this.masters) master.start();
    // Some workers come later.
    for (const worker of this.workers)
      timeline.after(chance.happens(0.8) ? chance.between(0, 100) : chance.between(0, chaosMs), () => worker.start());
    for (const client of this.clients)
      timeline.after(chance.happens(0.5) ? 0 : chance.between(0, chaosMs * 0.7), () => void client.run());
    this.#nemesis.start();
    const isOver = () => this.violation !== undefined;
    await timeline.runUntil(chaosMs, isOver);
    if (isOver()) return;
    this.isFaulty = false;
    this.trace.note(this.now, "chaos ends");
    this.#nemesis.heal();
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
        : Math.max(this.#ledAt, end - healedLeasesMax * leaseMs, checks.ends.endedAt);
    for (let lease = 0; lease < quietLeasesMax && this.now < calmSince() + quietLeases * leaseMs; lease++) {
      await timeline.runUntil(this.now + leaseMs, isOver);
      if (isOver()) return;
    }
    checks.atEnd();
  }
}
