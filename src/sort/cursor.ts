import { assert } from "../base/assert.ts";
import type { Merge } from "./merge.ts";
import type { Cursor } from "./run.ts";

/**
 * A cursor over a merge: `advance` only moves offsets within the merge's block. Lets go of the files at the end by itself.
 */
export class MergeCursor implements Cursor {
  bytes: Uint8Array = new Uint8Array(0);
  keyStart = 0;
  keyEnd = 0;
  valueEnd = 0;
  readonly #merge: Merge;
  readonly #closeInputs: () => void;
  /** Where the next pair begins, and where the block ends. */
  #at = 0;
  #end = 0;

  /** `closeInputs`: what else to let go of; may be repeated. */
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

  drain(): void {
    while (this.#nextBlock());
  }

  close(): void {
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
    return true;
  }
}

/** Bytes behind the first of the varint read last. */
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
