// Rows of a block of JSON lines, as the reader in WebAssembly leaves them. There is one per format, as its memory is
// 768 KiB and it remembers the names it has seen. It holds only the last block.
import { assert } from "../../base/assert.ts";
import { blockBytes } from "../blocks/block.ts";
import { type JsonExports, jsonReader, places } from "./wasm.ts";

/** What a field holds; `assembly/kinds.ts` has the same list. */
export const cell = {
  missing: 0,
  asciiString: 1,
  narrowString: 2,
  wideString: 3,
  number: 4,
  numberText: 5,
  true: 6,
  false: 7,
  null: 8,
  other: 9,
} as const;

export abstract class JsonRows {
  /** Rows of the last `scan`, and how many bytes of the block they cover. */
  rows = 0;
  consumed = 0;
  /** Strings of the last `scan`, one after the other: those with characters below U+0100, and the others. */
  narrow = "";
  wide = "";
  /**
   * Per field, either a number, or the same 8 bytes as two: where a text begins and ends, or where in the block a value
   * of `cell.other` does.
   */
  readonly numbers: Float64Array;
  readonly edges: Uint32Array;
  /** Values of `cell`. */
  readonly kinds: Uint8Array;
  /** The number of calls of `scan`. */
  scans = 0;
  readonly view: DataView;
  protected readonly reader: JsonExports;
  protected readonly bytes: Buffer;
  readonly #starts: Float64Array;
  readonly #results: Uint32Array;

  constructor() {
    this.reader = jsonReader();
    const { buffer } = this.reader.memory;
    this.bytes = Buffer.from(buffer);
    this.view = new DataView(buffer);
    this.#results = new Uint32Array(buffer, places.consumed, 3);
    this.#starts = new Float64Array(buffer, places.starts, (places.kinds - places.starts) / 8);
    this.kinds = new Uint8Array(buffer, places.kinds, places.slots - places.kinds);
    this.numbers = new Float64Array(buffer, places.slots);
    this.edges = new Uint32Array(buffer, places.slots);
    this.reader.reset();
  }

  /**
   * Makes rows of the lines at [start, end) of the memory, the first of which is at `offset` in the file. Returns their
   * number.
   */
  protected abstract scanRows(start: number, end: number, offset: number): number;

  /**
   * Reads lines of bytes[from, …), which are UTF-8 and at most a block, the first at `offset` in the file. It makes as
   * many rows as there is room for, and none for blank lines.
   */
  scan(bytes: Buffer, from: number, offset: number): void {
    const length = bytes.length - from;
    assert(length <= blockBytes, "more than a block of JSON lines");
    const end = places.block + length;
    this.bytes.set(from === 0 ? bytes : bytes.subarray(from), places.block);
    this.bytes[end] = 10;
    this.scans++;
    this.rows = this.scanRows(places.block, end, offset);
    const [consumed, narrowLength, wideLength] = this.#results as unknown as readonly [number, number, number];
    this.consumed = consumed;
    this.narrow = this.bytes.toString("latin1", places.narrow, places.narrow + narrowLength);
    this.wide = wideLength === 0 ? "" : this.bytes.toString("utf16le", places.wide, places.wide + 2 * wideLength);
  }

  /** The file offset of each row's line, as a copy. */
  starts(): Float64Array {
    return this.#starts.slice(0, this.rows);
  }
}
