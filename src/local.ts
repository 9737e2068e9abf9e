// Master and worker in one process: what `millrace run` and `run()` use. A cluster of one, joined by the in-memory transport;
// it opens no port and loads nothing that only a cluster needs.
//
//   openLocal ─► bundle │ state store, master │ first slot   (side by side)
//             ─► describe ─► submit ─► watch … ─► close
//
// `close` removes all that a run leaves, except after a failure: then state and runs stay for `resume`.
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { systemClock } from "./base/clock.ts";
import { MillraceError } from "./base/error.ts";
import type { AttemptId, JobId } from "./base/ids.ts";
import { limits } from "./base/limits.ts";
import { randomId } from "./base/random.ts";
import { version } from "./base/version.ts";
import type { PlannedFile } from "./input/plan.ts";
import { bundleJob } from "./job/bundle.ts";
import type { JobDescription } from "./job/describe.ts";
import type { JobSpec } from "./job/spec.ts";
import {
  type LocalPlaces,
  localPlaces,
  makeParents,
  refuseIfBusy,
  removeAbandoned,
  removeOlder,
  workDirectoriesOf,
} from "./local/places.ts";
import { checkSame, readStoredJob } from "./local/resume.ts";
import { buildSpec, type SubmitOptions } from "./local/spec.ts";
import { createMaster, isTerminal, jobIdOf, type Master } from "./master/loop.ts";
import { manifestBuilder } from "./output/manifest.ts";
import { memoryTransport } from "./rpc/memory-transport.ts";
import { recoverScheduler } from "./schedule/scheduler.ts";
import type { JobView, SchedulerOptions } from "./schedule/step.ts";
import { openLevelStore } from "./state/leveldb.ts";
import type { StateStore } from "./state/store.ts";
import { createLocalStorage } from "./storage/local.ts";
import type { Storage } from "./storage/storage.ts";
import { type Agent, startAgent } from "./worker/agent.ts";
import { type Budget, planBudget } from "./worker/budget.ts";
import { findOffered } from "./worker/offered.ts";
import { type Bundle, Slot } from "./worker/slot.ts";
import {
  createWorkDirectory,
  openWorkDirectory,
  removeWorkDirectory,
  type WorkDirectory,
} from "./worker/work-directory.ts";

export type { SubmitOptions } from "./local/spec.ts";

export interface LocalOptions {
  /** Path of the module whose default export is the job. */
  readonly module: string;
  /** Directory to publish; undefined: a private one, removed by `close`. */
  readonly output?: string | undefined;
  /** Default: one per core. */
  readonly slots?: number | undefined;
  /** Bytes for all slots and the memory tier together; default: a quarter of the machine's. */
  readonly memoryBytes?: number | undefined;
  /** Environment of the job's code, beside TZ and LANG. */
  readonly environment?: Readonly<Record<string, string>> | undefined;
  readonly overwrite?: boolean | undefined;
  readonly resume?: boolean | undefined;
  /** Where state and runs go instead of beside the output. */
  readonly workDir?: string | undefined;
  /** What attempts print to standard output and error, as it comes. */
  readonly onOutput?: (attempt: AttemptId | undefined, bytes: Buffer) => void;
}

export interface LocalEngine {
  readonly description: JobDescription;
  readonly budget: Budget;
  readonly storage: Storage;
  /** What the job publishes: `output` as an absolute path, or the private directory. */
  readonly destination: string;
  /** The work directory: logs are in it, and a caller may put temporary files there. */
  readonly directory: string;
  /** Once per engine. */
  submit(options: SubmitOptions): Promise<JobHandle>;
  /** Cancels what runs, and ends slots and master; files stay. May be called again. */
  stop(): Promise<void>;
  /** Stops, and removes what nobody needs any more. May be called again. */
  close(): Promise<void>;
  /** As `close` of a stopped engine, for a process that is about to exit. */
  removeNow(): void;
}

export interface JobHandle {
  readonly job: JobId;
  readonly spec: JobSpec;
  view(): JobView;
  /** The view now and after each change, until the job has ended. */
  watch(signal?: AbortSignal): AsyncIterable<JobView>;
  /** Resolves with the last view, whatever the end; rejects when the master can't go on (`io-error`). */
  readonly ended: Promise<JobView>;
  cancel(): Promise<"cancelled" | "too-late">;
  /** A file of the plan by its index, as positions name it; undefined until an attempt on it was started. */
  file(index: number): PlannedFile | undefined;
}

/** In one process nobody is ever out of reach: a laptop that slept must not lose its attempts. */
const leaseMs = 24 * 3_600_000;
/** How often running attempts are looked at, and so how fresh a progress view is. */
const heartbeatMs = 500;

