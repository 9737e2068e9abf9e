// The slots of one worker: started early or when needed, used by one job only, replaced when they have ended.

import { MillraceError } from "../../base/error.ts";
import type { JobId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Clock } from "../../base/system/clock.ts";
import type { JobDescription } from "../../job/load/describe.ts";
import { residentBytes } from "../disk/process-identity.ts";
import type { Bundle, TaskSlot } from "./slot.ts";

export interface SlotPoolOptions {
  readonly clock: Clock;
  /** At most so many processes. */
  readonly slots: number;
  /** A slot that holds more memory is killed. */
  readonly rssBytesMax: number;
  /** Starts a process; `name` is unique within this pool's life. */
  readonly openSlot: (name: string) => TaskSlot;
  /** False: each attempt gets a process of its own, which nothing of an earlier one is left in. Default true. */
  readonly reuse?: boolean | undefined;
  /** True: slots of a job that is over are replaced, so that the next job need not wait for processes to start. */
  readonly spare?: boolean | undefined;
  /** Memory that a process holds. Default: what the system says. */
  readonly residentBytes?: ((pid: number) => number | undefined) | undefined;
}

/** A slot in use by who took it, until it is given back. */
export interface SlotEntry {
  readonly slot: TaskSlot;
  readonly name: string;
  /** The one job whose code it may run, ever. */
  job: JobId | undefined;
  /** It runs an attempt, or describes. */
  isBusy: boolean;
  /** It is to end, as soon as it has said what calls do that have returned. */
  isRetiring: boolean;
  /** Of the one bundle that it ever loads. */
  loading: Promise<void> | undefined;
}

export class SlotPool {
  readonly #options: SlotPoolOptions;
  readonly #entries = new Set<SlotEntry>();
  readonly #changes = new Set<() => void>();
  /** Attempts that wait for a slot. */
  #waiting = 0;
  #opened = 0;
  #isClosed = false;

  constructor(options: SlotPoolOptions) {
    this.#options = options;
  }

  /** Starts slots, and loads the bundle into them, before there is anything to do, so that it is over when there is. */
  prestart(slots: number, bundle: Bundle | undefined): void {
    while (this.#entries.size < Math.min(slots, this.#options.slots)) this.#open();
    if (bundle === undefined) return;
    for (const entry of this.#entries) {
      // Who needs the slot waits for the same promise, and hears of it.
      if (entry.loading === undefined) this.load(entry, bundle).catch(() => {});
    }
  }

  /**
   * What a bundle says of its job. The slot that answered may run the job afterwards. One that was killed meanwhile, not by its
   * own code and not by us, is replaced: at most `triesMax` are tried.
   */
  async describe(bundle: Bundle, triesMax = 1): Promise<JobDescription> {
    return await again(triesMax, () =>
      this.#ask(
        [...this.#entries].find(({ loading }) => loading === undefined) ?? this.#open(),
        bundle,
        (slot) => slot.describe(),
        "the job is loaded, and does not say what it is: a getter or a format's header does not return",
      ),
    );
  }

  /** What the bundle's job makes of parameters, in the slot that described it, if it is there still. */
  async validate(bundle: Bundle, params: string, triesMax = 1): Promise<Uint8Array | undefined> {
    return await again(triesMax, () =>
      this.#ask(
        this.#idle().find(({ slot }) => hasLoaded(slot, bundle)) ?? this.#open(),
        bundle,
        (slot) => slot.validate(params),
        "the schema of params does not come to an end: look for a promise that nothing settles",
      ),
    );
  }

