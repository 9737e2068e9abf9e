// Answers the calls that a master gets: passes them to the scheduler's loop, after checks, and reads blobs, event logs
// and workers' logs. Every call may be repeated.

import { MillraceError } from "../base/error.ts";
import type { JobId, WorkerId } from "../base/ids.ts";
import type { Clock } from "../base/system/clock.ts";
import { failpoint } from "../base/system/failpoint.ts";
import type { WorkerOrders, WorkerReport } from "../protocol/messages.ts";
import type { Blobs, Hello, HistoryEvent, LogChunk, MasterApi, Submission, Welcome } from "../protocol/services.ts";
import { checkHello, ourVersions } from "../protocol/versions.ts";
import { type ClusterView, hasEnded, type JobView, type LeaderView } from "../protocol/view.ts";
import type { History } from "./history.ts";
import { type LogProxyOptions, logSources, readLog } from "./logs.ts";
import { foldersOf, type Look, lookRequest } from "./look/look.ts";
import { jobIdOf, type Master } from "./master.ts";
import { inOverview } from "./overview.ts";
import { checkBlobs, checkSubmission, outputTaken } from "./submission.ts";
import { type AddressRules, workerAddress } from "./worker-address.ts";

/** Jobs that are not over. More of them would wait for days, and all of them are in memory. */
const liveJobsMax = 1_000;

export interface ApiParts {
  readonly master: Master;
  readonly leader: LeaderView;
  readonly clock: Clock;
  readonly blobs: Blobs;
  readonly history: History;
  readonly leaseMs: number;
  /** Workers that are known at a time, including silent ones that are not forgotten yet. */
  readonly workersMax: number;
  readonly addresses: AddressRules;
  readonly logs: LogProxyOptions;
  /**
   * Looks at inputs and output, and leaves the file there that workers look for before they start (output/probe.ts).
   */
  readonly look: Look;
  /** Throws `no-space` while the state's disk is too full for another job. */
  readonly checkSpace: () => Promise<void>;
  /** Called with the time that each heartbeat took to answer, for metrics. */
  readonly heard?: (ms: number) => void;
  readonly submitted?: (outcome: "taken" | "refused") => void;
}

/**
 * Numbers of a later epoch are greater than all of an earlier one. A worker that starts every millisecond would need 12
 * days.
 */
const startsPerEpoch = 2 ** 30;

/** Serves all calls of one master's process. Calls may come as soon as it is constructed. */
export class Api implements MasterApi {
  readonly #parts: ApiParts;
  /**
   * Submissions that are being checked. The same job again waits for the first call; another job may not have its
   * output.
   */
  readonly #submitting = new Map<JobId, { readonly folders: readonly string[]; readonly taken: Promise<JobId> }>();
  /** Workers' addresses, as announced. An address is forgotten with its worker. */
  readonly #addresses = new Map<WorkerId, string>();
  /** The newest life of each worker that was heard. */
  readonly #incarnations = new Map<WorkerId, number>();
  /** How many workers were greeted under this epoch. */
  #starts = 0;

  constructor(parts: ApiParts) {
    this.#parts = parts;
  }

  async hello(hello: Hello): Promise<Welcome> {
    const { master, leaseMs, clock } = this.#parts;
    this.#throwIfStopped();
    checkHello(hello);
    const { protocol, millrace } = ourVersions;
    const start = hello.role === "worker" ? master.epoch * startsPerEpoch + ++this.#starts : 0;
    return { protocol, millrace, cluster: master.cluster, leaseMs, start, timeMs: clock.date().getTime() };
  }

  async heartbeat(report: WorkerReport, signal: AbortSignal): Promise<WorkerOrders> {
    const { master, clock, addresses, heard } = this.#parts;
    this.#refuseSurplus(report);
    this.#refuseSuperseded(report);
    if (this.#addresses.get(report.worker) !== report.address) {
      workerAddress(report.worker, report.address, addresses);
      this.#addresses.set(report.worker, report.address);
    }
    const startedAt = clock.now();
    try {
      return await this.#led(master.heartbeat(report, signal));
    } finally {
      heard?.(clock.now() - startedAt);
    }
  }

  async submit(submission: Submission, signal?: AbortSignal): Promise<JobId> {
    try {
      const job = await this.#submit(submission, signal);
      this.#parts.submitted?.("taken");
      return job;
    } catch (error) {
      this.#parts.submitted?.("refused");
      throw error;
    }
  }