/** Bundles and describes the job, with all made ready to run it. On failure nothing is left behind that was not there. */
export async function openLocal(options: LocalOptions): Promise<LocalEngine> {
  const budget = planBudget({ slots: options.slots, memoryBytes: options.memoryBytes });
  const storage = createLocalStorage();
  if (options.output !== undefined) refuseIfBusy(options.output, options.workDir);
  else removeAbandoned(options.workDir);
  const parts = options.resume === true ? resumedParts(options) : await newParts(options, storage);
  const engine = new Engine({ ...parts, options, budget, storage });
  try {
    await engine.open();
    return engine;
  } catch (error) {
    await engine.close();
    throw error;
  }
}

type Parts = Pick<EngineParts, "places" | "work" | "key" | "job" | "replaces" | "removeParents">;

async function newParts(options: LocalOptions, storage: Storage): Promise<Parts> {
  const key = randomId();
  const job = jobIdOf(key);
  const places = localPlaces({ output: options.output, workDir: options.workDir }, job);
  const { replaces } = await storage.prepare(places.destination, options.overwrite ?? false);
  const removeParents = makeParents(places.work);
  const work = createWorkDirectory({ path: places.work, id: job });
  return { key, job, places, work, replaces, removeParents };
}

/** Of the newest work directory that a run with this output left. */
function resumedParts(options: LocalOptions): Parts {
  if (options.output === undefined) {
    throw new MillraceError("wrong-usage", "only a run with an output can be resumed: give the same output as before");
  }
  const left = workDirectoriesOf(options.output, options.workDir)[0];
  if (left === undefined) {
    throw new MillraceError(
      "nothing-to-resume",
      `no earlier run with the output ${options.output} has left anything to go on with: run without --resume`,
    );
  }
  const { path, job } = left;
  const places = localPlaces({ output: options.output, workDir: options.workDir }, job);
  const work = openWorkDirectory({ path, id: job });
  return { key: "", job, places, work, replaces: undefined, removeParents: () => {} };
}

interface EngineParts {
  readonly options: LocalOptions;
  readonly budget: Budget;
  readonly storage: Storage;
  readonly places: LocalPlaces;
  readonly work: WorkDirectory;
  /** Idempotency key of a new job. */
  readonly key: string;
  readonly job: JobId;
  readonly replaces: string | undefined;
  readonly removeParents: () => void;
}

class Engine implements LocalEngine {
  readonly #parts: EngineParts;
  readonly #agent: Agent;
  readonly #masterStarted = deferred<Master>();
  readonly #files = new Map<number, PlannedFile>();
  #store: StateStore | undefined;
  #master: Master | undefined;
  #bundle: Bundle | undefined;
  #description: JobDescription | undefined;
  #handle: JobHandle | undefined;
  #stopped: Promise<void> | undefined;
  /** What was there before stays until it is certain that it is not needed. */
  #isResumable: boolean;
  #end: JobView["state"] | "none" | "stopped" = "none";

