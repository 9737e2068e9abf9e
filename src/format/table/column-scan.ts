// Records of declared columns of csv and tsv, by a table of the cells that the job names (row-table.ts). Everything
// unusual is left to the reader of whole lines (table/reader.ts), whose results and errors are the standard.
import type { ColumnCodec } from "../../job/codec.ts";
import type { Block } from "../blocks/block.ts";
import { blockBytes } from "../blocks/block.ts";
import type { RecordBatch } from "../format.ts";
import { type MakeRecord, recordMaker } from "../json/record.ts";
import { RowTexts } from "../json/texts.ts";
import { plainKind } from "../lines/plain-text.ts";
import { held, RowTable, type RowTableOptions } from "./row-table.ts";

export interface ScannedColumn {
  readonly name: string;
  readonly codec: ColumnCodec<unknown>;
  /** The index of the column's cell in a row. */
  readonly index: number;
}

export interface ColumnScanOptions extends Omit<RowTableOptions, "columns"> {
  readonly columns: readonly ScannedColumn[];
}

/** Rows up to index `next` of the block: either the block's end, or the beginning of a row that can't be read here. */
export interface ScannedRows {
  readonly batch: RecordBatch<unknown>;
  readonly next: number;
}

export class ColumnScanner {
  readonly #table: RowTable;
  readonly #wanted: RowTableOptions;
  readonly #columns: readonly ScannedColumn[];
  /** For each column, whether texts are its values as they are. */
  readonly #isText: readonly boolean[];
  readonly #make: MakeRecord;
  readonly #values: unknown[];

  private constructor(table: RowTable, options: ColumnScanOptions, wanted: RowTableOptions) {
    const { columns } = options;
    this.#table = table;
    this.#wanted = wanted;
    this.#columns = columns;
    this.#isText = columns.map(({ codec }) => plainKind(codec) === "string");
    this.#make = recordMaker(columns.map(({ name }) => name));
    this.#values = columns.map(() => undefined);
  }

  /** Returns undefined where the table can't hold these columns. `table` returns the format's table. */
  static create(table: () => RowTable, options: ColumnScanOptions): ColumnScanner | undefined {
    const columns = options.columns.map(({ codec, index }) => ({ want: plainKind(codec) ?? "any", index }) as const);
    const wanted = { ...options, columns };
    return RowTable.takes(wanted) ? new ColumnScanner(table(), options, wanted) : undefined;
  }

  /** Whether the block, of whole rows in UTF-8, fits. */
  static takes({ bytes }: Block): boolean {
    return bytes.length <= blockBytes;
  }

  /** Reads rows of a block that fits, from index `from` on, where a row begins. */
  read(block: Block, from: number): ScannedRows {
    const table = this.#table;
    const { base, bytes } = block;
    if (!table.holds(block)) table.take(block, this.#wanted);
    const records: unknown[] = [];
    const starts: Float64Array[] = [];
    let next = from;
    /** The texts of the first scan, which mostly is the only one. */
    let texts: RowTexts | undefined;
    while (next < bytes.length) {
      table.scan(next);
      const isFirst = texts === undefined;
      texts ??= new RowTexts(table);
      const places = table.starts();
      starts.push(places);
      for (let row = 0; row < table.rows; row++) {
        const record = this.#record(row, isFirst ? texts : undefined);
        if (record === undefined) return rowsOf(records, starts, texts, places[row]!, places[row]! - base);
        records.push(record);
      }
      next = table.next;
      if (table.stopped) break;
    }
    return rowsOf(records, starts, texts, base + next, next);
  }

  /** Returns undefined where a codec refuses a cell. */
  #record(row: number, texts: RowTexts | undefined): unknown {
    const { kinds, edges, numbers, text } = this.#table;
    const columns = this.#columns;
    const values = this.#values;
    const first = row * columns.length;
    for (let i = 0; i < columns.length; i++) {
      const slot = first + i;
      const kind = kinds[slot];
      if (kind === held.number) {
        values[i] = numbers[slot];
        continue;
      }
      const start = edges[2 * slot]!;
      const end = edges[2 * slot + 1]!;
      const cell = kind === held.text ? text.slice(start, end) : this.#table.raw(start, end, kind === held.rawQuoted);
      if (this.#isText[i]) {
        if (kind === held.text) texts?.add(row, cell, start);
        values[i] = cell;
      } else {
        try {
          values[i] = columns[i]!.codec.parse(cell);
        } catch {
          return undefined;
        }
      }
    }
    return this.#make(values);
  }
}

function rowsOf(
  records: readonly unknown[],
  pieces: readonly Float64Array[],
  texts: RowTexts | undefined,
  end: number,
  next: number,
): ScannedRows {
  const extra = texts === undefined ? {} : { texts };
  const [first] = pieces;
  if (first !== undefined && pieces.length === 1) {
    return { batch: { records, starts: first.subarray(0, records.length), end, ...extra }, next };
  }
  const starts = new Float64Array(records.length);
  let at = 0;
  for (const piece of pieces) {
    starts.set(piece.subarray(0, records.length - at), at);
    at += piece.length;
  }
  return { batch: { records, starts, end, ...extra }, next };
}
