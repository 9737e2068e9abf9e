// Comma-separated rows by RFC 4180: `csv()`. docs/formats/csv.md describes it.
import { asBuffer, type ByteWriter } from "../../base/bytes/bytes.ts";
import { MillraceError } from "../../base/error.ts";
import { excerptOf } from "../../base/excerpt.ts";
import type { CellWriter, Row, TableFormat, TableOptions } from "../../job/table.ts";
import type { TextFormat } from "../blocks/content.ts";
import type { Format, ReadFrom, ScannedFormat } from "../format.ts";
import { lineFeeds } from "../lines/reader.ts";
import { refuses } from "../writable.ts";
import { needsQuotes, quoteCell, splitCsv } from "./csv-cells.ts";
import { findQuotedStarts } from "./csv-starts.ts";
import { takesNames } from "./named.ts";
import { findHeaderEnd, readTable } from "./reader.ts";
import { lazyRowTable } from "./row-table.ts";
import { defineTable, tableHeader } from "./table.ts";

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
  const { delimiter = ",", multiline = true } = options;
  if (typeof delimiter !== "string" || !/^[^\n\r"]+$/.test(delimiter) || !delimiter.isWellFormed()) {
    throw new MillraceError(
      "wrong-job",
      `csv({ delimiter }) takes text without quotes and line ends, not ${JSON.stringify(delimiter)}`,
    );
  }
  const table = defineTable("csv()", options);
  const rowTable = lazyRowTable();
  const lineOptions = { ...lineFeeds, quoted: multiline, countsLines: true };
  const writeRow = (cells: readonly string[], out: ByteWriter) => {
    let line = cells.length === 1 && cells[0] === "" ? '""' : ""; // An empty line would not be read as a row.
    for (let i = 0; i < cells.length; i++) {
      const cell = cells[i]!;
      if (i > 0) line += delimiter;
      if (!multiline && /[\n\r]/.test(cell)) throw lineEndInCell(cell);
      line += needsQuotes(cell, delimiter) ? quoteCell(cell) : cell;
    }
    out.writeUtf8(line);
    out.writeUint8(10);
  };
  const header = tableHeader("csv()", table, writeRow);
  const format: Format<unknown> & TextFormat & Partial<ScannedFormat> = {
    split: "anywhere",
    readsText: { zeroBytes: delimiter.includes("\0") },
    extension: "csv",
    read: (chunks: AsyncIterable<Uint8Array>, from: ReadFrom) =>
      readTable({
        table,
        rowTable,
        from,
        chunks,
        lines: lineOptions,
        delimiter,
        special: "quotes",
        split: (record: string) => splitCsv(record, delimiter),
        skipsEmptyLines: true,
      }),
    ...(table.hasHeader && {
      findHeaderEnd: (chunks: AsyncIterable<Uint8Array>) =>
        findHeaderEnd({ chunks, lines: lineOptions, skipsEmptyLines: true }),
    }),
    write: (record: unknown, out: ByteWriter) => writeRow(table.cells(record), out),
    ...(header === undefined ? {} : { header }),
    ...(multiline
      ? { findStarts: findQuotedStarts }
      : { recordStart: (bytes: Uint8Array) => asBuffer(bytes).indexOf(10) + 1 || -1 }),
  };
  const named = options.columns === undefined ? takesNames(format, "csv()", table.hasHeader, writeRow) : format;
  return refuses(named, table.refusal);
}

function lineEndInCell(cell: string): MillraceError {
  return new MillraceError(
    "bad-output",
    `csv({ multiline: false }) can't write a line end in a cell: ${excerptOf(cell)}`,
  );
}
