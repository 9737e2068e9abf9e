// What csv and tsv share: cells become rows, objects by the names of a header, or typed objects by declared columns.

import { types } from "node:util";
import type { ByteWriter } from "../../base/bytes/bytes.ts";
import { didYouMean } from "../../base/closest.ts";
import { MillraceError } from "../../base/error.ts";
import { excerptOf } from "../../base/excerpt.ts";
import { checkOptions, type OptionNames } from "../../base/value/known-options.ts";
import { messageOf } from "../../base/value/message.ts";
import type { ColumnCodec } from "../../job/codec.ts";
import type { TableOptions } from "../../job/table.ts";
import { setField } from "../json/field.ts";
import { type Refusal, writesProperties } from "../writable.ts";
import type { ScannedColumn } from "./column-scan.ts";
import { refusesRows, rowCells } from "./row-cells.ts";

export interface Table {
  /** Whether the first line of a file names the columns. */
  readonly hasHeader: boolean;
  /** The names in the header that is written; undefined where there is none. */
  readonly names: readonly string[] | undefined;
  /**
   * The reader of one file's rows. `header` is its first line, where the table has one. Throws when a column is
   * missing.
   */
  reader(header: readonly string[] | undefined): RowReader;
  /** The cells of a record, as text. */
  cells(record: unknown): readonly string[];
  /** What is known not to be writable. */
  readonly refusal: Refusal;
}

export interface RowReader {
  /** The number of cells that every row must have; undefined: any number. */
  readonly width: number | undefined;
  read(cells: readonly string[]): unknown;
  /** The declared columns, which can be read without the other cells. */
  readonly columns?: { readonly width: number; readonly columns: readonly ScannedColumn[] };
}

const known = {
  header: true,
  columns: true,
  delimiter: true,
  multiline: true,
  quote: true,
  escape: true,
  lenient: true,
} satisfies OptionNames<TableOptions>;

/** Throws `wrong-job` for options that csv and tsv do not have; comes before any of them is read. */
export function checkTableOptions(format: string, options: unknown): void {
  checkOptions(format, options, known);
}

/** "csv({ header })" of "csv()". */
function withOption(format: string, option: string): string {
  return format.replace("()", `({ ${option} })`);
}

