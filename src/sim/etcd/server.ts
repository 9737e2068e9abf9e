// etcd as masters see it over the simulated network: one service that stands for its members. It keeps etcd's rules
// (apply.ts, leases.ts) and lies as etcd may: an answer can be lost or be a time-out whose outcome no one knows, what
// timed out can be applied a long while later, and what was applied can come once more. All of it while the world is
// faulty, and as the faults of its seed have it.
import { Layout, unseal } from "../../state/etcd/layout.ts";
import type { RangeRequest, TxnRequest } from "../../wire/gen/etcd/rpc_pb.ts";
import type { Chance } from "../chance.ts";
import type { Endpoint, Request } from "../network.ts";
import type { Process } from "../process.ts";
import type { Scene } from "../scene.ts";
import type { StateService, StoreWatcher } from "../state-server.ts";
import type { Applied } from "./apply.ts";
import { applyTxn, EtcdError, grpc, readRange } from "./apply.ts";
import { Leases } from "./leases.ts";
import { type Changed, type KeyValue, nameOf, Tree } from "./tree.ts";

/** What all keys begin with. */
export const etcdRoot = "/sim/";

/** What a master's end sends: a message of etcd, and which life of a master sent it. */
export interface Sent {
  readonly life: object;
  readonly message: unknown;
}

export interface WatchRequest {
  readonly key: Uint8Array;
  readonly rangeEnd: Uint8Array;
  /** 0: from what comes next. */
  readonly startRevision: bigint;
}

type Surroundings = Pick<Scene, "timeline" | "options" | "comes">;

export class EtcdServer implements Endpoint, StateService {
  readonly process: Process;
  readonly records = new Map<string, Uint8Array>();
  epoch = 0;
  slowUntil = 0;
  #failsUntil = 0;
  readonly #scene: Surroundings;
  readonly #chance: Chance;
  readonly #watcher: StoreWatcher;
  readonly #layout: Layout;
  readonly #recordNames: string;
  readonly #tree = new Tree();
  readonly #leases: Leases;
  /** Called after each change. */
  readonly #watchers = new Set<() => void>();
  /** The epoch that each life of a master leads, or led, in. */
  readonly #epochs = new WeakMap<object, number>();
  #seat: { readonly name: string; readonly lease: bigint; readonly host: string; readonly epoch: number } | undefined;
  /** Epochs that were ended though their leader was well. */
  readonly #deposed = new Set<number>();

  constructor(process: Process, scene: Surroundings, chance: Chance, watcher: StoreWatcher) {
    this.process = process;
    this.#scene = scene;
    this.#chance = chance;
    this.#layout = new Layout(etcdRoot);
    this.#recordNames = nameOf(this.#layout.record(""));
    this.#watcher = watcher;
    this.#leases = new Leases(process, (id) => this.#drop(id));
  }

  get leader(): string | undefined {
    return this.#seat?.host;
  }

  get failsUntil(): number {
    return this.#failsUntil;
  }

  /** Its members choose another leader meanwhile, which lets all leases begin again. */
  set failsUntil(until: number) {
    this.#failsUntil = until;
    this.#leases.renewAll();
  }

