// What the beginnings of files say about their format.
import type { InputFormat } from "../format/format.ts";
import { ndjson } from "../format/json/ndjson.ts";
import { text } from "../format/lines/text.ts";
import { csv } from "../format/table/csv.ts";
import { tsv } from "../format/table/tsv.ts";
import { nullable } from "../job/codecs/nullable.ts";
import type { Columns } from "../job/table.ts";
import { codecs, type GuessedColumn } from "./column-type.ts";

/** Rows of cells, and how they are told apart. */
export interface TableShape {
  readonly format: "csv" | "tsv";
  readonly delimiter: string;
  readonly header: boolean;
  /** False: a quote may not span lines. */
  readonly multiline: boolean;
  /** Options of csv that is not quoted as usual. */
  readonly dialect?: Dialect;
}

/** As in `TableOptions`. */
export interface Dialect {
  readonly quote?: string | false;
  readonly escape?: string;
  readonly lenient?: boolean;
}

export type Guess =
  | { readonly kind: "text" }
  /** A JSON value per line, whose fields are not all of one type. */
  | { readonly kind: "json"; readonly bigints: boolean }
  | { readonly kind: "fields"; readonly columns: readonly GuessedColumn[] }
  | { readonly kind: "table"; readonly shape: TableShape; readonly columns: readonly GuessedColumn[] }
  /** Rows of different widths, or whose columns have no names to read them by. */
  | { readonly kind: "rows"; readonly shape: TableShape };

/** A guess, and in plain sentences what could not be told, or was left out. */
export interface Guessed {
  readonly guess: Guess;
  readonly notes: readonly string[];
  /** How many records the format refuses, where it was asked for: a job that reads them has to put them aside. */
  readonly badRecords?: number;
}

/** The format that reads files as guessed. */
export function formatOf(guess: Guess): InputFormat<unknown> {
  switch (guess.kind) {
    case "text":
      return text();
    case "json":
      return guess.bigints ? ndjson({ integers: "bigint" }) : ndjson();
    case "fields":
      return ndjson({ fields: columnsOf(guess.columns) });
    case "rows":
      return tableOf({ ...guess.shape, header: false }, undefined);
    case "table":
      return tableOf(guess.shape, columnsOf(guess.columns));
  }
}

export function tableOf(shape: TableShape, columns: Columns | undefined): InputFormat<unknown> {
  const { format, delimiter, header, multiline, dialect } = shape;
  const options = { delimiter, header, ...(columns !== undefined && { columns }) };
  return format === "tsv" ? tsv(options) : csv({ ...options, multiline, ...dialect });
}

function columnsOf(columns: readonly GuessedColumn[]): Columns {
  const entries = columns.map(({ name, type, nullable: isNullable }) => {
    const codec = codecs[type];
    return [name, isNullable ? nullable(codec) : codec] as const;
  });
  return Object.fromEntries(entries);
}