  async get(job: JobId): Promise<JobView> {
    const found = this.#find(job);
    if (found === undefined) throw unknownJob(job);
    return found;
  }

  async view(): Promise<ClusterView> {
    this.#throwIfStopped();
    const { master, leader } = this.#parts;
    const { jobs, ...view } = master.view();
    return { ...view, leader, jobs: jobs.map(inOverview) };
  }

  async *watch(job: JobId, signal?: AbortSignal): AsyncIterable<JobView> {
    try {
      yield* this.#parts.master.watch(job, signal);
    } catch (error) {
      throw this.#explained(error);
    }
  }

  async cancel(job: JobId): Promise<"cancelled" | "too-late"> {
    return await this.#led(this.#parts.master.cancel(job));
  }

  async retry(job: JobId, signal?: AbortSignal): Promise<void> {
    const { master, look } = this.#parts;
    const found = await this.get(job);
    if (!hasEnded(found.state)) return; // it goes on already, and the answer to the first call was lost
    if (found.state !== "failed") {
      throw new MillraceError(
        "nothing-to-resume",
        `job ${job} has ${found.state}: only one that failed can be retried`,
      );
    }
    if (!found.resumable) {
      throw new MillraceError(
        "nothing-to-resume",
        `what job ${job} had done is no longer kept: run it again as a new job`,
      );
    }
    const folders = foldersOf(found.output, found.deadLettersIn);
    this.#refuseTaken(folders, job);
    const writeProbes = async () => {
      await look({ job, inputs: [], outputs: folders, overwrite: undefined }, signal);
    };
    await this.#led(master.resume(job, writeProbes));
  }

  async drain(worker: WorkerId, withinMs?: number): Promise<void> {
    await this.#led(this.#parts.master.drain(worker, withinMs));
  }

  async *logs(job: JobId, attempt: string | undefined, signal?: AbortSignal): AsyncIterable<LogChunk> {
    const { history } = this.#parts;
    await this.get(job);
    if (attempt !== undefined && !/^(plan|map|reduce)-\d+\.\d+\.\d+$/.test(attempt)) {
      throw new MillraceError("wrong-usage", `${JSON.stringify(attempt)} is no attempt: they look like map-00012.1.7`);
    }
    const sources = await logSources(history.read(job, signal), attempt);
    for (const { attempt: name, worker } of sources) {
      try {
        yield* this.#log(job, name, worker, signal);
      } catch (error) {
        // Of several logs, those that can be read are shown, with a line for each that can't.
        if (sources.length === 1 || !(error instanceof MillraceError) || signal?.aborted) throw error;
        yield { attempt: name, worker: worker ?? "", bytes: Buffer.from(`[${error.message}]\n`) };
      }
    }
  }

  async *history(job: JobId, signal?: AbortSignal): AsyncIterable<HistoryEvent> {
    let isEmpty = true;
    for await (const event of this.#parts.history.read(job, signal)) {
      isEmpty = false;
      yield event;
    }
    if (isEmpty) await this.get(job);
  }

  /** Forgets a worker's address. Called when the scheduler has forgotten the worker. */
  forget(worker: WorkerId): void {
    this.#addresses.delete(worker);
    this.#incarnations.delete(worker);
  }

  /**
   * Refuses workers beyond the bound: a caller with the worker token can invent names, and each costs memory until it
   * is forgotten.
   */
  #refuseSurplus({ worker }: WorkerReport): void {
    const { workersMax } = this.#parts;
    if (this.#incarnations.size < workersMax || this.#incarnations.has(worker)) return;
    throw new MillraceError(
      "over-limit",
      `this master knows ${workersMax} workers, as many as it takes: end some that are not needed, or give it more with --max-workers`,
    );
  }