  async #ask<T>(
    entry: SlotEntry,
    bundle: Bundle,
    question: (slot: TaskSlot) => Promise<T>,
    otherwise: string,
  ): Promise<T> {
    entry.isBusy = true;
    try {
      await this.load(entry, bundle);
      return await this.#inTime(entry, question(entry.slot), otherwise);
    } finally {
      this.giveBack(entry);
    }
  }

  /**
   * A slot for the job: one of its own, one that has its code already, a fresh one, a new one. Where there are as many
   * processes as there may be, the one idle for longest is ended, and its end waited for. Rejects when `signal` is aborted.
   */
  async take(job: JobId, bundle: Bundle, signal: AbortSignal): Promise<SlotEntry> {
    this.#waiting++;
    try {
      for (;;) {
        signal.throwIfAborted();
        if (this.#isClosed) throw closing();
        const entry = this.#idleFor(job, bundle) ?? (this.#isFull() ? undefined : this.#open());
        if (entry !== undefined) {
          entry.job = job;
          entry.isBusy = true;
          return entry;
        }
        const ending = [...this.#entries].filter(({ slot, isRetiring }) => isRetiring || !slot.isAlive).length;
        const [oldest] = this.#idle();
        if (ending < this.#waiting && oldest !== undefined) this.#retire(oldest);
        await this.#change(signal);
      }
    } finally {
      this.#waiting--;
    }
  }

  giveBack(entry: SlotEntry): void {
    entry.isBusy = false;
    if (this.#options.reuse === false && entry.job !== undefined) this.#retire(entry);
    // The set is in the order in which slots became idle.
    if (this.#entries.delete(entry)) this.#entries.add(entry);
    this.#changed();
  }

  /** Loads once; a slot that could not load its code is of no use to anybody. */
  async load(entry: SlotEntry, bundle: Bundle): Promise<void> {
    entry.loading ??= this.#inTime(
      entry,
      entry.slot.load(bundle),
      "the job file is still loading: look for an await at its top level that nothing settles, or a loop without an end",
    ).catch((error: unknown) => {
      entry.slot.kill({ kind: "stopped" });
      throw error;
    });
    await entry.loading;
  }

  /** Ends the slot where the job's code keeps it for longer than loading may take. */
  async #inTime<T>(entry: SlotEntry, work: Promise<T>, otherwise: string): Promise<T> {
    const timer = new AbortController();
    const tooLong = this.#options.clock.sleep(limits.loadMs, timer.signal).then(() => {
      if (!timer.signal.aborted) entry.slot.kill({ kind: "stopped" });
      throw new MillraceError("wrong-job", `${otherwise} (given up after ${limits.loadMs / 1000} s)`);
    });
    tooLong.catch(() => {}); // its time need not come
    try {
      return await Promise.race([work, tooLong]);
    } finally {
      timer.abort();
    }
  }

  /** The job is over: its slots are not used for another one. As many that know no job yet take their place. */
  endJob(job: JobId): void {
    for (const entry of this.#entries) {
      if (entry.job !== job) continue;
      entry.slot.kill({ kind: "stopped" });
      if (this.#options.spare === true) void entry.slot.ended.then(() => this.#openSpare());
    }
  }

  /** Each slot of the job has said all that calls did which had returned, or has ended: one that says nothing is killed. */
  async settle(job: JobId): Promise<void> {
    await Promise.all([...this.#entries].filter((entry) => entry.job === job).map((entry) => this.#settle(entry)));
  }

  /** Ends slots that hold too much memory; what is outside of V8's heap has no limit of its own. */
  checkMemory(): void {
    const resident = this.#options.residentBytes ?? residentBytes;
    for (const { slot } of this.#entries) {
      const bytes = slot.pid === undefined ? undefined : resident(slot.pid);
      if (bytes !== undefined && bytes > this.#options.rssBytesMax) slot.kill({ kind: "memory", bytes });
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#changed();
    const entries = [...this.#entries];
    for (const { slot } of entries) slot.kill({ kind: "stopped" });
    await Promise.all(entries.map(({ slot }) => slot.ended));
  }

  #idleFor(job: JobId, bundle: Bundle): SlotEntry | undefined {
    const idle = this.#idle();
    return (
      idle.find((candidate) => candidate.job === job) ??
      idle.find((candidate) => candidate.job === undefined && hasLoaded(candidate.slot, bundle)) ??
      idle.find((candidate) => candidate.job === undefined && candidate.loading === undefined)
    );
  }

  #idle(): SlotEntry[] {
    return [...this.#entries].filter((entry) => !entry.isBusy && !entry.isRetiring && entry.slot.isAlive);
  }

  #retire(entry: SlotEntry): void {
    entry.isRetiring = true;
    const said = entry.job === undefined ? Promise.resolve() : this.#settle(entry);
    void said.then(() => entry.slot.kill({ kind: "stopped" }));
  }

  async #settle({ slot }: SlotEntry): Promise<void> {
    const timer = new AbortController();
    const ms = limits.settleMs + limits.settleSilenceMs;
    const silent = this.#options.clock.sleep(ms, timer.signal).then(async () => {
      if (!timer.signal.aborted) slot.kill({ kind: "silent", ms });
      await slot.ended;
    });
    await Promise.race([slot.isAlive ? slot.settle() : slot.ended, silent]);
    timer.abort();
    // What it said last comes before its end.
    if (!slot.isAlive) await slot.ended;
  }

  #isFull(): boolean {
    return this.#entries.size >= this.#options.slots;
  }

  /** Resolves when a slot became idle or has ended, or the signal is aborted. */
  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        signal.removeEventListener("abort", done);
        this.#changes.delete(done);
        resolve();
      };
      this.#changes.add(done);
      signal.addEventListener("abort", done, { once: true });
    });
  }

  #changed(): void {
    for (const done of [...this.#changes]) done();
  }

  #openSpare(): void {
    if (this.#isClosed || this.#isFull() || this.#waiting > 0) return;
    try {
      this.#open();
    } catch {
      // too many open files: who needs a slot hears of it
    }
  }

  #open(): SlotEntry {
    if (this.#isClosed) throw closing();
    const name = `slot-${++this.#opened}`;
    const slot = this.#options.openSlot(name);
    const entry: SlotEntry = { slot, name, job: undefined, isBusy: false, isRetiring: false, loading: undefined };
    this.#entries.add(entry);
    void slot.ended.then(() => {
      this.#entries.delete(entry);
      this.#changed();
    });
    return entry;
  }
}

/** Where a slot is killed meanwhile another one is asked. */
async function again<T>(triesMax: number, work: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await work();
    } catch (error) {
      if (!wasKilled(error)) throw error;
      if (tries < triesMax) continue;
      const times = tries === 1 ? "" : ` (tried ${tries} times)`;
      throw new MillraceError(error.code, `${error.message}${times}`, { cause: error });
    }
  }
}

/** By the system for want of memory, or by somebody: it says nothing of the job's code. */
export function wasKilled(error: unknown): error is MillraceError {
  return error instanceof MillraceError && error.code === "slot-died" && error.retry === "same";
}

function closing(): MillraceError {
  return new MillraceError("cancelled", "the worker is closing");
}

function hasLoaded(slot: TaskSlot, bundle: Bundle): boolean {
  const variables = ({ environment }: Bundle) => JSON.stringify(Object.entries(environment).toSorted());
  return slot.bundle?.digest === bundle.digest && variables(slot.bundle) === variables(bundle);
}
