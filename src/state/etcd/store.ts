// The store of several masters: a cluster of etcd (version 3.4 or later). docs/state.md says what each operation
// promises and why.
import { MillraceError } from "../../base/error.ts";
import { type Clock, systemClock } from "../../base/system/clock.ts";
import type { Change, Leader, Leadership, StateStore, StoredRecord } from "../store.ts";
import { type EtcdOptions, parseEtcd } from "./address.ts";
import { batchesOf, LargeValues } from "./batches.ts";
import { changed, type ElectionParts, look, win } from "./election.ts";
import { Layout } from "./layout.ts";
import type { Lease } from "./lease.ts";
import { Members } from "./members.ts";
import { scanRecords } from "./scan.ts";
import { findLarge } from "./tidy.ts";
import { Writer } from "./writer.ts";

/** A store that can't be reached for this long is not opened. */
const openMs = 5000;
/** etcd keeps what was before for as long as this, and at most twice that: others' watches may lag behind. */
const compactMs = 5 * 60_000;
const defaultLeaseMs = 5000;

export interface EtcdStoreOptions extends EtcdOptions {
  readonly clock?: Clock;
}

/**
 * Opens the store of "etcd:" + `rest`. Errors: `wrong-usage`, `unreachable`, `no-access`, and `not-supported` for a
 * store of another version.
 */
export async function openEtcdStore(rest: string, options: EtcdStoreOptions = {}): Promise<StateStore> {
  const address = parseEtcd(rest, options);
  const { clock = systemClock, leaseMs = defaultLeaseMs } = options;
  const members = new Members(address, clock);
  const parts = { members, layout: new Layout(address.root), clock, leaseMs };
  try {
    await look(parts, { until: clock.now() + openMs });
    return new EtcdStore(parts);
  } catch (error) {
    members.close();
    throw error;
  }
}

class EtcdStore implements StateStore {
  readonly #parts: ElectionParts;
  readonly #closing = new AbortController();
  #leading: EtcdLeadership | undefined;

  constructor(parts: ElectionParts) {
    this.#parts = parts;
  }

  async lead(owner: string, signal: AbortSignal): Promise<Leadership> {
    signal.throwIfAborted();
    await this.#leading?.resign();
    const ending = AbortSignal.any([signal, this.#closing.signal]);
    const { members, layout, clock } = this.#parts;
    const won = await win(this.#parts, owner, ending);
    const writer = new Writer(members, layout, won);
    const large = new LargeValues(layout, won.epoch);
    const leadership = new EtcdLeadership({ members, layout, clock }, writer, large, won.lease);
    this.#leading = leadership;
    try {
      await findLarge({ members, layout, signal: won.lease.lost }, writer, large);
      ending.throwIfAborted();
    } catch (error) {
      await leadership.resign();
      throw error;
    }
    leadership.compact();
    return leadership;
  }

  async leader(): Promise<Leader | undefined> {
    const until = this.#parts.clock.now() + openMs;
    return (await look(this.#parts, { until, signal: this.#closing.signal })).leader;
  }

  async *watchLeader(signal: AbortSignal): AsyncIterable<Leader | undefined> {
    const ending = AbortSignal.any([signal, this.#closing.signal]);
    try {
      for (let told: { readonly epoch: number | undefined } | undefined; ; ) {
        const { leader, revision } = await look(this.#parts, { signal: ending });
        if (told === undefined || told.epoch !== leader?.epoch) yield leader;
        told = { epoch: leader?.epoch };
        await changed(this.#parts, revision, ending);
      }
    } catch (error) {
      if (!ending.aborted) throw error;
    }
  }

  scan(prefix: string): AsyncIterable<StoredRecord> {
    const { members, layout } = this.#parts;
    return scanRecords({ members, layout, signal: this.#closing.signal }, prefix);
  }

  async close(): Promise<void> {
    this.#closing.abort(new MillraceError("not-leader", "the state store was closed"));
    await this.#leading?.resign();
    this.#parts.members.close();
  }
}

class EtcdLeadership implements Leadership {
  readonly #parts: Pick<ElectionParts, "members" | "layout" | "clock">;
  readonly #writer: Writer;
  readonly #large: LargeValues;
  readonly #lease: Lease;
  /** The commit before: they are applied in the order in which they came. */
  #last: Promise<void> = Promise.resolve();

  constructor(
    parts: Pick<ElectionParts, "members" | "layout" | "clock">,
    writer: Writer,
    large: LargeValues,
    lease: Lease,
  ) {
    this.#parts = parts;
    this.#writer = writer;
    this.#large = large;
    this.#lease = lease;
  }

  get epoch(): number {
    return this.#writer.epoch;
  }

  get lost(): AbortSignal {
    return this.#lease.lost;
  }

  commit(changes: readonly Change[]): Promise<void> {
    const done = this.#last.then(async () => {
      this.#writer.check();
      for (const batch of batchesOf(changes, this.#parts.layout, this.#large)) await this.#writer.write(batch);
    });
    this.#last = done.catch(() => {}); // its own caller gets the error
    return done;
  }

  resign(): Promise<void> {
    return this.#lease.revoke();
  }

  /** Lets etcd forget what was overwritten long ago: otherwise its quota would be reached in the end. */
  compact(): void {
    void this.#compact();
  }

  async #compact(): Promise<void> {
    const { clock, members } = this.#parts;
    for (let before = this.#writer.revision; ; before = this.#writer.revision) {
      await clock.sleep(compactMs, this.lost);
      if (this.#lease.isOver) return;
      const revision = before;
      if (revision === 0n) continue;
      // Somebody else may have compacted more, and the next time will do where this one fails.
      await members.call(({ kv }, options) => kv.compact({ revision }, options), { signal: this.lost }).catch(() => {});
    }
  }
}
