// Copies of map outputs that other workers hold and that leave: made as ordered, a few at a time, and offered when they
// are whole. An order that is not repeated is given up.
import { type AttemptId, fullAttemptName, type JobId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { CopyFailed, CopyOrder, Offer } from "../../protocol/messages.ts";

/** Makes one copy. Rejects when it can't, or when aborted; then nothing of it is left. */
export type CopyRun = (order: CopyOrder, signal: AbortSignal) => Promise<Offer>;

export interface CopiesOptions {
  /** Undefined: there are no other workers. */
  readonly copyRun: CopyRun | undefined;
  /** A copy is whole: it is kept like a run that was written here. */
  readonly made: (offer: Offer) => void;
  /** It is to be offered; called again where that had no effect. */
  readonly offer: (offer: Offer) => void;
  /** There is something to report. */
  readonly changed: () => void;
}

export class Copies {
  readonly #options: CopiesOptions;
  /** By the map attempt's name; those without `done` wait for their turn. */
  readonly #ordered = new Map<
    string,
    { readonly order: CopyOrder; readonly stop: AbortController; done?: Promise<void> }
  >();
  readonly #made = new Map<string, Offer>();
  #failed: readonly CopyFailed[] = [];

  constructor(options: CopiesOptions) {
    this.#options = options;
  }

  /** Copies that can't be made, for a report. */
  get failed(): readonly CopyFailed[] {
    return this.#failed;
  }

  /** Called when the master has got these. */
  acknowledged(failed: readonly CopyFailed[]): void {
    if (failed.length > 0) this.#failed = this.#failed.filter((one) => !failed.includes(one));
  }

  /** Follows orders, which name all copies that are wanted now. Returns true if there is something to report. */
  follow(orders: readonly CopyOrder[]): boolean {
    let isNews = false;
    const wanted = new Set(orders.map(nameOf));
    for (const [name, { stop }] of this.#ordered) {
      if (wanted.has(name)) continue;
      stop.abort();
      this.#ordered.delete(name);
    }
    for (const order of orders) {
      const name = nameOf(order);
      const made = this.#made.get(name);
      if (made !== undefined) {
        this.#options.offer(made);
        isNews = true;
      } else if (!this.#ordered.has(name) && !this.#hasFailed(order.run.writtenBy))
        this.#ordered.set(name, { order, stop: new AbortController() });
    }
    this.#begin();
    return isNews;
  }

  /** The job is over: its files go, also those that are being made. */
  discard(job: JobId): void {
    for (const [name, { order, stop }] of this.#ordered) {
      if (order.run.writtenBy.job !== job) continue;
      stop.abort();
      this.#ordered.delete(name);
    }
    for (const [name, { run }] of this.#made) if (run.writtenBy.job === job) this.#made.delete(name);
    this.#failed = this.#failed.filter(({ attempt }) => attempt.job !== job);
  }

  /** Gives up all of them. Resolves when nothing of them goes on. */
  async close(): Promise<void> {
    const underWay = [...this.#ordered.values()];
    this.#ordered.clear();
    for (const { stop } of underWay) stop.abort();
    await Promise.all(underWay.map(({ done }) => done));
  }

  #hasFailed(attempt: AttemptId): boolean {
    return this.#failed.some((one) => fullAttemptName(one.attempt) === fullAttemptName(attempt));
  }

  #begin(): void {
    let atOnce = 0;
    for (const { done } of this.#ordered.values()) if (done !== undefined) atOnce++;
    for (const [name, copy] of this.#ordered) {
      if (atOnce >= limits.copiesAtOnce) return;
      if (copy.done !== undefined) continue;
      atOnce++;
      copy.done = this.#make(name, copy.order, copy.stop.signal);
    }
  }

  async #make(name: string, order: CopyOrder, signal: AbortSignal): Promise<void> {
    const { copyRun, made, offer: tell, changed } = this.#options;
    try {
      if (copyRun === undefined) throw new Error("this worker fetches from no others");
      const offer = await copyRun(order, signal);
      if (signal.aborted) return;
      this.#made.set(name, offer);
      made(offer);
      tell(offer);
    } catch (error) {
      if (signal.aborted) return;
      const why = String(error instanceof Error ? error.message : error);
      this.#failed = [...this.#failed, { attempt: order.run.writtenBy, why: plain(why) }];
    }
    this.#ordered.delete(name);
    this.#begin();
    changed();
  }
}

function nameOf({ run }: CopyOrder): string {
  return fullAttemptName(run.writtenBy);
}

/** A text that a report may have: of one line, and not too long. */
function plain(why: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  const line = why.replace(/[\x00-\x1f\x7f-\x9f]+/g, " ");
  return line.slice(0, limits.copyWhyCharsMax).toWellFormed();
}
