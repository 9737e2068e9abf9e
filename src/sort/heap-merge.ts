// The merge for pairs that are too large for the kernel's arena. `merge.ts` chooses it where `mergeFits` says no and
// nothing is folded.
import { mask64 } from "../base/bytes/xxh64.ts";
import type { MergeStream, PairBlock } from "../kernel/kernel.ts";
import { type PairAt, pairDigest, parsePair, sharedPrefix } from "../kernel/pair.ts";
import type { RunSource } from "./run.ts";

/**
 * Merges sources whose blocks the arena can't hold, without folding, with one block of each source on the heap. A pair
 * larger than `blockBytes` is handed out where it was read, and its digest is taken from its block's header, which the
 * checksum covers: hashing 64 MiB in JavaScript takes most of a second. The merge is slow for small pairs, but such
 * runs have few of them.
 */
export function heapMerge(sources: readonly RunSource[], blockBytes: number): MergeStream {
  return new HeapMerge(sources, blockBytes);
}

/** A source with its current pair. */
class Head {
  readonly #source: RunSource;
  bytes: Buffer;
  /** The pair is bytes[pairStart, at.valueEnd). */
  pairStart = 0;
  readonly at: PairAt = { keyStart: 0, keyEnd: 0, valueEnd: 0 };
  digest = 0n;
  ended = false;
  #end = 0;
  #pairs = 0;
  #digestSum = 0n;

  constructor(source: RunSource) {
    this.#source = source;
    this.bytes = Buffer.allocUnsafeSlow(source.blockBytesMax);
  }

  advance(): void {
    this.pairStart = this.at.valueEnd;
    if (this.pairStart === this.#end) {
      this.pairStart = 0;
      this.#end = this.#source.read(this.bytes, 0);
      if (this.#end === 0) {
        this.#source.end(this.#pairs, this.#digestSum);
        this.ended = true;
        this.bytes = Buffer.alloc(0); // makes room for others
        return;
      }
    }
    parsePair(this.bytes, this.pairStart, this.#end, this.at);
    this.digest = this.#source.lastPairs === 1 ? this.#source.lastDigest : pairDigest(this.key, this.value);
    this.#pairs++;
    this.#digestSum = (this.#digestSum + this.digest) & mask64;
  }

  get key(): Uint8Array {
    return this.bytes.subarray(this.at.keyStart, this.at.keyEnd);
  }
  get value(): Uint8Array {
    return this.bytes.subarray(this.at.keyEnd, this.at.valueEnd);
  }

  isBefore(other: Head): boolean {
    const { keyStart, keyEnd } = this.at;
    return this.bytes.compare(other.bytes, other.at.keyStart, other.at.keyEnd, keyStart, keyEnd) < 0;
  }
}

class HeapMerge implements MergeStream {
  readonly #heads: readonly Head[];
  readonly #blockBytes: number;
  /** Filled again for each block that is handed out. */
  readonly #block: Buffer;
  #started = false;
  /**
   * The head whose pair was handed out in place. It is advanced only by the next call, when the caller is done with the
   * pair.
   */
  #handedOut: Head | undefined;

  constructor(sources: readonly RunSource[], blockBytes: number) {
    this.#heads = sources.map((source) => new Head(source));
    this.#blockBytes = blockBytes;
    this.#block = Buffer.allocUnsafeSlow(blockBytes);
  }

  next(): PairBlock | undefined {
    if (!this.#started) for (const head of this.#heads) head.advance();
    this.#started = true;
    this.#handedOut?.advance();
    this.#handedOut = undefined;
    let end = 0;
    let pairs = 0;
    let digest = 0n;
    const first: PairAt = { keyStart: 0, keyEnd: 0, valueEnd: 0 };
    const last: PairAt = { keyStart: 0, keyEnd: 0, valueEnd: 0 };
    for (let head = this.#least(); head !== undefined; head = this.#least()) {
      const bytes = head.at.valueEnd - head.pairStart;
      if (end + bytes > this.#blockBytes) {
        if (pairs > 0) break;
        return this.#inPlace(head);
      }
      head.bytes.copy(this.#block, end, head.pairStart, head.at.valueEnd);
      last.keyStart = end + head.at.keyStart - head.pairStart;
      last.keyEnd = end + head.at.keyEnd - head.pairStart;
      if (pairs === 0) Object.assign(first, last);
      end += bytes;
      pairs++;
      digest = (digest + head.digest) & mask64;
      head.advance();
    }
    if (pairs === 0) return undefined;
    const keyOf = ({ keyStart, keyEnd }: PairAt) => this.#block.subarray(keyStart, keyEnd);
    return { bytes: this.#block, start: 0, end, pairs, prefixBytes: sharedPrefix(keyOf(first), keyOf(last)), digest };
  }

  #inPlace(head: Head): PairBlock {
    this.#handedOut = head;
    const { keyStart, keyEnd, valueEnd } = head.at;
    return {
      bytes: head.bytes,
      start: head.pairStart,
      end: valueEnd,
      pairs: 1,
      prefixBytes: keyEnd - keyStart,
      digest: head.digest,
    };
  }

  /**
   * The head with the smallest key; among equal keys, that of the earliest source. There are few heads, so a loop is
   * enough.
   */
  #least(): Head | undefined {
    let least: Head | undefined;
    for (const head of this.#heads) {
      if (!head.ended && (least === undefined || head.isBefore(least))) least = head;
    }
    return least;
  }
}
