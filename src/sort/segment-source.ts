// Reads one segment of a run block by block, and checks everything: that each block is the one that must come next, its
// checksum, and at the end the number of pairs and their digest. All reading of intermediate data goes through here,
// whether the run is on this machine or was fetched.
import { crc32 } from "node:zlib";
import { assert } from "../base/assert.ts";
import type { RunBytes, RunSource, Segment } from "./run.ts";
import {
  blockHeaderBytes,
  checksumAt,
  corruptRun,
  digestAt,
  type ExpectedBlock,
  headerChecksum,
  headerFault,
  pairsAt,
  payloadBytesAt,
} from "./run-format.ts";

/** Returns where `length` bytes of the file from `position` stand in memory; they are valid until the next call. */
export type Window = (length: number, position: number) => { readonly buffer: Buffer; readonly at: number };

/** A segment as a source of a merge. Small blocks are read through the window, others straight into the target. */
export class SegmentSource implements RunSource {
  readonly blockBytesMax: number;
  readonly pairsMax: number;
  readonly bytesMax: number;
  readonly #segment: Segment;
  readonly #identity: Buffer;
  readonly #path: string;
  readonly #window: Window;
  readonly #bytes: RunBytes;
  #position: number;
  readonly #end: number;
  #sequence = 0;
  #pairs = 0;
  lastPairs = 0;
  lastDigest = 0n;

  constructor(segment: Segment, identity: Buffer, path: string, window: Window, bytes: RunBytes) {
    this.blockBytesMax = segment.blockBytesMax;
    this.pairsMax = segment.pairs;
    this.bytesMax = segment.bytes;
    this.#segment = segment;
    this.#identity = identity;
    this.#path = path;
    this.#window = window;
    this.#bytes = bytes;
    this.#position = segment.offset;
    this.#end = segment.offset + segment.bytes;
  }

  read(target: Uint8Array, at: number): number {
    const left = this.#end - this.#position;
    if (left === 0) return this.#ended();
    if (left <= blockHeaderBytes) throw this.#corrupt("a block's header is cut off");
    const wanted = Math.min(left, blockHeaderBytes + this.blockBytesMax);
    const windowBytes = wanted <= smallBytes ? wanted : blockHeaderBytes;
    const window = this.#window(windowBytes, this.#position);
    const header = window.buffer;
    const expected: ExpectedBlock = {
      partition: this.#segment.partition,
      sequence: this.#sequence,
      payloadBytesMax: Math.min(this.blockBytesMax, left - blockHeaderBytes),
      identity: this.#identity,
    };
    const fault = headerFault(header, window.at, expected);
    if (fault !== undefined) throw this.#corrupt(fault);
    const payloadBytes = payloadBytesAt(header, window.at);
    const checksum = checksumAt(header, window.at);
    const headerSum = headerChecksum(header, window.at);
    const pairs = pairsAt(header, window.at);
    const digest = digestAt(header, window.at);
    assert(at + payloadBytes <= target.length, "the target has room for the declared block");
    const payloadAt = window.at + blockHeaderBytes;
    if (payloadBytes + blockHeaderBytes <= windowBytes) {
      target.set(header.subarray(payloadAt, payloadAt + payloadBytes), at);
    } else {
      readAll(this.#bytes, target, at, payloadBytes, this.#position + blockHeaderBytes, this.#path);
    }
    // The checksum is computed over the bytes in the target, as those are the ones that are used.
    if (crc32(target.subarray(at, at + payloadBytes), headerSum) !== checksum)
      throw this.#corrupt("a checksum differs");
    this.#position += blockHeaderBytes + payloadBytes;
    this.#sequence++;
    this.#pairs += pairs;
    this.lastPairs = pairs;
    this.lastDigest = digest;
    return payloadBytes;
  }

  end(pairs: number, digest: bigint): void {
    this.#ended();
    if (pairs !== this.#segment.pairs) throw this.#corrupt(`${pairs} pairs were read, ${this.#segment.pairs} written`);
    if (digest !== this.#segment.digest)
      throw this.#corrupt("the pairs read are not those written: their digests differ");
  }

  #ended(): 0 {
    assert(this.#position === this.#end, "a segment is read to its end");
    if (this.#pairs !== this.#segment.pairs) {
      throw this.#corrupt(`its blocks have ${this.#pairs} pairs, the footer says ${this.#segment.pairs}`);
    }
    return 0;
  }

  #corrupt(what: string): Error {
    return corruptRun(this.#path, `partition ${this.#segment.partition}, byte ${this.#position}: ${what}`);
  }
}

/** A block of at most this size is read together with its header; copying more costs as much as a second call. */
const smallBytes = 16 * 1024;

/** Used only within one call, so all runs share it. */
export const scratch: Buffer = Buffer.allocUnsafeSlow(64 * 1024);

/** Reads exactly `length` bytes. Throws `corrupt-run` where there are fewer. */
export function readAll(
  bytes: RunBytes,
  target: Uint8Array,
  at: number,
  length: number,
  position: number,
  path: string,
): void {
  const read = bytes.read(target, at, length, position);
  if (read !== length) throw corruptRun(path, `${length} bytes at ${position} were asked for, ${read} are there`);
}