function isNamed(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Checks the values of the options; `format` is "csv()" or "tsv()", for errors. */
export function defineTable(format: string, options: TableOptions): Table {
  for (const name of ["header", "multiline"] as const) {
    const value: unknown = options[name];
    if (value !== undefined && typeof value !== "boolean")
      throw new MillraceError("wrong-job", `${withOption(format, name)} takes true or false, not ${excerptOf(value)}`);
  }
  if (options.columns !== undefined && !isNamed(options.columns)) {
    throw new MillraceError(
      "wrong-job",
      `${withOption(format, "columns")} takes an object of codecs by name, such as { id: utf8 }, not ${excerptOf(options.columns)}`,
    );
  }
  const columns = options.columns === undefined ? undefined : Object.entries(options.columns);
  const hasHeader = options.header ?? columns !== undefined;
  for (const [name, codec] of columns ?? []) {
    if (typeof codec?.parse === "function" && typeof codec.format === "function") continue;
    throw new MillraceError(
      "wrong-job",
      `${format}: column ${JSON.stringify(name)} needs a codec with a text form, such as utf8 or uint`,
    );
  }
  if (columns?.length === 0) throw new MillraceError("wrong-job", `${format}: columns names no column`);
  if (columns !== undefined) {
    const names = columns.map(([name]) => name);
    return {
      hasHeader,
      names: hasHeader ? names : undefined,
      reader: (header) => columnReader(columns, header),
      cells: (record) => columnCells(format, columns, record),
      refusal: writesProperties(`${format} with columns`, names),
    };
  }
  if (hasHeader) {
    return {
      hasHeader,
      names: undefined,
      reader: (header) => headerReader(header ?? []),
      cells: () => {
        throw noNames(format);
      },
      refusal: () => noNames(format).message,
    };
  }
  return {
    hasHeader,
    names: undefined,
    reader: () => ({ width: undefined, read: (cells) => cells }),
    cells: (record) => rowCells(format, record),
    refusal: refusesRows(format),
  };
}

/** The `header` of an output format; undefined where files have none. */
export function tableHeader(
  format: string,
  table: Table,
  writeRow: (cells: readonly string[], out: ByteWriter) => void,
): ((out: ByteWriter) => void) | undefined {
  if (!table.hasHeader) return undefined;
  return (out) => {
    if (table.names === undefined) throw noNames(format);
    writeRow(table.names, out);
  };
}

/** A part file is begun before its first record is known, and all part files must have the same header. */
function noNames(format: string): MillraceError {
  return new MillraceError(
    "bad-output",
    `${format} with a header can be written only with \`columns\`: { columns: { id: utf8, … } } says which columns, in which order`,
  );
}

/**
 * Reads objects without `Object.prototype`, so that a column named "constructor" or "__proto__" is a column like any
 * other.
 */
function headerReader(header: readonly string[]): RowReader {
  for (const [i, name] of header.entries()) {
    if (header.indexOf(name) !== i)
      throw new MillraceError(
        "bad-input",
        `the header has more than one column ${JSON.stringify(name)}; it names ${shownNames(header)}`,
      );
  }
  // A constructor, because V8 keeps objects of `Object.create(null)` as hash tables, which are much slower.
  function NamedCells() {}
  NamedCells.prototype = Object.create(null);
  const NewRecord = NamedCells as unknown as new () => Record<string, string>;
  return {
    width: header.length,
    read(cells) {
      const record = new NewRecord();
      for (let i = 0; i < header.length; i++) record[header[i]!] = cells[i]!;
      return record;
    },
  };
}

function columnReader(
  columns: readonly (readonly [string, ColumnCodec<unknown>])[],
  header: readonly string[] | undefined,
): RowReader {
  const parts = columns.map(([name, codec], i) => ({
    name,
    codec,
    index: header === undefined ? i : indexIn(header, name),
  }));
  const width = header?.length ?? columns.length;
  return {
    width,
    columns: { width, columns: parts },
    read(cells) {
      const record: Record<string, unknown> = {};
      for (const { name, codec, index } of parts) setField(record, name, parseCell(name, codec, cells[index]!));
      return record;
    },
  };
}

function indexIn(header: readonly string[], name: string): number {
  const index = header.indexOf(name);
  if (index >= 0 && header.indexOf(name, index + 1) < 0) return index;
  const problem = index < 0 ? "no" : "more than one";
  throw new MillraceError(
    "bad-input",
    `the header has ${problem} column ${JSON.stringify(name)}${index < 0 ? didYouMean(name, header) : ""}; it names ${shownNames(header)}${otherDelimiter(header)}`,
  );
}

const delimiters = [",", ";", "\t", "|"] as const;

/** What to say of a line that came out as one cell with other delimiters in it. */
function otherDelimiter(cells: readonly string[], wanted?: number): string {
  const [cell] = cells;
  if (cells.length !== 1 || cell === undefined) return "";
  const counts = delimiters.map((delimiter) => cell.split(delimiter).length);
  const most = Math.max(...counts);
  const found = delimiters[counts.indexOf(wanted !== undefined && counts.includes(wanted) ? wanted : most)]!;
  if (most < 2) return "";
  const how = found === "," ? "csv()" : found === "\t" ? "tsv()" : `csv({ delimiter: ${JSON.stringify(found)} })`;
  return `. Its cells may be separated by ${found === "\t" ? "tabs" : JSON.stringify(found)}, as ${how} reads them`;
}

function parseCell(name: string, codec: ColumnCodec<unknown>, text: string): unknown {
  try {
    return codec.parse(text);
  } catch (thrown) {
    throw new MillraceError("bad-input", `column ${JSON.stringify(name)}: ${messageOf(thrown)}`);
  }
}

function notColumns(format: string, record: unknown): MillraceError {
  return new MillraceError("bad-output", `${format} with columns writes objects of them, not ${excerptOf(record)}`);
}

function columnCells(
  format: string,
  columns: readonly (readonly [string, ColumnCodec<unknown>])[],
  record: unknown,
): string[] {
  if (typeof record !== "object" || record === null) {
    throw notColumns(format, record);
  }
  return columns.map(([name, codec]) => {
    try {
      return codec.format((record as Record<string, unknown>)[name]);
    } catch (thrown) {
      if (types.isPromise(record)) throw notColumns(format, record);
      throw new MillraceError("bad-output", `${format}: column ${JSON.stringify(name)}: ${messageOf(thrown)}`);
    }
  });
}

export function shownNames(names: readonly string[]): string {
  const shown = names.slice(0, 20).map((name) => excerptOf(name));
  return `${shown.join(", ")}${names.length > 20 ? `, … (${names.length} columns)` : ""}`;
}

/** Refuses a row with a different number of cells than it must have. */
export function checkWidth(cells: readonly string[], width: number | undefined): void {
  if (width === undefined || cells.length === width) return;
  throw new MillraceError(
    "bad-input",
    `the row has ${cells.length} cell${cells.length === 1 ? "" : "s"}, expected ${width}${otherDelimiter(cells, width)}`,
  );
}
