// The cluster of one seed, in one process: the product's scheduler, master loop, worker agents and task runtime; time, network,
// store, storage and disks are simulated. A job is submitted, things go wrong for a while, then everything is healed and the job
// has to end. Nothing in it depends on real time, so a seed gives the same course of events again.
import { createHash } from "node:crypto";
import { MillraceError } from "../base/error.ts";
import { type AttemptId, attemptName, type Counters, taskName } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { Clock } from "../base/system/clock.ts";
import type { JobDefinition } from "../job/definition.ts";
import type { JobSpec } from "../job/spec.ts";
import { createKernel } from "../kernel/create-kernel.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { factText } from "../master/fact-text.ts";
import type { AttemptResult, FailureText } from "../protocol/messages.ts";
import { type ClusterView, hasEnded, type JobView } from "../protocol/view.ts";
import type { Fact } from "../schedule/facts.ts";
import type { Storage } from "../storage/storage.ts";
import { Chance } from "./chance.ts";
import type { Disk } from "./disk.ts";
import { FaultLog, type SimListener } from "./fault-log.ts";
import { MasterHost } from "./master.ts";
import { Nemesis } from "./nemesis.ts";
import { Network } from "./network.ts";
import type { SimOptions } from "./options.ts";
import { Process } from "./process.ts";
import { StateServer } from "./state-server.ts";
import { createSimStorage, type SimStorage } from "./storage.ts";
import { Timeline } from "./timeline.ts";
import { Trace } from "./trace.ts";
import { WorkerHost } from "./worker.ts";

/** A job and its input, the same for all seeds. */
export interface SimJob {
  readonly spec: JobSpec;
  readonly digest: string;
  readonly environment: Readonly<Record<string, string>>;
  /** By path. */
  readonly inputs: ReadonlyMap<string, Uint8Array>;
  /** A new instance of the job's module, as each process has one of its own. */
  readonly load: () => Promise<JobDefinition>;
  /** Runs what runs the job's code, with these for its clock (milliseconds since `startedAt`) and its chance. */
  readonly within: <T>(sources: UserSources, work: () => Promise<T>) => Promise<T>;
}

export interface UserSources {
  readonly now: () => number;
  readonly random: () => number;
}

export interface SimRun {
  /** "stuck": all was well again for a long time, and it was not over. "mixed": see `mixed`. */
  readonly outcome: "succeeded" | "failed" | "stuck" | "mixed";
  readonly reason: FailureText | undefined;
  readonly counters: Counters;
  /** Holds the output at `destination`. */
  readonly storage: Storage;
  readonly destination: string;
  readonly stats: SimStats;
  /** Of all that happened, and of the output. */
  readonly hash: string;
}

export interface SimStats {
  /** By kind. */
  readonly faults: Readonly<Record<string, number>>;
  readonly masterChanges: number;
  readonly tasks: { readonly map: number; readonly reduce: number };
  /** Attempts that were begun at these. */
  readonly attempts: number;
  /** Of them those at a task that had one before. */
  readonly again: number;
  /** Reduces that were done and had to be done again, because a map emitted something else than before. */
  readonly rolledBack: number;
  /** Map tasks that emitted something else when they ran again, by name. */
  readonly changed: readonly string[];
  /** Of virtual time. */
  readonly ms: number;
}

/** From the end of the faults a job has so many leases to end. */
const healedLeases = 100;
const key = "simulated";

export class World {
  readonly options: SimOptions;
  readonly job: SimJob;
  readonly timeline = new Timeline();
  readonly clock: Clock;
  readonly log: FaultLog;
  /** For all that has no dice of its own. */
  readonly chance: Chance;
  readonly slotChance: Chance;
  /** What the job's code gets for `Math.random`: other numbers in each attempt, the same ones in each run of the seed. */
  readonly userChance: Chance;
  readonly network: Network;
  readonly server: StateServer;
  readonly storage: SimStorage;
  readonly kernel: Kernel;
  readonly masters: readonly MasterHost[];
  readonly workers: readonly WorkerHost[];
  /** How often a kind of fault has hit a task. */
  readonly hits = new Map<string, number>();
  isFaulty: boolean;
  readonly #trace: Trace;
  readonly #nemesis: Nemesis;
  readonly #client: Process;
  readonly #begun = new Map<string, number>();
  readonly #changed = new Set<string>();
  /** Emission digests of the map outputs that a reduce attempt has read, by its name and by map. */
  readonly #consumed = new Map<string, Map<number, bigint>>();
  #rolledBack = 0;
  #view: JobView | undefined;

