// Turns lines into keys and keys into lines, a block at a time (assembly/pairs.ts), for the built-in mapper and reducer
// of sort jobs. Pairs have the layout of the kernel's batch: varint keyBytes, varint valueBytes, key, value.
import { assert } from "../../base/assert.ts";
import { blockBytes } from "../blocks/block.ts";
import { type JsonExports, jsonReader, places } from "../json/wasm.ts";

/** The longest value that may follow every key here. */
export const valueBytesMax = 16;

/** Pairs that `frame` made: bytes[start, end) of its own memory, valid until the next call. */
export interface FramedLines {
  readonly start: number;
  readonly end: number;
  readonly lines: number;
  /** The index behind the last line. Where that is the index at which `frame` began, the line there is too long. */
  readonly next: number;
}

/** Lines that `write` made, like `FramedLines`, and counts of the runs of equal keys. */
export interface WrittenKeys {
  readonly start: number;
  readonly end: number;
  readonly lines: number;
  readonly runs: number;
  readonly firstRun: number;
  readonly lastRun: number;
  readonly largestRun: number;
  /** The last key: bytes[lastKeyStart, lastKeyEnd). */
  readonly lastKeyStart: number;
  readonly lastKeyEnd: number;
}

export class LinePairs {
  readonly bytes: Buffer;
  readonly #reader: JsonExports;
  readonly #results: Uint32Array;
  readonly #consumed: Uint32Array;

  constructor() {
    this.#reader = jsonReader();
    const { buffer } = this.#reader.memory;
    this.bytes = Buffer.from(buffer);
    this.#consumed = new Uint32Array(buffer, places.consumed, 1);
    this.#results = new Uint32Array(buffer, places.lines, 7);
  }

  /**
   * Makes a pair with this value for each line of text[from, …), which is at most a block; as many as fit in `room`
   * bytes.
   */
  frame(text: Uint8Array, from: number, room: number, value: Uint8Array): FramedLines {
    const length = text.length - from;
    assert(length <= blockBytes && value.length <= valueBytesMax, "more than a block, or a long value");
    this.bytes.set(from === 0 ? text : text.subarray(from), places.block);
    this.bytes[places.block + length] = 10;
    this.bytes.set(value, places.value);
    const end = places.block + length;
    const made = this.#reader.frameLines(places.block, end, Math.min(room, blockBytes), value.length);
    const next = from + this.#consumed[0]!;
    return { start: places.pairs, end: places.pairs + made, lines: this.#results[0]!, next };
  }

  /**
   * Makes lines of the keys of the pairs in bytes[start, end), at most a block. Returns undefined where a key can't be
   * a line.
   */
  write(pairs: Uint8Array, start: number, end: number, refusesCarriageReturn: boolean): WrittenKeys | undefined {
    assert(end - start <= blockBytes, "more than a block of pairs");
    this.bytes.set(pairs.subarray(start, end), places.block);
    const made = this.#reader.writeKeys(places.block, places.block + end - start, refusesCarriageReturn) | 0;
    if (made < 0) return undefined;
    const [lines, runs, firstRun, lastRun, largestRun, lastKeyStart, lastKeyBytes] = this
      .#results as unknown as readonly [number, number, number, number, number, number, number];
    return {
      start: places.pairs,
      end: places.pairs + made,
      lines,
      runs,
      firstRun,
      lastRun,
      largestRun,
      lastKeyStart,
      lastKeyEnd: lastKeyStart + lastKeyBytes,
    };
  }
}
