// Declared columns of a block of csv or tsv rows, found by the reader in WebAssembly (assembly/rows.ts): a table with a
// row for each. There is one per format, as its memory is 768 KiB. It holds only the last block.
import { assert } from "../../base/assert.ts";
import type { Block } from "../blocks/block.ts";
import { blockBytes } from "../blocks/block.ts";
import { type Want, wants } from "../json/table.ts";
import { cellsMax, fieldsMax, type JsonExports, jsonReader, places } from "../json/wasm.ts";

export interface RowTableOptions {
  /** What is asked for of each column, and the index of its cell in a row. */
  readonly columns: readonly { readonly want: Want; readonly index: number }[];
  /** The number of cells that every row has. */
  readonly width: number;
  /** One ASCII character. */
  readonly delimiter: string;
  /** "quotes": cells may be quoted (csv). "backslashes": rows that contain one are left to another reader (tsv). */
  readonly special: "quotes" | "backslashes";
  /** Whether quoted cells may hold line ends. */
  readonly multiline: boolean;
  readonly skipsEmptyLines: boolean;
}

/** What a cell of the table holds; `assembly/kinds.ts` has the same list. */
export const held = { text: 1, number: 4, raw: 10, rawQuoted: 11 } as const;

export class RowTable {
  /** The rows of the last `scan`, the index behind them, and whether the row there is not plain. */
  rows = 0;
  next = 0;
  stopped = false;
  /** The cells of the last `scan` that are ASCII, one after the other. */
  text = "";
  /**
   * By row and column, either a number, or the same 8 bytes as two: where a text begins and ends, in `text`, or for
   * "raw" in the block.
   */
  readonly numbers: Float64Array;
  readonly edges: Uint32Array;
  /** By row and column, one of `held`. */
  readonly kinds: Uint8Array;
  /** The number of calls of `scan`. */
  scans = 0;
  readonly view: DataView;
  readonly #reader: JsonExports;
  readonly #bytes: Buffer;
  readonly #starts: Float64Array;
  readonly #results: Uint32Array;
  readonly #cells: Uint16Array;
  #block: Block | undefined;

  constructor() {
    this.#reader = jsonReader();
    const { buffer } = this.#reader.memory;
    this.#bytes = Buffer.from(buffer);
    this.view = new DataView(buffer);
    this.#results = new Uint32Array(buffer, places.consumed, 4);
    this.#starts = new Float64Array(buffer, places.starts, (places.kinds - places.starts) / 8);
    this.#cells = new Uint16Array(buffer, places.places, cellsMax);
    this.kinds = new Uint8Array(buffer, places.kinds, places.slots - places.kinds);
    this.numbers = new Float64Array(buffer, places.slots);
    this.edges = new Uint32Array(buffer, places.slots);
  }

  /** Whether there is room for such rows, and whether the delimiter is one byte. */
  static takes({ columns, width, delimiter }: Pick<RowTableOptions, "columns" | "width" | "delimiter">): boolean {
    return columns.length <= fieldsMax && width <= cellsMax && delimiter.length === 1 && delimiter < "\x80";
  }

  /** Whether it still holds this block: another reader may have taken another block meanwhile. */
  holds(block: Block): boolean {
    return this.#block === block;
  }

  /** Takes a block of whole rows, in UTF-8, of at most `blockBytes`. */
  take(block: Block, { columns, width, delimiter, special, multiline, skipsEmptyLines }: RowTableOptions): void {
    const { bytes } = block;
    assert(bytes.length <= blockBytes, "more than a block of rows");
    this.#bytes.set(bytes, places.block);
    this.#bytes[places.block + bytes.length] = 10;
    this.#block = block;
    this.#cells.fill(0, 0, width);
    for (const [column, { want, index }] of columns.entries()) {
      this.#bytes[places.wants + column] = wants.indexOf(want);
      this.#cells[index] = column + 1;
    }
    const strange = (special === "quotes" ? '"' : "\\").charCodeAt(0);
    this.#reader.describeRows(delimiter.charCodeAt(0), strange, multiline, skipsEmptyLines, width, columns.length);
  }

  /** Reads rows of the block from index `from` on, where a row begins. */
  scan(from: number): void {
    assert(this.#block !== undefined, "rows are read before a block was taken");
    const { bytes, base } = this.#block;
    this.scans++;
    this.rows = this.#reader.scanRows(places.block + from, places.block + bytes.length, base + from);
    const [consumed, length, , stopped] = this.#results as unknown as readonly [number, number, number, number];
    this.next = from + consumed;
    this.stopped = stopped === 1;
    this.text = this.#bytes.toString("latin1", places.narrow, places.narrow + length);
  }

  /** The text of a "raw" cell. */
  raw(start: number, end: number, isQuoted: boolean): string {
    const text = this.#bytes.toString("utf8", start, end);
    return isQuoted ? text.replaceAll('""', '"') : text;
  }

  /** The file offset of each row, as a copy. */
  starts(): Float64Array {
    return this.#starts.slice(0, this.rows);
  }
}

/** Returns a function that returns one table, created by the first call: a format may be used only to write. */
export function lazyRowTable(): () => RowTable {
  let table: RowTable | undefined;
  return () => (table ??= new RowTable());
}
