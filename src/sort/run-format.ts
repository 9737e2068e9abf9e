// Run format v1 (docs/run-format.md): what a run looks like on disk. Numbers are little-endian.
//
//   run     = "MILLRUN1", block*, footer, trailer
//   block   = header (64 bytes), payload: whole pairs of one partition (kernel.ts)
//   footer  = fixed part (48 bytes), job id, one entry (40 bytes) per segment
//   trailer = footer bytes u32, crc32 u32 of the footer and of that number, "MILLEND1"
//
// Every byte is covered: by a checksum, by a comparison with what it must be, or by both. Blocks say whose they are and
// where they belong, so that one read from a wrong place of a wrong file is noticed too (FAULTS 53).
import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { MillraceError } from "../base/error.ts";
import { type AttemptId, attemptName, type Phase } from "../base/ids.ts";
import type { Segment } from "./run.ts";

export const fileMagic: Buffer = Buffer.from("MILLRUN1", "latin1");
const trailerMagic = Buffer.from("MILLEND1", "latin1");
const blockMagic = 0x4b4c424d; // "MBLK"
export const trailerBytes = 16;
export const blockHeaderBytes = 64;
const footerFixedBytes = 48;
const segmentBytes = 40;
const phases: readonly Phase[] = ["plan", "map", "reduce"];

/** All that a block's header says; its identity is compared, not parsed. */
export interface BlockHeader {
  readonly payloadBytes: number;
  readonly pairs: number;
  readonly partition: number;
  /** Leading bytes that all keys of the block share. */
  readonly prefixBytes: number;
  /** Place in its segment, from 0. */
  readonly sequence: number;
  /** Sum of the pairs' digests (kernel.ts). */
  readonly digest: bigint;
}

/** All that a run's footer says. */
export interface Footer {
  readonly writtenBy: AttemptId;
  readonly pairs: number;
  readonly emissionDigest: bigint;
  readonly blockBytesMax: number;
  /** In partition order; offsets are those of the file, without gaps. */
  readonly segments: readonly Segment[];
}

/**
 * What stands in each block of an attempt's runs, at identityStart of its header: task index u32, the first 8 bytes of
 * SHA-256("phase/job"), epoch u64, attempt u64.
 */
export function blockIdentity(attempt: AttemptId): Buffer {
  const identity = Buffer.alloc(28);
  identity.writeUInt32LE(attempt.index, 0);
  createHash("sha256").update(`${attempt.phase}/${attempt.job}`).digest().copy(identity, 4, 0, 8);
  writeU64(identity, 12, attempt.epoch);
  writeU64(identity, 20, attempt.attempt);
  return identity;
}

/** Writes a header at `at`, all but the checksum. */
export function writeBlockHeader(target: Buffer, at: number, block: BlockHeader, identity: Buffer): void {
  target.writeUInt32LE(blockMagic, at);
  target.writeUInt32LE(block.payloadBytes, at + 8);
  target.writeUInt32LE(block.pairs, at + 12);
  target.writeUInt32LE(block.partition, at + 16);
  target.writeUInt32LE(block.prefixBytes, at + 20);
  target.writeUInt32LE(block.sequence, at + 24);
  identity.copy(target, at + 28);
  target.writeBigUInt64LE(block.digest, at + 56);
}

/** The checksum of the header at `at`, to be gone on with over the payload; then `writeBlockChecksum`. */
export function headerChecksum(header: Buffer, at: number): number {
  return crc32(header.subarray(at + 8, at + blockHeaderBytes));
}

export function writeBlockChecksum(target: Buffer, at: number, checksum: number): void {
  target.writeUInt32LE(checksum, at + 4);
}

/** What a reader knows of the block that must come next. */
export interface ExpectedBlock {
  readonly partition: number;
  readonly sequence: number;
  /** Payload bytes at most: what is declared, or what is left of the segment. */
  readonly payloadBytesMax: number;
  readonly identity: Buffer;
}

/** What is wrong with the header at `at`, in words; undefined: nothing, but the checksum is still to be compared. */
export function headerFault(header: Buffer, at: number, expected: ExpectedBlock): string | undefined {
  if (header.readUInt32LE(at) !== blockMagic) return "no block begins here";
  if (header.compare(expected.identity, 0, 28, at + 28, at + 56) !== 0) return "the block is of another attempt";
  const partition = header.readUInt32LE(at + 16);
  if (partition !== expected.partition) return `the block is of partition ${partition}`;
  const sequence = header.readUInt32LE(at + 24);
  if (sequence !== expected.sequence)
    return `block ${sequence} of the segment stands where ${expected.sequence} belongs`;
  const bytes = payloadBytesAt(header, at);
  if (bytes === 0 || bytes > expected.payloadBytesMax) return `a payload of ${bytes} bytes can't be here`;
  if (pairsAt(header, at) === 0) return "the block has no pairs";
  return undefined;
}

export const checksumAt = (header: Buffer, at: number): number => header.readUInt32LE(at + 4);
export const payloadBytesAt = (header: Buffer, at: number): number => header.readUInt32LE(at + 8);
export const digestAt = (header: Buffer, at: number): bigint => header.readBigUInt64LE(at + 56);
export const pairsAt = (header: Buffer, at: number): number => header.readUInt32LE(at + 12);

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

export function corruptRun(path: string, what: string, cause?: unknown): MillraceError {
  const message = `${path}: ${what}. The run is damaged or was cut off; what is in it has to be made again by the task that wrote it.`;
  return new MillraceError("corrupt-run", message, { retry: "elsewhere", cause });
}

// u64 of a safe integer, without a BigInt.
function writeU64(out: Buffer, at: number, value: number): void {
  out.writeUInt32LE(value % 2 ** 32, at);
  out.writeUInt32LE(Math.floor(value / 2 ** 32), at + 4);
}

function readU64(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 2 ** 32;
}

/** "map-00012.1.7 of job x", for messages. */
export function attemptOf(attempt: AttemptId): string {
  return `${attemptName(attempt)} of job ${attempt.job}`;
}
