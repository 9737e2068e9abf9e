// Finds out by which byte the cells of a file's rows are separated, by reading the rows in each way that there is.
import { KiB } from "../base/limits.ts";
import { formatCount, formatCounted } from "../base/units.ts";
import { type Beginning, type Reading, readBeginning } from "./beginning.ts";
import { type ColumnType, type GuessedColumn, typeOf, zoneNote } from "./column-type.ts";
import type { Dialect, Guessed, TableShape } from "./guess.ts";
import { tableOf } from "./guess.ts";
import { guessHeader } from "./header.ts";
import { adviceOn, usualWidth } from "./odd-rows.ts";

type Row = readonly string[];

const glanceBytes = 64 * KiB;

interface Candidate {
  readonly shape: TableShape;
  /** By file, none of which is without rows. */
  readonly files: readonly (Reading & {
    readonly source: string;
    readonly bytes: Buffer;
    readonly rows: readonly Row[];
  })[];
}

/** In order of preference, where the rows are as wide by each. */
const delimiters = ["\x01", "\x1f", "\x1e", "\x02", "\x07", "\t", "|", "; ", ";", ", ", ",", "^", "~", ":"] as const;
/** Characters that stand in sentences and times: rows of a few cells by them are mostly none. */
const cellsMin: Readonly<Record<string, number>> = { ":": 4 };
/** These separate cells only where nothing else does, and no cell is empty or in quotes, and some column has a type. */
const rare = [" ", "#", "!", "$", "%", "&", "*", "@", "`"] as const;
const rareRowsMin = 3;
/** Rows as wide as most of them, where widths differ: with fewer the file is no table. */
const ragShareMin = 0.9;
const ragWidthMin = 3;

/** What a user has said of a table. */
interface WantedTable {
  readonly format?: "csv" | "tsv";
  readonly delimiter?: string;
}

/**
 * Undefined where the files are no table. `refused` is told of a file that would be one but for a row that its format
 * refuses, or that is called a table and has rows of different widths.
 */
export async function guessTable(
  beginnings: readonly Beginning[],
  wanted: WantedTable = {},
  refused: (note: string) => void = () => {},
): Promise<Guessed | undefined> {
  const isSure = wanted.format !== undefined || wanted.delimiter !== undefined;
  const even: Candidate[] = [];
  const ragged: Candidate[] = [];
  for (const shape of shapes(wanted)) {
    if (!shape.multiline && !beginnings.some(({ bytes }) => bytes.includes('"'))) continue;
    if (!isSure && !beginnings.every(({ bytes }) => bytes.includes(shape.delimiter))) continue;
    const glance = await readBy(shape, beginnings.map(glanced));
    if (glance !== undefined && !isEven(glance) && !isRagged(glance)) continue;
    const candidate = await readBy(shape, beginnings, refused);
    if (candidate === undefined) continue;
    if (isEven(candidate)) even.push(candidate);
    else if (isRagged(candidate)) ragged.push(candidate);
  }
  const best = widest(isSure ? even : even.filter((candidate) => !isProse(candidate)));
  const odd = wanted.format === "tsv" ? undefined : await inDialect(beginnings, wanted, best);
  if (odd !== undefined) return guessColumns(odd);
  if (best !== undefined) return guessColumns(best);
  const other = isSure ? undefined : await separatedRarely(beginnings);
  if (other !== undefined) return guessColumns(other);
  const lone =
    wanted.format !== "tsv" && wanted.delimiter === undefined ? await loneColumn(beginnings, isSure) : undefined;
  if (lone !== undefined) return guessColumns(lone);
  const rag = widest(isSure ? ragged : ragged.filter((candidate) => !isProse(candidate)));
  if (rag !== undefined) return guessRows(rag);
  if (!isSure) await nameUneven(beginnings, refused);
  return undefined;
}

