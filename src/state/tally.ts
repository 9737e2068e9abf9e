// A summary of everything that a store holds, in 24 bytes: stored with every batch, and compared with what is read when
// a master starts. LevelDB by itself goes on without a damaged piece of its log, a missing file or a lost CURRENT; the
// tally shows that something is gone.
import { assert } from "../base/assert.ts";

export interface Tally {
  /** Number of batches so far. */
  readonly batches: number;
  readonly records: number;
  /** Sum of the records' checksums, mod 2^48. It has no order, so that a change costs one addition. */
  readonly sum: number;
}

export const emptyTally: Tally = { batches: 0, records: 0, sum: 0 };

const modulus = 2 ** 48;

export function withRecord(tally: Tally, checksum: number): Tally {
  return { ...tally, records: tally.records + 1, sum: (tally.sum + checksum) % modulus };
}

export function withoutRecord(tally: Tally, checksum: number): Tally {
  assert(tally.records > 0, "no more is taken away than was put");
  return { ...tally, records: tally.records - 1, sum: (tally.sum - checksum + modulus) % modulus };
}

export function nextBatch(tally: Tally): Tally {
  return { ...tally, batches: tally.batches + 1 };
}

export function encodeTally({ batches, records, sum }: Tally): Buffer {
  const bytes = Buffer.alloc(24);
  bytes.writeBigUInt64BE(BigInt(batches), 0);
  bytes.writeBigUInt64BE(BigInt(records), 8);
  bytes.writeBigUInt64BE(BigInt(sum), 16);
  return bytes;
}

/** The decoded tally; undefined when the bytes are not a tally. */
export function decodeTally(bytes: Buffer): Tally | undefined {
  if (bytes.length !== 24) return undefined;
  const numberAt = (at: number) => Number(bytes.readBigUInt64BE(at));
  return { batches: numberAt(0), records: numberAt(8), sum: numberAt(16) };
}
