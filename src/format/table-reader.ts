// Lines of csv and tsv as records: finds the header, then splits line by line.
import { limits } from "../base/limits.ts";
import { formatBytes } from "../base/units.ts";
import { BadRecord, type ReadFrom, type RecordBatch } from "./format.ts";
import type { LineBatch } from "./line-decoder.ts";
import { noRecord, readParsed } from "./line-reader.ts";
import { checkWidth, type RowReader, type Table } from "./table.ts";

export interface TableReaderOptions {
  readonly table: Table;
  readonly from: ReadFrom;
  readonly chunks: AsyncIterable<Uint8Array>;
  readLines(chunks: AsyncIterable<Uint8Array>, from: ReadFrom): AsyncIterable<LineBatch>;
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
  yield* readParsed(options.readLines(options.chunks, from), parse);
}

/** The header of a file that is read from its middle: in its first bytes. undefined: all lines of the file are empty. */
async function findHeader(
  options: TableReaderOptions,
): Promise<{ readonly rows: RowReader; readonly end: number } | undefined> {
  const { head } = options.from;
  const lines = options.readLines(chunksOf(head), { start: 0, end: Number.POSITIVE_INFINITY, head });
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