/** Tells of the first row that csv would refuse, in files that are called tables. */
async function nameUneven(beginnings: readonly Beginning[], refused: (note: string) => void): Promise<void> {
  for (const beginning of beginnings) {
    const [, kind] = /\.(csv|tsv)(?:\.\w+)?$/i.exec(beginning.source) ?? [];
    if (kind === undefined) continue;
    const read = await Promise.all(
      namedDelimiters[kind.toLowerCase() as "csv" | "tsv"].map(async (delimiter) => {
        const format = delimiter === "\t" ? ("tsv" as const) : ("csv" as const);
        const shape: TableShape = { format, delimiter, header: false, multiline: true };
        const { records, starts } = await readBeginning(tableOf(shape, undefined), beginning);
        const rows = records as readonly Row[];
        return { shape, rows, starts, width: rows.length === 0 ? 0 : Math.max(rows[0]!.length, usualWidth(rows)) };
      }),
    );
    const { shape, rows, starts, width } = read.reduce((best, each) => (each.width > best.width ? each : best));
    const first = rows[0]?.length;
    const odd = rows.findIndex(({ length }) => length !== first);
    if (width < 2 || first === undefined || odd < 0) continue;
    const advice = adviceOn({ bytes: beginning.bytes, rows, starts, delimiter: shape.delimiter }) ?? anyWidth(shape);
    refused(
      `by ${JSON.stringify(shape.delimiter)} its rows would be ${shape.format}, but the row at ${beginning.source}:${starts[odd]!} has ${formatCounted(rows[odd]!.length, "cell")} where the first has ${formatCount(first)}: ${advice}`,
    );
    return;
  }
}

function anyWidth({ format, delimiter }: TableShape): string {
  const by = delimiter === (format === "tsv" ? "\t" : ",") ? "" : ` --delimiter '${delimiter}'`;
  return `--format ${format}${by} takes rows of any width`;
}

/** By the ending of a file's name, what its cells may be separated by; in order of preference, as above. */
const namedDelimiters = { tsv: ["\t"], csv: ["\t", "|", ";", ","] } as const;

/**
 * How csv that is not quoted as usual is read, by what has to be in a file of it. In the order in which they are tried.
 */
const dialects: readonly {
  readonly mark: string;
  readonly dialect: Dialect;
  readonly isSaid?: (cell: string) => boolean;
}[] = [
  { mark: '\\"', dialect: { escape: "\\" } },
  { mark: "'", dialect: { quote: "'" } },
  // Where no cell begins with one, quotes stand around none.
  { mark: '"', dialect: { quote: false }, isSaid: (cell) => !cell.startsWith('"') },
  { mark: '"', dialect: { lenient: true } },
  { mark: '"', dialect: { quote: false } },
];

/**
 * Rows that only another way of quoting reads; where there is a usual one, single quotes around all cells of a column.
 */
async function inDialect(
  beginnings: readonly Beginning[],
  wanted: WantedTable,
  usual: Candidate | undefined,
): Promise<Candidate | undefined> {
  for (const { mark, dialect, isSaid = () => true } of dialects) {
    if (!beginnings.some(({ bytes }) => bytes.includes(mark))) continue;
    if (dialect.quote !== "'" && usual !== undefined) continue;
    const even: Candidate[] = [];
    for (const shape of shapes({ ...wanted, format: "csv" })) {
      if (dialect.quote === false && shape.multiline) continue; // no line end is in a cell
      if (dialect.lenient === true && shape.delimiter.length > 1) continue; // csv() does not take these
      if (!beginnings.every(({ bytes }) => bytes.includes(shape.delimiter))) continue;
      const candidate = await readBy({ ...shape, dialect }, beginnings);
      if (candidate === undefined || !isEven(candidate) || isProse(candidate)) continue;
      if (candidate.files.every(({ rows }) => rows.every((row) => row.every(isSaid))))
        even.push(
          dialect.quote === false ? { ...candidate, shape: { ...candidate.shape, multiline: true } } : candidate,
        );
    }
    const best = widest(even);
    if (best === undefined || (dialect.lenient === true && (await hidesRows(best, beginnings)))) continue;
    if (dialect.quote !== "'" || usual === undefined || isInSingleQuotes(usual)) return best;
  }
  return undefined;
}

