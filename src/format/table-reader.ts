// Lines of csv and tsv as records: finds the header, then splits line by line.
import { isUtf8 } from "node:buffer";
import { limits } from "../base/limits.ts";
import { formatBytes } from "../base/units.ts";
import { ColumnScanner, type ColumnScanOptions } from "./column-scan.ts";
import { BadRecord, type ReadFrom, type RecordBatch } from "./format.ts";
import { LineDecoder } from "./line-decoder.ts";
import { decoded, type LineReaderOptions, noRecord, readLineBlocks, readLines, readParsed } from "./line-reader.ts";
import type { RowTable } from "./row-table.ts";
import { checkWidth, type RowReader, type Table } from "./table.ts";

export interface TableReaderOptions {
  readonly table: Table;
  readonly from: ReadFrom;
  readonly chunks: AsyncIterable<Uint8Array>;
  readonly lines: LineReaderOptions;
  readonly delimiter: string;
  /** The format's, made when it is asked for. */
  readonly rowTable: () => RowTable;
  /** What is special about cells (column-scan.ts). */
  readonly special: ColumnScanOptions["special"];
  /** A line's cells; throws where the line is malformed. */
  split(line: string): readonly string[];
  /** Whether empty lines are no rows, unless a row is known to have one cell. */
  readonly skipsEmptyLines: boolean;
}

export async function* readTable(options: TableReaderOptions): AsyncGenerator<RecordBatch<unknown>, void, undefined> {
  const { table, from, split, skipsEmptyLines } = options;
  let rows: RowReader | undefined;
  /** Records that begin before this are the header and the empty lines above it. */
  let dataStart = 0;
  if (!table.hasHeader) rows = table.reader(undefined);
  else if (from.start > 0) {
    const found = await findHeader(options);
    if (found === undefined) return;
    rows = found.rows;
    dataStart = found.end;
  }
  const parse = (line: string, start: number): unknown => {
    if (start < dataStart) return noRecord;
    if (line === "" && skipsEmptyLines && rows?.width !== 1) return noRecord;
    if (rows === undefined) {
      rows = headerRows(options, line);
      return noRecord;
    }
    const cells = split(line);
    checkWidth(cells, rows.width);
    return rows.read(cells);
  };
  const decoder = new LineDecoder(options.lines);
  let scanner: ColumnScanner | undefined;
  for await (const block of readLineBlocks(options.chunks, from, options.lines)) {
    const { bytes, base } = block;
    // Not in a block with the header, or a byte order mark.
    scanner ??= base > 0 && base >= dataStart && rows !== undefined ? columnScanner(rows, options) : undefined;
    const isScanned = scanner !== undefined && isUtf8(bytes) && ColumnScanner.takes(block);
    for (let at = 0; at < bytes.length; ) {
      if (isScanned) {
        const { batch, next } = scanner!.read(block, at);
        if (batch.records.length > 0) yield batch;
        if (next === bytes.length) break;
        at = next;
      }
      // Where no quotes can hide line ends, only one line is left to the slow way.
      const lineEnd = isScanned && options.lines.quoted !== true ? bytes.indexOf(10, at) + 1 : 0;
      const end = lineEnd || bytes.length;
      yield* readParsed(decoded(decoder, { bytes: bytes.subarray(at, end), base: base + at }), parse);
      at = end;
    }
  }
}

function columnScanner(rows: RowReader, options: TableReaderOptions): ColumnScanner | undefined {
  const { delimiter, special, skipsEmptyLines, lines } = options;
  const multiline = lines.quoted === true;
  return (
    rows.columns &&
    ColumnScanner.create(options.rowTable, { ...rows.columns, delimiter, special, multiline, skipsEmptyLines })
  );
}

/** The header of a file that is read from its middle: in its first bytes. undefined: all lines of the file are empty. */
async function findHeader(
  options: TableReaderOptions,
): Promise<{ readonly rows: RowReader; readonly end: number } | undefined> {
  const { head } = options.from;
  const lines = readLines(chunksOf(head), { start: 0, end: Number.POSITIVE_INFINITY, head }, options.lines);
  try {
    for await (const batch of lines) {
      for (const [i, line] of batch.records.entries()) {
        if (line === "" && options.skipsEmptyLines) continue;
        const end = batch.starts[i + 1] ?? batch.end;
        if (end === head.length && head.length >= limits.headBytes) break;
        return { rows: headerRows(options, line), end };
      }
    }
  } catch (thrown) {
    if (thrown instanceof BadRecord && thrown.end !== undefined)
      throw badHeader(`the header: ${thrown.message}`, thrown.bytes);
    throw thrown;
  }
  if (head.length < limits.headBytes) return undefined;
  const message = `no header line was found in the file's first ${formatBytes(limits.headBytes)}`;
  throw badHeader(message, head.slice(0, limits.excerptBytes));
}

/** A header that can't be read or does not fit makes the whole file unreadable, which no skipping of records mends. */
function headerRows({ table, split }: TableReaderOptions, line: string): RowReader {
  try {
    return table.reader(split(line));
  } catch (thrown) {
    throw badHeader(thrown instanceof Error ? thrown.message : String(thrown), Buffer.from(line));
  }
}

function badHeader(message: string, bytes: Uint8Array): BadRecord {
  return new BadRecord(message, 0, undefined, bytes);
}

async function* chunksOf(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes;
}
