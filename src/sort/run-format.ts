// Run format v1 (docs/run-format.md): what a run looks like on disk. Numbers are little-endian.
//
//   run     = "MILLRUN1", block*, footer, trailer
//   block   = header (64 bytes), payload: whole pairs of one partition (kernel.ts)
//   footer  = head: fixed part (48 bytes), job id, crc32; one entry (48 bytes) per segment
//   trailer = footer bytes u32, crc32 u32 of the footer and of that number, "MILLEND1"
//
// Every byte is covered: by a checksum, by a comparison with what it must be, or by both. Blocks say whose they are and
// where they belong, so that one read from a wrong place of a wrong file is noticed too (fault 53).
import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { MillraceError } from "../base/error.ts";
import { type AttemptId, attemptName } from "../base/ids.ts";

export const fileMagic: Buffer = Buffer.from("MILLRUN1", "latin1");
const blockMagic = 0x4b4c424d; // "MBLK"
export const blockHeaderBytes = 64;

/** What a block's header says, without the identity of its writer, which is compared and not parsed. */
export interface BlockHeader {
  readonly payloadBytes: number;
  readonly pairs: number;
  readonly partition: number;
  /** Leading bytes that all keys of the block share. */
  readonly prefixBytes: number;
  /** The block's number in its segment, from 0. */
  readonly sequence: number;
  /** The sum of the pairs' digests (kernel.ts). */
  readonly digest: bigint;
}

/**
 * The identity that stands in each block of an attempt's runs, at byte 28 of its header: task index u32, the first 8
 * bytes of SHA-256("phase/job"), epoch u64, attempt u64.
 */
export function blockIdentity(attempt: AttemptId): Buffer {
  const identity = Buffer.alloc(28);
  identity.writeUInt32LE(attempt.index, 0);
  createHash("sha256").update(`${attempt.phase}/${attempt.job}`).digest().copy(identity, 4, 0, 8);
  writeU64(identity, 12, attempt.epoch);
  writeU64(identity, 20, attempt.attempt);
  return identity;
}

/** Writes a header at `at`, except for its checksum. */
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

/**
 * Starts the block's checksum with the header at `at`; continue it over the payload, then call `writeBlockChecksum`.
 */
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
  /** The largest possible payload: what is declared, or what is left of the segment. */
  readonly payloadBytesMax: number;
  readonly identity: Buffer;
}

/**
 * Says in words what is wrong with the header at `at`; undefined when nothing is, but the checksum is still to be
 * compared.
 */
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

export function corruptRun(path: string, what: string, cause?: unknown): MillraceError {
  const message = `${path}: ${what}. The run is damaged or was cut off; the task that wrote it has to run again.`;
  return new MillraceError("corrupt-run", message, { retry: "elsewhere", cause });
}

/** Writes a safe integer as u64, without a BigInt. */
export function writeU64(out: Buffer, at: number, value: number): void {
  out.writeUInt32LE(value % 2 ** 32, at);
  out.writeUInt32LE(Math.floor(value / 2 ** 32), at + 4);
}

export function readU64(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 2 ** 32;
}

/** "map-00012.1.7 of job x", for messages. */
export function attemptOf(attempt: AttemptId): string {
  return `${attemptName(attempt)} of job ${attempt.job}`;
}
