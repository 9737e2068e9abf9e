// Maps records one by one, and hands out everything that each of them emits: for the checks of `millrace test`. The
// calls are those of a map attempt that got a promise (record-call.ts), with an `emit` and a `ctx` for each record.
import { assert } from "../../base/assert.ts";
import type { ByteBuffer } from "../../base/bytes/byte-buffer.ts";
import { MillraceError } from "../../base/error.ts";
import type { Counters } from "../../base/ids.ts";
import { limits, MiB } from "../../base/limits.ts";
import type { JobDefinition } from "../../job/definition.ts";
import { partitionBytes, readFrame } from "../emit/frame.ts";
import { PairEncoder } from "../emit/pair-encoder.ts";
import { outputTable } from "../output/outputs.ts";
import { recordEncoders } from "../output/staged-outputs.ts";
import { CounterTotals } from "../user/counters.ts";
import type { UserTask } from "../user/user-task.ts";
import { type CallOutcome, RecordCall, type RecordOrigin } from "./record-call.ts";

export type { CallOutcome, RecordOrigin } from "./record-call.ts";

export interface EncodedPair {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** What one record came to, up to where map failed, if it did. */
export interface MappedRecord {
  readonly outcome: CallOutcome;
  readonly pairs: readonly EncodedPair[];
  /** In the order emitted; `output` is an index into the job's outputs, `bytes` are what its format writes. */
  readonly records: readonly { readonly output: number; readonly bytes: Uint8Array }[];
  readonly counters: Counters;
}

export interface RecordMapperOptions {
  readonly job: JobDefinition;
  readonly task: UserTask;
  /** What setup returned. */
  readonly state: unknown;
  /** Called with each pair before map may change what it emitted. */
  readonly emitted?: (key: unknown, value: unknown, encoded: PairEncoder) => void;
}

/** A run hands on the pairs of such a record while it is being mapped; here they are all held. */
const heldBytesMax = 4 * limits.recordBytesMax;
/** The number that a partition function is given where the job leaves it open. */
const partitionsDefault = 1;

export class RecordMapper {
  readonly #options: RecordMapperOptions;
  readonly #encoder: PairEncoder | undefined;

  constructor(options: RecordMapperOptions) {
    this.#options = options;
    const { job, emitted } = options;
    if (job.reducers === 0) return;
    this.#encoder = watched(new PairEncoder(job, job.reducers ?? partitionsDefault), emitted);
  }

  /** Resolves when map is done with the record; what map throws is the outcome. */
  async map(input: number, origin: RecordOrigin): Promise<MappedRecord> {
    const { job, task, state } = this.#options;
    const totals = new CounterTotals();
    const { map } = job.inputs[input]!;
    const call = new RecordCall(
      {
        map,
        of: { name: "map", code: [map] },
        base: task.base,
        state,
        totals,
        returned: task.returned,
        table: outputTable(job, recordEncoders(job.outputs.map(({ format }) => format))),
        buffers: [],
        encoder: this.#encoder,
        grown: refuseTooMuch,
      },
      origin,
    );
    await call.begin();
    call.scope.counts.commit();
    const records: { output: number; bytes: Uint8Array }[] = [];
    call.records.commit({
      append: (output, bytes, start, end) =>
        records.push({ output, bytes: new Uint8Array(bytes.subarray(start, end)) }),
    });
    const { outcome } = call;
    assert(outcome !== undefined, "a call of map is over without an outcome");
    return { outcome, pairs: this.#pairsOf(call.pairs), records, counters: totals.report() };
  }

  #pairsOf(framed: ByteBuffer): EncodedPair[] {
    const header = this.#encoder?.choose === undefined ? 0 : partitionBytes;
    const bytes = framed.copy();
    const pairs: EncodedPair[] = [];
    for (let at = 0; at < bytes.length; ) {
      const { key, value, end } = readFrame(bytes, at, header);
      pairs.push({ key: bytes.subarray(key, value), value: bytes.subarray(value, end) });
      at = end;
    }
    return pairs;
  }
}

function watched(encoder: PairEncoder, emitted: RecordMapperOptions["emitted"]): PairEncoder {
  if (emitted === undefined) return encoder;
  const encode = encoder.encode.bind(encoder);
  encoder.encode = (key, value) => {
    encode(key, value);
    emitted(key, value, encoder);
  };
  return encoder;
}

function refuseTooMuch(call: RecordCall): void {
  if (call.heldBytes <= heldBytesMax) return;
  throw new MillraceError(
    "over-limit",
    `this record emits more than ${heldBytesMax / MiB} MiB: a run can take that, but it can't be held to be compared`,
  );
}