/** Whether lines that are rows of the same width by themselves are in quotes that something far away closes. */
async function hidesRows({ shape, files }: Candidate, beginnings: readonly Beginning[]): Promise<boolean> {
  const lines = await readBy({ ...shape, multiline: false, dialect: { quote: false } }, beginnings);
  if (lines === undefined || !isEven(lines)) return false;
  return lines.files.some(({ rows }, i) => {
    const fewer = files[i]!.rows;
    return rows.length > fewer.length && rows[0]!.length === fewer[0]!.length;
  });
}

function isInSingleQuotes({ files }: Candidate): boolean {
  const rows = files.flatMap((file) => file.rows);
  return rows[0]!.some((_, column) => rows.every((row) => /^'.*'$/s.test(row[column] ?? "")));
}

async function separatedRarely(beginnings: readonly Beginning[]): Promise<Candidate | undefined> {
  const areQuoted = beginnings.some(({ bytes }) => bytes.includes('"'));
  for (const delimiter of rare) {
    // Lines of logs have quotes too; the names that R writes above a table are all in quotes.
    if (areQuoted && !(delimiter === " " && beginnings.every(hasQuotedNames))) continue;
    if (!beginnings.every(({ bytes }) => bytes.includes(delimiter))) continue;
    const shape: TableShape = { format: "csv", delimiter, header: false, multiline: true };
    for (const looked of [beginnings.map(glanced), beginnings]) {
      const candidate = await readBy(shape, looked);
      if (candidate === undefined || !isEven(candidate)) break;
      const rows = candidate.files.flatMap((file) => file.rows);
      const isLog = rows.some((row) => row.slice(0, 3).some((cell) => /\d\d:\d\d/.test(cell)));
      if (isLog || rows.length < rareRowsMin || rows.some((row) => row.includes(""))) break;
      if (looked === beginnings && hasTypes(rows)) return candidate;
    }
  }
  return undefined;
}

function hasQuotedNames({ bytes }: Beginning): boolean {
  const end = bytes.indexOf(10);
  return /^\ufeff?"[^"]*"(?: "[^"]*")+\r?$/.test(bytes.toString("utf8", 0, Math.max(0, end)));
}

/** A column of numbers or dates below its name, in files that are called csv: no delimiter says that they are. */
async function loneColumn(beginnings: readonly Beginning[], isSure: boolean): Promise<Candidate | undefined> {
  if (!isSure && !beginnings.every(({ source }) => /\.csv(?:\.\w+)?$/i.test(source))) return undefined;
  // An empty line would be an empty cell.
  if (beginnings.some(({ bytes }) => bytes.includes("\n\n") || bytes.includes("\n\r\n"))) return undefined;
  const shape: TableShape = { format: "csv", delimiter: ",", header: false, multiline: true };
  const candidate = await readBy(shape, beginnings);
  const files = candidate?.files.map(({ rows }) => rows) ?? [];
  if (files.length === 0 || files.some((rows) => rows.length < 2 || rows.some((row) => row.length > 1)))
    return undefined;
  const { isHeader, doubt } = guessHeader(files);
  return isHeader && doubt === undefined && hasTypes(files.flat()) ? candidate : undefined;
}

/** Most files show in their first rows that a byte separates no cells of theirs. */
function glanced({ source, bytes, isWhole }: Beginning): Beginning {
  if (bytes.length <= glanceBytes) return { source, bytes, isWhole };
  return { source, bytes: bytes.subarray(0, glanceBytes), isWhole: false };
}

