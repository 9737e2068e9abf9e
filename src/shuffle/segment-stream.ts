// Takes the answers of a shuffle server as they come, in pieces of any size, and checks every block before it can be
// used: its checksum, its identity (job, map, attempt, partition), its place in the segment, and that the blocks add up
// to what the footer says. It knows no network: bytes go in, bytes of segments go to a sink, and a `TransferFault`
// comes out. After an answer that broke off, the next one goes on at the very next byte.
import { crc32 } from "node:zlib";
import { assert } from "../base/assert.ts";
import type { RunRef, Segment } from "../sort/run.ts";
import {
  blockHeaderBytes,
  blockIdentity,
  checksumAt,
  digestAt,
  headerChecksum,
  headerFault,
  pairsAt,
  payloadBytesAt,
} from "../sort/run-format.ts";
import { TransferFault } from "./transfer-fault.ts";
import { parseSegmentHeader, type SegmentHeader, segmentHeaderBytes } from "./wire.ts";

/** Takes the bytes of segments, one after the other. */
export interface SegmentSink {
  append(bytes: Uint8Array, start: number, end: number): void;
  /** Bytes appended so far. */
  readonly position: number;
}

/** One map's segment; its offset is that in the sink. */
export interface ReceivedSegment {
  readonly map: RunRef["writtenBy"];
  readonly segment: Segment;
}

/** The segment of which a part has come. */
interface Current {
  readonly header: SegmentHeader;
  readonly offset: number;
  readonly identity: Buffer;
  received: number;
  sequence: number;
  pairs: number;
  digest: bigint;
  /** Bytes of the block's payload that have yet to come; 0: a block's header comes next. */
  payloadLeft: number;
  checksum: number;
  expected: number;
}

export class SegmentStream {
  readonly received: ReceivedSegment[] = [];
  readonly #maps: readonly RunRef[];
  readonly #partition: number;
  readonly #sink: SegmentSink;
  /** The number of maps that are complete. */
  #done = 0;
  #current: Current | undefined;
  /** Whether a segment's header comes next. */
  #atHeader = true;
  /** Headers come in pieces too; a block's header may even come in two answers. */
  readonly #header = Buffer.alloc(segmentHeaderBytes);
  #headerHas = 0;
  readonly #block = Buffer.alloc(blockHeaderBytes);
  #blockHas = 0;

  constructor(maps: readonly RunRef[], partition: number, sink: SegmentSink) {
    this.#maps = maps;
    this.#partition = partition;
    this.#sink = sink;
  }

  get isComplete(): boolean {
    return this.#done === this.#maps.length;
  }

