// Rows that are not as wide as the others of their file: mostly they are no records, and a command takes them away.
import { formatCount } from "../base/units.ts";
import { guessHeader } from "./header.ts";

interface OddRows {
  readonly bytes: Buffer;
  readonly rows: readonly (readonly string[])[];
  /** Where each row begins in the bytes. */
  readonly starts: readonly number[];
  readonly delimiter: string;
}

/** More lines than these above a header are no title. */
const titleLinesMax = 40;

/** What makes a table of the file, where that can be told. */
export function adviceOn({ bytes, rows, starts, delimiter }: OddRows): string | undefined {
  const width = usualWidth(rows);
  const odd = rows.flatMap((row, i) => (row.length === width ? [] : [i]));
  const areComments = odd.every((i) => rows[i]![0]!.startsWith("#"));
  if (areComments) return `lines that begin with "#" are no records: grep -v '^#' OLD > NEW`;
  const [first] = odd;
  if (first !== 0 || odd.at(-1) !== odd.length - 1) return undefined;
  const lines = linesBefore(bytes, starts[odd.length]!);
  if (odd.length === 1 && width > 2 && rows[0]!.length === width - 1 && lines === 1) {
    const below = rows.slice(1);
    if (below.length > 1 && !isHeaded(below)) return nameMissing(bytes, below, delimiter);
  }
  if (lines > titleLinesMax) return undefined;
  const count = lines === 1 ? "its first line is no record" : `its first ${formatCount(lines)} lines are no records`;
  return `${count}: tail -n +${lines + 1} OLD > NEW`;
}

/** As R writes the names of rows, or programs that end every row with a delimiter. */
function nameMissing(bytes: Buffer, below: OddRows["rows"], delimiter: string): string | undefined {
  const by = /^[,;|]$/.test(delimiter) ? delimiter : delimiter === "\t" ? "\\t" : undefined;
  if (by === undefined) return undefined;
  if (!below.every((row) => row.at(-1) === ""))
    return `its header lacks the name of the first column: sed '1s/^/row${by}/' OLD > NEW`;
  const isReturn = bytes[bytes.indexOf(10) - 1] === 13;
  return `its header lacks the delimiter that ends each row: sed '1s/${isReturn ? "\\r" : ""}$/${by}last/' OLD > NEW`;
}

function isHeaded(rows: OddRows["rows"]): boolean {
  const { isHeader, doubt } = guessHeader([rows]);
  return isHeader && doubt === undefined;
}

function linesBefore(bytes: Buffer, end: number): number {
  let lines = 0;
  for (let at = bytes.indexOf(10); at >= 0 && at < end; at = bytes.indexOf(10, at + 1)) lines++;
  return lines;
}

export function usualWidth(rows: readonly (readonly string[])[]): number {
  const widths = new Map<number, number>();
  for (const { length } of rows) widths.set(length, (widths.get(length) ?? 0) + 1);
  return [...widths].reduce((best, each) => (each[1] > best[1] ? each : best))[0];
}
