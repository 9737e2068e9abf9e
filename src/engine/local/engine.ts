// The engine of one local run: state store, master and agent, which are opened, used for one job, and closed together.
import type { ChildProcess } from "node:child_process";
import { assert } from "../../base/assert.ts";
import { deferred } from "../../base/deferred.ts";
import { MillraceError } from "../../base/error.ts";
import type { JobId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { isUrl } from "../../base/paths.ts";
import { systemClock } from "../../base/system/clock.ts";
import { version } from "../../base/version.ts";
import type { PlannedFile } from "../../input/plan.ts";
import type { JobDescription } from "../../job/load/describe.ts";
import type { JobSpec } from "../../job/spec.ts";
import { createMaster } from "../../master/loop.ts";
import type { Master } from "../../master/master.ts";
import { manifestBuilder } from "../../output/manifest.ts";
import { hasEnded, type JobView } from "../../protocol/view.ts";
import { recoverScheduler } from "../../schedule/scheduler.ts";
import type { SchedulerOptions } from "../../schedule/step.ts";
import type { StateStore } from "../../state/store.ts";
import type { Manifest } from "../../storage/manifest.ts";
import { isStagedBy } from "../../storage/staged-token.ts";
import { type Storage, stoppable } from "../../storage/storage.ts";
import type { Agent } from "../../worker/agent/agent.ts";
import { removeWorkDirectory, type WorkDirectory } from "../../worker/disk/work-directory.ts";
import type { Budget } from "../../worker/slots/budget.ts";
import type { Bundle } from "../../worker/slots/task-slot.ts";
import { jobEnvironment, writeBundle } from "../bundle-file.ts";
import type { JobHandle } from "../engine.ts";
import { takeStarted } from "../first-slot.ts";
import { type SubmitOptions, sizedSpec } from "../spec.ts";
import { earlierJobs, removeOlder, type WorkDirectories } from "../work-directories.ts";
import { startLocalAgent } from "./agent.ts";
import { checkFinished, finishedOutput } from "./finished.ts";
import { handleOf } from "./handle.ts";
import type { LocalEngine, LocalOptions } from "./options.ts";
import { checkSame, readStoredJob } from "./resume.ts";
import { openRunState, type RunState } from "./state.ts";

/** In one process no worker is ever out of reach, and a laptop that slept must not lose its attempts. */
const leaseMs = 24 * 3_600_000;
/** Time between two looks at running attempts, which is how old a progress view can be. */
const heartbeatMs = 500;

export interface EngineParts {
  readonly options: LocalOptions;
  readonly budget: Budget;
  readonly storage: Storage;
  readonly directories: WorkDirectories;
  readonly work: WorkDirectory;
  /** Idempotency key of a new job. */
  readonly key: string;
  readonly job: JobId;
  readonly replaces: string | undefined;
  readonly deadLetters: JobSpec["deadLetters"];
  readonly removeParents: () => void;
  /** What a run that is to be resumed has published already: then nothing is submitted. */
  readonly finished?: Manifest;
}

/** What an engine has once it is open. */
interface Opened {
  readonly bundle: Bundle;
  readonly description: JobDescription;
  readonly store: StateStore;
  /** Undefined for a run that resumes another: its master starts once the stored job is known to be the same. */
  readonly master: Master | undefined;
}

export class Engine implements LocalEngine {
  readonly #parts: EngineParts;
  readonly #agent: Agent;
  readonly #masterStarted = deferred<Master>();
  readonly #files = new Map<number, PlannedFile>();
  #firstSlot: ChildProcess | undefined;
  #state: RunState | undefined;
  #master: Master | undefined;
  #opened: Opened | undefined;
  #handle: JobHandle | undefined;
  #stopped: Promise<void> | undefined;
  /** While true, `close` leaves state and runs of the earlier run in place, as they may still be needed. */
  #isResumable: boolean;
  #end: JobView["state"] | "none" | "stopped" = "none";
  readonly #closed = new AbortController();
  /** Ends publishing. */
  readonly #leave = new AbortController();

  constructor(parts: EngineParts) {
    this.#parts = parts;
    this.#isResumable = parts.options.resume === true;
    const { budget, work } = parts;
    this.#firstSlot = parts.options.firstSlot;
    this.#masterStarted.promise.catch(() => {}); // each call that awaits it rejects
    this.#agent = startLocalAgent({
      options: parts.options,
      budget,
      work,
      master: this.#masterStarted.promise,
      firstSlot: () => this.#takeFirstSlot(),
      bundle: () => this.#open.bundle,
      mapped: (files) => {
        for (const [index, file] of files) this.#files.set(index, file);
      },
    });
  }

  get description(): JobDescription {
    return this.#open.description;
  }

  get budget(): Budget {
    return this.#parts.budget;
  }

  get storage(): Storage {
    return this.#parts.storage;
  }

  get destination(): string {
    return this.#parts.directories.destination;
  }

  get directory(): string {
    return this.#parts.work.path;
  }

  async spoolDirectory(): Promise<string> {
    return this.directory;
  }

  async open(): Promise<void> {
    const { options, work } = this.#parts;
    this.#agent.prestart(1);
    const environment = jobEnvironment(options.environment);
    const bundled = writeBundle({
      module: options.module,
      work,
      environment,
      onWarning: options.onWarning,
    }).then(async (bundle) => {
      const description = await this.#agent.describe(bundle, options.attempts ?? limits.attemptsMax);
      return { bundle, description };
    });
    const [described, stored] = await allOrFirstError([bundled, this.#openStore()]);
    this.#opened = { ...described, ...stored };
  }

  async submit(options: SubmitOptions): Promise<JobHandle> {
    if (this.#handle !== undefined) throw new MillraceError("wrong-usage", "an engine runs one job: open another");
    const { key, job } = this.#parts;
    const { bundle, master } = this.#open;
    const { spec, inputBytes } = await this.#specOf(options);
    // Further slots start while the plan is made. A job of one split needs only one.
    if (inputBytes > limits.splitBytesMin) this.#agent.prestart(this.#parts.budget.slots, bundle);
    if (master === undefined) return await this.#resume(spec);
    await master.submit(spec, key);
    this.#handle = this.#handleOf(master, job, spec);
    return this.#handle;
  }

  async alreadyDone(options: SubmitOptions): Promise<Manifest | undefined> {
    const { finished, options: own, storage, directories } = this.#parts;
    if (finished === undefined && own.resume !== true) return undefined;
    if (finished !== undefined) {
      const { spec, inputBytes } = await this.#specOf(options);
      checkFinished(finished, spec, inputBytes);
      return finished;
    }
    // It was killed after its end was stored, and before its files were removed.
    const stored = await readStoredJob(this.#open.store);
    if (stored?.outcome !== "succeeded") return undefined;
    const manifest = await finishedOutput(storage, directories.destination);
    if (manifest === undefined) return undefined;
    await checkSame(stored, (await this.#specOf(options)).spec, storage);
    this.#isResumable = false;
    return manifest;
  }

  /** What to submit, and how many bytes there are to read. */
  async #specOf(options: SubmitOptions): Promise<{ readonly spec: JobSpec; readonly inputBytes: number }> {
    const { directories, replaces, deadLetters, finished } = this.#parts;
    const { bundle, description } = this.#open;
    return await sizedSpec(options, {
      module: this.#parts.options.module,
      description,
      bundle: bundle.digest,
      destination: directories.destination,
      replaces,
      deadLetters,
      environment: bundle.environment,
      startedAt: this.#parts.options.experiment?.startedAt ?? systemClock.date().toISOString(),
      storage: this.#stoppable(),
      // A resumed job goes on with its stored value.
      validate: async (params) => {
        const { resume, attempts = limits.attemptsMax } = this.#parts.options;
        const isStored = resume === true || finished !== undefined;
        return isStored ? undefined : await this.#agent.validate(bundle, params, attempts);
      },
    });
  }

  /** Starts the master once it is certain that the stored job is the same job. The job then goes on by itself. */
  async #resume(spec: JobSpec): Promise<JobHandle> {
    const { options, directories, job } = this.#parts;
    const storage = this.#stoppable();
    const { store } = this.#open;
    const stored = await readStoredJob(store);
    if (stored?.job !== job || stored.outcome === "succeeded" || stored.outcome === "cancelled") {
      this.#isResumable = false;
      const why = stored?.outcome === undefined ? "stopped before it began" : `had ended (${stored.outcome})`;
      throw new MillraceError(
        "nothing-to-resume",
        `the earlier run with the output ${directories.destination} ${why}: run without --resume`,
      );
    }
    // A run that begins again instead has no use for what is left.
    if (options.resumeOrBegin === true) this.#isResumable = false;
    await checkSame(stored, spec, storage);
    this.#isResumable = true;
    if (!stored.isDecided) {
      await storage.prepare(directories.destination, options.overwrite ?? false);
      if (options.deadLetters !== undefined) await storage.prepare(options.deadLetters, options.overwrite ?? false);
    }
    const master = await this.#startMaster(store);
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
    await this.#discardElsewhere();
    const { options, storage } = this.#parts;
    const { output, workDir } = options;
    if (output !== undefined && this.#end === "succeeded" && !this.#isResumable)
      await removeOlder(output, workDir, storage);
    this.removeNow();
  }

  removeNow(): void {
    if (this.#isResumable) return;
    const { directories, work, removeParents } = this.#parts;
    removeWorkDirectory(work);
    removeWorkDirectory({ path: directories.beside, memory: undefined });
    removeParents();
  }

  /**
   * Removes what killed runs have staged outside of their work directories. For other runs this happens only after this
   * one has published: until then a user may want to go on with them.
   */
  async #discardElsewhere(): Promise<void> {
    const { options, directories, storage, job } = this.#parts;
    const { output, workDir, resume, deadLetters } = options;
    if (this.#isResumable) return;
    const jobs = this.#end === "succeeded" && output !== undefined ? await earlierJobs(output, workDir) : [];
    if (this.#end === "none" && resume === true) jobs.push(job);
    // Staged files are hidden and in no one's way, so failing to remove them is no reason to fail.
    const discard = async (destination: string) => {
      for (const each of jobs) await storage.discard(destination, each).catch(() => {});
    };
    if (output !== undefined && isUrl(output)) await discard(directories.destination);
    if (deadLetters !== undefined) await discard(deadLetters);
  }

  #handleOf(master: Master, job: JobId, spec: JobSpec): JobHandle {
    return handleOf({
      master,
      job,
      spec,
      files: this.#files,
      closed: this.#closed.signal,
      leave: (reason) => this.#leave.abort(reason),
      keep: async () => (await this.#state?.keep()) === true,
    });
  }

  /** The storage, with waits that `signal` ends: for everything before the job is submitted. */
  #stoppable(): Storage {
    const { storage, options } = this.#parts;
    return options.signal === undefined ? storage : stoppable(storage, options.signal);
  }

  /** The process of the first slot, once; undefined when there is none, or it was taken or has ended. */
  #takeFirstSlot(): ChildProcess | undefined {
    const first = this.#firstSlot;
    this.#firstSlot = undefined;
    return takeStarted(first);
  }

  /** The state that `open` leads to; nothing but `stop` and `close` is called before. */
  get #open(): Opened {
    assert(this.#opened !== undefined, "an engine is open before it is used");
    return this.#opened;
  }

  async #openStore(): Promise<Pick<Opened, "store" | "master">> {
    const { options, work } = this.#parts;
    this.#state = await openRunState({ options, work, closed: this.#closed.signal });
    const { store } = this.#state;
    const master = options.resume === true ? undefined : await this.#startMaster(store);
    return { store, master };
  }

  async #startMaster(store: StateStore): Promise<Master> {
    this.#master = await createMaster({
      store,
      storage: this.#parts.storage,
      clock: systemClock,
      recover: recoverScheduler,
      scheduler: schedulerOptions(this.#parts.options),
      heartbeatMs,
      owner: `process ${process.pid}`,
      publishing: this.#leave.signal,
    });
    this.#masterStarted.resolve(this.#master);
    return this.#master;
  }

  async #stop(): Promise<void> {
    this.#end = await this.#cancelled();
    if (this.#end !== "none")
      this.#isResumable =
        (this.#end === "failed" || this.#end === "stopped") && this.#state !== undefined && (await this.#state.keep());
    this.#masterStarted.reject(new MillraceError("not-leader", "the run was closed"));
    this.#closed.abort();
    await this.#agent.close();
    await this.#master?.close();
    await this.#state?.store.close();
  }

  /** Cancels a job that still runs, and tells how it ended; "stopped": the master could not go on. */
  async #cancelled(): Promise<JobView["state"] | "none" | "stopped"> {
    const handle = this.#handle;
    if (handle === undefined) return "none";
    try {
      if (!hasEnded(handle.view().state)) await handle.cancel();
      return (await handle.ended).state;
    } catch {
      return "stopped";
    }
  }
}

const schedulerOptions = ({ output, experiment }: LocalOptions): SchedulerOptions => ({
  leaseMs,
  keepFailed: output !== undefined,
  order: experiment?.order,
  backupSlowdown: limits.backupSlowdown,
  failuresPerWorkerMax: limits.failuresPerWorkerMax,
  infrastructureFailuresMax: limits.infrastructureFailuresMax,
  digestRollbacksMax: limits.digestRollbacksMax,
  isStagedBy,
  manifest: manifestBuilder({ millrace: version, node: process.versions.node }),
});

/** Waits for both even when one fails, so that nothing is still being created while it is being removed. */
async function allOrFirstError<A, B>(promises: readonly [Promise<A>, Promise<B>]): Promise<[A, B]> {
  await Promise.allSettled(promises);
  return await Promise.all(promises);
}
