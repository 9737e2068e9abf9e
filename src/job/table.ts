// biome-ignore-all lint/suspicious/noExplicitAny: in a constraint only `any` accepts every format and codec; none reaches a user's variable
// The types of csv and tsv: what a cell may hold, how columns are declared, and which record follows from them.
import type { Format } from "../format/format.ts";
import type { ColumnCodec } from "./codec.ts";

/** What fits into one cell of csv and tsv. Dates are written as ISO 8601 in UTC, null as an empty cell. */
export type Cell = string | number | boolean | bigint | null | Date;
/** A line of csv and tsv, as written. */
export type Row = readonly Cell[];

export interface TableOptions {
  /** The first line of every file names the columns. Default: true with `columns`, otherwise false. */
  readonly header?: boolean;
  /** Names and types of the columns: matched by name with a header, by position without. */
  readonly columns?: Columns;
  /** Default "," for csv and a tab for tsv. */
  readonly delimiter?: string;
  /** Whether quoted cells of csv may hold line ends (RFC 4180); then planning scans the quotes of each file. Default true. */
  readonly multiline?: boolean;
}

export type TableFormat<T extends TableOptions> = T extends { readonly columns: infer C extends Columns }
  ? Format<ColumnsOf<C>>
  : T extends { readonly header: true }
    ? Format<Readonly<Record<string, string>>, Readonly<Record<string, Cell>>>
    : Format<readonly string[], Row>;

export type Columns = { readonly [name: string]: ColumnCodec<any> };
export type ColumnsOf<C> = { readonly [N in keyof C]: C[N] extends ColumnCodec<infer T> ? T : never } & {};