function* shapes({ format, delimiter }: WantedTable): Generator<TableShape> {
  for (const each of delimiter === undefined ? delimiters : [delimiter]) {
    const isTab = each === "\t";
    if (format === "tsv" && delimiter === undefined && !isTab) continue;
    // Without quotes and backslashes both read the same, and tsv is what such files are called.
    if (format === "tsv" || (isTab && format === undefined))
      yield { format: "tsv", delimiter: each, header: false, multiline: true };
    if (format === "tsv") continue;
    yield { format: "csv", delimiter: each, header: false, multiline: true };
    yield { format: "csv", delimiter: each, header: false, multiline: false };
  }
}

async function readBy(
  shape: TableShape,
  beginnings: readonly Beginning[],
  refused: (note: string) => void = () => {},
): Promise<Candidate | undefined> {
  const format = tableOf(shape, undefined);
  const files: Candidate["files"][number][] = [];
  for (const beginning of beginnings) {
    const reading = await readBeginning(format, beginning);
    const rows = reading.records as readonly Row[];
    const [bad] = reading.refused;
    if (bad !== undefined) {
      const width = rows[0]?.length ?? 0;
      if (width > 1 && rows.every((row) => row.length === width) && bad.message !== "")
        refused(
          `by ${JSON.stringify(shape.delimiter)} its rows would be ${shape.format}, but ${beginning.source}:${bad.start}: ${bad.message}`,
        );
      return undefined;
    }
    if (rows.length > 0) files.push({ ...reading, rows, source: beginning.source, bytes: beginning.bytes });
  }
  return files.length === 0 ? undefined : { shape, files };
}

function isEven({ shape, files }: Candidate): boolean {
  const width = files[0]!.rows[0]!.length;
  // Files with headers of their own may have other columns, but not some rows of a file.
  return (
    files.every(({ rows }) => {
      const own = rows[0]!.length;
      return (
        own >= Math.min(width, cellsMin[shape.delimiter] ?? 2) && own >= 2 && rows.every((row) => row.length === own)
      );
    }) &&
    width >= (cellsMin[shape.delimiter] ?? 2) &&
    !(shape.delimiter === ":" && hasTimes(files))
  );
}

function isRagged({ shape, files }: Candidate): boolean {
  if (shape.delimiter === ":") return false;
  const rows = files.flatMap((file) => file.rows);
  const width = usualWidth(rows);
  return width >= ragWidthMin && rows.filter((row) => row.length === width).length >= ragShareMin * rows.length;
}

function widest(candidates: readonly Candidate[]): Candidate | undefined {
  const widthOf = ({ files }: Candidate) => usualWidth(files.flatMap(({ rows }) => rows));
  const best = candidates.reduce<Candidate | undefined>(
    (first, each) => (first === undefined || widthOf(each) > widthOf(first) ? each : first),
    undefined,
  );
  if (best === undefined) return undefined;
  if (best.shape.format === "tsv") {
    const quoted = candidates.find(({ shape }) => shape.format === "csv" && shape.delimiter === best.shape.delimiter);
    return quoted !== undefined && isQuoted(best) ? quoted : best;
  }
  if (best.shape.delimiter !== ",") return best;
  // 1,50;2,75 has decimal commas, which other separators leave whole.
  return candidates.find(({ shape, files }) => shape.delimiter !== "," && hasDecimalCommas(files)) ?? best;
}

/** Whether tabs separate cells in quotes, or backslashes that are those of paths: then they escape nothing. */
function isQuoted({ files }: Candidate): boolean {
  return files.some(({ rows }) => rows.some((row) => row.some((cell) => /^".*"$|\b[A-Za-z]:[\\\t\n\r]/s.test(cell))));
}

function hasDecimalCommas(files: Candidate["files"]): boolean {
  const cells = files.flatMap(({ rows }) => rows.flatMap((row) => row.filter((cell) => cell.includes(","))));
  return cells.length > 0 && cells.every((cell) => /^[-+]?\d+(?:\.\d{3})*,\d+$/.test(cell.trim()));
}

