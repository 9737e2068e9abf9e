// Calls of map whose promises are under way: started in record order, landed in record order, at most so many at once.
import { MillraceError } from "../../base/error.ts";
import { limits, MiB } from "../../base/limits.ts";
import type { RecordCall } from "./record-call.ts";

export interface FlightsOptions {
  /** Most calls under way. */
  readonly concurrency: number;
  readonly signal: AbortSignal;
  /** It is the call's turn and it has ended. */
  landed(call: RecordCall): Promise<void>;
  /** It is the call's turn, but it goes on, and holds much already: take it. */
  handOn(call: RecordCall): void;
}

interface Flight {
  readonly call: RecordCall;
  readonly settled: Promise<void> | undefined;
  readonly recordBytes: number;
}

/** What a call may hold in memory when it is its turn. */
const heldByFirst = 1 * MiB;
/** What all the others together may hold. */
const heldByOthers = limits.recordBytesMax;

export class Flights {
  readonly #options: FlightsOptions;
  readonly #flights: Flight[] = [];
  #recordBytes = 0;
  /** By calls whose turn has not come. */
  readonly #held = new Map<RecordCall, number>();
  #heldBytes = 0;
  #first: RecordCall | undefined;

  constructor(options: FlightsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#flights.length;
  }

  /** Waits until one more, with a record of so many bytes, may start. */
  async room(recordBytes: number): Promise<void> {
    while (
      this.#flights.length >= this.#options.concurrency ||
      (this.#flights.length > 0 && this.#recordBytes + recordBytes > limits.recordBytesMax)
    ) {
      await this.#land();
    }
  }

  /** A call has begun; lands those that are done. */
  async start(call: RecordCall, settled: Promise<void> | undefined, recordBytes: number): Promise<void> {
    this.#flights.push({ call, settled, recordBytes });
    this.#recordBytes += recordBytes;
    if (this.#flights.length === 1) this.lead(call);
    while (this.#flights[0]?.call.outcome !== undefined) await this.#land();
  }

  async drain(): Promise<void> {
    while (this.#flights.length > 0) await this.#land();
  }

  /** The calls under way may not emit any more. */
  close(): void {
    for (const { call } of this.#flights) call.giveUp();
    this.#first?.giveUp();
  }

  /** It is this call's turn: it need not hold much. */
  lead(call: RecordCall | undefined): void {
    this.#first = call;
    if (call === undefined) return;
    this.#forget(call);
    this.grown(call);
  }

  grown(call: RecordCall): void {
    if (call === this.#first) {
      // One that has ended may have failed: then nothing of it counts.
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

  /** Resolves with the promise; rejects with `cancelled` when the attempt is revoked before that. */
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
