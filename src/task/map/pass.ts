// Calls map for the records of a split. A record's pairs, counters and output records count when its map has returned;
// until then they can be taken back, so that a record that fails is mapped once more and then, if that is allowed, put
// aside.
//
//   synchronous map    one `emit` and one `ctx` for all records, pairs straight into the kernel's batch (emitter.ts)
//   map with promises  an `emit` and a `ctx` for each record (record-call.ts), some records at a time (flights.ts)
//
// An `async` function has the second kind from the start. Any other function switches to it with its first promise: the
// call that returned it keeps what was shared, if it was the first of all; otherwise the split is mapped again
// (sharing.ts). It awaits once per batch of the input, and the promises.
import { held } from "../../base/assert.ts";
import { MiB } from "../../base/limits.ts";
import type { RecordBatch } from "../../format/format.ts";
import { failureText, isA, sameError } from "../failure.ts";
import { PendingRecords } from "../output/outputs.ts";
import { Context, type ContextScope } from "../user/context.ts";
import { PendingCounts } from "../user/counters.ts";
import { isPromise } from "../user/late-calls.ts";
import { IteratorReturned } from "../user/returned.ts";
import { Flights } from "./flights.ts";
import { type BatchOrigin, bytesOf, failed, originOf } from "./origin.ts";
import type { MapPassOptions } from "./pass-options.ts";
import { type AsideReason, nextAside, Remap } from "./put-aside.ts";
import { type CallParts, RecordCall, type RecordOrigin, type UserEmit } from "./record-call.ts";
import { mayShare, ReturnsPromises } from "./sharing.ts";

/**
 * Bytes of output records that a synchronous call may hold; beyond that they are handed on, though the call has not
 * ended.
 */
const heldRecordsMax = 1 * MiB;

type Interruption =
  | { readonly kind: "promise"; readonly returned: PromiseLike<unknown> }
  | { readonly kind: "threw"; readonly thrown: unknown };

export class MapPass {
  /** Records that were given to map or put aside. */
  records = 0;
  readonly #options: MapPassOptions;
  readonly #parts: CallParts;
  readonly #flights: Flights;
  // What the calls of a synchronous map share, until one of them returns a promise and keeps it.
  readonly #scope: ContextScope;
  readonly #pending: PendingRecords;
  /** Whether some of the current call's records were handed on before it ended. */
  #pendingLeft = false;
  readonly #emit: UserEmit;
  readonly #ctx: unknown;
  /** The call that keeps the shared ones; from then on each record has a call of its own. */
  #keeper: RecordCall | undefined;
  /** Whether each record has a call of its own. */
  readonly #isSingle: boolean;
  #interruption: Interruption | undefined;
  /** Whether calls that share `emit` have returned. */
  #hasShared: boolean;
  /** An error that ends the attempt, whatever user code makes of it: no space left. */
  #broken: { readonly thrown: unknown } | undefined;