  constructor(job: SimJob, options: SimOptions, onEvent?: SimListener) {
    const { seed } = options;
    this.options = options;
    this.job = job;
    this.isFaulty = options.faults.size > 0;
    const { timeline } = this;
    const now = () => timeline.now;
    this.clock = { now, date: () => new Date(timeline.now), sleep: async () => {} };
    this.#trace = new Trace(undefined);
    this.log = new FaultLog(this.#trace, now, onEvent);
    this.chance = new Chance(seed, 2);
    this.slotChance = new Chance(seed, 3);
    this.userChance = new Chance(seed, 9);
    this.network = new Network(timeline, new Chance(seed, 4), options, this.log);
    const store = new Process(timeline, "store", this.chance.random, 0);
    this.server = new StateServer(store, now, new Chance(seed, 5), options, this.log);
    this.network.answerAt("store", this.server);
    this.storage = createSimStorage(job.inputs);
    this.kernel = createKernel({ arenaBytes: limits.arenaBytesMin * 4 });
    this.masters = Array.from({ length: options.masters }, (_, index) => new MasterHost(this, `m${index}`));
    this.workers = Array.from({ length: options.workers }, (_, index) => new WorkerHost(this, `w${index}`));
    this.#client = new Process(timeline, "client", this.chance.random, 0);
    this.#nemesis = new Nemesis(this, new Chance(seed, 8));
  }

  /** Told of a fact of the scheduler's. */
  readonly tell = (fact: Fact): void => {
    const what = "attempt" in fact ? `${attemptName(fact.attempt)}: ` : "";
    // Said when it begins there.
    if (fact.kind !== "attempt-started") this.log.note(`${what}${factText(fact)}`);
    if (fact.kind === "digest-changed") this.#changed.add(taskName(fact.attempt));
    if (fact.kind === "reduces-rolled-back") this.#rolledBack += fact.reduces;
  };

  started(attempt: AttemptId, worker: string): void {
    const task = taskName(attempt);
    if (attempt.phase !== "plan") this.#begun.set(task, (this.#begun.get(task) ?? 0) + 1);
    this.log.note(`${attemptName(attempt)} begins on ${worker}`);
  }

  executed(attempt: AttemptId, result: AttemptResult): void {
    const what = result.ok
      ? [result.emissionDigest?.toString(16), ...result.staged.map(({ sha256 }) => sha256.slice(0, 8))].join(" ")
      : result.reason.error.message;
    this.log.note(`${attemptName(attempt)} has run: ${what}`);
  }

  /** A reduce attempt has read that map output. */
  consumed(reduce: string, { index }: AttemptId, digest: bigint): void {
    let consumed = this.#consumed.get(reduce);
    if (consumed === undefined) this.#consumed.set(reduce, (consumed = new Map()));
    consumed.set(index, digest);
  }

  /** Undefined: nobody answers there, as far as that worker can tell. */
  diskAt(address: string, worker: string): Disk | undefined {
    const life = this.workers.find((host) => host.life?.address === address)?.life;
    const isCut = this.network.isCut(worker, life?.id ?? "") || this.network.isCut(life?.id ?? "", worker);
    return life?.process.isRunning && !isCut ? life.disk : undefined;
  }

  /** To the job's end. Rejects when `signal` is aborted. */
  async run(signal: AbortSignal): Promise<SimRun> {
    const { timeline, options } = this;
    for (const master of this.masters) master.start();
    for (const worker of this.workers) timeline.after(this.chance.between(0, 100), () => worker.start());
    const client = this.#follow();
    let failure: unknown;
    client.catch((error: unknown) => (failure = error));
    this.#nemesis.start();
    const isOver = () => {
      if (failure !== undefined) throw failure;
      signal.throwIfAborted();
      return this.#view !== undefined && hasEnded(this.#view.state);
    };
    if (this.isFaulty) {
      await timeline.runUntil(options.chaosMs, isOver);
      if (!isOver()) {
        this.isFaulty = false;
        this.log.note("all is healed");
        this.#nemesis.heal();
      }
    }
    if (!isOver()) await timeline.runUntil(timeline.now + healedLeases * options.leaseMs, isOver);
    return await this.#result();
  }

  /** What a client does: submits, again under the same key until it is told that the job is there, and then looks. */
  async #follow(): Promise<void> {
    const { job, options } = this;
    const { clock } = this.#client;
    const spec = { ...job.spec, splitBytes: splitBytesOf(job, options.splits) };
    let id: unknown;
    while (id === undefined) {
      id = await this.#call("submit", { spec, key });
      if (id === undefined) await clock.sleep(this.chance.between(50, options.leaseMs / 3));
    }
    for (;;) {
      await clock.sleep(options.leaseMs / 4);
      const view = (await this.#call("view", undefined)) as ClusterView | undefined;
      this.#view = view?.jobs.find((candidate) => candidate.job === id) ?? this.#view;
    }
  }

  async #call(kind: string, body: unknown): Promise<unknown> {
    const { masters, leaseMs } = this.options;
    const target = `m${this.chance.below(masters)}`;
    try {
      return await this.network.call(this.#client, target, kind, body, { timeoutMs: leaseMs / 2 });
    } catch (error) {
      if (error instanceof MillraceError) return undefined;
      throw error;
    }
  }

  async #result(): Promise<SimRun> {
    const view = this.#view;
    const { storage, job, log } = this;
    const { published } = storage;
    for (const { name, sha256 } of published?.files ?? []) log.note(`published ${name} ${sha256}`);
    const outcome = outcomeOf(view, this.#isMixed());
    log.note(`it is over: ${outcome}`);
    return {
      outcome,
      reason: view?.reason,
      counters: view?.counters ?? {},
      storage,
      destination: job.spec.output,
      stats: this.#stats(view),
      hash: createHash("sha256").update(this.#trace.hash).digest("hex").slice(0, 12),
    };
  }

  #stats(view: JobView | undefined): SimStats {
    const begun = [...this.#begun.values()];
    const attempts = begun.reduce((sum, count) => sum + count, 0);
    return {
      faults: this.log.faults,
      masterChanges: this.log.masterChanges,
      tasks: { map: view?.tasks.map.total ?? 0, reduce: view?.tasks.reduce.total ?? 0 },
      attempts,
      again: attempts - begun.length,
      rolledBack: this.#rolledBack,
      changed: [...this.#changed].sort(),
      ms: this.timeline.now,
    };
  }

  /** Whether parts were made from different outputs of one map: never, whatever the job's code does (docs: the fault model). */
  #isMixed(): boolean {
    const digests = new Map<number, bigint>();
    for (const { token } of this.storage.published?.files ?? []) {
      for (const [map, digest] of this.#consumed.get(token.slice(0, token.indexOf("/"))) ?? []) {
        if ((digests.get(map) ?? digest) !== digest) return true;
        digests.set(map, digest);
      }
    }
    return false;
  }
}

function outcomeOf(view: JobView | undefined, isMixed: boolean): SimRun["outcome"] {
  switch (view?.state) {
    case "succeeded":
      return isMixed ? "mixed" : "succeeded";
    case "failed":
    case "cancelled":
      return "failed";
    default:
      return "stuck";
  }
}

function splitBytesOf({ inputs }: SimJob, splits: number): number {
  const bytes = [...inputs.values()].reduce((sum, { length }) => sum + length, 0);
  return Math.max(1, Math.ceil(bytes / splits));
}
