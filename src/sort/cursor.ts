// A cursor over the blocks of a merge: what the reduce side reads pairs with. `Cursor` (run.ts) says how long its bytes
// are valid.
import { assert } from "../base/assert.ts";
import { sharedCopy } from "../base/bytes/bytes.ts";
import { KiB } from "../base/limits.ts";
import type { PairBlock } from "../kernel/kernel.ts";
import type { Merge } from "./merge.ts";
import type { BlockCursor } from "./run.ts";

/**
 * `advance` only moves offsets within the merge's block: nothing is allocated per pair. At the end the cursor closes
 * itself.
 */
export class MergeCursor implements BlockCursor {
  bytes: Uint8Array = new Uint8Array(0);
  keyStart = 0;
  keyEnd = 0;
  valueEnd = 0;
  readonly #merge: Merge;
  readonly #closeInputs: () => void;
  /** Where the next pair begins, and where the block ends. */
  #at = 0;
  #end = 0;
  /** A copy of the block's bytes [lastingStart, lastingEnd); `lasting` returns views of it. */
  #lasting: ArrayBuffer | undefined;
  #lastingStart = 0;
  #lastingEnd = 0;

  /** `closeInputs` releases what else is open; it may be called more than once. */
  constructor(merge: Merge, closeInputs: () => void = () => {}) {
    this.#merge = merge;
    this.#closeInputs = closeInputs;
  }

  advance(): boolean {
    if (this.#at === this.#end && !this.#nextBlock()) return false;
    const bytes = this.bytes;
    let at = this.#at;
    let keyBytes = bytes[at++]!;
    if (keyBytes > 127) {
      keyBytes = readVarint(bytes, at - 1);
      at += varintEnd;
    }
    let valueBytes = bytes[at++]!;
    if (valueBytes > 127) {
      valueBytes = readVarint(bytes, at - 1);
      at += varintEnd;
    }
    this.keyStart = at;
    this.keyEnd = at + keyBytes;
    this.valueEnd = this.#at = at + keyBytes + valueBytes;
    assert(this.#at <= this.#end, "a merged block holds whole pairs");
    return true;
  }

  get isLast(): boolean {
    return this.#at === this.#end;
  }

  lasting(start: number, end: number): Uint8Array {
    if (start < this.#lastingStart || end > this.#lastingEnd || this.#lasting === undefined) {
      // Too few large pairs would share a copy to make up for it.
      const alone = this.valueEnd - this.keyStart > sharingPairBytesMax;
      this.#lasting = sharedCopy(this.bytes, start, alone ? end : Math.min(this.#end, start + lastingBytes));
      this.#lastingStart = start;
      this.#lastingEnd = start + this.#lasting.byteLength;
    }
    return new Uint8Array(this.#lasting, start - this.#lastingStart, end - start);
  }

  nextBlock(): PairBlock | undefined {
    assert(this.#at === this.#end, "pairs are taken one by one or by blocks");
    const block = this.#merge.next();
    if (block === undefined) this.close();
    return block;
  }

  drain(): void {
    while (this.#nextBlock());
  }

  close(): void {
    this.#lasting = undefined;
    this.#merge.close();
    this.#closeInputs();
    this.#at = this.#end = 0;
  }

  #nextBlock(): boolean {
    const block = this.#merge.next();
    if (block === undefined) {
      this.close();
      return false;
    }
    this.bytes = block.bytes;
    this.#at = block.start;
    this.#end = block.end;
    this.#lasting = undefined;
    return true;
  }
}

/**
 * Allocating takes about 5 microseconds whatever the size; when 300 pairs of 100 bytes share an allocation, it hardly
 * counts.
 */
const lastingBytes = 32 * KiB;
const sharingPairBytesMax = 2 * KiB;

/** Bytes behind the first of the varint that was read last. */
let varintEnd = 0;

function readVarint(bytes: Uint8Array, start: number): number {
  let value = 0;
  let scale = 1;
  let at = start;
  for (let byte = 128; byte > 127; scale *= 128) {
    byte = bytes[at++]!;
    value += (byte & 127) * scale;
  }
  varintEnd = at - start - 1;
  return value;
}
