// NDJSON: which fields its objects have, and which codec reads each.
import { formatCount } from "../base/units.ts";
import { numberTexts } from "../format/json/numbers.ts";
import { type Beginning, withoutMark } from "./beginning.ts";
import { type ColumnType, type GuessedColumn, typeOf, zoneNote } from "./column-type.ts";
import type { Guessed } from "./guess.ts";

/** A job that names more fields than these can't be read; objects with more are mostly maps. */
const fieldsMax = 100;

interface Line {
  /** Offset of its first byte. */
  readonly start: number;
  readonly source: string;
  readonly text: string;
}

export type JsonGuess =
  | { readonly kind: "json"; readonly guessed: Guessed }
  /** Some lines are JSON objects, and this one is not. */
  | { readonly kind: "mixed"; readonly note: string }
  | { readonly kind: "none" };

export function guessJson(beginnings: readonly Beginning[]): JsonGuess {
  const lines = beginnings.flatMap(linesOf);
  const records: unknown[] = [];
  const texts: string[] = [];
  let odd: Line | undefined;
  for (const line of lines) {
    const record = /^\s*[[{]/.test(line.text) ? parsed(line.text) : undefined;
    if (record === undefined) odd ??= line;
    else {
      records.push(record);
      texts.push(line.text);
    }
  }
  if (records.length === 0) {
    const way = wayToLines(lines);
    return way === undefined ? { kind: "none" } : { kind: "mixed", note: way };
  }
  if (odd !== undefined) {
    if (!records.some((record) => !Array.isArray(record))) return { kind: "none" };
    const share = `${formatCount(records.length)} of the ${formatCount(lines.length)} lines looked at are JSON`;
    return {
      kind: "mixed",
      note: `${share}, and the one at ${odd.source}:${odd.start} is not, so records are lines of text; ${wayToLines(lines) ?? "--format ndjson takes such lines for bad records"}`,
    };
  }
  return { kind: "json", guessed: guessFields(records, texts) };
}

/**
 * What nearly is NDJSON, and the program that makes it so. Each is tried on the lines: a log may have braces too.
 */
const nearly: readonly {
  readonly what: string;
  readonly command: string;
  readonly mend: (text: string) => readonly string[];
}[] = [
  {
    what: "lines that end with a comma are no NDJSON: take it away first",
    command: "sed 's/,[[:space:]]*$//' OLD > NEW",
    mend: (text) => [text.replace(/,\s*$/, "")],
  },
  {
    what: "these lines are JSON text sequences: take the record separators away first",
    command: "tr -d '\\036' < OLD > NEW",
    mend: (text) => [text.replaceAll("\u001e", "")],
  },
  {
    what: "several values in a line are no NDJSON: give each a line first",
    command: "jq -c . OLD > NEW",
    mend: (text) => text.split(/(?<=\})\s*(?=\{)/),
  },
  {
    what: "a comma before a closing bracket is no JSON: take it away first, where no text has one",
    command: "sed 's/,[[:space:]]*\\([]}]\\)/\\1/g' OLD > NEW",
    mend: (text) => [text.replace(/,\s*([\]}])/g, "$1")],
  },
];

/** How lines, the first of which looks like an object, become NDJSON; undefined where none of the ways is enough. */
function wayToLines(lines: readonly Line[]): string | undefined {
  if (lines.length === 0 || !lines[0]!.text.replace("\u001e", "").trimStart().startsWith("{")) return undefined;
  const way = nearly.find(({ mend }) => lines.every(({ text }) => mend(text).every((part) => isObject(parsed(part)))));
  return way === undefined ? undefined : `${way.what}:  ${way.command}`;
}

/** The fields of those lines that are JSON; undefined where none is. */
export function guessJsonLines(beginnings: readonly Beginning[]): Guessed | undefined {
  const records: unknown[] = [];
  const texts: string[] = [];
  for (const { text } of beginnings.flatMap(linesOf)) {
    const record = parsed(text);
    if (record === undefined) continue;
    records.push(record);
    texts.push(text);
  }
  return records.length === 0 ? undefined : guessFields(records, texts);
}

/** Lines that are not blank; the last one is left out where the content goes on behind it. */
function linesOf({ source, bytes, isWhole }: Beginning): Line[] {
  const lines: Line[] = [];
  for (let start = 0; start < bytes.length; ) {
    const feed = bytes.indexOf(10, start);
    if (feed < 0 && !isWhole) break;
    const end = feed < 0 ? bytes.length : feed;
    const text = bytes.toString("utf8", start, end);
    const plain = start === 0 ? withoutMark(text) : text;
    if (plain.trim() !== "") lines.push({ start, source, text: plain });
    start = end + 1;
  }
  return lines;
}

