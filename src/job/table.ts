// biome-ignore-all lint/suspicious/noExplicitAny: in a constraint only `any` accepts every format and codec; none
// reaches a user's variable The types of csv and tsv: what a cell may hold, how columns are declared, and which record
// follows from them.
import type { Format } from "../format/format.ts";
import type { ColumnCodec } from "./codec.ts";

/** What fits into one cell of csv and tsv. Dates are written as ISO 8601 in UTC, null as an empty cell. */
export type Cell = string | number | boolean | bigint | null | Date;
/** A line of csv and tsv, as written. An array in it, such as a tuple, is as many cells as it has parts. */
export type Row = readonly (Cell | readonly Cell[])[];
/** Marks formats that write an array in a record, such as the key of `tuple(a, b)`, as one cell for each part. */
export interface CellWriter {
  readonly [cells]: true;
}
declare const cells: unique symbol;

/** Options of `csv` and `tsv`. Both throw `wrong-job` for options that do not fit. */
export interface TableOptions {
  /** True when the first line of every file names the columns. Default: true with `columns`, otherwise false. */
  readonly header?: boolean;
  /**
   * Names and types of the columns: matched by name with a header, by position without. Records are then objects.
   * Default: rows are arrays of strings, or with a header objects of strings.
   * @example columns: { user: utf8, amount: float64, at: nullable(date) }
   */
  readonly columns?: Columns;
  /**
   * Stands between cells: any text without quotes and line ends for csv, one character for tsv. Default "," and a tab.
   */
  readonly delimiter?: string;
  /**
   * Whether quoted cells of csv may hold line ends (RFC 4180); planning then scans the quotes of each file. Default
   * true.
   */
  readonly multiline?: boolean;
  /**
   * What csv cells are quoted with: one ASCII character, or false where no character quotes. Default `"`.
   */
  readonly quote?: string | false;
  /**
   * One ASCII character behind which any character of a csv cell is text, in quotes and outside, such as a backslash.
   * Default: there is none; a quote in quotes is written twice, which is read in either case.
   */
  readonly escape?: string;
  /**
   * Whether quotes of csv where none may be are text: in a cell that does not begin with one, or in quotes where
   * neither a delimiter nor the row's end follows. Default false: such a row is a bad record.
   */
  readonly lenient?: boolean;
}

/** The format that `csv(options)` and `tsv(options)` are, by their options. */
export type TableFormat<T extends TableOptions> = T extends { readonly columns: infer C extends Columns }
  ? Format<ColumnsOf<C>>
  : T extends { readonly header: true }
    ? Format<Readonly<Record<string, string>>, Readonly<Record<string, Cell>>>
    : Format<readonly string[], Row> & CellWriter;

/** Codecs by the names of columns or fields. */
export type Columns = { readonly [name: string]: ColumnCodec<any> };
/** The record that follows from columns or fields. */
export type ColumnsOf<C> = { readonly [N in keyof C]: C[N] extends ColumnCodec<infer T> ? T : never } & {};
