// Tab-separated rows: `tsv()`. docs/formats/tsv.md describes it.
import { asBuffer, type ByteWriter } from "../../base/bytes/bytes.ts";
import { MillraceError } from "../../base/error.ts";
import { excerptOf } from "../../base/excerpt.ts";
import type { CellWriter, Row, TableFormat, TableOptions } from "../../job/table.ts";
import type { TextFormat } from "../blocks/content.ts";
import type { Format, ReadFrom } from "../format.ts";
import { lineFeeds } from "../lines/reader.ts";
import { refuses } from "../writable.ts";
import { fitting } from "./fitting.ts";
import { findHeaderEnd, readTable } from "./reader.ts";
import { lazyRowTable } from "./row-table.ts";
import { checkTableOptions, defineTable, tableHeader } from "./table.ts";

/**
 * Tab-separated rows, in which `\t \n \r \\` are escaped. Rows are arrays of cells; the type parameter types the rows
 * that are written.
 * @throws `wrong-job` for options that do not fit.
 * @example output: tsv<[word: string, n: number]>()
 */
export function tsv<R extends Row = Row>(): Format<readonly string[], R> & CellWriter;
/**
 * Tab-separated rows, in which `\t \n \r \\` are escaped: objects of typed columns with `columns`, objects of strings
 * with `header`, otherwise arrays.
 * @throws `wrong-job` for options that do not fit.
 * @example output: tsv({ columns: { word: utf8, n: uint } })
 */
export function tsv<T extends TableOptions>(options: T): TableFormat<T>;
export function tsv(options: TableOptions = {}): unknown {
  checkTableOptions("tsv()", options);
  const { delimiter = "\t" } = options;
  if (typeof delimiter !== "string" || !/^[^\n\r\\]$/.test(delimiter)) {
    throw new MillraceError("wrong-job", `tsv({ delimiter }) takes one character, not ${excerptOf(delimiter)}`);
  }
  for (const option of ["quote", "escape", "lenient"] as const) {
    if (options[option] === undefined) continue;
    throw new MillraceError(
      "wrong-job",
      `tsv() has no quotes, and so no option ${option}: csv({ delimiter: "\\t", ${option}: … }) reads and writes tabs with them`,
    );
  }
  const table = defineTable("tsv()", options);
  const rowTable = lazyRowTable();
  const lineOptions = { ...lineFeeds, countsLines: true };
  const writeRow = (cells: readonly string[], out: ByteWriter) => {
    let line = "";
    for (let i = 0; i < cells.length; i++) {
      const cell = cells[i]!;
      if (i > 0) line += delimiter;
      line += special.test(cell) || cell.includes(delimiter) ? escapeCell(cell, delimiter) : cell;
    }
    out.writeUtf8(line);
    out.writeUint8(10);
  };
  const header = tableHeader("tsv()", table, writeRow);
  const format: Format<unknown> & TextFormat = {
    split: "anywhere",
    readsText: { zeroBytes: delimiter === "\0" },
    extension: "tsv",
    recordStart: (bytes: Uint8Array) => asBuffer(bytes).indexOf(10) + 1 || -1,
    read: (chunks: AsyncIterable<Uint8Array>, from: ReadFrom) =>
      readTable({
        table,
        rowTable,
        from,
        chunks,
        lines: lineOptions,
        delimiter,
        special: "backslashes",
        split: (line: string) => splitCells(line, delimiter),
        skipsEmptyLines: false,
      }),
    ...(table.hasHeader && {
      findHeaderEnd: (chunks: AsyncIterable<Uint8Array>) =>
        findHeaderEnd({ chunks, lines: lineOptions, skipsEmptyLines: false }),
    }),
    write: (record: unknown, out: ByteWriter) => writeRow(table.cells(record), out),
    ...(header === undefined ? {} : { header }),
  };
  const fitted = options.columns === undefined ? fitting(format, "tsv()", table.hasHeader, writeRow) : format;
  return refuses(fitted, table.refusal);
}

const special = /[\t\n\r\\]/;
const escapes: Readonly<Record<string, string>> = { "\t": "\\t", "\n": "\\n", "\r": "\\r", "\\": "\\\\" };
const unescapes: ReadonlyMap<string, string> = new Map([
  ["t", "\t"],
  ["n", "\n"],
  ["r", "\r"],
  ["\\", "\\"],
]);

function escapeCell(cell: string, delimiter: string): string {
  if (delimiter !== "\t" && cell.includes(delimiter)) {
    throw new MillraceError(
      "bad-output",
      `tsv() has no escape for the delimiter ${JSON.stringify(delimiter)} in ${excerptOf(cell)}; csv() quotes it`,
    );
  }
  return cell.replace(/[\t\n\r\\]/g, (character) => escapes[character]!);
}

function splitCells(line: string, delimiter: string): readonly string[] {
  const cells = line.split(delimiter);
  if (!line.includes("\\")) return cells;
  return cells.map((cell) => (cell.includes("\\") ? unescapeCell(cell) : cell));
}

function unescapeCell(cell: string): string {
  return cell.replace(/\\(.?)/gsu, (sequence, character: string) => {
    const meant = unescapes.get(character);
    if (meant !== undefined) return meant;
    throw new MillraceError(
      "bad-input",
      `${JSON.stringify(sequence)} is not an escape of tsv(), which knows \\t, \\n, \\r and \\\\. Read files with plain backslashes by text().`,
    );
  });
}
