// Declared fields of a block of JSON lines, found by the reader in WebAssembly: a table with a row per line. One per format, as
// its memory is 768 KiB and it remembers the names it has seen; what it holds is of the last block.
import { assert } from "../base/assert.ts";
import { blockBytes } from "./block-reader.ts";
import { fieldsMax, type JsonExports, jsonReader, nameBytesMax, places } from "./json-wasm.ts";

/** What is asked for: "any" value as text, or the values of strings or numbers, of numbers as far as they are certain. */
export type Want = "any" | "string" | "uint" | "int" | "float64";
export const wants: readonly Want[] = ["any", "string", "uint", "int", "float64"];

/** What a field holds, as in `assembly/kinds.ts`. */
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

export interface WantedField {
  readonly name: string;
  readonly want: Want;
}

export class JsonTable {
  /** Rows of the last `scan`, and how many bytes of the block they are. */
  rows = 0;
  consumed = 0;
  /** Strings of the last `scan`, one behind the other: those with characters below U+0100, and the others. */
  narrow = "";
  wide = "";
  /** By row and field: a number, or the same 8 bytes as two, where a text begins and ends. */
  readonly numbers: Float64Array;
  readonly edges: Uint32Array;
  /** By row: a byte that is 0 where the line could be read, and one of `cell` per field. */
  readonly kinds: Uint8Array;
  /** Calls of `scan`. */
  scans = 0;
  readonly view: DataView;
  readonly #fields: number;
  readonly #reader: JsonExports;
  readonly #bytes: Buffer;
  readonly #starts: Float64Array;
  readonly #results: Uint32Array;

  constructor(fields: readonly WantedField[]) {
    this.#fields = fields.length;
    this.#reader = jsonReader();
    const { buffer } = this.#reader.memory;
    this.#bytes = Buffer.from(buffer);
    this.view = new DataView(buffer);
    this.#results = new Uint32Array(buffer, places.consumed, 3);
    this.#starts = new Float64Array(buffer, places.starts, (places.kinds - places.starts) / 8);
    this.kinds = new Uint8Array(buffer, places.kinds, places.slots - places.kinds);
    this.numbers = new Float64Array(buffer, places.slots);
    this.edges = new Uint32Array(buffer, places.slots);
    this.#reader.reset();
    for (const [i, { name, want }] of fields.entries()) {
      this.#bytes[places.wants + i] = wants.indexOf(want);
      this.#reader.declare(places.block, this.#bytes.write(`"${name}"`, places.block), i);
    }
  }

  /** Whether there is room for these fields, and their names can be told by their bytes. */
  static takes(fields: readonly WantedField[]): boolean {
    return (
      fields.length <= fieldsMax &&
      fields.every(({ name }) => name.isWellFormed() && Buffer.byteLength(name) + 2 <= nameBytesMax)
    );
  }

  /**
   * Reads lines of bytes[from, …), UTF-8 and at most a block of them, the first at `offset` in the file. Rows are as many as
   * there is room for, none for blank lines.
   */
  scan(bytes: Buffer, from: number, offset: number): void {
    const length = bytes.length - from;
    assert(length <= blockBytes, "more than a block of JSON lines");
    const end = places.block + length;
    this.#bytes.set(from === 0 ? bytes : bytes.subarray(from), places.block);
    this.#bytes[end] = 10;
    this.scans++;
    this.rows = this.#reader.scan(places.block, end, offset, this.#fields);
    const [consumed, narrowLength, wideLength] = this.#results as unknown as readonly [number, number, number];
    this.consumed = consumed;
    this.narrow = this.#bytes.toString("latin1", places.narrow, places.narrow + narrowLength);
    this.wide = wideLength === 0 ? "" : this.#bytes.toString("utf16le", places.wide, places.wide + 2 * wideLength);
  }

  /** Offset in the file of each row's line, as a copy. */
  starts(): Float64Array {
    return this.#starts.slice(0, this.rows);
  }
}