  /** Grows with every good byte that has come. */
  get progress(): { readonly maps: number; readonly bytes: number } {
    return { maps: this.#done, bytes: this.#current?.received ?? 0 };
  }

  /** The map whose segment comes next, or has come in part. */
  get map(): RunRef {
    const map = this.#maps[this.#done];
    assert(map !== undefined, "a map is missing");
    return map;
  }

  /** Begins a new answer, and returns what to ask for. */
  begin(): { readonly from: number; readonly maps: readonly RunRef[] } {
    this.#atHeader = true;
    this.#headerHas = 0;
    return { from: this.#current?.received ?? 0, maps: this.#maps.slice(this.#done) };
  }

  push(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; ) {
      if (this.isComplete) throw new TransferFault("garbled", "more came than was asked for");
      if (this.#atHeader) at = this.#takeHeader(chunk, at);
      else at = this.#takeBlocks(chunk, at);
    }
  }

  #takeHeader(chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + segmentHeaderBytes - this.#headerHas);
    chunk.copy(this.#header, this.#headerHas, at, end);
    this.#headerHas += end - at;
    if (this.#headerHas < segmentHeaderBytes) return end;
    this.#headerHas = 0;
    const run = this.map;
    const header = parseSegmentHeader(this.#header, run.writtenBy, this.#partition);
    if (typeof header === "string") throw new TransferFault("garbled", header);
    const { status } = header;
    if (status === "missing") throw new TransferFault("missing", "its worker does not have it");
    if (status === "corrupt") throw this.#corrupt("its worker can't read its footer");
    if (header.runPairs !== run.pairs) {
      throw this.#corrupt(`the run has ${header.runPairs} pairs, ${run.pairs} were reported`);
    }
    if (status === "none") {
      if (header.bytes !== 0 || this.#current !== undefined) throw this.#corrupt("a segment was there and is no more");
      this.#done++;
      return end;
    }
    this.#atHeader = false;
    this.#begin(run, header);
    return end;
  }

  #begin(run: RunRef, header: SegmentHeader): void {
    const { bytes, pairs, digest, blockBytesMax } = header;
    const before = this.#current;
    if (before !== undefined) {
      const { header: earlier } = before;
      const isSame =
        earlier.bytes === bytes &&
        earlier.pairs === pairs &&
        earlier.digest === digest &&
        earlier.blockBytesMax === blockBytesMax;
      if (!isSame) throw this.#corrupt("it is not the segment whose beginning came before");
      return;
    }
    if (bytes <= blockHeaderBytes || bytes > run.bytes || pairs === 0 || blockBytesMax > bytes - blockHeaderBytes) {
      throw this.#corrupt(`a segment of ${bytes} bytes can't be in it`);
    }
    this.#blockHas = 0;
    this.#current = {
      header,
      offset: this.#sink.position,
      identity: blockIdentity(run.writtenBy),
      received: 0,
      sequence: 0,
      pairs: 0,
      digest: 0n,
      payloadLeft: 0,
      checksum: 0,
      expected: 0,
    };
  }

  /** Takes the chunk's part of the current segment. */
  #takeBlocks(chunk: Buffer, start: number): number {
    const current = this.#current;
    assert(current !== undefined, "blocks come after their segment's header");
    let at = start;
    const end = Math.min(chunk.length, start + current.header.bytes - current.received);
    while (at < end) {
      if (current.payloadLeft === 0) {
        const until = Math.min(end, at + blockHeaderBytes - this.#blockHas);
        chunk.copy(this.#block, this.#blockHas, at, until);
        this.#blockHas += until - at;
        at = until;
        if (this.#blockHas < blockHeaderBytes) break;
        this.#blockHas = 0;
        this.#beginBlock(current, current.received + at - start);
        continue;
      }
      const until = Math.min(end, at + current.payloadLeft);
      current.checksum = crc32(chunk.subarray(at, until), current.checksum);
      current.payloadLeft -= until - at;
      at = until;
      if (current.payloadLeft === 0 && current.checksum !== current.expected) throw this.#corrupt("a checksum differs");
    }
    this.#sink.append(chunk, start, at);
    current.received += at - start;
    if (current.received === current.header.bytes) this.#end(current);
    return at;
  }

  /** `received` counts this header too. */
  #beginBlock(current: Current, received: number): void {
    const header = this.#block;
    const left = current.header.bytes - received;
    const fault = headerFault(header, 0, {
      partition: this.#partition,
      sequence: current.sequence,
      payloadBytesMax: Math.min(current.header.blockBytesMax, left),
      identity: current.identity,
    });
    if (fault !== undefined) throw this.#corrupt(fault);
    current.sequence++;
    current.pairs += pairsAt(header, 0);
    current.digest = BigInt.asUintN(64, current.digest + digestAt(header, 0));
    current.payloadLeft = payloadBytesAt(header, 0);
    current.expected = checksumAt(header, 0);
    current.checksum = headerChecksum(header, 0);
  }

  #end(current: Current): void {
    const { header, offset } = current;
    const { bytes, pairs, digest, blockBytesMax } = header;
    if (this.#blockHas > 0 || current.payloadLeft > 0) throw this.#corrupt("its last block is cut off");
    if (current.pairs !== pairs || current.digest !== digest) {
      throw this.#corrupt("its blocks don't add up to what its footer says");
    }
    const segment: Segment = { partition: this.#partition, offset, bytes, pairs, digest, blockBytesMax };
    this.received.push({ map: this.map.writtenBy, segment });
    this.#current = undefined;
    this.#atHeader = true;
    this.#done++;
  }

  /** Drops what has come of the segment: it comes again from its beginning. */
  #corrupt(what: string): TransferFault {
    this.#current = undefined;
    return new TransferFault("corrupt", what);
  }
}
