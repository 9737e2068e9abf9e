// An agent's memory of jobs, so that orders that come twice, late or in another order do no harm: the attempts that
// were ever started here, the holders of map outputs, and the jobs that are over.
import { type AttemptId, attemptName, type JobId, type WorkerId } from "../../base/ids.ts";
import { heldOf, isWhole, joinHolders } from "../../protocol/holders.ts";
import type { Holder, Holders, HoldersKnown } from "../../protocol/messages.ts";
import type { RunAttempt } from "../../slot/messages.ts";
import type { RunRef } from "../../sort/run.ts";

/** The inputs of a reduce: runs that lie here, and runs that have to be fetched. */
export type ReduceInputs = Pick<RunAttempt, "inputs" | "remote">;

export class KnownJobs {
  /** Attempts that were ever started here, or must not be, by job. */
  readonly #seen = new Map<JobId, Set<string>>();
  readonly #holders = new Map<JobId, Holders>();
  /** The inputs of reduces, made once all holders of a version are known, as there may be a million. */
  readonly #inputs = new Map<JobId, { readonly mapVersion: number; readonly inputs: ReduceInputs }>();
  /**
   * Discarded jobs, with the newest report's sequence at the time: only an answer to a later report may start the job
   * again.
   */
  readonly #discarded = new Map<JobId, number>();

  /**
   * Notes an attempt that no order may start any more: it was started, was revoked, or lies here from an earlier start.
   */
  note(attempt: AttemptId): void {
    let seen = this.#seen.get(attempt.job);
    if (seen === undefined) this.#seen.set(attempt.job, (seen = new Set()));
    seen.add(attemptName(attempt));
  }

  /** Notes that something of the job lies here. */
  noteJob(job: JobId): void {
    if (!this.#seen.has(job)) this.#seen.set(job, new Set());
  }

  /** Whether the answer to the report with this sequence may start the attempt. */
  mayStart(attempt: AttemptId, sequence: number): boolean {
    const discardedAt = this.#discarded.get(attempt.job);
    if (discardedAt !== undefined && sequence <= discardedAt) return false;
    return this.#seen.get(attempt.job)?.has(attemptName(attempt)) !== true;
  }

  /** True: the next page is wanted. */
  takeHolders(page: Holders): boolean {
    const joined = joinHolders(this.#holders.get(page.job), page);
    if (joined === undefined) return false;
    this.#holders.set(page.job, joined);
    this.#inputs.delete(page.job);
    return !isWhole(joined, joined.mapVersion);
  }

  /** What a reduce of this version reads; undefined while that is not known: holders travel apart from orders. */
  inputs(job: JobId, mapVersion: number, self: WorkerId): ReduceInputs | undefined {
    const known = this.#inputs.get(job);
    if (known?.mapVersion === mapVersion) return known.inputs;
    const holders = this.#holders.get(job);
    if (holders === undefined || !isWhole(holders, mapVersion)) return undefined;
    const inputs = inputsOf(holders, self);
    this.#inputs.set(job, { mapVersion, inputs });
    return inputs;
  }

  discard(job: JobId, sequence: number): void {
    this.#discarded.set(job, sequence);
    this.#seen.delete(job);
    this.#holders.delete(job);
    this.#inputs.delete(job);
  }

  /** Forgets what is needed only for answers to older reports than this, as none can come any more. */
  forgetBefore(sequence: number): void {
    for (const [job, at] of this.#discarded) if (at < sequence) this.#discarded.delete(job);
  }

  /**
   * The part of a report that names every job with anything here, so that the master can tell which of them are over.
   */
  held(others: readonly JobId[]): Readonly<Record<JobId, HoldersKnown>> {
    const held: Record<JobId, HoldersKnown> = {};
    for (const job of [...this.#seen.keys(), ...others]) held[job] = { mapVersion: 0, runs: 0 };
    for (const [job, holders] of this.#holders) held[job] = heldOf(holders);
    return held;
  }
}

/** The runs of a reduce, one per map task, in the order of their ordinals, which keeps values in input order. */
function inputsOf(holders: Holders, self: WorkerId): ReduceInputs {
  const byOrdinal = (a: RunRef, b: RunRef) => a.writtenBy.index - b.writtenBy.index;
  // A worker may be on more than one page.
  const byWorker = new Map<WorkerId, { readonly holder: Holder; readonly runs: RunRef[] }>();
  for (const holder of holders.workers) {
    let known = byWorker.get(holder.worker);
    if (known === undefined) byWorker.set(holder.worker, (known = { holder, runs: [] }));
    for (const run of holder.runs) known.runs.push(run);
  }
  for (const { runs } of byWorker.values()) runs.sort(byOrdinal);
  const inputs = byWorker.get(self)?.runs ?? [];
  byWorker.delete(self);
  return { inputs, remote: [...byWorker.values()].map(({ holder, runs }) => ({ ...holder, runs })) };
}
