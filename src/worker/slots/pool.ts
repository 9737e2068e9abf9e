// The slots of one worker: started early or when needed, used by one job only, replaced when they have ended.

import { MillraceError } from "../../base/error.ts";
import type { JobId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Clock } from "../../base/system/clock.ts";
import type { JobDescription } from "../../job/load/describe.ts";
import { residentBytes } from "../disk/process-identity.ts";
import type { Bundle, TaskSlot } from "./task-slot.ts";

export interface SlotPoolOptions {
  readonly clock: Clock;
  /** The most processes that run at once. */
  readonly slots: number;
  /** A slot that holds more memory is killed. */
  readonly rssBytesMax: number;
  /** Starts a process; `name` is unique within this pool's life. */
  readonly openSlot: (name: string) => TaskSlot;
  /** False: each attempt gets a process of its own. Default true. */
  readonly reuse?: boolean | undefined;
  /** True: slots of a job that is over are replaced, so that the next job need not wait for processes to start. */
  readonly spare?: boolean | undefined;
  /** Returns the bytes of memory that a process holds. Default: asks the system. */
  readonly residentBytes?: ((pid: number) => number | undefined) | undefined;
}

/** A slot of the pool. `take` reserves it for its caller, until it is given back. */
export interface SlotEntry {
  readonly slot: TaskSlot;
  readonly name: string;
  /** The only job whose code it may ever run; undefined: none yet. */
  job: JobId | undefined;
  /** True while it runs an attempt or describes a job. */
  isBusy: boolean;
  /** True when it is to end as soon as it has reported what calls that have returned still do. */
  isRetiring: boolean;
  /** The loading of the only bundle that it ever loads. */
  loading: Promise<void> | undefined;
}

export class SlotPool {
  readonly #options: SlotPoolOptions;
  readonly #entries = new Set<SlotEntry>();
  readonly #changes = new Set<() => void>();
  /** How many attempts wait for a slot. */
  #waiting = 0;
  #opened = 0;
  #isClosed = false;

  constructor(options: SlotPoolOptions) {
    this.#options = options;
  }

  /** Starts slots and loads the bundle into them ahead of the first attempts. */
  prestart(slots: number, bundle: Bundle | undefined): void {
    while (this.#entries.size < Math.min(slots, this.#options.slots)) this.#open();
    if (bundle === undefined) return;
    for (const entry of this.#entries) {
      // An attempt that needs the slot awaits the same promise, and gets its error.
      if (entry.loading === undefined) this.load(entry, bundle).catch(() => {});
    }
  }

  /**
   * Asks a bundle for its job's description. The slot that answers may run the job afterwards. A slot that is killed
   * meanwhile, neither by its own code nor by the agent, is replaced; at most `triesMax` are tried.
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

  /** Asks the bundle's job for the value of parameters, in the slot that described it, if that still exists. */
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
   * processes as there may be, the one idle for longest is ended, and its end waited for. Rejects when `signal` is
   * aborted.
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

  /** Loads the bundle once. A slot that can't load its code is ended. */
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
    tooLong.catch(() => {}); // the work may end first
    try {
      return await Promise.race([work, tooLong]);
    } finally {
      timer.abort();
    }
  }

  /** Called when the job is over: its slots are ended, and with `spare` as many new ones take their place. */
  endJob(job: JobId): void {
    for (const entry of this.#entries) {
      if (entry.job !== job) continue;
      entry.slot.kill({ kind: "stopped" });
      if (this.#options.spare === true) void entry.slot.ended.then(() => this.#openSpare());
    }
  }

  /**
   * Resolves when each slot of the job has reported what calls that have returned still did, or has ended. A silent
   * slot is killed.
   */
  async settle(job: JobId): Promise<void> {
    await Promise.all([...this.#entries].filter((entry) => entry.job === job).map((entry) => this.#settle(entry)));
  }

  /**
   * Ends slots that hold too much memory, as memory outside of V8's heap has no limit of its own. Called now and then.
   */
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
    // Its last messages come before its end.
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
      // too many open files: an attempt that needs a slot gets the error
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

/** Repeats work when its slot was killed meanwhile. */
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

/**
 * Whether a slot was killed by the system for want of memory, or from outside, which says nothing about the job's code.
 */
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
