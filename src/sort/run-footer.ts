import { crc32 } from "node:zlib";
import type { AttemptId, Phase } from "../base/ids.ts";
import type { Segment } from "./run.ts";
import { blockHeaderBytes, fileMagic, readU64, writeU64 } from "./run-format.ts";

const trailerMagic = Buffer.from("MILLEND1", "latin1");
export const trailerBytes = 16;
const footerFixedBytes = 48;
const segmentBytes = 40;
const phases: readonly Phase[] = ["plan", "map", "reduce"];

/** All that a run's footer says. */
export interface Footer {
  readonly writtenBy: AttemptId;
  readonly pairs: number;
  readonly emissionDigest: bigint;
  readonly blockBytesMax: number;
  /** In partition order; offsets are those of the file, without gaps. */
  readonly segments: readonly Segment[];
}

/** Footer and trailer, as they end a run. */
export function writeFooter(footer: Footer): Buffer {
  const job = Buffer.from(footer.writtenBy.job, "utf8");
  const footerBytes = footerFixedBytes + job.length + footer.segments.length * segmentBytes;
  const out = Buffer.alloc(footerBytes + trailerBytes);
  out.writeUInt32LE(footer.segments.length, 0);
  out.writeUInt32LE(footer.blockBytesMax, 4);
  writeU64(out, 8, footer.pairs);
  out.writeBigUInt64LE(footer.emissionDigest, 16);
  writeU64(out, 24, footer.writtenBy.epoch);
  writeU64(out, 32, footer.writtenBy.attempt);
  out.writeUInt32LE(footer.writtenBy.index, 40);
  out.writeUInt16LE(phases.indexOf(footer.writtenBy.phase), 44);
  out.writeUInt16LE(job.length, 46);
  job.copy(out, footerFixedBytes);
  let at = footerFixedBytes + job.length;
  for (const segment of footer.segments) {
    out.writeUInt32LE(segment.partition, at);
    out.writeUInt32LE(segment.blockBytesMax, at + 4);
    writeU64(out, at + 8, segment.offset);
    writeU64(out, at + 16, segment.bytes);
    writeU64(out, at + 24, segment.pairs);
    out.writeBigUInt64LE(segment.digest, at + 32);
    at += segmentBytes;
  }
  out.writeUInt32LE(footerBytes, at);
  out.writeUInt32LE(crc32(out.subarray(0, at + 4)), at + 4);
  trailerMagic.copy(out, at + 8);
  return out;
}

/** Bytes of the footer that the trailer at `at` tells of; undefined where there is no trailer. */
export function footerBytesAt(tail: Buffer, at: number): number | undefined {
  if (tail.compare(trailerMagic, 0, 8, at + 8, at + trailerBytes) !== 0) return undefined;
  const bytes = tail.readUInt32LE(at);
  return bytes < footerFixedBytes ? undefined : bytes;
}

/**
 * Parses footer and trailer: `bytes` ends with the file, whose size is `fileBytes`. Returns what is wrong, in words, where
 * something is. Parsed once and kept as 40 bytes per segment: objects are made when asked for.
 */
export function parseFooter(bytes: Buffer, fileBytes: number): FooterTable | string {
  const footerBytes = bytes.length - trailerBytes;
  if (crc32(bytes.subarray(0, footerBytes + 4)) !== bytes.readUInt32LE(footerBytes + 4))
    return "the footer's checksum differs";
  const jobBytes = bytes.readUInt16LE(46);
  const phase = phases[bytes.readUInt16LE(44)];
  const count = bytes.readUInt32LE(0);
  if (phase === undefined || footerFixedBytes + jobBytes + count * segmentBytes !== footerBytes) {
    return "the footer contradicts itself";
  }
  const writtenBy: AttemptId = {
    job: bytes.toString("utf8", footerFixedBytes, footerFixedBytes + jobBytes),
    phase,
    index: bytes.readUInt32LE(40),
    epoch: readU64(bytes, 24),
    attempt: readU64(bytes, 32),
  };
  const table = new FooterTable(bytes, footerFixedBytes + jobBytes, count, writtenBy);
  return table.fault(fileBytes - bytes.length) ?? table;
}

/** A footer that was read and whose checksum holds. */
export class FooterTable implements Footer {
  readonly writtenBy: AttemptId;
  readonly pairs: number;
  readonly emissionDigest: bigint;
  readonly blockBytesMax: number;
  readonly #bytes: Buffer;
  readonly #entries: number;
  readonly #count: number;

  constructor(bytes: Buffer, entries: number, count: number, writtenBy: AttemptId) {
    this.writtenBy = writtenBy;
    this.blockBytesMax = bytes.readUInt32LE(4);
    this.pairs = readU64(bytes, 8);
    this.emissionDigest = bytes.readBigUInt64LE(16);
    this.#bytes = bytes;
    this.#entries = entries;
    this.#count = count;
  }

  /** What it keeps in memory, about. */
  get heldBytes(): number {
    return this.#bytes.length + 512;
  }

  get segments(): readonly Segment[] {
    return Array.from({ length: this.#count }, (_, index) => this.#segment(index));
  }

  /** The segment of one partition, by binary search; undefined where it has none. */
  find(partition: number): Segment | undefined {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#bytes.readUInt32LE(this.#entries + middle * segmentBytes) < partition) low = middle + 1;
      else high = middle;
    }
    if (low === this.#count) return undefined;
    const segment = this.#segment(low);
    return segment.partition === partition ? segment : undefined;
  }

  /** Whether segments follow one another without gaps up to `end`, in partition order, and add up. */
  fault(end: number): string | undefined {
    let offset = fileMagic.length;
    let pairs = 0;
    let last = -1;
    let blockBytesMax = 0;
    // No object per segment here: a reduce opens the runs of all map tasks, and there may be 10,000 partitions in each.
    for (let index = 0; index < this.#count; index++) {
      const at = this.#entries + index * segmentBytes;
      const partition = this.#bytes.readUInt32LE(at);
      const bytes = readU64(this.#bytes, at + 16);
      const segmentPairs = readU64(this.#bytes, at + 24);
      if (partition <= last) return `partition ${partition} comes after ${last}`;
      if (readU64(this.#bytes, at + 8) !== offset || bytes <= blockHeaderBytes || segmentPairs === 0) {
        return `the segment of partition ${partition} is not where it must be`;
      }
      last = partition;
      offset += bytes;
      pairs += segmentPairs;
      blockBytesMax = Math.max(blockBytesMax, this.#bytes.readUInt32LE(at + 4));
    }
    if (offset !== end) return `segments end at byte ${offset}, the footer begins at ${end}`;
    if (pairs !== this.pairs) return `segments have ${pairs} pairs, the run says ${this.pairs}`;
    return blockBytesMax === this.blockBytesMax ? undefined : "the largest block is not the largest block of a segment";
  }

  #segment(index: number): Segment {
    const at = this.#entries + index * segmentBytes;
    return {
      partition: this.#bytes.readUInt32LE(at),
      blockBytesMax: this.#bytes.readUInt32LE(at + 4),
      offset: readU64(this.#bytes, at + 8),
      bytes: readU64(this.#bytes, at + 16),
      pairs: readU64(this.#bytes, at + 24),
      digest: this.#bytes.readBigUInt64LE(at + 32),
    };
  }
}
