// A guess in one line, for people.
import type { GuessedColumn } from "./column-type.ts";
import type { Guess, TableShape } from "./guess.ts";

/** Columns that are named; the others are counted. */
const columnsShown = 12;

export function describeGuess(guess: Guess): string {
  switch (guess.kind) {
    case "text":
      return "lines of text";
    case "json":
      return "ndjson, a value per line";
    case "fields":
      return `ndjson: ${columnsText(guess.columns)}`;
    case "rows":
      return `${shapeText({ ...guess.shape, header: false })}, rows of any width`;
    case "table":
      return `${shapeText(guess.shape)}: ${columnsText(guess.columns)}`;
  }
}

function shapeText({ format, delimiter, header, multiline, dialect = {} }: TableShape): string {
  const by = delimiter === (format === "tsv" ? "\t" : ",") ? "" : ` by ${JSON.stringify(delimiter)}`;
  const options = Object.entries(dialect).map(([name, value]) => `, ${name} ${JSON.stringify(value)}`);
  return `${format}${by}${header ? " with a header" : ""}${multiline ? "" : ", a row per line"}${options.join("")}`;
}

function columnsText(columns: readonly GuessedColumn[]): string {
  const shown = columns
    .slice(0, columnsShown)
    .map(
      ({ name, type, nullable }) =>
        `${/^[\w.-]+$/.test(name) ? name : JSON.stringify(name)} ${type}${nullable ? "?" : ""}`,
    );
  const more = columns.length - shown.length;
  return shown.join(", ") + (more > 0 ? ` and ${more} more` : "");
}
