// What an agent remembers of jobs, so that orders that come twice, late or in another order do no harm: the attempts that were
// ever started here, where map outputs lie, and which jobs are over.
import { type AttemptId, attemptName, type JobId, type WorkerId } from "../../base/ids.ts";
import type { Places, PlacesHeld, RunPlaces } from "../../protocol/messages.ts";
import { heldOf, isWhole, joinPlaces } from "../../protocol/places.ts";
import type { RunAttempt } from "../../slot/messages.ts";
import type { RunRef } from "../../sort/run.ts";

/** What a reduce reads, apart: what lies here, and what has to be fetched. */
export type ReduceInputs = Pick<RunAttempt, "inputs" | "remote">;

export class KnownJobs {
  /** Ids that were ever started here, or must not be, by job. */
  readonly #seen = new Map<JobId, Set<string>>();
  readonly #places = new Map<JobId, Places>();
  /** Of the whole places: made once, there may be a million. */
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
  takePlaces(page: Places): boolean {
    const joined = joinPlaces(this.#places.get(page.job), page);
    if (joined === undefined) return false;
    this.#places.set(page.job, joined);
    this.#inputs.delete(page.job);
    return !isWhole(joined, joined.mapVersion);
  }

  /** What a reduce of this version reads; undefined while that is not known: places travel apart from orders. */
  inputs(job: JobId, mapVersion: number, self: WorkerId): ReduceInputs | undefined {
    const known = this.#inputs.get(job);
    if (known?.mapVersion === mapVersion) return known.inputs;
    const places = this.#places.get(job);
    if (places === undefined || !isWhole(places, mapVersion)) return undefined;
    const inputs = inputsOf(places, self);
    this.#inputs.set(job, { mapVersion, inputs });
    return inputs;
  }

  discard(job: JobId, sequence: number): void {
    this.#discarded.set(job, sequence);
    this.#seen.delete(job);
    this.#places.delete(job);
    this.#inputs.delete(job);
  }

  /** No answer to a report older than this can come any more. */
  forgetBefore(sequence: number): void {
    for (const [job, at] of this.#discarded) if (at < sequence) this.#discarded.delete(job);
  }

  /** For reports. Names every job that has anything here, so that the master can say of each that it is over. */
  held(others: readonly JobId[]): Readonly<Record<JobId, PlacesHeld>> {
    const held: Record<JobId, PlacesHeld> = {};
    for (const job of [...this.#seen.keys(), ...others]) held[job] = { mapVersion: 0, runs: 0 };
    for (const [job, places] of this.#places) held[job] = heldOf(places);
    return held;
  }
}

/** One run per map task, in the order of their ordinals: that is what keeps values in input order. */
function inputsOf(places: Places, self: WorkerId): ReduceInputs {
  const byOrdinal = (a: RunRef, b: RunRef) => a.writtenBy.index - b.writtenBy.index;
  // A worker may be on more than one page.
  const byWorker = new Map<WorkerId, { readonly place: RunPlaces; readonly runs: RunRef[] }>();
  for (const place of places.runs) {
    let known = byWorker.get(place.worker);
    if (known === undefined) byWorker.set(place.worker, (known = { place, runs: [] }));
    for (const run of place.runs) known.runs.push(run);
  }
  for (const { runs } of byWorker.values()) runs.sort(byOrdinal);
  const inputs = byWorker.get(self)?.runs ?? [];
  byWorker.delete(self);
  return { inputs, remote: [...byWorker.values()].map(({ place, runs }) => ({ ...place, runs })) };
}
