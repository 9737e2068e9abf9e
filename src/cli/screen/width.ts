// How many columns of a terminal a text takes, which is not how many characters it has: names of jobs, counters and
// keys are a user's data, in any script. A line that is wider than it was taken for would wrap, and the next rewriting
// in place would leave a part of it behind.
import { printable } from "./error-text.ts";

/** A sequence that sets a colour, at the beginning of a text. */
const colourAt = new RegExp(`^${String.fromCharCode(27)}\\[[0-9;]*m`);
/** Characters that take no column of their own. */
const noColumn = /^[\p{Mn}\p{Me}\p{Cf}]$/u;
/** Characters that take two: East Asian ones, and pictures. */
const twoColumns =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f000}-\u{1faff}\u{20000}-\u{3fffd}]$/u;

/** Columns that a text takes, without its colours. */
export function widthOf(text: string): number {
  let width = 0;
  for (const { columns } of piecesOf(text)) width += columns;
  return width;
}

/**
 * Cuts a line to the columns that there are, colours included. Nothing is written in the last one, where lines wrap.
 */
export function clip(line: string, columns: number): string {
  let width = 0;
  let kept = "";
  for (const piece of piecesOf(line)) {
    if (width + piece.columns > columns - 1) return `${kept}\x1b[0m`;
    width += piece.columns;
    kept += piece.text;
  }
  return line;
}

/** A text of a user's, on one line of at most `width` columns. */
export function oneLine(text: string, columns: number): string {
  const line = printable(text.replaceAll(/[\n\t]/g, " "));
  if (widthOf(line) <= columns) return line;
  let width = 1;
  let kept = "";
  for (const piece of piecesOf(line)) {
    width += piece.columns;
    if (width > columns) break;
    kept += piece.text;
  }
  return `${kept}…`;
}

function* piecesOf(text: string): Generator<{ readonly text: string; readonly columns: number }> {
  for (let at = 0; at < text.length; ) {
    const colour = text[at] === "\x1b" ? colourAt.exec(text.slice(at)) : null;
    if (colour !== null) {
      yield { text: colour[0], columns: 0 };
      at += colour[0].length;
      continue;
    }
    const character = String.fromCodePoint(text.codePointAt(at)!);
    yield { text: character, columns: columnsOf(character) };
    at += character.length;
  }
}

function columnsOf(character: string): 0 | 1 | 2 {
  if (character < "\x7f") return 1;
  return noColumn.test(character) ? 0 : twoColumns.test(character) ? 2 : 1;
}
