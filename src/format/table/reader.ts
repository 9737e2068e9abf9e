// Reads lines of csv and tsv as records: finds the header, then splits line by line.

import { isUtf8 } from "node:buffer";
import { limits } from "../../base/limits.ts";
import { formatBytes, formatCount } from "../../base/units.ts";
import { messageOf } from "../../base/value/message.ts";
import type { Block } from "../blocks/block.ts";
import { hasLoneReturn } from "../blocks/quotes.ts";
import { BadRecord, type ReadFrom, type RecordBatch } from "../format.ts";
import { LineDecoder } from "../lines/decoder.ts";
import { lineEndsIn } from "../lines/ends.ts";
import { decoded, type LineReaderOptions, noRecord, readLineBlocks, readLines, readParsed } from "../lines/reader.ts";
import { ColumnScanner, type ColumnScanOptions } from "./column-scan.ts";
import { loneReturn } from "./lone-return.ts";
import type { RowTable } from "./row-table.ts";
import { checkWidth, type RowReader, type Table } from "./table.ts";

export interface TableReaderOptions {
  readonly table: Table;
  readonly from: ReadFrom;
  readonly chunks: AsyncIterable<Uint8Array>;
  readonly lines: LineReaderOptions;
  readonly delimiter: string;
  /** Returns the format's table, which is created by the first call. */
  readonly rowTable: () => RowTable;
  /** What is special about cells (column-scan.ts); undefined: lines are only split, and that refuses lone returns. */
  readonly special: ColumnScanOptions["special"] | undefined;
  /** A line's cells. Throws where the line is malformed. */
  split(line: string): readonly string[];
  /** Whether empty lines are not rows, except where a row is known to have one cell. */
  readonly skipsEmptyLines: boolean;
}

export async function* readTable(options: TableReaderOptions): AsyncGenerator<RecordBatch<unknown>, void, undefined> {
  const reading: Reading = { rows: undefined };
  try {
    yield* readRows(options, reading);
  } catch (thrown) {
    if (!(thrown instanceof BadRecord) || thrown.end === undefined) throw thrown;
    // A line that should name the columns makes the whole file unreadable; otherwise the next line would be taken for
    // the header.
    if (reading.rows === undefined) throw badHeader(`the header: ${thrown.message}`, thrown.bytes);
    throw withLines(thrown, thrown.end, options);
  }
}

/** The reader of a file's rows; undefined until the header has been read. */
interface Reading {
  rows: RowReader | undefined;
}

async function* readRows(
  options: TableReaderOptions,
  reading: Reading,
): AsyncGenerator<RecordBatch<unknown>, void, undefined> {
  const { table, from, split, skipsEmptyLines } = options;
  /** Records that begin before this are the header and the empty lines above it. */
  let dataStart = 0;
  if (!table.hasHeader) reading.rows = table.reader(undefined);
  else if (from.start > 0) {
    const found = await readHeader(options);
    if (found === undefined) return;
    reading.rows = found.rows;
    dataStart = found.end;
  }
  /** Whether the block has carriage returns that are not part of line ends. */
  let hasReturns = false;
  const parse = (line: string, start: number): unknown => {
    if (start < dataStart) return noRecord;
    const { rows } = reading;
    if (line === "" && skipsEmptyLines && rows?.width !== 1) return noRecord;
    if (rows === undefined) {
      reading.rows = headerRows(options, line, start);
      return noRecord;
    }
    const cells = split(line);
    if (hasReturns) refuseReturn(line, options);
    checkWidth(cells, rows.width);
    return rows.read(cells);
  };
  const decoder = new LineDecoder(options.lines);
  let scanner: ColumnScanner | undefined;
  for await (const block of readLineBlocks(options.chunks, from, options.lines)) {
    const { bytes, base } = block;
    hasReturns = hasLoneReturn(bytes);
    const counts = linesOf(block, options);
    const { rows } = reading;
    // Not used in a block with the header, or with a byte order mark.
    scanner ??= base > 0 && base >= dataStart && rows !== undefined ? columnScanner(rows, options) : undefined;
    const scanning =
      scanner !== undefined && !hasReturns && isUtf8(bytes) && ColumnScanner.takes(block) ? scanner : undefined;
    for (let at = 0; at < bytes.length; ) {
      if (scanning !== undefined) {
        const { batch, next } = scanning.read(block, at);
        if (batch.records.length > 0) yield counts(batch);
        if (next === bytes.length) break;
        at = next;
      }
      // Where no quotes can hide line ends, only one line is left to the slow way.
      const lineEnd = scanning !== undefined && options.lines.quoted !== true ? bytes.indexOf(10, at) + 1 : 0;
      const end = lineEnd || bytes.length;
      const lines = decoded(decoder, { bytes: bytes.subarray(at, end), base: base + at });
      for await (const batch of readParsed(lines, parse)) yield counts(batch);
      at = end;
    }
  }
}

function columnScanner(rows: RowReader, options: TableReaderOptions): ColumnScanner | undefined {
  const { delimiter, special, skipsEmptyLines, lines } = options;
  const multiline = lines.quoted === true;
  if (special === undefined) return undefined;
  return (
    rows.columns &&
    ColumnScanner.create(options.rowTable, { ...rows.columns, delimiter, special, multiline, skipsEmptyLines })
  );
}

