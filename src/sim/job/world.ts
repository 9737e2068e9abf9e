// A user's job in a simulated cluster of one seed: it is submitted, things go wrong for a while, then everything is
// healed and the job has to end. Its slots run the job's real code (slot.ts), and the trace that `millrace sim` shows
// is what watches.
import { createHash } from "node:crypto";
import { MillraceError } from "../../base/error.ts";
import { type AttemptId, attemptName, type Counters, taskName } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Clock } from "../../base/system/clock.ts";
import { version } from "../../base/version.ts";
import { createKernel } from "../../kernel/create-kernel.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { factText } from "../../master/fact-text.ts";
import { manifestBuilder } from "../../output/manifest.ts";
import type { AttemptResult, FailureText } from "../../protocol/messages.ts";
import type { ClusterView, JobView } from "../../protocol/view.ts";
import { hasEnded } from "../../protocol/view.ts";
import type { Fact } from "../../schedule/facts.ts";
import type { Storage } from "../../storage/storage.ts";
import { Chance } from "../chance.ts";
import { Process } from "../process.ts";
import type { Client, Observer, Outputs, Slots } from "../scene.ts";
import { type SimListener, World } from "../world.ts";
import type { SimOptions } from "./options.ts";
import type { JobScene, SimJob } from "./scene.ts";
import { userSlots } from "./slot.ts";
import { createSimStorage, outputsIn, type SimStorage } from "./storage.ts";

export interface SimRun {
  /** "stuck": all was well again for a long time, and it was not over. "mixed": see `mixed`. */
  readonly outcome: "succeeded" | "failed" | "stuck" | "mixed";
  readonly reason: FailureText | undefined;
  readonly counters: Counters;
  /** Holds the output at `destination`. */
  readonly storage: Storage;
  readonly destination: string;
  readonly stats: SimStats;
  /** A hash of all that happened, and of the output. */
  readonly hash: string;
}

export interface SimStats {
  /** By kind. */
  readonly faults: Readonly<Record<string, number>>;
  readonly masterChanges: number;
  readonly tasks: { readonly map: number; readonly reduce: number };
  /** Attempts that were begun at these. */
  readonly attempts: number;
  /** Those among them at a task that had one before. */
  readonly again: number;
  /** Reduces that were done and had to be done again, because a map emitted something else than before. */
  readonly rolledBack: number;
  /** Map tasks that emitted something else when they ran again, by name. */
  readonly changed: readonly string[];
  /** How long it took, in virtual time. */
  readonly ms: number;
}

/** From the end of the faults a job has this number of leases to end. */
const healedLeases = 100;
const key = "simulated";

export class JobWorld extends World implements JobScene {
  override readonly options: SimOptions;
  readonly job: SimJob;
  readonly clock: Clock;
  readonly userChance: Chance;
  readonly storage: SimStorage;
  readonly kernel: Kernel;
  readonly slots: Slots;
  readonly outputs: Outputs;
  readonly observer: Observer;
  readonly clients: readonly Client[] = [];
  readonly #client: Process;
  readonly #begun = new Map<string, number>();
  readonly #changed = new Set<string>();
  /** Emission digests of the map outputs that a reduce attempt has read, by its name and by map. */
  readonly #consumed = new Map<string, Map<number, bigint>>();
  #rolledBack = 0;
  #view: JobView | undefined;

  constructor(job: SimJob, options: SimOptions, onEvent?: SimListener) {
    super(options, onEvent);
    const { timeline } = this;
    this.options = options;
    this.job = job;
    this.clock = { now: () => timeline.now, date: () => new Date(timeline.now), sleep: async () => {} };
    this.userChance = new Chance(options.seed, 9);
    this.storage = createSimStorage(job.inputs);
    const manifest = manifestBuilder({ millrace: version, node: globalThis.process.versions.node });
    this.outputs = outputsIn(this.storage, this.chance, manifest);
    this.kernel = createKernel({ arenaBytes: limits.arenaBytesMin * 4 });
    this.slots = userSlots(this);
    this.observer = {
      started: (worker, { assignment }) => this.#started(assignment.attempt, worker.id),
      told: (facts) => {
        for (const fact of facts) this.#told(fact);
      },
    };
    this.populate(() => options.slots);
    this.#client = new Process(timeline, "client", this.chance.random, 0);
  }

