// Binary records, of fixed length or each preceded by its length: `records()`. docs/formats/records.md describes them.
import { ByteBuffer } from "../../base/bytes/byte-buffer.ts";
import { asBuffer } from "../../base/bytes/bytes.ts";
import { MillraceError } from "../../base/error.ts";
import { excerptOf } from "../../base/excerpt.ts";
import { limits } from "../../base/limits.ts";
import { formatBytes, formatCount } from "../../base/units.ts";
import { blockBytes } from "../blocks/block.ts";
import { BadRecord, type Format, type ReadFrom, type RecordBatch, type ScannedFormat } from "../format.ts";
import { refuses, writesOnly } from "../writable.ts";

/** Bytes of the length in front of a record: big-endian, unsigned. */
const prefixBytes = 4;
const refusal = writesOnly("records()", "bytes");

/**
 * Binary records of `length` bytes each, or, without it, each behind its length as a 4-byte big-endian number.
 * @throws `wrong-job` unless the length is from 1 byte to 64 MiB.
 * @example input: records(100)
 */
export function records(length?: number): Format<Uint8Array> {
  if (length === undefined) return refuses(prefixedRecords(), refusal);
  if (Number.isSafeInteger(length) && length > 0 && length <= limits.recordBytesMax)
    return refuses(fixedRecords(length), refusal);
  throw new MillraceError(
    "wrong-job",
    `records() takes the length of a record in bytes, from 1 to ${formatCount(limits.recordBytesMax)}, not ${excerptOf(length)}`,
  );
}

function fixedRecords(length: number): Format<Uint8Array> & ScannedFormat {
  return {
    split: "anywhere",
    extension: "bin",
    // Plain arithmetic: the chunks are not read.
    findStarts: async (_chunks, wanted, size) => wanted.map((at) => Math.min(Math.ceil(at / length) * length, size)),
    read: (chunks, from) => readRecords(chunks, from, (_bytes, _at, _start) => length, 0),
    write(record, out) {
      checkBytes(record);
      if (record.length !== length) {
        throw new MillraceError(
          "bad-output",
          `records(${length}) writes records of ${length} bytes, not of ${record.length}`,
        );
      }
      out.writeBytes(record);
    },
  };
}

function prefixedRecords(): Format<Uint8Array> {
  return {
    split: "whole-file",
    extension: "bin",
    read: (chunks, from) => readRecords(chunks, from, prefixedSize, prefixBytes),
    write(record, out) {
      checkBytes(record);
      if (record.length > limits.recordBytesMax) {
        throw new MillraceError(
          "over-limit",
          `the record has ${formatCount(record.length)} bytes, more than the limit of ${formatBytes(limits.recordBytesMax)}`,
        );
      }
      for (let shift = 24; shift >= 0; shift -= 8) out.writeUint8((record.length >>> shift) & 0xff);
      out.writeBytes(record);
    },
  };
}

function checkBytes(record: unknown): void {
  if (!(record instanceof Uint8Array))
    throw new MillraceError("bad-output", `records() writes Uint8Array, not ${excerptOf(record)}`);
}

/**
 * Bytes of the record at `at`, its prefix included; 0: too few bytes to know. `start` is the record's offset in the
 * file.
 */
type RecordSize = (bytes: Buffer, at: number, start: number) => number;

const prefixedSize: RecordSize = (bytes, at, start) => {
  if (bytes.length - at < prefixBytes) return 0;
  const length = bytes.readUInt32BE(at);
  if (length <= limits.recordBytesMax) return prefixBytes + length;
  throw new BadRecord(
    `the record's length is ${formatCount(length)} bytes, more than the limit of ${formatBytes(limits.recordBytesMax)}; are these records behind 4-byte lengths?`,
    start,
    undefined,
    Uint8Array.from(bytes.subarray(at, at + limits.excerptBytes)),
  );
};

/**
 * Reads batches of about 64 KiB, copied out of the chunks, whose memory may be reused. The first `skip` bytes of each
 * record are not its content.
 */
async function* readRecords(
  chunks: AsyncIterable<Uint8Array>,
  from: ReadFrom,
  sizeOf: RecordSize,
  skip: number,
): AsyncGenerator<RecordBatch<Uint8Array>, void, undefined> {
  if (from.start >= from.end) return;
  /** The beginning of a record that continues in the next chunk. */
  const carry = new ByteBuffer();
  let base = from.start;
  for await (const bytes of chunks) {
    const chunk = asBuffer(bytes);
    let at = 0;
    while (carry.length > 0 && at < chunk.length) {
      const start = base + at - carry.length;
      const size = sizeOf(carry.view(), 0, start);
      const piece = chunk.subarray(at, at + (size === 0 ? 1 : size - carry.length));
      carry.writeBytes(piece);
      at += piece.length;
      if (carry.length === sizeOf(carry.view(), 0, start)) {
        yield batchOf(carry.copy(), start, sizeOf, skip);
        carry.reset();
      }
    }
    while (at < chunk.length && base + at < from.end) {
      const end = blockEnd(chunk, at, base, from.end, sizeOf);
      if (end.behind > at) yield batchOf(Uint8Array.from(chunk.subarray(at, end.behind)), base + at, sizeOf, skip);
      at = end.behind;
      if (end.bad !== undefined) throw end.bad;
      if (end.incomplete) {
        carry.writeBytes(chunk.subarray(at));
        break;
      }
    }
    base += chunk.length;
    if (carry.length === 0 && base >= from.end) return;
  }
  if (carry.length === 0) return;
  const size = sizeOf(carry.view(), 0, base - carry.length);
  const wanted = size === 0 ? `its ${prefixBytes}-byte length` : `its ${formatCount(size)} bytes`;
  throw new BadRecord(
    `the file ends inside a record: ${formatCount(carry.length)} of ${wanted} are there`,
    base - carry.length,
    undefined,
    carry.copy(),
  );
}

interface BlockEnd {
  /** The index behind the last whole record of the block. */
  readonly behind: number;
  /** Whether the record there continues behind the chunk. */
  readonly incomplete: boolean;
  /** Why the record there can't be read. */
  readonly bad: BadRecord | undefined;
}

function blockEnd(chunk: Buffer, from: number, base: number, end: number, sizeOf: RecordSize): BlockEnd {
  let at = from;
  while (at < chunk.length && at - from < blockBytes && base + at < end) {
    let size: number;
    try {
      size = sizeOf(chunk, at, base + at);
    } catch (thrown) {
      if (!(thrown instanceof BadRecord)) throw thrown;
      return { behind: at, incomplete: false, bad: thrown };
    }
    if (size === 0 || at + size > chunk.length) return { behind: at, incomplete: true, bad: undefined };
    at += size;
  }
  return { behind: at, incomplete: false, bad: undefined };
}

/** The records that lie in `bytes`, one after the other, as views of it. */
function batchOf(bytes: Uint8Array, base: number, sizeOf: RecordSize, skip: number): RecordBatch<Uint8Array> {
  const view = asBuffer(bytes);
  const found: Uint8Array[] = [];
  const starts: number[] = [];
  for (let at = 0; at < bytes.length; ) {
    const size = sizeOf(view, at, base + at);
    starts.push(base + at);
    found.push(new Uint8Array(bytes.buffer, bytes.byteOffset + at + skip, size - skip));
    at += size;
  }
  return { records: found, starts: new Float64Array(starts), end: base + bytes.length };
}
