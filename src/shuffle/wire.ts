// Requests of slots to other workers' shuffle servers, and the answers (docs/shuffle.md). Numbers are little-endian.
//
//   request  = "MILLSEG1", partition u32, maps u32, from u64, then per map: index u32, epoch u64, attempt u64
//   response = per map, in the order asked: header (80 bytes), then the segment as it stands in the run
//
// `from`: bytes of the first map's segment that the client has already. Its header comes again, those bytes don't.
import { crc32 } from "node:zlib";
import type { AttemptId, JobId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { blockIdentity, readU64, writeU64 } from "../sort/run-format.ts";

const requestMagic = Buffer.from("MILLSEG1", "latin1");
const requestFixedBytes = 24;
const requestMapBytes = 20;
export const requestBytesMax = requestFixedBytes + limits.fetchMapsMax * requestMapBytes;
export const segmentsType = "application/x-millrace-segments";

export function segmentsPath(job: JobId): string {
  return `/v1/segments/${encodeURIComponent(job)}`;
}

/** No run has this partition: a client that asks for it learns which runs are there, and nothing else. */
export const noPartition = 0xffff_ffff;

/**
 * Nor this one: it stands for the whole file of a run, which a worker that leaves hands over. A worker of an earlier
 * version answers that the run has no such partition.
 */
export const wholeRun = 0xffff_fffe;

export interface SegmentsRequest {
  readonly partition: number;
  readonly from: number;
  readonly maps: readonly AttemptId[];
}

export function writeRequest({ partition, from, maps }: SegmentsRequest): Buffer {
  const out = Buffer.alloc(requestFixedBytes + maps.length * requestMapBytes);
  requestMagic.copy(out);
  out.writeUInt32LE(partition, 8);
  out.writeUInt32LE(maps.length, 12);
  writeU64(out, 16, from);
  let at = requestFixedBytes;
  for (const map of maps) {
    out.writeUInt32LE(map.index, at);
    writeU64(out, at + 4, map.epoch);
    writeU64(out, at + 12, map.attempt);
    at += requestMapBytes;
  }
  return out;
}

/** Returns undefined for bytes that are no request. */
export function parseRequest(job: JobId, body: Buffer): SegmentsRequest | undefined {
  if (body.length < requestFixedBytes || !body.subarray(0, 8).equals(requestMagic)) return undefined;
  const count = body.readUInt32LE(12);
  const from = readU64(body, 16);
  if (count === 0 || count > limits.fetchMapsMax || !Number.isSafeInteger(from)) return undefined;
  if (body.length !== requestFixedBytes + count * requestMapBytes) return undefined;
  const maps = Array.from({ length: count }, (_, index): AttemptId => {
    const at = requestFixedBytes + index * requestMapBytes;
    const epoch = readU64(body, at + 4);
    const attempt = readU64(body, at + 12);
    return { job, phase: "map", index: body.readUInt32LE(at), epoch, attempt };
  });
  return { partition: body.readUInt32LE(8), from, maps };
}

// ── the answer ─────────────────────────────────────────────────────────────────

const headerMagic = 0x4745534d; // "MSEG"
export const segmentHeaderBytes = 80;
const statuses = ["segment", "none", "missing", "corrupt"] as const;

export interface SegmentHeader {
  /** "none": the run has no pairs of this partition; "missing": the run isn't there; "corrupt": the file is no run. */
  readonly status: (typeof statuses)[number];
  /** The bytes of the whole segment, whatever part of it follows; 0 unless "segment". */
  readonly bytes: number;
  readonly pairs: number;
  readonly digest: bigint;
  readonly blockBytesMax: number;
  /** The pairs of the whole run; 0 where there is none. */
  readonly runPairs: number;
}

export const noSegment = { bytes: 0, pairs: 0, digest: 0n, blockBytesMax: 0, runPairs: 0 } as const;

/**
 *    0 magic u32     8 status u32      16 identity as in a block's header (28)    48 bytes u64    64 digest u64
 *    4 crc32 u32    12 partition u32   44 largest block u32                       56 pairs u64    72 pairs of the run u64
 */
export function writeSegmentHeader(map: AttemptId, partition: number, header: SegmentHeader): Buffer {
  const out = Buffer.alloc(segmentHeaderBytes);
  out.writeUInt32LE(headerMagic, 0);
  out.writeUInt32LE(statuses.indexOf(header.status), 8);
  out.writeUInt32LE(partition, 12);
  blockIdentity(map).copy(out, 16);
  out.writeUInt32LE(header.blockBytesMax, 44);
  writeU64(out, 48, header.bytes);
  writeU64(out, 56, header.pairs);
  out.writeBigUInt64LE(header.digest, 64);
  writeU64(out, 72, header.runPairs);
  out.writeUInt32LE(crc32(out.subarray(8)), 4);
  return out;
}

/** Returns what the header says, or in words why it isn't the one that must come. */
export function parseSegmentHeader(header: Buffer, map: AttemptId, partition: number): SegmentHeader | string {
  if (header.readUInt32LE(0) !== headerMagic) return "no segment begins here";
  if (crc32(header.subarray(8)) !== header.readUInt32LE(4)) return "the checksum of a segment's header differs";
  const status = statuses[header.readUInt32LE(8)];
  if (status === undefined) return "a segment's header has no status that is known here";
  if (!blockIdentity(map).equals(header.subarray(16, 44)) || header.readUInt32LE(12) !== partition) {
    return "a segment of another map or partition came";
  }
  return {
    status,
    blockBytesMax: header.readUInt32LE(44),
    bytes: readU64(header, 48),
    pairs: readU64(header, 56),
    digest: header.readBigUInt64LE(64),
    runPairs: readU64(header, 72),
  };
}
