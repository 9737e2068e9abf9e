// Copies a whole run from a worker that leaves (docs/shuffle.md): the bytes of its file, as they are, in one request
// that goes on where it broke off. What was copied is verified by whoever keeps it (worker/disk/received-run.ts).
import { MillraceError } from "../base/error.ts";
import { limits } from "../base/limits.ts";
import type { Clock } from "../base/system/clock.ts";
import type { RunRef } from "../sort/run.ts";
import { type CallLimits, type ShuffleAccess, WorkerCalls } from "./segments-call.ts";
import { TransferFault } from "./transfer-fault.ts";
import { parseSegmentHeader, segmentHeaderBytes, wholeRun, writeRequest } from "./wire.ts";

/** A run as it lies on another worker. */
export interface RemoteRun {
  readonly run: RunRef;
  readonly emissionDigest: bigint;
  /** The worker's name and address. */
  readonly from: string;
  readonly address: string;
}

export interface CopyOptions {
  readonly order: RemoteRun;
  readonly access: ShuffleAccess;
  readonly clock: Clock;
  /** Returns 0 <= x < 1, for jitter. */
  readonly random: () => number;
  readonly signal: AbortSignal;
  /** Takes the next bytes of the file, which are valid during the call. */
  readonly write: (bytes: Uint8Array) => void;
}

const callLimits: CallLimits = {
  windowMs: limits.fetchWindowMs,
  windowBytesMin: limits.fetchWindowBytesMin,
  deadlineMs: limits.fetchDeadlineMs,
};

/** Rejects with "io-error" when the run can't be had, with "cancelled" when aborted, and with what `write` throws. */
export async function copyRun(options: CopyOptions): Promise<void> {
  const { order, access, clock, random, signal } = options;
  const { run, from, address } = order;
  const stream = new CopyStream(options);
  let calls: WorkerCalls | undefined;
  try {
    calls = new WorkerCalls(address, access);
    for (let tries = 0; ; ) {
      const before = stream.received;
      const fault = await call(calls, stream, options);
      if (signal.aborted) throw new MillraceError("cancelled", "the copy is not wanted any more");
      if (fault === undefined) return;
      tries = stream.received - before >= limits.fetchProgressBytes ? 0 : tries + 1;
      if (fault.kind === "missing" || fault.kind === "corrupt" || tries >= limits.fetchTriesMax) throw fault;
      const backOffMs = Math.min(limits.fetchBackOffMsMax, limits.fetchBackOffMsMin * 2 ** tries);
      await clock.sleep(backOffMs * (0.5 + random() / 2), signal);
    }
  } catch (error) {
    if (!(error instanceof TransferFault)) throw error;
    const what = `${run.path} of ${from} (${address}) can't be copied: ${error.message}`;
    throw new MillraceError("io-error", what, { retry: "elsewhere", cause: error });
  } finally {
    calls?.close();
  }
}

async function call(
  calls: WorkerCalls,
  stream: CopyStream,
  { order, clock, signal }: CopyOptions,
): Promise<TransferFault | undefined> {
  const { writtenBy } = order.run;
  stream.begin();
  try {
    await calls.call({
      job: writtenBy.job,
      body: writeRequest({ partition: wholeRun, from: stream.received, maps: [writtenBy] }),
      clock,
      signal,
      limits: callLimits,
      push: (chunk) => stream.push(chunk),
      isComplete: () => stream.isComplete,
    });
    return undefined;
  } catch (error) {
    if (error instanceof TransferFault) return error;
    throw error;
  }
}

/** What comes: a header, each time, and the rest of the file. */
class CopyStream {
  readonly #options: CopyOptions;
  #header: Buffer = Buffer.alloc(0);
  received = 0;

  constructor(options: CopyOptions) {
    this.#options = options;
  }

  get isComplete(): boolean {
    return this.#header.length === segmentHeaderBytes && this.received === this.#options.order.run.bytes;
  }

  begin(): void {
    this.#header = Buffer.alloc(0);
  }

  /** Throws a `TransferFault` where something else comes. */
  push(chunk: Buffer): void {
    const missing = segmentHeaderBytes - this.#header.length;
    if (missing > 0) {
      this.#header = Buffer.concat([this.#header, chunk.subarray(0, missing)]);
      if (this.#header.length < segmentHeaderBytes) return;
      this.#checkHeader();
    }
    const bytes = missing > 0 ? chunk.subarray(missing) : chunk;
    if (bytes.length === 0) return;
    const { order, write } = this.#options;
    if (this.received + bytes.length > order.run.bytes)
      throw new TransferFault("garbled", "more comes than the run has");
    write(bytes);
    this.received += bytes.length;
  }

  #checkHeader(): void {
    const { run, emissionDigest } = this.#options.order;
    const header = parseSegmentHeader(this.#header, run.writtenBy, wholeRun);
    if (typeof header === "string") throw new TransferFault("garbled", header);
    if (header.status === "missing" || header.status === "corrupt")
      throw new TransferFault(header.status, `its holder says that it is ${header.status}`);
    if (header.status === "none") throw new TransferFault("missing", "its holder hands over no whole runs");
    if (header.bytes !== run.bytes || header.runPairs !== run.pairs || header.digest !== emissionDigest)
      throw new TransferFault("corrupt", "it is not the run that was reported");
  }
}
