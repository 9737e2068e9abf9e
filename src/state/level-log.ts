// Logs in the format of LevelDB: its manifest, and the batches that are in no table yet. (doc/log_format.md; batches:
// db/write_batch.cc of LevelDB.)
import { crc32c } from "./crc32c.ts";

const logBlockBytes = 32 * 1024;
const logHeaderBytes = 7;
const batchHeaderBytes = 12;

export interface LevelOperation {
  readonly key: Buffer;
  /** Undefined: the key is deleted. */
  readonly value: Buffer | undefined;
}

/** The records of a log up to its end, or to one that was being written. Throws `Damage` at one that is not whole. */
export function* logRecords(log: Buffer): Iterable<Buffer> {
  let pieces: Buffer[] = [];
  for (let at = 0; at + logHeaderBytes <= log.length; ) {
    const left = logBlockBytes - (at % logBlockBytes);
    if (left < logHeaderBytes) {
      at += left;
      continue;
    }
    const length = log.readUInt16LE(at + 4);
    const type = log[at + 6]!;
    const end = at + logHeaderBytes + length;
    if (type === 0 && length === 0) return; // space that was set aside
    if (end > log.length) return; // the last record was being written
    if (crc32c(log, at + 6, end) !== unmasked(log.readUInt32LE(at))) throw new Damage("a record fails its checksum");
    pieces.push(log.subarray(at + logHeaderBytes, end));
    // full, first, middle, last
    if (type === 1 || type === 4) {
      yield Buffer.concat(pieces);
      pieces = [];
    }
    at = end;
  }
}

/** What a record of a log of batches changes. Throws `Damage`. */
export function batchIn(record: Buffer): readonly LevelOperation[] {
  const reader = new ByteReader(record);
  reader.bytes(batchHeaderBytes); // sequence number and count
  const operations: LevelOperation[] = [];
  while (!reader.isAtEnd) {
    const kind = reader.varint();
    if (kind !== 0 && kind !== 1) throw new Damage(`an operation of the unknown kind ${kind}`);
    const key = reader.bytes(reader.varint());
    operations.push({ key, value: kind === 1 ? reader.bytes(reader.varint()) : undefined });
  }
  return operations;
}

/** Undoes LevelDB's masking of stored checksums, which keeps them from being the checksum of something by accident. */
export function unmasked(masked: number): number {
  const rotated = (masked - 0xa282ead8) >>> 0;
  return ((rotated >>> 17) | (rotated << 15)) >>> 0;
}

export class Damage extends Error {}

/** Reads what LevelDB has encoded. Throws `Damage` where it ends early. */
export class ByteReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  varint(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined || factor > 2 ** 56) throw new Damage("a number without an end");
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  }

  bytes(length: number): Buffer {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new Damage("a string without an end");
    const found = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return found;
  }
}
