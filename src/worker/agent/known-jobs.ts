// What an agent remembers of jobs, so that orders that come twice, late or in another order do no harm: the attempts that were
// ever started here, where map outputs lie, and which jobs are over.
import { type AttemptId, attemptName, type JobId, type WorkerId } from "../../base/ids.ts";
import { heldOf, isWhole, joinHolders } from "../../protocol/holders.ts";
import type { Holder, Holders, HoldersKnown } from "../../protocol/messages.ts";
import type { RunAttempt } from "../../slot/messages.ts";
import type { RunRef } from "../../sort/run.ts";

/** What a reduce reads, apart: what lies here, and what has to be fetched. */
export type ReduceInputs = Pick<RunAttempt, "inputs" | "remote">;

export class KnownJobs {
  /** Ids that were ever started here, or must not be, by job. */
  readonly #seen = new Map<JobId, Set<string>>();
  readonly #holders = new Map<JobId, Holders>();
  /** Of the whole holders: made once, there may be a million. */
  readonly #inputs = new Map<JobId, { readonly mapVersion: number; readonly inputs: ReduceInputs }>();
  /** With the newest report's sequence at the time: only an answer to a later one may start the job again. */
  readonly #discarded = new Map<JobId, number>();

  /** It is started, was revoked, or lies here from an earlier start: an order must not start it any more. */
  note(attempt: AttemptId): void {
    let seen = this.#seen.get(attempt.job);
    if (seen === undefined) this.#seen.set(attempt.job, (seen = new Set()));
    seen.add(attemptName(attempt));
  }

  /** Whether the answer to the report of this sequence may start it. */
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

  /** No answer to a report older than this can come any more. */
  forgetBefore(sequence: number): void {
    for (const [job, at] of this.#discarded) if (at < sequence) this.#discarded.delete(job);
  }

  /** For reports. Names every job that has anything here, so that the master can say of each that it is over. */
  held(others: readonly JobId[]): Readonly<Record<JobId, HoldersKnown>> {
    const held: Record<JobId, HoldersKnown> = {};
    for (const job of [...this.#seen.keys(), ...others]) held[job] = { mapVersion: 0, runs: 0 };
    for (const [job, holders] of this.#holders) held[job] = heldOf(holders);
    return held;
  }
}

/** One run per map task, in the order of their ordinals: that is what keeps values in input order. */
function inputsOf(holders: Holders, self: WorkerId): ReduceInputs {
  const byOrdinal = (a: RunRef, b: RunRef) => a.writtenBy.index - b.writtenBy.index;
  // A worker may be on more than one page.
  const byWorker = new Map<WorkerId, { readonly holder: Holder; readonly runs: RunRef[] }>();
  for (const holder of holders.runs) {
    let known = byWorker.get(holder.worker);
    if (known === undefined) byWorker.set(holder.worker, (known = { holder, runs: [] }));
    for (const run of holder.runs) known.runs.push(run);
  }
  for (const { runs } of byWorker.values()) runs.sort(byOrdinal);
  const inputs = byWorker.get(self)?.runs ?? [];
  byWorker.delete(self);
  return { inputs, remote: [...byWorker.values()].map(({ holder, runs }) => ({ ...holder, runs })) };
}
