// The footer of a run as bytes: writing it, and checking and parsing it piece by piece. docs/run-format.md has the
// layout. The head and each entry have checksums of their own, so that one entry of a long footer can be trusted
// without reading the others; footer-reads.ts decides what to read. Functions named `…Fault` return what is wrong in
// words, or undefined.
import { crc32 } from "node:zlib";
import { type AttemptId, phases } from "../base/ids.ts";
import type { Segment } from "./run.ts";
import { blockHeaderBytes, fileMagic, readU64, writeU64 } from "./run-format.ts";

const trailerMagic = Buffer.from("MILLEND1", "latin1");
export const trailerBytes = 16;
const headFixedBytes = 48;
/** Job ids are shorter than the 64 KiB that this allows. */
export const headBytesMax = headFixedBytes + 0xffff + 4;
export const entryBytes = 48;

/** What a run's footer says of the whole run. */
export interface FooterHead {
  readonly writtenBy: AttemptId;
  readonly pairs: number;
  readonly emissionDigest: bigint;
  readonly blockBytesMax: number;
  /** The number of segments, and so of entries behind the head. */
  readonly count: number;
  /** Bytes of the head: the first entry begins here. */
  readonly headBytes: number;
}

/** Everything that a run's footer says. */
export interface Footer extends Omit<FooterHead, "count" | "headBytes"> {
  /** In partition order; their offsets in the file leave no gaps. */
  readonly segments: readonly Segment[];
}

/** Footer and trailer, as they end a run. */
export function writeFooter(footer: Footer): Buffer {
  const job = Buffer.from(footer.writtenBy.job, "utf8");
  const headBytes = headFixedBytes + job.length + 4;
  const footerBytes = headBytes + footer.segments.length * entryBytes;
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
  job.copy(out, headFixedBytes);
  out.writeUInt32LE(crc32(out.subarray(0, headBytes - 4)), headBytes - 4);
  for (const [index, segment] of footer.segments.entries()) {
    const at = headBytes + index * entryBytes;
    out.writeUInt32LE(segment.partition, at);
    out.writeUInt32LE(segment.blockBytesMax, at + 4);
    writeU64(out, at + 8, segment.offset);
    writeU64(out, at + 16, segment.bytes);
    writeU64(out, at + 24, segment.pairs);
    out.writeBigUInt64LE(segment.digest, at + 32);
    out.writeUInt32LE(index, at + 40);
    out.writeUInt32LE(crc32(out.subarray(at, at + entryBytes - 4)), at + entryBytes - 4);
  }
  out.writeUInt32LE(footerBytes, footerBytes);
  out.writeUInt32LE(crc32(out.subarray(0, footerBytes + 4)), footerBytes + 4);
  trailerMagic.copy(out, footerBytes + 8);
  return out;
}

/** The bytes of the footer, as the trailer at `at` says; undefined where there is no trailer. */
export function footerBytesAt(tail: Buffer, at: number): number | undefined {
  if (tail.compare(trailerMagic, 0, 8, at + 8, at + trailerBytes) !== 0) return undefined;
  const bytes = tail.readUInt32LE(at);
  return bytes < headFixedBytes + 4 ? undefined : bytes;
}

/**
 * Parses the head at the beginning of `bytes`, for a footer of `footerBytes`. Returns what is wrong, in words, where
 * something is.
 */
