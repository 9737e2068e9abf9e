// The state store as a service that several masters use: the product's store in memory, behind a session for whoever
// leads. A commit goes in as transactions, each fenced by the store, so a crash or an error may leave a prefix of it
// (store.ts).
import { held } from "../base/assert.ts";
import { MillraceError } from "../base/error.ts";
import { createMemoryStore, SharedMemory } from "../state/memory.ts";
import type { Change, Leader, Leadership, StateStore, StoredRecord } from "../state/store.ts";
import type { Chance } from "./chance.ts";
import type { Endpoint, Request } from "./network.ts";
import type { Process } from "./process.ts";
import type { Planned } from "./timeline.ts";

export interface StoreOptions {
  /** Sessions and slow answers are measured by it. */
  readonly leaseMs: number;
  /** Changes per transaction. */
  readonly transactionMax: number;
  /** Leaders give up by their own clock when the store does not answer, before another one can lead. */
  readonly stepsDownByClock: boolean;
}

/** Told of what happens at the store. */
export interface StoreWatcher {
  /** The moment a change is durable. */
  stored(change: Change, before: Uint8Array | undefined, epoch: number): void;
  led(epoch: number, host: string): void;
  /** Somebody who leads no more was turned away; a commit broke off in its middle. */
  fenced(): void;
  commitCut(): void;
}

/** The store that masters use, as the rest of a world sees it. */
export interface StateService extends Endpoint {
  /** What is durable, as seen from outside of the store. */
  readonly records: ReadonlyMap<string, Uint8Array>;
  readonly epoch: number;
  /** The host that leads, as far as the store knows. */
  readonly leader: string | undefined;
  /** Commits and scans fail, or take long, until then. */
  failsUntil: number;
  slowUntil: number;
  /** Leadership goes to whoever waits for it, though its holder is well (etcd issue 15247). */
  depose(): void;
  /** Whether the leader of that epoch must know by its own clock that it leads no more. */
  hasExpired(epoch: number): boolean;
}

export interface CommitRequest {
  readonly epoch: number;
  readonly changes: readonly Change[];
}

interface Waiter {
  readonly host: string;
  readonly resolve: (epoch: number) => void;
}

export class StateServer implements StateService {
  readonly process: Process;
  readonly records = new Map<string, Uint8Array>();
  epoch = 0;
  failsUntil = 0;
  slowUntil = 0;
  readonly #chance: Chance;
  readonly #options: StoreOptions;
  readonly #watcher: StoreWatcher;
  readonly #now: () => number;
  readonly #store: StateStore;
  readonly #leaderships = new Map<number, Leadership>();
  readonly #waiting: Waiter[] = [];
  #isElecting = false;
  #session: { readonly epoch: number; readonly host: string; expires: Planned } | undefined;

  constructor(process: Process, now: () => number, chance: Chance, options: StoreOptions, watcher: StoreWatcher) {
    this.process = process;
    this.#now = now;
    this.#store = createMemoryStore(new SharedMemory(), { date: () => new Date(now()) });
    this.#chance = chance;
    this.#options = options;
    this.#watcher = watcher;
  }

  get leader(): string | undefined {
    return this.#session?.host;
  }

  /** The leader, as masters are told. */
  async #seated(): Promise<Leader | undefined> {
    await this.#wait();
    return this.#session === undefined ? undefined : await this.#store.leader();
  }

  /** A session without a sign of life ends after this. */
  get sessionMs(): number {
    return this.#options.leaseMs / 2;
  }

  serve({ kind, body, from }: Request): Promise<unknown> {
    switch (kind) {
      case "lead":
        return this.#lead(from);
      case "keep":
        return this.#keep(body as number);
      case "resign":
        return Promise.resolve(this.#end(body as number));
      case "leader":
        return this.#seated();
      case "scan":
        return this.#scan(body as string);
      case "commit":
        return this.#commit(body as CommitRequest);
      default:
        throw new Error(`the store knows no ${kind}`);
    }
  }

  depose(): void {
    if (this.#session !== undefined) this.#end(this.#session.epoch);
  }

  /** Not every world's leaders give up by their clock, and none of them compares it with an answer. */
  hasExpired(_epoch: number): boolean {
    return false;
  }

  #lead(host: string): Promise<number> {
    return new Promise((resolve) => {
      // A host that asks again has given up the call before.
      const before = this.#waiting.findIndex((waiter) => waiter.host === host);
      if (before >= 0) this.#waiting.splice(before, 1);
      this.#waiting.push({ host, resolve });
      void this.#elect();
    });
  }

  async #elect(): Promise<void> {
    if (this.#session !== undefined || this.#isElecting) return;
    const next = this.#waiting.shift();
    if (next === undefined) return;
    this.#isElecting = true;
    const leadership = await this.#store.lead(next.host, new AbortController().signal);
    this.#isElecting = false;
    const { epoch } = leadership;
    this.#leaderships.set(epoch, leadership);
    this.epoch = epoch;
    this.#session = { epoch, host: next.host, expires: this.#expiry(epoch) };
    this.#watcher.led(epoch, next.host);
    next.resolve(epoch);
  }

  async #keep(epoch: number): Promise<void> {
    const session = this.#session;
    if (session?.epoch !== epoch) throw notLeader();
    session.expires.run = undefined;
    session.expires = this.#expiry(epoch);
  }

  #expiry(epoch: number): Planned {
    return this.process.after(this.sessionMs, () => this.#end(epoch));
  }

  #end(epoch: number): void {
    if (this.#session?.epoch !== epoch) return;
    this.#session.expires.run = undefined;
    this.#session = undefined;
    void this.#elect();
  }

  async #scan(prefix: string): Promise<readonly StoredRecord[]> {
    await this.#wait();
    if (this.#fails) throw new MillraceError("io-error", "the store can't be read");
    const found: StoredRecord[] = [];
    for await (const record of this.#store.scan(prefix)) found.push(record);
    return found;
  }

  async #commit({ epoch, changes }: CommitRequest): Promise<void> {
    const { transactionMax } = this.#options;
    const failsAt = this.#fails ? this.#chance.below(changes.length + 1) : Number.POSITIVE_INFINITY;
    for (let from = 0; from < changes.length; from += transactionMax) {
      await this.#wait();
      const transaction = changes.slice(from, Math.min(from + transactionMax, failsAt));
      try {
        await held(this.#leaderships, epoch, "leadership").commit(transaction);
      } catch (error) {
        this.#watcher.fenced();
        throw error;
      }
      for (const change of transaction) this.#note(change, epoch);
      if (failsAt < from + transactionMax) {
        this.#watcher.commitCut();
        throw new MillraceError("io-error", "the store can't be written");
      }
    }
    await this.#wait(); // the records are synced; the answer may still get lost
  }

  #note(change: Change, epoch: number): void {
    const key = "put" in change ? change.put.key : change.delete;
    const before = this.records.get(key);
    if ("put" in change) this.records.set(key, change.put.value);
    else this.records.delete(key);
    this.#watcher.stored(change, before, epoch);
  }

  get #fails(): boolean {
    return this.failsUntil > this.#now();
  }

  #wait(): Promise<void> {
    const isSlow = this.slowUntil > this.#now();
    const ms = isSlow ? this.#chance.between(0, this.#options.leaseMs) : this.#chance.between(0.1, 3);
    return new Promise((resolve) => void this.process.after(ms, resolve));
  }
}

export function notLeader(): MillraceError {
  return new MillraceError("not-leader", "another master leads now");
}