function hasTimes(files: Candidate["files"]): boolean {
  return files.some(({ rows }) => rows.some((row) => row.some((cell, i) => isTime(cell, row[i + 1]))));
}

function isTime(cell: string, next: string | undefined): boolean {
  return /\d\d$/.test(cell) && /^\d\d/.test(next ?? "");
}

/** Sentences, and lines of logs, whose commas separate no cells. */
function isProse({ shape: { delimiter }, files }: Candidate): boolean {
  const isSpaced = delimiter.endsWith(" ");
  if (![",", ";", "|"].includes(delimiter.trim())) return false;
  const rows = files.flatMap((file) => file.rows);
  const mostly = (is: (row: Row) => boolean) => 2 * rows.filter(is).length > rows.length;
  // 2024-05-01 12:00:00,123 INFO …
  if (mostly((row) => /\d\d:\d\d:\d\d$/.test(row[0]!) && /^\d{3}\D/.test(row[1] ?? ""))) return true;
  if (rows.length < 2 && files.length < 2 && rows[0]!.some((cell) => /\s\S+\s/.test(cell.trim()))) return true;
  // "a, b" with words on both sides: separators of tables have no spaces behind them, or cells that are more than
  // words.
  return (
    !hasTypes(rows) &&
    (isSpaced || rows.every((row) => row.slice(1).every((cell) => /^\s/.test(cell)))) &&
    mostly((row) => row.some((cell) => /\S\s+\S/.test(cell)))
  );
}

/** Whether a column has another type than text, but for its first cell. */
function hasTypes(rows: readonly Row[]): boolean {
  return Array.from({ length: usualWidth(rows) }, (_, column) => column).some((column) => {
    const cells = rows.slice(1).flatMap((row) => row[column] ?? []);
    const type = typeOf(cells.filter((cell) => cell !== ""));
    return type !== undefined && type !== "utf8";
  });
}

function guessColumns({ shape, files }: Candidate): Guessed | undefined {
  const rowCount = files.reduce((sum, { rows }) => sum + rows.length, 0);
  const isLonely = files.every(({ rows }) => rows.length === 1);
  const isNamed = isLonely && typeOfRow(files[0]!.rows[0]!) === "names";
  const { isHeader, doubt } = isLonely
    ? { isHeader: isNamed, doubt: undefined }
    : guessHeader(files.map(({ rows }) => rows));
  const notes: string[] = doubt === undefined ? [] : [doubt];
  if (isHeader && rowCount === files.length) {
    return { guess: { kind: "rows", shape }, notes: [onlyHeader] };
  }
  const names = isHeader ? files[0]!.rows[0]! : files[0]!.rows[0]!.map((_, column) => `c${column + 1}`);
  if (!isHeader && files.some(({ rows }) => rows[0]!.length !== names.length))
    return {
      guess: { kind: "rows", shape },
      notes: [
        "the files have rows of different widths, and no header says which cell is which: rows are arrays of text",
      ],
    };
  const columns: GuessedColumn[] = [];
  const placed = files.map(({ rows }) => placesOf(rows[0]!));
  for (const [index, name] of names.entries()) {
    const places = placed.map((byName) => (isHeader ? (byName.get(name) ?? []) : [index]));
    if (places.some((found) => found.length > 1)) {
      if (placed[0]!.get(name)![0] === index)
        notes.push(`the header has more than one column ${JSON.stringify(name)}, so it can't be read by its name`);
      continue;
    }
    if (places.some((found) => found.length === 0)) {
      notes.push(`not every file has a column ${JSON.stringify(name)}: it is left out`);
      continue;
    }
    columns.push(
      columnOf(
        name,
        files.flatMap(({ rows }, file) => cellsOf(rows, places[file]![0]!, isHeader)),
      ),
    );
  }
  const full = { ...shape, header: isHeader };
  if (columns.length === 0) {
    return {
      guess: { kind: "rows", shape: full },
      notes: [
        ...notes,
        "no column can be read by its name: rows are arrays of text, and the first one of each file is the header",
      ],
    };
  }
  if (isHeader) {
    const known = new Set(names);
    const more = new Set(files.slice(1).flatMap(({ rows }) => rows[0]!.filter((name) => !known.has(name))));
    for (const name of more) notes.push(`not every file has a column ${JSON.stringify(name)}: it is left out`);
  }
  return { guess: { kind: "table", shape: full, columns }, notes };
}

