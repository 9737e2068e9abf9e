// Declared columns of a block of csv or tsv rows, found by the reader in WebAssembly (assembly/rows.ts): a table with a row per row.
// One per format, as its memory is 768 KiB; what it holds is of the last block.
import { assert } from "../../base/assert.ts";
import type { Block } from "../blocks/block.ts";
import { blockBytes } from "../blocks/block.ts";
import { type Want, wants } from "../json/table.ts";
import { cellsMax, fieldsMax, type JsonExports, jsonReader, places } from "../json/wasm.ts";

export interface RowTableOptions {
  /** What is asked for of each column, and its cell's index in a row. */
  readonly columns: readonly { readonly want: Want; readonly index: number }[];
  /** Cells of every row. */
  readonly width: number;
  /** One ASCII character. */
  readonly delimiter: string;
  /** "quotes": cells may be quoted (csv); "backslashes": rows that hold one are left alone (tsv). */
  readonly special: "quotes" | "backslashes";
  /** Whether quoted cells may hold line ends. */
  readonly multiline: boolean;
  readonly skipsEmptyLines: boolean;
}

/** What a cell of the table holds; as in `assembly/kinds.ts`. */
export const held = { text: 1, number: 4, raw: 10, rawQuoted: 11 } as const;

export class RowTable {
  /** Rows of the last `scan`, the index behind them, and whether the row there is not plain. */
  rows = 0;
  next = 0;
  stopped = false;
  /** Cells of the last `scan` that are ASCII, one behind the other. */
  text = "";
  /** By row and column: a number, or the same 8 bytes as two, where a text begins and ends: in `text`, or "raw" in the block. */
  readonly numbers: Float64Array;
  readonly edges: Uint32Array;
  /** By row and column, one of `held`. */
  readonly kinds: Uint8Array;
  /** Calls of `scan`. */
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

  /** Whether there is room for rows of these, and the delimiter is one byte. */
  static takes({ columns, width, delimiter }: Pick<RowTableOptions, "columns" | "width" | "delimiter">): boolean {
    return columns.length <= fieldsMax && width <= cellsMax && delimiter.length === 1 && delimiter < "\x80";
  }

  /** Whether it holds this block: somebody else may have read another one meanwhile. */
  holds(block: Block): boolean {
    return this.#block === block;
  }

  /** Takes whole rows, UTF-8, at most `blockBytes` of them. */
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

  /** Reads rows of the block from index `from` on, where one begins. */
  scan(from: number): void {
    const { bytes, base } = this.#block!;
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

  /** Offset in the file of each row, as a copy. */
  starts(): Float64Array {
    return this.#starts.slice(0, this.rows);
  }
}

/** One table, made when it is first asked for: a format may be there only to write. */
export function lazyRowTable(): () => RowTable {
  let table: RowTable | undefined;
  return () => (table ??= new RowTable());
}
