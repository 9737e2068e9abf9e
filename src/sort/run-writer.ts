// Writing a run: blocks are collected into large writes, and the footer with the segments' places and digests is
// written last. A file without a footer is not a run, so a writer that dies leaves nothing that could be mistaken for
// one. run-format.ts has the layout.
import { crc32 } from "node:zlib";
import { assert } from "../base/assert.ts";
import { ByteBuffer } from "../base/bytes/byte-buffer.ts";
import type { AttemptId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { RunFile, RunFiles, RunRef, RunWriter, Segment } from "./run.ts";
import { writeFooter } from "./run-footer.ts";
import {
  blockHeaderBytes,
  blockIdentity,
  fileMagic,
  headerChecksum,
  writeBlockChecksum,
  writeBlockHeader,
} from "./run-format.ts";

/** A run being written. `RunWriter` (run.ts) says in which order. */
export interface FileRunWriter extends RunWriter {
  /**
   * Writes a pair that the arena can't hold as a block of its own, of at most 4 GiB. Key and value are never copied
   * together.
   */
  largePair(partition: number, key: Uint8Array, value: Uint8Array, digest: bigint): void;
  /** Pairs written so far. */
  readonly pairs: number;
}

/** Begins a run under a name that no other run of the attempt has. Throws what `files` throws. */
export function createRunWriter(files: RunFiles, name: string, writtenBy: AttemptId): FileRunWriter {
  return new Writer(files.create(name), writtenBy);
}

class Writer implements FileRunWriter {
  readonly #file: RunFile;
  readonly #writtenBy: AttemptId;
  readonly #identity: Buffer;
  readonly #buffer: Buffer = Buffer.allocUnsafeSlow(limits.runWriteBytes);
  #buffered = 0;
  /** Bytes of the file so far, those in the buffer included. */
  #bytes = 0;
  #state: "writing" | "finished" | "aborted" = "writing";
  readonly #segments: Segment[] = [];
  // The segment being written.
  #partition = -1;
  #segmentStart = 0;
  #segmentPairs = 0;
  #segmentDigest = 0n;
  #segmentBlockMax = 0;
  #sequence = 0;
  // The whole run.
  pairs = 0;
  #blockBytesMax = 0;

  constructor(file: RunFile, writtenBy: AttemptId) {
    this.#file = file;
    this.#writtenBy = writtenBy;
    this.#identity = blockIdentity(writtenBy);
    this.#append(fileMagic, 0, fileMagic.length);
  }

  block(
    partition: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    pairs: number,
    prefixBytes: number,
    digest: bigint,
  ): void {
    const header = this.#header(partition, end - start, pairs, prefixBytes, digest);
    const payload = bytes.subarray(start, end);
    writeBlockChecksum(header, 0, crc32(payload, headerChecksum(header, 0)));
    this.#append(header, 0, blockHeaderBytes);
    this.#append(bytes, start, end);
  }

  largePair(partition: number, key: Uint8Array, value: Uint8Array, digest: bigint): void {
    const sizes = new ByteBuffer(16);
    sizes.writeVarint(key.length);
    sizes.writeVarint(value.length);
    const header = this.#header(partition, sizes.length + key.length + value.length, 1, key.length, digest);
    writeBlockChecksum(header, 0, crc32(value, crc32(key, crc32(sizes.view(), headerChecksum(header, 0)))));
    this.#append(header, 0, blockHeaderBytes);
    this.#append(sizes.bytes, 0, sizes.length);
    this.#append(key, 0, key.length);
    this.#append(value, 0, value.length);
  }

  finish(emissionDigest: bigint): RunRef {
    assert(this.#state === "writing", "a run is finished once");
    this.#endSegment();
    const footer = writeFooter({
      writtenBy: this.#writtenBy,
      pairs: this.pairs,
      emissionDigest,
      blockBytesMax: this.#blockBytesMax,
      segments: this.#segments,
    });
    this.#append(footer, 0, footer.length);
    this.#flush();
    const { path, bytes } = this.#file.finish();
    assert(bytes === this.#bytes, "the file has the bytes that were written");
    this.#state = "finished";
    return { writtenBy: this.#writtenBy, path, bytes, pairs: this.pairs };
  }

  abort(): void {
    if (this.#state !== "writing") return;
    this.#state = "aborted";
    this.#file.abort();
  }

  /** Counts a block and fills in its header, except for the checksum. */
  #header(partition: number, payloadBytes: number, pairs: number, prefixBytes: number, digest: bigint): Buffer {
    assert(this.#state === "writing", "a block comes before the end");
    assert(partition >= this.#partition, "blocks come in partition order");
    assert(payloadBytes > 0 && pairs > 0, "a block has pairs");
    if (partition !== this.#partition) {
      this.#endSegment();
      this.#partition = partition;
    }
    writeBlockHeader(
      header,
      0,
      { payloadBytes, pairs, partition, prefixBytes, sequence: this.#sequence++, digest },
      this.#identity,
    );
    this.pairs += pairs;
    this.#segmentPairs += pairs;
    this.#segmentDigest = BigInt.asUintN(64, this.#segmentDigest + digest);
    this.#segmentBlockMax = Math.max(this.#segmentBlockMax, payloadBytes);
    return header;
  }

  #endSegment(): void {
    if (this.#segmentPairs > 0) {
      this.#segments.push({
        partition: this.#partition,
        offset: this.#segmentStart,
        bytes: this.#bytes - this.#segmentStart,
        pairs: this.#segmentPairs,
        digest: this.#segmentDigest,
        blockBytesMax: this.#segmentBlockMax,
      });
      this.#blockBytesMax = Math.max(this.#blockBytesMax, this.#segmentBlockMax);
    }
    this.#segmentStart = this.#bytes;
    this.#segmentPairs = 0;
    this.#segmentDigest = 0n;
    this.#segmentBlockMax = 0;
    this.#sequence = 0;
  }

  #append(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start;
    if (length > this.#buffer.length - this.#buffered) this.#flush();
    if (length > this.#buffer.length) {
      this.#file.write(bytes.subarray(start, end));
    } else {
      this.#buffer.set(bytes.subarray(start, end), this.#buffered);
      this.#buffered += length;
    }
    this.#bytes += length;
  }

  #flush(): void {
    if (this.#buffered === 0) return;
    const length = this.#buffered;
    this.#buffered = 0;
    this.#file.write(this.#buffer.subarray(0, length));
  }
}

/** Filled and copied before anything else can run, so all writers share it. */
const header: Buffer = Buffer.alloc(blockHeaderBytes);
