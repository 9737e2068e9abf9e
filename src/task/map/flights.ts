// Calls of map whose promises are under way: started in record order, landed in record order, and at most `concurrency`
// at a time.
import { MillraceError } from "../../base/error.ts";
import { limits, MiB } from "../../base/limits.ts";
import type { RecordCall } from "./record-call.ts";

export interface FlightsOptions {
  /** The most calls that may be under way. */
  readonly concurrency: number;
  readonly signal: AbortSignal;
  /** Called when it is the call's turn and the call has ended. */
  landed(call: RecordCall): Promise<void>;
  /** Called when it is the call's turn, but it goes on, and holds much already: take what it holds. */
  handOn(call: RecordCall): void;
}

interface Flight {
  readonly call: RecordCall;
  readonly settled: Promise<void> | undefined;
  readonly recordBytes: number;
}

/** Bytes that a call may hold in memory when it is its turn. */
const heldByFirst = 1 * MiB;
/** Bytes that all other calls together may hold. */
const heldByOthers = limits.recordBytesMax;

export class Flights {
  readonly #options: FlightsOptions;
  readonly #flights: Flight[] = [];
  #recordBytes = 0;
  /** Bytes held by calls whose turn has not come. */
  readonly #held = new Map<RecordCall, number>();
  #heldBytes = 0;
  #first: RecordCall | undefined;

  constructor(options: FlightsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#flights.length;
  }

  /** Waits until one more call, for a record of this many bytes, may start. */
  async room(recordBytes: number): Promise<void> {
    while (
      this.#flights.length >= this.#options.concurrency ||
      (this.#flights.length > 0 && this.#recordBytes + recordBytes > limits.recordBytesMax)
    ) {
      await this.#land();
    }
  }

  /** Adds a call that has begun, and lands those that are done. */
  async start(call: RecordCall, settled: Promise<void> | undefined, recordBytes: number): Promise<void> {
    this.#flights.push({ call, settled, recordBytes });
    this.#recordBytes += recordBytes;
    if (this.#flights.length === 1) this.lead(call);
    while (this.#flights[0]?.call.outcome !== undefined) await this.#land();
  }

  async drain(): Promise<void> {
    while (this.#flights.length > 0) await this.#land();
  }

  /** From now on the calls under way may not emit any more. */
  close(): void {
    for (const { call } of this.#flights) call.giveUp();
    this.#first?.giveUp();
  }

  /** Makes it this call's turn: it need not hold much. */
  lead(call: RecordCall | undefined): void {
    this.#first = call;
    if (call === undefined) return;
    this.#forget(call);
    this.grown(call);
  }

  grown(call: RecordCall): void {
    if (call === this.#first) {
      // A call that has ended may have failed: then nothing of it counts.
      if (call.outcome === undefined && call.heldBytes > heldByFirst) this.#options.handOn(call);
      return;
    }
    const before = this.#held.get(call) ?? 0;
    this.#held.set(call, call.heldBytes);
    this.#heldBytes += call.heldBytes - before;
    if (this.#heldBytes > heldByOthers) {
      throw new MillraceError(
        "over-limit",
        `calls of map under way hold more than ${heldByOthers / MiB} MiB of emitted pairs, because an earlier record is not done. Lower the job's concurrency`,
      );
    }
  }

  /** Resolves with the promise; rejects with `cancelled` when the attempt is revoked first. */
  untilAborted(settled: Promise<void>): Promise<void> {
    const { signal } = this.#options;
    return new Promise((resolve, reject) => {
      const cancel = () => reject(new MillraceError("cancelled", "the attempt was revoked", { retry: "elsewhere" }));
      if (signal.aborted) return cancel();
      signal.addEventListener("abort", cancel, { once: true });
      settled.then(() => {
        signal.removeEventListener("abort", cancel);
        resolve();
      }, reject);
    });
  }

  async #land(): Promise<void> {
    const { call, settled, recordBytes } = this.#flights[0]!;
    if (call.outcome === undefined && settled !== undefined) await this.untilAborted(settled);
    this.#flights.shift();
    this.#recordBytes -= recordBytes;
    this.#forget(call);
    await this.#options.landed(call);
    this.lead(this.#flights[0]?.call);
  }

  #forget(call: RecordCall): void {
    this.#heldBytes -= this.#held.get(call) ?? 0;
    this.#held.delete(call);
  }
}
