// How csv is quoted where it is not as RFC 4180 says: the options `quote`, `escape` and `lenient`, and one record in
// such a dialect as cells, and back. Ordinary csv has a reader of its own (csv-cells.ts), which is quicker.
import { MillraceError } from "../../base/error.ts";
import { excerptOf } from "../../base/excerpt.ts";
import type { TableOptions } from "../../job/table.ts";
import { lineEndInCell } from "./csv-cells.ts";
import { loneReturn } from "./lone-return.ts";

export interface Dialect {
  readonly delimiter: string;
  /** One ASCII character; undefined: no character quotes. */
  readonly quote: string | undefined;
  /** One ASCII character: what follows it, in quotes and outside, is text. */
  readonly escaper: string | undefined;
  /** Whether quotes in places where none may be are text. */
  readonly lenient: boolean;
  /** Whether cells may hold line ends. */
  readonly multiline: boolean;
}

/** Throws `wrong-job` for options of csv() that do not fit. */
export function dialectOf(options: TableOptions): Dialect {
  const { delimiter = ",", multiline = true, lenient = false } = options;
  const { quote: quoting = '"' } = options;
  const quote = quoting === false ? undefined : oneCharacter("quote", quoting, " or false");
  const given = options.escape === undefined ? undefined : oneCharacter("escape", options.escape, "");
  // A quote that is escaped by itself is a doubled one, which is read anyway.
  const escaper = given === quote ? undefined : given;
  const taken = [quote, escaper].filter((character) => character !== undefined);
  const isText = typeof delimiter === "string" && /^[^\n\r]+$/.test(delimiter) && delimiter.isWellFormed();
  if (!isText || taken.some((character) => delimiter.includes(character))) {
    throw wrong(`csv({ delimiter }) takes text without quotes, escapes and line ends, not ${excerptOf(delimiter)}`);
  }
  if (typeof lenient !== "boolean") throw wrong(`csv({ lenient }) takes true or false, not ${excerptOf(lenient)}`);
  if (lenient && quote === undefined)
    throw wrong("csv({ quote: false, lenient }): lenient says how quotes are read, and there are none");
  if (lenient && !/^[\0-\x7f]$/.test(delimiter))
    throw wrong(`csv({ lenient }) takes a delimiter of one ASCII character, not ${excerptOf(delimiter)}`);
  return { delimiter, quote, escaper, lenient, multiline };
}

function oneCharacter(option: string, value: unknown, or: string): string {
  if (typeof value === "string" && /^[\0-\x7f]$/.test(value) && !/[\r\n]/.test(value)) return value;
  throw wrong(`csv({ ${option} }) takes one ASCII character that ends no line${or}, not ${excerptOf(value)}`);
}

/** Whether it is RFC 4180 but for the delimiter. */
export function isOrdinary({ quote, escaper, lenient }: Dialect): boolean {
  return quote === '"' && escaper === undefined && !lenient;
}

/** Whether every character but the delimiter and line ends is text. */
export function isBare({ quote, escaper }: Dialect): boolean {
  return quote === undefined && escaper === undefined;
}

/** The cells of a record without its line end. Throws `bad-input` where it is malformed. */
export function splitDialect(record: string, dialect: Dialect): readonly string[] {
  const { delimiter, quote } = dialect;
  const cells: string[] = [];
  for (let at = 0; ; ) {
    // Behind byte order marks that are not the file's own a quote still opens the cell: the boundary of records can't
    // tell them from the file's.
    const mark = at === 0 && dialect.lenient ? marksOf(record) : 0;
    const isQuoted = quote !== undefined && record[at + mark] === quote;
    const cell = isQuoted
      ? quotedCell(record, at + mark, cells.length + 1, dialect)
      : plainCell(record, at, cells.length + 1, dialect);
    cells.push(isQuoted ? record.slice(0, mark) + cell.text : cell.text);
    if (cell.end === record.length) return cells;
    at = cell.end + delimiter.length;
  }
}

function marksOf(record: string): number {
  let marks = 0;
  while (record[marks] === "\ufeff") marks++;
  return marks;
}

interface ReadCell {
  readonly text: string;
  /** The index of the delimiter behind it, or the record's length. */
  readonly end: number;
}

