// Which codec reads all cells of a column and changes none of them: a number with a leading zero, or with more digits
// than a number holds, is text.
import type { ColumnCodec } from "../job/codec.ts";
import { bigint } from "../job/codecs/bigint.ts";
import { bool } from "../job/codecs/bool.ts";
import { day } from "../job/codecs/bucket.ts";
import { date } from "../job/codecs/date.ts";
import { float64, int, uint } from "../job/codecs/numbers.ts";
import { utf8 } from "../job/codecs/utf8.ts";

export type ColumnType = "bool" | "uint" | "int" | "bigint" | "float64" | "day" | "date" | "utf8";

export interface GuessedColumn {
  readonly name: string;
  readonly type: ColumnType;
  readonly nullable: boolean;
  /** What a reader of the job should know of it. */
  readonly note?: string;
}

export const codecs: Readonly<Record<ColumnType, ColumnCodec<unknown>>> = {
  bool,
  uint,
  int,
  bigint,
  float64,
  day,
  date,
  utf8,
} as Readonly<Record<ColumnType, unknown>> as Readonly<Record<ColumnType, ColumnCodec<unknown>>>;

/** In the order in which they are tried: the narrowest first. */
const types = ["bool", "uint", "int", "bigint", "float64", "day", "date"] as const;

/** A double has 15 to 17 digits; with more, the number that is read has another text. */
const digitsMax = 17;

/** The type of these cells, none of which is empty; undefined where there are none. */
export function typeOf(cells: Iterable<string>): ColumnType | undefined {
  let left: readonly ColumnType[] = types;
  let hasCells = false;
  let hasFinite = false;
  for (const cell of cells) {
    hasCells = true;
    left = left.filter((type) => takes(type, cell));
    if (left.length === 0) return "utf8";
    hasFinite ||= !cell.endsWith("Infinity");
  }
  if (!hasCells) return undefined;
  return left[0] === "float64" && !hasFinite ? "utf8" : left[0];
}

/** What no cell of a type lacks: a codec that refuses makes an error, which costs a hundred times as much. */
const integer = /^-?\d+$/;
const looks: Readonly<Record<Exclude<ColumnType, "utf8">, RegExp>> = {
  bool: /^(?:true|false)$/,
  uint: /^\d+$/,
  int: integer,
  bigint: integer,
  float64: /^[-+]?[\dI.]/,
  day: /^[-+]?\d+-\d/,
  date: /^[-+]?\d+-\d/,
};

/** Whether a column of the type may hold the cell. */
export function takes(type: ColumnType, cell: string): boolean {
  if (type === "utf8") return true;
  if (!looks[type].test(cell)) return false;
  if (type !== "bool" && type !== "day" && type !== "date" && !isPlainNumber(cell)) return false;
  if (type === "float64" && significantDigits(cell) > digitsMax) return false;
  try {
    codecs[type].parse(cell);
    return true;
  } catch {
    return false;
  }
}

/** Digits that mean a number: 007 and +49 are a number and a call code of something. */
function isPlainNumber(cell: string): boolean {
  return !/^(?:\+|-?0\d|-0$)/.test(cell);
}

function significantDigits(cell: string): number {
  const digits = cell.replace(/e.*$/i, "").replace(/[-.]/g, "");
  return digits.replace(/^0+/, "").length;
}

/** What a reader should know of a column of times, some of which say no zone. */
export function zoneNote(type: ColumnType, cells: readonly string[]): string | undefined {
  if (type !== "date" || !cells.some((cell) => /^\S+[T ]\d\d:\d\d(?::[\d.]+)?$/.test(cell))) return undefined;
  return "times without a zone are read as UTC, and the zone given to bucket counts its offset from there";
}
