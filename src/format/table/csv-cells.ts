// One record of csv as cells, and back, by RFC 4180.
import { MillraceError } from "../../base/error.ts";
import { excerptOf } from "../../base/excerpt.ts";

/** The cells of a record without its line end. Throws where a quote is in a place where none may be. */
export function splitCsv(record: string, delimiter: string): readonly string[] {
  if (!record.includes('"')) return record.split(delimiter);
  const cells: string[] = [];
  for (let at = 0; ; ) {
    if (record.charCodeAt(at) === 0x22) {
      const { cell, end } = quotedCell(record, at);
      cells.push(cell);
      if (end === record.length) return cells;
      if (!record.startsWith(delimiter, end)) {
        const isEscape = record[end - 2] === "\\" || record[end] === "\\";
        const isClosed = /"(?:\r?\n|$)/.test(record.slice(end)) || record.includes(`"${delimiter}`, end);
        throw malformed(
          cells.length,
          `text behind the closing quote, at character ${end + 1} of the row`,
          isEscape ? 'csv({ escape: "\\\\" })' : isClosed ? "csv({ lenient: true })" : "csv({ quote: false })",
        );
      }
      at = end + delimiter.length;
    } else {
      const found = record.indexOf(delimiter, at);
      const end = found < 0 ? record.length : found;
      const cell = record.slice(at, end);
      if (cell.includes('"')) {
        throw malformed(
          cells.length + 1,
          `a quote at character ${cell.indexOf('"') + 1} of a cell that does not begin with one`,
          optionFor(cell, cells.length > 0 ? delimiter : undefined),
        );
      }
      cells.push(cell);
      if (found < 0) return cells;
      at = end + delimiter.length;
    }
  }
}

/** What reads a cell with a quote inside; `delimiter` is the one before it. */
function optionFor(cell: string, delimiter: string | undefined): string {
  if (cell.includes('\\"')) return 'csv({ escape: "\\\\" })';
  if (delimiter !== undefined && cell.startsWith(' "')) return `csv({ delimiter: ${JSON.stringify(`${delimiter} `)} })`;
  return "csv({ lenient: true })";
}

/** The cell whose opening quote is at `start`, and the index behind its closing quote. */
function quotedCell(record: string, start: number): { readonly cell: string; readonly end: number } {
  let cell = "";
  for (let at = start + 1; ; ) {
    const quote = record.indexOf('"', at);
    if (quote < 0) {
      throw malformed(
        undefined,
        `the quote at character ${start + 1} of the row is not closed`,
        record.includes('\\"') ? 'csv({ escape: "\\\\" })' : "csv({ quote: false })",
      );
    }
    if (record.charCodeAt(quote + 1) !== 0x22) return { cell: cell + record.slice(at, quote), end: quote + 1 };
    cell += record.slice(at, quote + 1);
    at = quote + 2;
  }
}

/** `option`: what reads such a row. */
function malformed(cell: number | undefined, problem: string, option: string): MillraceError {
  const where = cell === undefined ? "" : ` in cell ${cell}`;
  return new MillraceError(
    "bad-input",
    `the row is not RFC 4180 csv${where}: ${problem}. ${option} reads it${option.includes("quote") ? ", and all quotes, as text" : ""}`,
  );
}

/**
 * Whether a cell can't be written as it is, because it contains a quote, a line end, or any character of the delimiter
 * ("|" before "||" would be read differently). A byte order mark in the first cell would not be read back.
 */
export function needsQuotes(cell: string, delimiter: string): boolean {
  if (special.test(cell)) return true;
  for (const character of delimiter) if (cell.includes(character)) return true;
  return false;
}

const special = /["\r\n]|^\ufeff/;

export function lineEndInCell(cell: string): MillraceError {
  return new MillraceError(
    "bad-output",
    `csv({ multiline: false }) can't write a line end in a cell: ${excerptOf(cell)}`,
  );
}

export function quoteCell(cell: string): string {
  return `"${cell.replaceAll('"', '""')}"`;
}