function plainCell(
  record: string,
  from: number,
  cell: number,
  { delimiter, quote, escaper, lenient }: Dialect,
): ReadCell {
  let text = "";
  let at = from;
  for (let i = from; i < record.length; i++) {
    const character = record[i]!;
    if (character === escaper) {
      text += record.slice(at, i) + escaped(record, i, cell);
      at = i + 2;
      i++;
    } else if (character === delimiter[0] && record.startsWith(delimiter, i)) {
      return { text: text + record.slice(at, i), end: i };
    } else if (character === "\r") throw loneReturn(i);
    else if (character === quote && !lenient)
      throw strayQuote(cell, i, "a quote in a cell that does not begin with one");
  }
  return { text: text + record.slice(at), end: record.length };
}

function quotedCell(
  record: string,
  start: number,
  cell: number,
  { delimiter, quote, escaper, lenient }: Dialect,
): ReadCell {
  let text = "";
  let at = start + 1;
  for (let i = at; i < record.length; i++) {
    const character = record[i]!;
    if (character === escaper) {
      text += record.slice(at, i) + escaped(record, i, cell);
      at = i + 2;
      i++;
    } else if (character === quote) {
      if (record[i + 1] === quote) {
        text += record.slice(at, i + 1);
        at = i + 2;
        i++;
      } else if (i + 1 === record.length || record.startsWith(delimiter, i + 1)) {
        return { text: text + record.slice(at, i), end: i + 1 };
      } else if (!lenient) throw strayQuote(cell, i + 1, "text behind the closing quote");
    }
  }
  throw new MillraceError(
    "bad-input",
    `the row is malformed in cell ${cell}: the quote at character ${start + 1} of the row is not closed; csv({ quote: false }) reads quotes as text`,
  );
}

function escaped(record: string, at: number, cell: number): string {
  if (at + 1 < record.length) return record[at + 1]!;
  throw new MillraceError(
    "bad-input",
    `the row is malformed in cell ${cell}: the escape at its end is followed by nothing`,
  );
}

function strayQuote(cell: number, at: number, problem: string): MillraceError {
  return new MillraceError(
    "bad-input",
    `the row is malformed in cell ${cell}: ${problem}, at character ${at + 1} of the row; csv({ lenient: true }) reads it as text`,
  );
}

/** A row in the dialect, without its line end. Throws `bad-output` for what would not be read back the same. */
export function joinDialect(cells: readonly string[], dialect: Dialect, isOneColumn: boolean): string {
  const { delimiter, quote } = dialect;
  if (cells.length === 1 && cells[0] === "" && quote === undefined && !isOneColumn) {
    throw new MillraceError(
      "bad-output",
      "csv({ quote: false }) can't write a row of one empty cell: an empty line is no row, except where `columns` names one column",
    );
  }
  let line = cells.length === 1 && cells[0] === "" && quote !== undefined ? quote + quote : "";
  for (let i = 0; i < cells.length; i++) {
    if (i > 0) line += delimiter;
    line += writtenCell(cells[i]!, dialect, i === 0);
  }
  return line;
}

function writtenCell(cell: string, { delimiter, quote, escaper, multiline }: Dialect, isFirst: boolean): string {
  if (!multiline && /[\n\r]/.test(cell)) throw lineEndInCell(cell);
  const isSpecial = (character: string) =>
    character === quote ||
    character === escaper ||
    character === "\n" ||
    character === "\r" ||
    delimiter.includes(character);
  // A byte order mark that begins a file is not read back.
  const hasMark = isFirst && cell.startsWith("\ufeff");
  if (!hasMark && ![...cell].some(isSpecial)) return cell;
  if (quote !== undefined) {
    const inside = escaper === undefined ? cell : cell.replaceAll(escaper, () => escaper + escaper);
    return quote + inside.replaceAll(quote, () => (escaper ?? quote) + quote) + quote;
  }
  if (escaper !== undefined) {
    return [...cell].map((one, i) => (isSpecial(one) || (hasMark && i === 0) ? escaper + one : one)).join("");
  }
  throw new MillraceError(
    "bad-output",
    `csv({ quote: false }) can't write a delimiter, a line end or a byte order mark in a cell: ${excerptOf(cell)}. With escape: "\\\\" it can`,
  );
}

function wrong(message: string): MillraceError {
  return new MillraceError("wrong-job", message);
}
