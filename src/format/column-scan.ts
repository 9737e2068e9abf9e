// Declared columns of csv and tsv, found in one pass over a block's bytes: of a row's cells only those that the job names become
// strings or numbers, and most numbers without a string. Whatever is out of the ordinary is left to the reader of whole lines
// (table-reader.ts), whose results and errors are the rule.
import type { ColumnCodec } from "../job/codec.ts";
import type { RecordBatch } from "./format.ts";
import { setField } from "./json-field.ts";
import { digitsAt, type PlainKind, plainKind } from "./plain-text.ts";

export interface ScannedColumn {
  readonly name: string;
  readonly codec: ColumnCodec<unknown>;
  /** Of its cell in a row. */
  readonly index: number;
}

export interface ColumnScanOptions {
  readonly columns: readonly ScannedColumn[];
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

const lineFeed = 10;
const carriageReturn = 13;
const quote = 0x22;
const backslash = 0x5c;

/** What a byte is within a cell that is not quoted. */
const plain = 0;
const ends = 1;
const strange = 2;

export class ColumnScanner {
  readonly #options: ColumnScanOptions;
  readonly #delimiter: number;
  /** By byte. */
  readonly #kinds = new Uint8Array(256);
  /** By cell: place among the columns, or -1. */
  readonly #places: Int32Array;
  readonly #plain: readonly PlainKind[];
  // Of the row at hand, by column.
  readonly #starts: Int32Array;
  readonly #ends: Int32Array;
  /** 0x80: it holds a character beyond ASCII; 1: doubled quotes. */
  readonly #marks: Int32Array;

  constructor(options: ColumnScanOptions) {
    const { columns, width, delimiter, special } = options;
    this.#options = options;
    this.#delimiter = delimiter.charCodeAt(0);
    this.#kinds[this.#delimiter] = ends;
    this.#kinds[lineFeed] = ends;
    this.#kinds[special === "quotes" ? quote : backslash] = strange;
    this.#places = new Int32Array(width).fill(-1);
    for (const [place, { index }] of columns.entries()) this.#places[index] = place;
    this.#plain = columns.map(({ codec }) => plainKind(codec));
    this.#starts = new Int32Array(columns.length);
    this.#ends = new Int32Array(columns.length);
    this.#marks = new Int32Array(columns.length);
  }

  /**
   * Rows from bytes[from], where a row begins, on; `end` is where the first row begins that can't be read here, or the end of
   * the bytes, which are UTF-8 and whole rows. `base` is their offset in the file, which `starts` and the batch's end count from.
   */
  read(bytes: Buffer, from: number, base: number): RecordBatch<unknown> & { readonly next: number } {
    const text = bytes.toString("latin1");
    const records: unknown[] = [];
    const starts: number[] = [];
    let at = from;
    while (at < bytes.length) {
      const behind = this.#row(bytes, at);
      if (behind < 0) break;
      if (behind > 0) {
        const record = this.#record(bytes, text);
        if (record === undefined) break;
        records.push(record);
        starts.push(base + at);
        at = behind;
      } else {
        at = bytes.indexOf(lineFeed, at) + 1 || bytes.length; // an empty line
      }
    }
    return { records, starts: new Float64Array(starts), end: base + at, next: at };
  }

  /** Finds the cells of the row at `at`: the index behind it; 0: an empty line that is no row; -1: not a plain row. */
  #row(bytes: Buffer, at: number): number {
    const { width, special, multiline, skipsEmptyLines } = this.#options;
    const kinds = this.#kinds;
    const { length } = bytes;
    let i = at;
    for (let cell = 0; cell < width; cell++) {
      let start = i;
      let end: number;
      let marks = 0;
      if (bytes[i] === quote && special === "quotes") {
        start = ++i;
        for (;;) {
          while (i < length && bytes[i] !== quote && (multiline || bytes[i] !== lineFeed)) marks |= bytes[i++]! & 0x80;
          if (i >= length || bytes[i] === lineFeed) return -1;
          if (bytes[i + 1] !== quote) break;
          marks |= 1;
          i += 2;
        }
        end = i++;
        // A carriage return is part of a line's end only where there is a line feed.
        if (bytes[i] === carriageReturn && bytes[i + 1] === lineFeed) i++;
      } else {
        while (i < length && kinds[bytes[i]!] === plain) marks |= bytes[i++]! & 0x80;
        end = i;
        if (i < length) {
          if (kinds[bytes[i]!] === strange) return -1;
          if (bytes[i] === lineFeed && i > at && bytes[i - 1] === carriageReturn) end--;
        }
      }
      const place = this.#places[cell]!;
      if (place >= 0) {
        this.#starts[place] = start;
        this.#ends[place] = end;
        this.#marks[place] = marks;
      }
      const isLast = i >= length || bytes[i] === lineFeed;
      if (isLast && cell === 0 && start === at && end === at && skipsEmptyLines && width !== 1) return 0;
      if (isLast !== (cell === width - 1)) return -1;
      if (isLast) return Math.min(i + 1, length);
      if (bytes[i] !== this.#delimiter) return -1;
      i++;
    }
    return -1;
  }

  /** Of the row at hand; undefined: a codec refuses a cell. */
  #record(bytes: Buffer, text: string): Record<string, unknown> | undefined {
    const { columns } = this.#options;
    const record: Record<string, unknown> = {};
    for (let place = 0; place < columns.length; place++) {
      const { name, codec } = columns[place]!;
      const start = this.#starts[place]!;
      const end = this.#ends[place]!;
      const marks = this.#marks[place]!;
      const kind = this.#plain[place];
      if (kind === "string" && marks === 0) {
        setField(record, name, text.slice(start, end));
        continue;
      }
      if (kind === "number") {
        const number = digitsAt(bytes, start, end);
        if (number >= 0) {
          setField(record, name, number);
          continue;
        }
      }
      let value = (marks & 0x80) === 0 ? text.slice(start, end) : bytes.toString("utf8", start, end);
      if ((marks & 1) !== 0) value = value.replaceAll('""', '"');
      try {
        setField(record, name, codec.parse(value));
      } catch {
        return undefined;
      }
    }
    return record;
  }
}