/** A string, or a number as it is written. */
const token = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/**
 * The value of a line for the guess of its types; undefined: no JSON. Where a program writes 2.0 the next number may be
 * 2.5, so a whole number that is written as a fraction is given as one that is none.
 */
function parsed(text: string): unknown {
  try {
    const value = JSON.parse(text) as unknown;
    if (!/\d(?:\.0|[eE])/.test(text)) return value;
    const isWritten = (word: string) => /^[-\d].*[.eE]/.test(word) && Number.isSafeInteger(Number(word));
    return JSON.parse(text.replace(token, (word) => (isWritten(word) ? "0.5" : word))) as unknown;
  } catch {
    return undefined;
  }
}

/** `texts` are the lines of the records. */
function guessFields(records: readonly unknown[], texts: readonly string[]): Guessed {
  const whole: Guessed = { guess: { kind: "json", bigints: false }, notes: [] };
  if (!records.every(isObject)) return whole;
  const values = new Map<string, unknown[]>();
  for (const record of records) {
    for (const [name, value] of Object.entries(record)) {
      const held = values.get(name);
      if (held === undefined) values.set(name, [value]);
      else held.push(value);
    }
  }
  const notes: string[] = [];
  const columns: GuessedColumn[] = [];
  const left = new Map<string, string[]>();
  for (const [name, held] of values) {
    const guessed = fieldOf(held, records.length, () => wholeTexts(name, records, texts));
    if ("why" in guessed) left.set(guessed.why, [...(left.get(guessed.why) ?? []), name]);
    else columns.push({ name, ...guessed });
  }
  for (const [why, names] of left) notes.push(`left out, because a field has one type: ${namesText(names)} (${why})`);
  if (columns.length === 0) return { ...whole, notes: [...notes, "no field has one type: records are read whole"] };
  if (columns.length > fieldsMax) {
    const count = (name: string) => values.get(name)!.length;
    columns.sort((a, b) => count(b.name) - count(a.name));
    notes.push(`${formatCount(columns.length)} fields were found; the ${fieldsMax} most frequent are declared`);
    columns.length = fieldsMax;
  }
  return { guess: { kind: "fields", columns }, notes };
}

function isObject(record: unknown): record is object {
  return typeof record === "object" && record !== null && !Array.isArray(record);
}

function namesText(names: readonly string[]): string {
  const shown = names.slice(0, 8).map((name) => JSON.stringify(name.slice(0, 60)));
  return shown.join(", ") + (names.length > shown.length ? ` and ${names.length - shown.length} more` : "");
}

function fieldOf(
  values: readonly unknown[],
  records: number,
  areWhole: () => boolean,
): { readonly type: ColumnType; readonly nullable: boolean; readonly note?: string } | { readonly why: string } {
  const full = values.filter((value) => value !== null);
  const nullable = full.length < records;
  if (full.length === 0) return { type: "utf8", nullable, note: "always null so far" };
  const kinds = new Set(full.map((value) => typeof value));
  if (kinds.size > 1) return { why: `${[...kinds].map(kindText).toSorted().join(" and ")}` };
  switch (typeof full[0]) {
    case "boolean":
      return { type: "bool", nullable };
    case "string": {
      const type = typeOf(full.map(String));
      if (type !== "day" && type !== "date") return { type: "utf8", nullable };
      const note = zoneNote(type, full.map(String));
      return { type, nullable, ...(note !== undefined && { note }) };
    }
    case "number": {
      const type = numberType(full.map(Number));
      if (type !== undefined) return { type, nullable };
      if (full.every((value) => Number.isInteger(value)) && areWhole())
        return { type: "bigint", nullable, note: "integers beyond 2^53, which only bigints hold with all digits" };
      return { why: 'numbers beyond 2^53, which ndjson({ integers: "bigint" }) reads in whole records' };
    }
    default:
      return { why: "objects or arrays" };
  }
}

/** Whether all numbers beyond 2^53 in this field are written as integers, so that a bigint reads them. */
function wholeTexts(name: string, records: readonly unknown[], texts: readonly string[]): boolean {
  return records.every((record, i) => {
    const value = Object.hasOwn(record as object, name) ? (record as Readonly<Record<string, unknown>>)[name] : null;
    return value === null || Number.isSafeInteger(value) || /^-?\d+$/.test(numberTexts(texts[i]!).get(name)!);
  });
}

function kindText(type: string): string {
  return type === "string" ? "text" : type === "object" ? "objects or arrays" : `${type}s`;
}

/** Undefined: whole numbers that a double may have changed, or that it can't hold. */
function numberType(values: readonly number[]): ColumnType | undefined {
  if (values.every((value) => Number.isSafeInteger(value))) return values.every((value) => value >= 0) ? "uint" : "int";
  const isFine = (value: number) => Number.isFinite(value) && (Number.isSafeInteger(value) || !Number.isInteger(value));
  return values.every(isFine) ? "float64" : undefined;
}