/** Where quoted cells may hold line ends: adds a function that says how many line ends a record has. */
function linesOf(
  { bytes, base }: Block,
  { lines }: TableReaderOptions,
): (batch: RecordBatch<unknown>) => RecordBatch<unknown> {
  const mayHold = lines.rule?.multiline ?? (lines.quoted === true && bytes.includes(0x22));
  if (!mayHold) return (batch) => batch;
  return (batch) => {
    const { records, starts, end } = batch;
    const lines = (index: number) => {
      let behind = (index + 1 < records.length ? starts[index + 1]! : end) - base;
      // Empty lines that follow the record don't belong to it.
      while (bytes[behind - 1] === 10 || bytes[behind - 1] === 13) behind--;
      return lineEndsIn(bytes.subarray(starts[index]! - base, behind));
    };
    return { ...batch, lines };
  };
}

/** The refused record with the number of line ends inside it, and a hint where there are any. */
function withLines(bad: BadRecord, end: number, { lines: { rule, quoted } }: TableReaderOptions): BadRecord {
  const { start, bytes } = bad;
  const lines = bytes.length === end - start ? lineEndsIn(bytes) : bad.lines;
  if (lines === 0) return bad;
  const hint =
    (rule?.multiline ?? quoted === true)
      ? `. It goes on over ${formatCount(lines + 1)} lines, because a line end in quotes ends no row: with csv({ multiline: false }) it does`
      : "";
  return new BadRecord(bad.message + hint, start, end, bytes, lines);
}

/**
 * Neither csv nor tsv allows a bare carriage return in a cell; in files whose lines end with it alone it would hide all
 * rows.
 */
function refuseReturn(line: string, { special }: TableReaderOptions): void {
  if (special === undefined) return;
  let isQuoted = false;
  for (let i = 0; i < line.length; i++) {
    const unit = line.charCodeAt(i);
    if (unit === 0x22 && special === "quotes") isQuoted = !isQuoted;
    if (unit !== 13 || isQuoted) continue;
    throw loneReturn(i);
  }
}

/**
 * The offset behind a file's header; 0 where all its lines are empty. Computed once for all tasks that read the file
 * from its middle. Throws a `BadRecord` behind which reading can't continue.
 */
export async function findHeaderEnd(
  options: Pick<TableReaderOptions, "chunks" | "lines" | "skipsEmptyLines">,
): Promise<number> {
  const from = { start: 0, end: Number.POSITIVE_INFINITY, head: new Uint8Array(0) };
  // Whoever reads the header reports what is wrong with its text.
  const lines: LineReaderOptions = { ...options.lines, invalid: "replace", recordBytesMax: limits.headerBytesMax };
  try {
    for await (const batch of readLines(options.chunks, from, lines)) {
      for (const [i, line] of batch.records.entries()) {
        if (line === "" && options.skipsEmptyLines) continue;
        const end = i + 1 < batch.records.length ? batch.starts[i + 1]! : batch.end;
        checkHeaderEnd(end);
        return end;
      }
    }
  } catch (thrown) {
    if (thrown instanceof BadRecord && thrown.end !== undefined)
      throw badHeader(`the header: ${thrown.message}`, thrown.bytes);
    throw thrown;
  }
  return 0;
}

function checkHeaderEnd(end: number): void {
  if (end <= limits.headerBytesMax) return;
  throw badHeader(
    `the header ends behind the file's first ${formatBytes(limits.headerBytesMax)}, where it is looked for`,
    new Uint8Array(0),
  );
}

/**
 * Finds the header of a file that is read from its middle, in its head. Returns undefined where all lines there are
 * empty.
 */
async function readHeader(
  options: TableReaderOptions,
): Promise<{ readonly rows: RowReader; readonly end: number } | undefined> {
  const { head } = options.from;
  const lines = readLines(chunksOf(head), { start: 0, end: Number.POSITIVE_INFINITY, head }, options.lines);
  for await (const batch of lines) {
    for (const [i, line] of batch.records.entries()) {
      if (line === "" && options.skipsEmptyLines) continue;
      const end = batch.starts[i + 1] ?? batch.end;
      const isCut = end === head.length && head.length >= limits.headBytes && head.at(-1) !== 10;
      if (isCut) throw badHeader("the header goes on behind the head of the file", head.slice(0, limits.excerptBytes));
      return { rows: headerRows(options, line, batch.starts[i]!), end };
    }
  }
  return undefined;
}

/** A header that can't be read or does not fit makes the whole file unreadable; skipping records would not help. */
function headerRows(options: TableReaderOptions, line: string, start: number): RowReader {
  const { table, split } = options;
  checkHeaderEnd(start + Buffer.byteLength(line));
  try {
    const cells = split(line);
    if (line.includes("\r")) refuseReturn(line, options);
    return table.reader(cells);
  } catch (thrown) {
    throw badHeader(messageOf(thrown), Buffer.from(line));
  }
}

function badHeader(message: string, bytes: Uint8Array): BadRecord {
  return new BadRecord(message, 0, undefined, bytes);
}

async function* chunksOf(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes;
}