  constructor(options: MapPassOptions) {
    const { map, emitter, state, totals, table, base, signal, status } = options;
    this.#options = options;
    this.#flights = new Flights({
      concurrency: status.careful ? 1 : options.concurrency,
      signal,
      landed: (call) => this.#landed(call),
      handOn: (call) => this.#handOnEarly(call),
    });
    const of = { name: "map", code: [map] } as const;
    this.#parts = { ...options, of, buffers: [], grown: (call) => this.#flights.grown(call) };
    this.#pending = new PendingRecords(table);
    this.#isSingle = options.sharing === "none" || !mayShare(map);
    this.#hasShared = options.sharing === "again";
    const counts = new PendingCounts(totals);
    this.#scope = {
      source: "",
      offset: 0,
      serial: 0,
      stream: () => 0,
      state,
      counts,
      dirty: false,
      of,
      call: "ended",
    };
    this.#ctx = new Context(base, this.#scope);
    if (emitter !== undefined) emitter.redirect = (key, value) => this.#keeperOrLate("emit").emit(key, value);
    this.#emit = Object.assign(emitter?.emit ?? ((record: unknown) => this.#addRecord(0, record)), {
      to: (name: unknown, record: unknown) => this.#addRecord(table.indexOf(name), record),
    });
  }

  /**
   * Maps records [from, to) of a batch. With promises, some of them may be under way when it resolves. Throws
   * `TaskFailure`, `Remap`.
   */
  async mapBatch(
    batch: RecordBatch<unknown>,
    origin: BatchOrigin,
    from = 0,
    to: number = batch.records.length,
  ): Promise<void> {
    const { starts } = batch;
    this.#options.base.late.during = this.#parts.of;
    const aside = this.#options.putAside.get(origin.file);
    let i = from;
    while (i < to) {
      const stop = aside === undefined ? to : Math.min(to, nextAside(batch, i, aside));
      if (aside !== undefined && i === stop) {
        await this.#flights.drain();
        const reason = held(aside, starts[i]!, "reason to put a record aside");
        const next = originOf(batch, origin, i);
        if (reason.isCounted !== true && !this.#options.deadLetters.roomFor(next))
          throw failed(next, reason.thrown, true);
        this.putAside(next, reason);
        i++;
      } else if (this.#keeper === undefined && !this.#isSingle) {
        i = this.#mapSync(batch, origin, i, stop);
        if (this.#interruption !== undefined) {
          await this.#resume(originOf(batch, origin, i), this.#interruption);
          i++;
        }
      } else {
        await this.#start(originOf(batch, origin, i));
        i++;
      }
    }
    this.#checkBroken();
  }

  /** Waits for the calls under way; then all pairs of all records are in the batch or beyond it. */
  async finish(): Promise<void> {
    await this.#flights.drain();
    this.#checkBroken();
  }

  /** Ends the pass: whatever still goes on may not emit or count any more. May be repeated. */
  close(): void {
    if (this.#scope.call === "open") this.#scope.call = "ended";
    this.#flights.close();
    this.#options.emitter?.close();
  }

  /**
   * Puts aside bytes that no record could be made of, a record at which user code failed, or one that killed an earlier
   * attempt.
   */
  putAside(origin: RecordOrigin, reason: AsideReason): void {
    const { source, file, offset, record } = origin;
    this.records++;
    const error = failureText(reason.thrown, reason.code, {});
    const letter = { source, at: { file, offset }, record, error, extent: origin };
    this.#options.deadLetters.put(letter, reason.isCounted === true);
  }

  /**
   * The hot loop: maps records [from, to) and returns where it stopped. When that is before `to`, `#interruption` says
   * why.
   */
  #mapSync(batch: RecordBatch<unknown>, origin: BatchOrigin, from: number, to: number): number {
    const { map, emitter, status } = this.#options;
    const { records, starts } = batch;
    const emit = this.#emit;
    const ctx = this.#ctx;
    const scope = this.#scope;
    scope.source = origin.source;
    scope.stream = origin.stream;
    scope.call = "open";
    emitter?.open(batch.texts, from);
    let i = from;
    try {
      for (; i < to; i++) {
        scope.offset = starts[i]!;
        scope.serial++;
        if (status.careful) status.record(origin.file, starts[i]!);
        const returned = map(records[i], emit, ctx);
        if (returned !== undefined) {
          if (isPromise(returned)) {
            this.#interruption = { kind: "promise", returned };
            break;
          }
          this.#options.returned.take(returned);
        }
        if (emitter !== undefined) emitter.commit();
        if (scope.dirty) this.#commitExtras();
      }
    } catch (thrown) {
      this.#interruption = { kind: "threw", thrown };
    }
    this.records += i - from;
    scope.call = "ended";
    emitter?.close();
    if (i > from || this.#interruption?.kind === "threw") this.#hasShared = true;
    return i;
  }

  /** Continues after the hot loop stopped at a record. */
  async #resume(origin: RecordOrigin, interruption: Interruption): Promise<void> {
    const { emitter } = this.#options;
    this.#interruption = undefined;
    this.#checkBroken();
    if (interruption.kind === "promise") return this.#keep(origin, interruption.returned);
    const undone = emitter === undefined || emitter.rollback();
    const left = !undone || this.#pendingLeft;
    this.#scope.counts.discard();
    this.#scope.dirty = false;
    this.#pending.discard();
    this.#pendingLeft = false;
    await this.#secondTry(origin, interruption.thrown, left);
  }

  /**
   * Handles the first promise: its call keeps the shared `emit` and `ctx`, and what it emitted so far becomes its own.
   */
  async #keep(origin: RecordOrigin, returned: PromiseLike<unknown>): Promise<void> {
    const call = new RecordCall(this.#parts, origin, { scope: this.#scope, records: this.#pending });
    const detached = this.#options.emitter?.detach();
    if (detached !== undefined) call.pairs.writeBytes(detached.pairs);
    call.left = this.#pendingLeft || detached?.left === true;
    this.#keeper = call;
    this.#scope.call = "open";
    const settled = call.settle(returned);
    if (!this.#hasShared) return this.#flights.start(call, settled, bytesOf(origin));
    this.#flights.lead(call);
    call.keeps = false;
    // It must not run beside the next call.
    await this.#flights.untilAborted(settled);
    this.#checkBroken();
    call.giveUp();
    throw new ReturnsPromises(this.#options.map);
  }

  async #start(origin: RecordOrigin): Promise<void> {
    const { status } = this.#options;
    await this.#flights.room(bytesOf(origin));
    if (status.careful) status.record(origin.file, origin.offset);
    const call = new RecordCall(this.#parts, origin);
    await this.#flights.start(call, call.begin(), bytesOf(origin));
  }

  async #landed(call: RecordCall): Promise<void> {
    this.#checkBroken();
    if (call.outcome?.kind === "threw") await this.#secondTry(call.origin, call.outcome.thrown, call.left);
    else this.#take(call);
  }

  /** Maps a record once more after it failed; puts it aside, or ends the pass, when it fails again. */
  async #secondTry(origin: RecordOrigin, first: unknown, left: boolean): Promise<void> {
    const { deadLetters, tries } = this.#options;
    this.#checkBroken();
    if (tries === "none") return;
    if (isA(first, IteratorReturned)) throw failed(origin, first, true);
    if (tries === "once") throw failed(origin, first, false);
    const call = new RecordCall(this.#parts, origin);
    call.keeps = !left;
    this.#flights.lead(call);
    const settled = call.begin();
    if (settled !== undefined) await this.#flights.untilAborted(settled);
    this.#checkBroken();
    if (call.outcome?.kind !== "threw") {
      // Some pairs of the first call are gone: only another attempt, without them, can be right.
      if (left) throw failed(origin, first, false);
      this.#take(call);
      return;
    }
    const { thrown } = call.outcome;
    if (!sameError(first, thrown)) throw failed(origin, thrown, false);
    if (!deadLetters.roomFor(origin)) throw failed(origin, thrown, true);
    if (left || call.left) throw new Remap(origin, thrown);
    this.putAside(origin, { thrown, code: "user-error" });
  }

  /** Makes everything count that the call emitted and counted. */
  #take(call: RecordCall): void {
    this.records++;
    this.#guard(() => {
      this.#options.emitter?.append(call.pairs.bytes, call.pairs.length);
      this.#options.emitter?.commit();
      call.records.commit(this.#options.sinks);
    });
    call.scope.counts.commit();
    call.release();
  }

  /** Hands on the pairs of a call that goes on and holds too much. */
  #handOnEarly(call: RecordCall): void {
    call.left = true;
    if (!call.keeps) {
      call.forget();
      return;
    }
    this.#guard(() => {
      this.#options.emitter?.append(call.pairs.bytes, call.pairs.length);
      call.pairs.reset();
      call.records.commit(this.#options.sinks);
    });
  }

  /** `emit.to`, and `emit` of a map-only job, for a synchronous map. */
  #addRecord(output: number, record: unknown): void {
    if (this.#keeper !== undefined || this.#scope.call !== "open") {
      this.#keeperOrLate(output === 0 ? "emit" : "emit.to").addRecord(output, record);
      return;
    }
    this.#pending.add(output, record);
    this.#scope.dirty = true;
    if (this.#pending.bytes <= heldRecordsMax) return;
    this.#pendingLeft = true;
    this.#guard(() => this.#pending.commit(this.#options.sinks));
  }

  #commitExtras(): void {
    this.#scope.dirty = false;
    this.#pendingLeft = false;
    this.#guard(() => {
      this.#scope.counts.commit();
      this.#pending.commit(this.#options.sinks);
    });
  }

  #keeperOrLate(what: string): RecordCall {
    const { late } = this.#options.base;
    return this.#keeper ?? late.refuse(`${what} was called`, this.#parts.of, this.#scope.call === "failed");
  }

  #guard(action: () => void): void {
    try {
      action();
    } catch (thrown) {
      this.#broken ??= { thrown };
      throw thrown;
    }
  }

  #checkBroken(): void {
    this.#options.base.late.check();
    const broken = this.#broken ?? this.#options.emitter?.broken;
    if (broken !== undefined) throw broken.thrown;
  }
}