  /**
   * Refuses an older process of the same name: both would follow the same orders, and run an attempt twice under its id
   * (I6).
   */
  #refuseSuperseded({ worker, incarnation }: WorkerReport): void {
    const newest = this.#incarnations.get(worker) ?? incarnation;
    this.#incarnations.set(worker, Math.max(newest, incarnation));
    if (incarnation >= newest) return;
    throw new MillraceError(
      "state-busy",
      `another process was started as worker ${worker} since this one: give each worker a --name of its own, or none`,
    );
  }

  // ── submission ─────────────────────────────────────────────────────────────

  async #submit(submission: Submission, signal: AbortSignal | undefined): Promise<JobId> {
    checkSubmission(submission);
    const job = jobIdOf(submission.idempotencyKey);
    // This comes first: what would refuse a repeated call may be there because of the first call (fault 44).
    if (this.#find(job) !== undefined) return job;
    const first = this.#submitting.get(job);
    if (first !== undefined) {
      // The caller of the first call may be gone since, which drops it: then this call is the first.
      if (await isDropped(first.taken)) return await this.#submit(submission, signal);
      return await first.taken;
    }
    const { output, deadLetters } = submission.spec;
    const folders = foldersOf(output, deadLetters?.path);
    this.#refuseTaken(folders, job);
    this.#refuseTooMany();
    const taken = this.#take(job, submission, signal);
    this.#submitting.set(job, { folders, taken });
    try {
      return await taken;
    } finally {
      this.#submitting.delete(job);
    }
  }

  async #take(job: JobId, { spec, overwrite, idempotencyKey }: Submission, signal?: AbortSignal): Promise<JobId> {
    const { master, blobs, look, checkSpace } = this.#parts;
    await checkSpace();
    await checkBlobs(spec, blobs);
    const [replaces, aside] = (await look(lookRequest(spec, job, overwrite), signal)).replaces;
    const { deadLetters } = spec;
    const prepared =
      deadLetters === undefined
        ? { ...spec, replaces }
        : { ...spec, replaces, deadLetters: { ...deadLetters, replaces: aside } };
    failpoint("master.afterProbe");
    // From here on the job is the master's: a client that hangs up now finds it there.
    return await this.#led(master.submit(prepared, idempotencyKey));
  }

  /** Refuses a job that publishes where another one will: the second would fail at its end. */
  #refuseTaken(folders: readonly string[], own: JobId): void {
    const refuse = (job: JobId, others: readonly string[]) => {
      const taken = job === own ? undefined : folders.find((place) => others.includes(place));
      if (taken !== undefined) throw outputTaken(taken, job);
    };
    for (const { job, state, output, deadLettersIn } of this.#parts.master.view().jobs) {
      if (!hasEnded(state)) refuse(job, foldersOf(output, deadLettersIn));
    }
    for (const [job, { folders: others }] of this.#submitting) refuse(job, others);
  }

  #refuseTooMany(): void {
    const live = this.#parts.master.view().jobs.filter(({ state }) => !hasEnded(state)).length;
    if (live + this.#submitting.size < liveJobsMax) return;
    throw new MillraceError("over-limit", `${live} jobs are not over yet, as many as a master takes: submit later`);
  }

  // ── logs ───────────────────────────────────────────────────────────────────

  async *#log(
    job: JobId,
    attempt: string,
    worker: WorkerId | undefined,
    signal: AbortSignal | undefined,
  ): AsyncIterable<LogChunk> {
    if (worker === undefined) {
      throw new MillraceError(
        "bad-input",
        `job ${job} has no attempt ${attempt} that is noted: see millrace history ${job}`,
      );
    }
    const address = this.#addresses.get(worker);
    if (address === undefined) {
      throw new MillraceError(
        "unreachable",
        `worker ${worker}, which has the log of ${attempt}, has not been heard of since this master started or for long`,
      );
    }
    const url = workerAddress(worker, address, this.#parts.addresses);
    yield* readLog({ worker, address: url, job, attempt }, this.#parts.logs, signal);
  }

  // ── a master that has stepped down ─────────────────────────────────────────

  async #led<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      throw this.#explained(error);
    }
  }

  #throwIfStopped(): void {
    const { stopped } = this.#parts.master;
    if (stopped.aborted) throw this.#explained(stopped.reason);
  }

  /** Tells callers why this master stopped, so that they retry with the next one. */
  #explained(error: unknown): unknown {
    const { stopped } = this.#parts.master;
    if (!stopped.aborted || error !== stopped.reason) return error;
    if (error instanceof MillraceError && error.code === "not-leader") return error;
    const why = error instanceof Error ? error.message : String(error);
    return new MillraceError("not-leader", `the master has stepped down: ${why}`, { cause: error, retry: "same" });
  }

  #find(job: JobId): JobView | undefined {
    this.#throwIfStopped();
    return this.#parts.master.view().jobs.find((view) => view.job === job);
  }
}

async function isDropped(taken: Promise<JobId>): Promise<boolean> {
  try {
    await taken;
    return false;
  } catch (error) {
    return error instanceof MillraceError && error.code === "cancelled";
  }
}

function unknownJob(job: JobId): MillraceError {
  return new MillraceError("wrong-usage", `there is no job ${job}`);
}