  constructor(parts: EngineParts) {
    this.#parts = parts;
    this.#isResumable = parts.options.resume === true;
    const { budget, work } = parts;
    this.#masterStarted.promise.catch(() => {}); // who calls it hears of it
    this.#agent = startAgent({
      worker: "local",
      incarnation: systemClock.date().getTime(),
      address: "",
      master: memoryTransport(this.#masterStarted.promise),
      clock: systemClock,
      budget,
      runs: work.runs,
      slots: work.slots,
      offered: parts.options.resume === true ? findOffered(work.runs) : [],
      openSlot: (name) =>
        new Slot({
          name,
          program: slotProgram,
          budget,
          places: work,
          clock: systemClock,
          ...(parts.options.onOutput === undefined ? {} : { onOutput: parts.options.onOutput }),
        }),
      bundle: async () => this.#bundle!,
      onStart: ({ work: part }) => {
        if (part.phase === "map")
          for (const [index, file] of Object.entries(part.files)) this.#files.set(Number(index), file);
      },
    });
  }

  get description(): JobDescription {
    return this.#description!;
  }

  get budget(): Budget {
    return this.#parts.budget;
  }

  get storage(): Storage {
    return this.#parts.storage;
  }

  get destination(): string {
    return this.#parts.places.destination;
  }

  get directory(): string {
    return this.#parts.work.path;
  }

  async open(): Promise<void> {
    const { options, work } = this.#parts;
    this.#agent.prestart(1);
    const environment = { TZ: "UTC", LANG: "C.UTF-8", ...options.environment };
    const bundled = bundleJob(options.module).then((bundle) => {
      writeFileSync(work.bundle, bundle.code, { mode: 0o600 });
      this.#bundle = { path: work.bundle, digest: bundle.digest, environment };
      return this.#agent.describe(this.#bundle);
    });
    const [description] = await allOrFirstError([bundled, this.#openStore()]);
    this.#description = description;
  }

  async submit(options: SubmitOptions): Promise<JobHandle> {
    if (this.#handle !== undefined) throw new MillraceError("wrong-usage", "an engine runs one job: open another");
    const { places, storage, key, job, replaces } = this.#parts;
    const spec = await buildSpec(options, {
      module: this.#parts.options.module,
      description: this.description,
      bundle: this.#bundle!.digest,
      destination: places.destination,
      replaces,
      environment: this.#bundle!.environment,
      startedAt: systemClock.date().toISOString(),
      storage,
    });
    if (this.#parts.options.resume === true) return await this.#resume(spec);
    const master = this.#master!;
    await master.submit(spec, key);
    this.#handle = this.#handleOf(master, job, spec);
    return this.#handle;
  }

  /** The master starts once it is certain that the stored job is the one that is meant: it goes on by itself. */
  async #resume(spec: JobSpec): Promise<JobHandle> {
    const { options, places, storage, job } = this.#parts;
    const stored = await readStoredJob(this.#store!);
    if (stored?.job !== job || stored.outcome === "succeeded" || stored.outcome === "cancelled") {
      this.#isResumable = false;
      const why = stored?.outcome === undefined ? "stopped before it began" : `had ended (${stored.outcome})`;
      throw new MillraceError(
        "nothing-to-resume",
        `the earlier run with the output ${places.destination} ${why}: run without --resume`,
      );
    }
    await checkSame(stored, spec, storage);
    if (!stored.isDecided) await storage.prepare(places.destination, options.overwrite ?? false);
    const master = await this.#startMaster();
    if (stored.outcome === "failed") await master.resume(job);
    this.#handle = this.#handleOf(master, job, stored.spec);
    return this.#handle;
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async close(): Promise<void> {
    await this.stop();
    this.removeNow();
  }

  removeNow(): void {
    if (this.#isResumable) return;
    const { options, places, work, removeParents } = this.#parts;
    if (options.output !== undefined && this.#end === "succeeded") removeOlder(options.output, options.workDir);
    removeWorkDirectory(work);
    removeWorkDirectory({ path: places.beside, memory: undefined });
    removeParents();
  }

  #handleOf(master: Master, job: JobId, spec: JobSpec): JobHandle {
    const viewNow = () => master.view().jobs.find((view) => view.job === job)!;
    const ended = (async () => {
      let last = viewNow();
      for await (const view of master.watch(job)) last = view;
      return last;
    })();
    ended.catch(() => {}); // who waits for it hears of it; `close` does not
    return {
      job,
      spec,
      view: viewNow,
      watch: (signal) => master.watch(job, signal),
      ended,
      cancel: () => master.cancel(job),
      file: (index) => this.#files.get(index),
    };
  }

  async #openStore(): Promise<void> {
    this.#store = await openLevelStore(this.#parts.work.state);
    if (this.#parts.options.resume !== true) await this.#startMaster();
  }

  async #startMaster(): Promise<Master> {
    this.#master = await createMaster({
      store: this.#store!,
      storage: this.#parts.storage,
      clock: systemClock,
      recover: recoverScheduler,
      scheduler: schedulerOptions(this.#parts.options.output !== undefined),
      heartbeatMs,
      owner: `process ${process.pid}`,
    });
    this.#masterStarted.resolve(this.#master);
    return this.#master;
  }

  async #stop(): Promise<void> {
    this.#end = await this.#cancelled();
    const { output } = this.#parts.options;
    if (this.#end !== "none")
      this.#isResumable = output !== undefined && (this.#end === "failed" || this.#end === "stopped");
    this.#masterStarted.reject(new MillraceError("not-leader", "the run was closed"));
    await this.#agent.close();
    await this.#master?.close();
    await this.#store?.close();
  }

  /** How the job ended; "stopped": the master could not go on. What still runs is cancelled. */
  async #cancelled(): Promise<JobView["state"] | "none" | "stopped"> {
    const handle = this.#handle;
    if (handle === undefined) return "none";
    try {
      if (!isTerminal(handle.view().state)) await handle.cancel();
      return (await handle.ended).state;
    } catch {
      return "stopped";
    }
  }
}

/** `dist/slot.js`, beside the bundle that this file is part of, or beside its folder of chunks. */
const slotProgram = fileURLToPath(
  new URL(import.meta.url.includes("/chunks/") ? "../slot.js" : "./slot.js", import.meta.url),
);

const schedulerOptions = (keepFailed: boolean): SchedulerOptions => ({
  leaseMs,
  keepFailed,
  backupSlowdown: limits.backupSlowdown,
  failuresPerWorkerMax: limits.failuresPerWorkerMax,
  infrastructureFailuresMax: limits.infrastructureFailuresMax,
  digestRollbacksMax: limits.digestRollbacksMax,
  manifest: manifestBuilder({ millrace: version, node: process.versions.node }),
});

interface Deferred<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(error: unknown): void;
}

function deferred<T>(): Deferred<T> {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}

/** Waits for both also when one fails, so that nothing is still being made while it is being removed. */
async function allOrFirstError<A, B>(promises: readonly [Promise<A>, Promise<B>]): Promise<[A, B]> {
  await Promise.allSettled(promises);
  return await Promise.all(promises);
}
