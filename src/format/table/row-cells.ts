// A row as cells: what is in it, one cell after the other, and what can't be in one.
import { MillraceError } from "../../base/error.ts";
import { excerptOf } from "../../base/excerpt.ts";
import { messageOf } from "../../base/value/message.ts";
import { isPlainObject } from "../../base/value/plain-value.ts";
import type { Shape, Text } from "../../job/codecs/shape.ts";
import { type Refusal, shownPart, shownShape } from "../writable.ts";
import type { CellTexts } from "./row-texts.ts";

const aCell = "a cell is a string, number, bigint, boolean, valid Date or null";

/**
 * The cells of a row, as text. An array in a row, such as the key of `tuple(a, b)`, is as many cells as it has parts.
 * `texts`: what is known of its elements. Throws `bad-output`.
 */
export function rowCells(format: string, record: unknown, texts?: readonly (CellTexts | undefined)[]): string[] {
  if (!Array.isArray(record)) {
    throw new MillraceError(
      "bad-output",
      `${format} writes arrays of cells, not ${excerptOf(record)}. Objects need \`columns\`.`,
    );
  }
  if (record.length === 0)
    throw new MillraceError(
      "bad-output",
      `${format} can't write a row of no cells: it would be read as one empty cell`,
    );
  const cells: string[] = [];
  for (let i = 0; i < record.length; i++) {
    const cell: unknown = record[i];
    const known = texts?.[i];
    if (typeof cell !== "object" || cell === null || known?.whole !== undefined) {
      cells.push(cellText(format, cell, i, undefined, known?.whole));
      continue;
    }
    if (Array.isArray(cell)) {
      if (cell.length === 0) throw noCell(format, i, undefined, cell, "an array of no parts would be no cell at all");
      for (let part = 0; part < cell.length; part++)
        cells.push(cellText(format, cell[part], i, part, known?.parts?.[part]));
    } else if (isPlainObject(cell)) {
      // The key of `fields`, or a result of `stats`.
      const names = Object.keys(cell);
      if (names.length === 0) throw noCell(format, i, undefined, cell, "an object of nothing would be no cell at all");
      for (const name of names) {
        cells.push(cellText(format, (cell as Record<string, unknown>)[name], i, name, known?.named?.get(name)));
      }
    } else {
      cells.push(cellText(format, cell, i, undefined));
    }
  }
  return cells;
}

/**
 * ISO 8601 for dates, nothing for null, JavaScript's own text for numbers, bigints and booleans; or what `own` makes of
 * it.
 */
export function cellText(
  format: string,
  cell: unknown,
  place: number,
  part: number | string | undefined,
  own?: Text,
): string {
  if (own !== undefined) return textBy(own, format, cell, place, part);
  switch (typeof cell) {
    case "string":
      return cell;
    case "number":
      if (!Number.isNaN(cell)) return String(cell);
      break;
    case "boolean":
    case "bigint":
      return String(cell);
    case "object":
      if (cell === null) return "";
      if (cell instanceof Date && !Number.isNaN(cell.getTime())) return cell.toISOString();
      if (Array.isArray(cell)) throw noCell(format, place, part, cell, "only the parts of a row may be arrays");
  }
  throw noCell(format, place, part, cell, aCell);
}

/** The text that a codec makes, which may be the job's own. */
function textBy(own: Text, format: string, cell: unknown, place: number, part: number | string | undefined): string {
  let text: unknown;
  try {
    text = own(cell);
  } catch (thrown) {
    throw noCell(format, place, part, cell, messageOf(thrown));
  }
  if (typeof text === "string") return text;
  throw noCell(format, place, part, cell, `\`format\` of its codec returned ${excerptOf(text)}, which is no text`);
}

function noCell(
  format: string,
  place: number,
  part: number | string | undefined,
  cell: unknown,
  why: string,
): MillraceError {
  const where = part === undefined ? "" : `${typeof part === "number" ? `part ${part + 1}` : JSON.stringify(part)} of `;
  return new MillraceError("bad-output", `${format}: ${where}cell ${place + 1} is ${excerptOf(cell)}; ${why}`);
}

/** Refuses rows that are known to hold what no cell can, or to differ in how many cells they have. */
export function refusesRows(format: string): Refusal {
  return (record) => {
    if (record.kind === "unknown") return undefined;
    if (record.kind !== "array") return `${format} writes arrays of cells, and a record is ${shownShape(record)}`;
    if (record.parts.length === 0) return `${format} can't write a row of no cells`;
    for (const [i, part] of record.parts.entries()) {
      const why = refusedCell(part);
      if (why !== undefined) return `${format} can't write ${shownPart(record, i)}: ${why}`;
    }
    return undefined;
  };
}

/** Refuses objects, written by their names, that are known to hold what no cell can. */
export function refusesNamed(format: string): Refusal {
  return (record) => {
    if (record.kind !== "object") return undefined;
    const why = refusedNamed(record);
    return why === undefined ? undefined : `${format} can't write a record: ${why}`;
  };
}

function refusedCell(shape: Shape): string | undefined {
  if (shape.kind === "object") return refusedNamed(shape);
  if (shape.kind === "nullable" && shape.of.kind === "object") return refusedNamed(shape.of);
  if (shape.kind !== "array") return refusedPart(shape);
  if (shape.parts.length === 0) return "a tuple of no parts would be no cell at all";
  for (const [i, part] of shape.parts.entries()) {
    const why = refusedPart(part);
    if (why !== undefined) return `of its part ${i + 1}, ${why}`;
  }
  return undefined;
}

function refusedNamed({ names, parts }: Extract<Shape, { kind: "object" }>): string | undefined {
  for (const [i, part] of parts.entries()) {
    const why = refusedPart(part);
    if (why !== undefined) return `of its ${JSON.stringify(names[i])}, ${why}`;
  }
  return undefined;
}

/** Why this can't be one cell. */
function refusedPart(shape: Shape): string | undefined {
  if (shape.kind === "bytes") return `it is a Uint8Array, and ${aCell}`;
  if (shape.kind === "array") return "it is a tuple in a tuple, and only the parts of a row become several cells";
  if (shape.kind === "object") return `it is an object in an object or tuple, and ${aCell}`;
  if (shape.kind !== "nullable") return undefined;
  return shape.of.kind === "array" ? "null would be one cell, and the tuple several" : refusedPart(shape.of);
}
