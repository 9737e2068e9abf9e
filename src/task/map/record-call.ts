// One call of map with an `emit` and a `ctx` of its own, which are never used for another record: for a map that
// returned a promise, and for the second try at a record that failed. What it emits stays here until its turn comes, in
// record order.
import { ByteBuffer } from "../../base/bytes/byte-buffer.ts";
import { KiB } from "../../base/limits.ts";
import type { PairEmit } from "../emit/emitter.ts";
import type { PairEncoder } from "../emit/pair-encoder.ts";
import { type OutputTable, PendingRecords } from "../output/outputs.ts";
import { Context, type ContextBase, type ContextScope } from "../user/context.ts";
import { type CounterTotals, PendingCounts } from "../user/counters.ts";
import { type CallOf, isPromise } from "../user/late-calls.ts";
import type { Returned } from "../user/returned.ts";

export type MapFunction = (record: unknown, emit: unknown, ctx: unknown) => unknown;

/** `emit` as user code gets it. */
export type UserEmit = PairEmit & { to(name: unknown, record: unknown): void };

/** What all calls of a pass share. */
export interface CallParts {
  readonly map: MapFunction;
  readonly of: CallOf;
  readonly base: ContextBase;
  readonly state: unknown;
  readonly totals: CounterTotals;
  readonly returned: Returned;
  readonly table: OutputTable;
  /** Buffers of calls that are over, for others to use: making one takes longer than everything else about a call. */
  readonly buffers: ByteBuffer[];
  /** undefined: a map-only job, whose `emit` takes records of the main output. */
  readonly encoder: PairEncoder | undefined;
  /** Called after each emission: it may take what the call holds, or throw because that is too much. */
  grown(call: RecordCall): void;
}

/** The record that a call is for. */
export interface RecordOrigin {
  readonly record: unknown;
  /** The file's index in the plan. */
  readonly file: number;
  readonly source: string;
  /** A hash of `source`, which seeds the record's random numbers together with its offset. */
  readonly stream: () => number;
  readonly offset: number;
  /** Its bytes in the input, and the line ends inside it. */
  readonly bytes: number;
  readonly lines: number;
}

/** A larger buffer is not kept for other calls. */
const buffersBytesMax = 64 * KiB;

export type CallOutcome = { readonly kind: "returned" } | { readonly kind: "threw"; readonly thrown: unknown };

export class RecordCall {
  readonly origin: RecordOrigin;
  readonly emit: UserEmit;
  readonly ctx: Context;
  readonly scope: ContextScope;
  readonly records: PendingRecords;
  /** Framed as in the kernel's batch. */
  readonly pairs: ByteBuffer;
  /**
   * Whether some of what it emitted was handed on already because it was too much to hold: then the call can't be
   * undone.
   */
  left = false;
  /** False: what it emits does not count; it is called only to see whether it fails again. */
  keeps = true;
  outcome: CallOutcome | undefined;
  readonly #parts: CallParts;

  /** `shared` are the scope and records of a synchronous call that turned out to return a promise, which keeps them. */
  constructor(
    parts: CallParts,
    origin: RecordOrigin,
    shared?: { readonly scope: ContextScope; readonly records: PendingRecords },
  ) {
    this.#parts = parts;
    this.origin = origin;
    this.pairs = parts.buffers.pop() ?? new ByteBuffer(256);
    this.scope = shared?.scope ?? callScope(parts, origin);
    this.records = shared?.records ?? new PendingRecords(parts.table);
    const add = parts.encoder === undefined ? this.addRecord.bind(this, 0) : this.#addPair.bind(this, parts.encoder);
    const to = (name: unknown, record: unknown) => this.addRecord(parts.table.indexOf(name), record);
    this.emit = Object.assign(add, { to });
    this.ctx = new Context(parts.base, this.scope);
  }

  get heldBytes(): number {
    return this.pairs.length + this.records.bytes;
  }

  /**
   * Calls map. Returns a promise that resolves, and never rejects, when the call is done; undefined when it is done
   * already.
   */
  begin(): Promise<void> | undefined {
    try {
      const returned = this.#parts.map(this.origin.record, this.emit, this.ctx);
      if (isPromise(returned)) return this.settle(returned);
      this.#parts.returned.take(returned);
      this.#end({ kind: "returned" });
    } catch (thrown) {
      this.#end({ kind: "threw", thrown });
    }
    return undefined;
  }

  /** Waits for the promise that map returned. Never rejects. */
  async settle(returned: PromiseLike<unknown>): Promise<void> {
    try {
      this.#parts.returned.take(await returned);
      this.#end({ kind: "returned" });
    } catch (thrown) {
      this.#end({ kind: "threw", thrown });
    }
  }

  /** Gives the buffer to other calls. Called when the call is over and what it emitted has been used. */
  release(): void {
    if (this.pairs.bytes.length > buffersBytesMax) return;
    this.pairs.reset();
    this.#parts.buffers.push(this.pairs);
  }

  /** Forgets what it emitted. */
  forget(): void {
    this.pairs.reset();
    this.records.discard();
    this.scope.counts.discard();
  }

  /** From now on, whatever still goes on in the call does not count. */
  giveUp(): void {
    this.scope.call = "failed";
  }

  #end(outcome: CallOutcome): void {
    this.outcome = outcome;
    if (this.scope.call === "open") this.scope.call = outcome.kind === "returned" ? "ended" : "failed";
  }

  #addPair(encoder: PairEncoder, key: unknown, value: unknown): void {
    if (this.scope.call !== "open") this.#late("emit");
    encoder.encode(key, value);
    encoder.frame(this.pairs);
    this.#parts.grown(this);
  }

  addRecord(output: number, record: unknown): void {
    if (this.scope.call !== "open") this.#late(output === 0 ? "emit" : "emit.to");
    this.records.add(output, record);
    this.#parts.grown(this);
  }

  #late(what: string): never {
    return this.#parts.base.late.refuse(`${what} was called`, this.#parts.of, this.scope.call === "failed");
  }
}

function callScope(parts: CallParts, origin: RecordOrigin): ContextScope {
  const { source, offset, stream } = origin;
  const counts = new PendingCounts(parts.totals);
  return { source, offset, serial: 0, stream, state: parts.state, counts, dirty: false, of: parts.of, call: "open" };
}