  get hosts(): readonly string[] {
    return ["store", ...this.masters.map(({ host }) => host), ...this.workers.map(({ id }) => id), "client"];
  }

  #told(fact: Fact): void {
    const what = "attempt" in fact ? `${attemptName(fact.attempt)}: ` : "";
    // Said when it begins there.
    if (fact.kind !== "attempt-started") this.note(`${what}${factText(fact)}`);
    if (fact.kind === "digest-changed") this.#changed.add(taskName(fact.attempt));
    if (fact.kind === "reduces-rolled-back") this.#rolledBack += fact.reduces;
  }

  #started(attempt: AttemptId, worker: string): void {
    const task = taskName(attempt);
    if (attempt.phase !== "plan") this.#begun.set(task, (this.#begun.get(task) ?? 0) + 1);
    this.note(`${attemptName(attempt)} begins on ${worker}`);
  }

  executed(attempt: AttemptId, result: AttemptResult): void {
    const what = result.ok
      ? [result.emissionDigest?.toString(16), ...result.staged.map(({ sha256 }) => sha256.slice(0, 8))].join(" ")
      : result.reason.error.message;
    this.note(`${attemptName(attempt)} has run: ${what}`);
  }

  consumed(reduce: AttemptId, map: AttemptId, digest: bigint): void {
    const name = attemptName(reduce);
    let consumed = this.#consumed.get(name);
    if (consumed === undefined) this.#consumed.set(name, (consumed = new Map()));
    consumed.set(map.index, digest);
  }

  /** To the job's end. Rejects when `signal` is aborted. */
  async run(signal: AbortSignal): Promise<SimRun> {
    const { timeline, options, chance } = this;
    this.start(() => chance.between(0, 100));
    const client = this.#follow();
    let failure: unknown;
    client.catch((error: unknown) => (failure = error));
    const isOver = () => {
      if (failure !== undefined) throw failure;
      signal.throwIfAborted();
      return this.#view !== undefined && hasEnded(this.#view.state);
    };
    await this.endure(isOver);
    if (!isOver()) await timeline.runUntil(timeline.now + healedLeases * options.leaseMs, isOver);
    return await this.#result();
  }

  /** What a client does: submits, again under the same key until it is told that the job is there, and then looks. */
  async #follow(): Promise<void> {
    const { job, options } = this;
    const { clock } = this.#client;
    const spec = { ...job.spec, splitBytes: splitBytesOf(job, options.splits) };
    let answer: { readonly id: string } | undefined;
    while (answer === undefined) {
      answer = (await this.#call("submit", { spec, key })) as { readonly id: string } | undefined;
      if (answer === undefined) await clock.sleep(this.chance.between(50, options.leaseMs / 3));
    }
    const { id } = answer;
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
    const { storage, job } = this;
    const { published } = storage;
    for (const { name, sha256 } of published?.files ?? []) this.note(`published ${name} ${sha256}`);
    const outcome = outcomeOf(view, this.#isMixed());
    this.note(`it is over: ${outcome}`);
    return {
      outcome,
      reason: view?.reason,
      counters: view?.counters ?? {},
      storage,
      destination: job.spec.output,
      stats: this.#stats(view),
      hash: createHash("sha256").update(this.trace.hash).digest("hex").slice(0, 12),
    };
  }

  #stats(view: JobView | undefined): SimStats {
    const begun = [...this.#begun.values()];
    const attempts = begun.reduce((sum, count) => sum + count, 0);
    return {
      faults: this.faults,
      masterChanges: this.masterChanges,
      tasks: { map: view?.tasks.map.total ?? 0, reduce: view?.tasks.reduce.total ?? 0 },
      attempts,
      again: attempts - begun.length,
      rolledBack: this.#rolledBack,
      changed: [...this.#changed].sort(),
      ms: this.timeline.now,
    };
  }

  /**
   * Whether parts were made from different outputs of one map: never, whatever the job's code does (docs: the
   * fault model).
   */
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
