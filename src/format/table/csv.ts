// Comma-separated rows by RFC 4180, or in a dialect: `csv()`. docs/formats/csv.md describes it.
import { asBuffer, type ByteWriter } from "../../base/bytes/bytes.ts";
import type { CellWriter, Row, TableFormat, TableOptions } from "../../job/table.ts";
import type { TextFormat } from "../blocks/content.ts";
import type { Format, InputFormat, ReadFrom, ScannedFormat } from "../format.ts";
import { lineFeeds } from "../lines/reader.ts";
import { refuses } from "../writable.ts";
import { lineEndInCell, needsQuotes, quoteCell, splitCsv } from "./csv-cells.ts";
import { findQuotedStarts } from "./csv-starts.ts";
import { type Dialect, dialectOf, isBare, isOrdinary, joinDialect, splitDialect } from "./dialect.ts";
import { dialectRule, findDialectStarts } from "./dialect-boundary.ts";
import { fitting } from "./fitting.ts";
import { findHeaderEnd, readTable, type TableReaderOptions } from "./reader.ts";
import { lazyRowTable } from "./row-table.ts";
import { checkTableOptions, defineTable, tableHeader } from "./table.ts";

/**
 * Comma-separated rows by RFC 4180. Rows are arrays of cells; with `columns` or `header` they are objects.
 * @throws `wrong-job` for options that do not fit.
 */
export function csv(): Format<readonly string[], Row> & CellWriter;
/**
 * Comma-separated rows by RFC 4180: objects of typed columns with `columns`, objects of strings with `header`,
 * otherwise arrays.
 * @throws `wrong-job` for options that do not fit.
 * @example input: csv({ columns: { user: utf8, amount: float64 } })
 */
export function csv<T extends TableOptions>(options: T): TableFormat<T>;
export function csv(options: TableOptions = {}): unknown {
  checkTableOptions("csv()", options);
  const dialect = dialectOf(options);
  const { delimiter, multiline } = dialect;
  const table = defineTable("csv()", options);
  const rowTable = lazyRowTable();
  const isPlain = isOrdinary(dialect);
  const { lines, special, split } = isPlain ? ordinaryReading(dialect) : dialectReading(dialect);
  const isOneColumn = options.columns !== undefined && Object.keys(options.columns).length === 1;
  const writeRow = (cells: readonly string[], out: ByteWriter) => {
    out.writeUtf8(isPlain ? joinCells(cells, delimiter, multiline) : joinDialect(cells, dialect, isOneColumn));
    out.writeUint8(10);
  };
  const header = tableHeader("csv()", table, writeRow);
  const format: Format<unknown> & TextFormat & Partial<ScannedFormat> = {
    split: "anywhere",
    readsText: { zeroBytes: [delimiter, dialect.quote, dialect.escaper].some((text) => text?.includes("\0")) },
    extension: "csv",
    read: (chunks: AsyncIterable<Uint8Array>, from: ReadFrom) =>
      readTable({ table, rowTable, from, chunks, lines, delimiter, special, split, skipsEmptyLines: true }),
    ...(table.hasHeader && {
      findHeaderEnd: (chunks: AsyncIterable<Uint8Array>) => findHeaderEnd({ chunks, lines, skipsEmptyLines: true }),
    }),
    write: (record: unknown, out: ByteWriter) => writeRow(table.cells(record), out),
    ...(header === undefined ? {} : { header }),
    ...startsOf(dialect),
  };
  const fitted = options.columns === undefined ? fitting(format, "csv()", table.hasHeader, writeRow) : format;
  return refuses(fitted, table.refusal);
}

type Reading = Pick<TableReaderOptions, "lines" | "special" | "split">;

function ordinaryReading({ delimiter, multiline }: Dialect): Reading {
  const lines = { ...lineFeeds, quoted: multiline, countsLines: true };
  return { lines, special: "quotes", split: (record) => splitCsv(record, delimiter) };
}

function dialectReading(dialect: Dialect): Reading {
  const lines = { ...lineFeeds, countsLines: true };
  // Where nothing quotes, rows are those of tsv: the quick reader leaves to the other one those with backslashes.
  if (isBare(dialect)) return { lines, special: "backslashes", split: (record) => record.split(dialect.delimiter) };
  return {
    lines: { ...lines, rule: dialectRule(dialect) },
    special: undefined,
    split: (record) => splitDialect(record, dialect),
  };
}

/** How record starts are found: by one line end where none can be in a cell, else from the file's beginning on. */
function startsOf(dialect: Dialect): Partial<ScannedFormat> & Pick<InputFormat<unknown>, "recordStart"> {
  if (!dialect.multiline || isBare(dialect)) return { recordStart: (bytes) => asBuffer(bytes).indexOf(10) + 1 || -1 };
  if (isOrdinary(dialect)) return { findStarts: findQuotedStarts };
  return { findStarts: (chunks, wanted, size) => findDialectStarts(dialect, chunks, wanted, size) };
}

function joinCells(cells: readonly string[], delimiter: string, multiline: boolean): string {
  let line = cells.length === 1 && cells[0] === "" ? '""' : ""; // An empty line would not be read as a row.
  for (let i = 0; i < cells.length; i++) {
    const cell = cells[i]!;
    if (i > 0) line += delimiter;
    if (!multiline && /[\n\r]/.test(cell)) throw lineEndInCell(cell);
    line += needsQuotes(cell, delimiter) ? quoteCell(cell) : cell;
  }
  return line;
}