/** The statement for files of which there is only a header. */
export const onlyHeader = "there is a header, and no row below it";

function typeOfRow(row: Row): "names" | "cells" {
  return row.every((cell) => /^[\p{L}_][\p{L}\p{N}_ .-]*$/u.test(cell)) ? "names" : "cells";
}

/** By each name in a header, the columns that have it. Some files have thousands of columns. */
function placesOf(header: Row): ReadonlyMap<string, readonly number[]> {
  const places = new Map<string, number[]>();
  for (const [place, name] of header.entries()) {
    const found = places.get(name);
    if (found === undefined) places.set(name, [place]);
    else found.push(place);
  }
  return places;
}

function cellsOf(rows: readonly Row[], place: number, isHeader: boolean): string[] {
  return (isHeader ? rows.slice(1) : rows).map((row) => row[place]!);
}

function columnOf(name: string, cells: readonly string[]): GuessedColumn {
  const full = cells.filter((cell) => cell !== "");
  const type = typeOf(full);
  if (type === undefined) return { name, type: "utf8", nullable: false, note: "always empty so far" };
  const note = type === "utf8" ? exceptions(full) : zoneNote(type, full);
  const nullable = type !== "utf8" && full.length < cells.length;
  return { name, type, nullable, ...(note !== undefined && { note }) };
}

/** By their looks, which costs less than an error for each cell that a codec refuses. */
const looks: readonly (readonly [type: ColumnType, pattern: RegExp])[] = [
  ["float64", /^-?(?:0|[1-9]\d*)?(?:\.\d+)?(?:[eE][+-]?\d+)?$/],
  ["date", /^\d{4}-\d\d-\d\d(?:$|[T ])/],
  ["bool", /^(?:true|false)$/],
];
const exceptionsMax = 3;

/** A column of numbers or dates but for a word or two is text: which words those are helps to see why. */
function exceptions(cells: readonly string[]): string | undefined {
  if (cells.length < 10) return undefined;
  for (const [type, pattern] of looks) {
    const kinds = new Set<string>();
    let others = 0;
    for (const cell of cells) {
      if (pattern.test(cell)) continue;
      others++;
      if (kinds.add(cell).size > exceptionsMax) break;
    }
    if (others === 0 || kinds.size > exceptionsMax || others > cells.length / 2) continue;
    return `${type} but for ${[...kinds].map((cell) => JSON.stringify(cell.slice(0, 20))).join(", ")}`;
  }
  return undefined;
}

function guessRows({ shape, files }: Candidate): Guessed {
  const width = usualWidth(files.flatMap(({ rows }) => rows));
  const { source, bytes, rows, starts } = files.find((file) => file.rows.some((row) => row.length !== width))!;
  const odd = rows.findIndex((row) => row.length !== width);
  const place = `${source}:${starts[odd]!}`;
  const advice = adviceOn({ bytes, rows, starts, delimiter: shape.delimiter });
  return {
    guess: { kind: "rows", shape },
    notes: [
      `the row at ${place} has ${formatCounted(rows[odd]!.length, "cell")} where most have ${formatCount(width)}, so columns have no names: rows are arrays of text${advice === undefined ? "" : `. For names: ${advice}`}`,
    ],
  };
}