  depose(): void {
    if (this.#seat === undefined) return;
    this.#deposed.add(this.#seat.epoch);
    this.#leases.revoke(this.#seat.lease);
    this.#drop(this.#seat.lease);
  }

  /** Whether its time ran out, and no one took it away before. */
  hasExpired(epoch: number): boolean {
    return epoch < this.epoch && !this.#deposed.has(epoch);
  }

  compact(): void {
    this.#tree.compact(this.#tree.revision);
  }

  async serve({ kind, body, from }: Request): Promise<unknown> {
    const { life, message } = body as Sent;
    await this.#wait();
    switch (kind) {
      case "Range":
        if (this.#fails) throw new EtcdError(grpc.unavailable, "no leader");
        return this.#answer(readRange(this.#tree, message as RangeRequest));
      case "Txn":
        return this.#answer(await this.#txn(message as TxnRequest, life, from));
      case "Compact": {
        const { revision } = message as { readonly revision: bigint };
        if (revision <= this.#tree.compacted)
          throw new EtcdError(grpc.outOfRange, "mvcc: required revision has been compacted");
        this.#tree.compact(revision);
        return this.#answer({});
      }
      case "LeaseGrant": {
        if (this.#fails) throw new EtcdError(grpc.unavailable, "no leader");
        const { ID, TTL } = message as { readonly ID: bigint; readonly TTL: bigint };
        return this.#answer({ ID: this.#leases.grant(ID, TTL), TTL });
      }
      case "LeaseKeepAlive": {
        if (this.#fails) throw new EtcdError(grpc.unavailable, "no leader");
        const { ID } = message as { readonly ID: bigint };
        return this.#answer({ ID, TTL: this.#leases.keep(ID) });
      }
      case "LeaseRevoke": {
        const { ID } = message as { readonly ID: bigint };
        if (!this.#leases.revoke(ID)) throw new EtcdError(grpc.notFound, "requested lease not found");
        if (this.#seat?.lease === ID) this.#deposed.add(this.#seat.epoch);
        this.#drop(ID);
        return this.#answer({});
      }
      case "Watch":
        return await this.#watch(message as WatchRequest);
      default:
        throw new Error(`this etcd knows no ${kind}`);
    }
  }

  async #txn(txn: TxnRequest, life: object, host: string): Promise<object> {
    const { comes, options } = this.#scene;
    const where = () => `of ${host}`;
    const later = () =>
      void this.process.after(this.#chance.between(0.01, 2) * options.leaseMs, () => {
        // What comes late is refused like anything else; no one hears of it.
        try {
          this.#apply(txn, life, host);
        } catch (error) {
          if (!(error instanceof EtcdError)) throw error;
        }
      });
    if (this.#fails || comes("unknown-outcomes", this.#chance, where)) {
      if (this.#chance.happens(0.5)) this.#apply(txn, life, host);
      else if (this.#chance.happens(0.7)) later();
      throw new EtcdError(grpc.unavailable, "request timed out");
    }
    const { succeeded, responses } = this.#apply(txn, life, host);
    if (comes("late-duplicates", this.#chance, where)) later();
    return { succeeded, responses };
  }

  #apply(txn: TxnRequest, life: object, host: string): Applied {
    const applied = applyTxn(this.#tree, txn, (id) => this.#leases.has(id));
    for (const { name, after } of applied.changes)
      if (after !== undefined && after.lease !== 0n) this.#led(name, after.lease, life, host);
    this.#note(applied.changes, this.#epochs.get(life) ?? 0);
    if (!applied.succeeded && this.#epochs.has(life)) this.#watcher.fenced();
    return applied;
  }

  /** A key on a lease is the leader's. */
  #led(name: string, lease: bigint, life: object, host: string): void {
    this.epoch++;
    this.#epochs.set(life, this.epoch);
    this.#seat = { name, lease, host, epoch: this.epoch };
    this.#watcher.led(this.epoch, host);
  }

  /** What hangs on a lease goes with it. */
  #drop(lease: bigint): void {
    if (this.#seat?.lease !== lease) return;
    const gone = this.#tree.delete(this.#seat.name, this.#tree.revision + 1n);
    this.#seat = undefined;
    if (gone === undefined) return;
    this.#tree.revision++;
    this.#note([gone], this.epoch);
  }

  #note(changes: readonly Changed[], epoch: number): void {
    for (const { name, before, after } of changes) {
      if (!name.startsWith(this.#recordNames)) continue;
      const key = this.#layout.keyOf(Buffer.from(name, "latin1"));
      const was = before === undefined ? undefined : contentOf(key, before);
      if (after === undefined) {
        this.records.delete(key);
        this.#watcher.stored({ delete: key }, was, epoch);
      } else {
        const value = contentOf(key, after);
        this.records.set(key, value);
        this.#watcher.stored({ put: { key, value } }, was, epoch);
      }
    }
    if (changes.length > 0) for (const tell of this.#watchers) tell();
  }

  /** Answers with what has happened since a revision, as soon as there is something; after a while with nothing. */
  #watch(request: WatchRequest): Promise<object> {
    const startRevision = request.startRevision === 0n ? this.#tree.revision + 1n : request.startRevision;
    return new Promise((resolve) => {
      const isCompacted = startRevision <= this.#tree.compacted;
      const found = () => this.#tree.since(request.key, request.rangeEnd, startRevision);
      const answer = () => {
        timer.run = undefined;
        this.#watchers.delete(watcher);
        const events = isCompacted ? [] : found().map(eventOf);
        const compactRevision = isCompacted ? this.#tree.compacted : 0n;
        resolve(this.#answer({ canceled: isCompacted, compactRevision, events, next: this.#tree.revision + 1n }));
      };
      const watcher = () => {
        if (found().length > 0) answer();
      };
      const timer = this.process.after(this.#scene.options.leaseMs, answer);
      if (isCompacted || found().length > 0) answer();
      else this.#watchers.add(watcher);
    });
  }

  #answer(message: object): object {
    return { header: { revision: this.#tree.revision }, ...message };
  }

  get #fails(): boolean {
    return this.#failsUntil > this.#scene.timeline.now;
  }

  #wait(): Promise<void> {
    const { timeline, options } = this.#scene;
    const isSlow = this.slowUntil > timeline.now;
    const ms = isSlow ? this.#chance.between(0, options.leaseMs) : this.#chance.between(0.1, 3);
    return new Promise((resolve) => void this.process.after(ms, resolve));
  }
}

/** Records of these worlds are small: none lies in parts. */
function contentOf(key: string, { value }: KeyValue): Uint8Array {
  const sealed = unseal(key, value);
  if (sealed.kind !== "whole") throw new Error(`${key} lies in parts`);
  return sealed.value;
}

function eventOf({ name, after }: Changed): object {
  const key = Buffer.from(name, "latin1");
  // PUT, DELETE
  return after === undefined ? { type: 1, kv: { key } } : { type: 0, kv: after };
}