export function parseHead(bytes: Buffer, footerBytes: number): FooterHead | string {
  const headBytes = bytes.length < headFixedBytes ? Infinity : headFixedBytes + bytes.readUInt16LE(46) + 4;
  if (headBytes > bytes.length) return "the footer contradicts itself";
  if (crc32(bytes.subarray(0, headBytes - 4)) !== bytes.readUInt32LE(headBytes - 4)) {
    return "the checksum of the footer's head differs";
  }
  const phase = phases[bytes.readUInt16LE(44)];
  const count = bytes.readUInt32LE(0);
  if (phase === undefined || headBytes + count * entryBytes !== footerBytes) return "the footer contradicts itself";
  const writtenBy: AttemptId = {
    job: bytes.toString("utf8", headFixedBytes, headBytes - 4),
    phase,
    index: bytes.readUInt32LE(40),
    epoch: readU64(bytes, 24),
    attempt: readU64(bytes, 32),
  };
  const pairs = readU64(bytes, 8);
  if (![pairs, writtenBy.epoch, writtenBy.attempt].every(Number.isSafeInteger)) {
    return "the footer's head holds a number that no run can have";
  }
  return {
    writtenBy,
    pairs,
    emissionDigest: bytes.readBigUInt64LE(16),
    blockBytesMax: bytes.readUInt32LE(4),
    count,
    headBytes,
  };
}

/** The partition of the entry at `at`, which has been checked. */
export const entryPartition = (bytes: Buffer, at: number): number => bytes.readUInt32LE(at);

export function readEntry(bytes: Buffer, at: number): Segment {
  return {
    partition: bytes.readUInt32LE(at),
    blockBytesMax: bytes.readUInt32LE(at + 4),
    offset: readU64(bytes, at + 8),
    bytes: readU64(bytes, at + 16),
    pairs: readU64(bytes, at + 24),
    digest: bytes.readBigUInt64LE(at + 32),
  };
}

/** Checks the entry at `at` that was read on its own. */
export function entryFault(bytes: Buffer, at: number, index: number): string | undefined {
  const isWhole = crc32(bytes.subarray(at, at + entryBytes - 4)) === bytes.readUInt32LE(at + entryBytes - 4);
  return isWhole && bytes.readUInt32LE(at + 40) === index ? undefined : `the footer's entry ${index} is damaged`;
}

/** Checks a segment of a run whose footer begins at `footerAt`: its checksum holds, but its numbers may be wrong. */
export function segmentFault({ partition, offset, bytes, pairs }: Segment, footerAt: number): string | undefined {
  const isInside = offset >= fileMagic.length && bytes > blockHeaderBytes && offset + bytes <= footerAt;
  const canBe = isInside && Number.isSafeInteger(pairs) && pairs > 0;
  return canBe ? undefined : `the segment of partition ${partition} is not where it must be`;
}

/** Checks a footer that was read whole, trailer included, and ends the run at `fileBytes`. */
export function footerFault(bytes: Buffer, head: FooterHead, fileBytes: number): string | undefined {
  const footerBytes = bytes.length - trailerBytes;
  if (crc32(bytes.subarray(0, footerBytes + 4)) !== bytes.readUInt32LE(footerBytes + 4)) {
    return "the footer's checksum differs";
  }
  let offset = fileMagic.length;
  let pairs = 0;
  let last = -1;
  let blockBytesMax = 0;
  // Segments must follow one another without gaps, in partition order, and add up. No object is made per segment here.
  for (let index = 0; index < head.count; index++) {
    const at = head.headBytes + index * entryBytes;
    const partition = bytes.readUInt32LE(at);
    const segmentBytes = readU64(bytes, at + 16);
    const segmentPairs = readU64(bytes, at + 24);
    if (partition <= last) return `partition ${partition} comes after ${last}`;
    if (
      readU64(bytes, at + 8) !== offset ||
      segmentBytes <= blockHeaderBytes ||
      segmentPairs === 0 ||
      !Number.isSafeInteger(offset + segmentBytes + segmentPairs)
    ) {
      return `the segment of partition ${partition} is not where it must be`;
    }
    last = partition;
    offset += segmentBytes;
    pairs += segmentPairs;
    blockBytesMax = Math.max(blockBytesMax, bytes.readUInt32LE(at + 4));
  }
  const end = fileBytes - bytes.length;
  if (offset !== end) return `segments end at byte ${offset}, the footer begins at ${end}`;
  if (pairs !== head.pairs) return `segments have ${pairs} pairs, the run says ${head.pairs}`;
  return blockBytesMax === head.blockBytesMax ? undefined : "the largest block is not the largest block of a segment";
}
