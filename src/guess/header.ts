// Whether the first row of a table names its columns.
import { takes, typeOf } from "./column-type.ts";

export interface HeaderGuess {
  readonly isHeader: boolean;
  /** Why it may be wrong; undefined where the cells leave no doubt. */
  readonly doubt?: string;
}

type Rows = readonly (readonly string[])[];

/** `files` are the rows of each file, all of the same width, and at least one of them has two rows or more. */
export function guessHeader(files: readonly Rows[]): HeaderGuess {
  const first = files[0]![0]!;
  const rest = files.flatMap((rows) => rows.slice(1));
  if (files.some((rows) => rows[0]!.length !== first.length)) return { isHeader: false };
  const evidence = byTypes(first, rest);
  if (evidence !== undefined) return { isHeader: evidence };
  if (areLabels(first, rest)) return { isHeader: true };
  const isShared = files.length > 1 && files.every((rows) => rows[0]!.every((cell, column) => cell === first[column]));
  if (!areNames(first) || recurs(first, rest)) return { isHeader: false };
  if (isShared && rest.length > 0) return { isHeader: true };
  const isHeader =
    first.every((cell) => cell === "" || /^[\p{Ll}_][\p{L}\p{N}_.-]*$/u.test(cell)) || differs(first, rest);
  const doubt = isHeader
    ? "all columns are text, so the first row was taken for their names by its look: where it is a record, set header: false"
    : "all columns are text, so the first row was taken for a record by its look: where it names the columns, set header: true";
  return differs(first, rest) && isHeader ? { isHeader } : { isHeader, doubt };
}

/**
 * Columns of another type than text: names do not fit them, and cells do. Undefined: no column says anything. A word
 * for a missing value fits nowhere and is no name, and a name may be a number.
 */
function byTypes(first: readonly string[], rest: Rows): boolean | undefined {
  let names = 0;
  const numbers: string[] = [];
  let areYears = false;
  for (const [column, cell] of first.entries()) {
    const cells = rest.map((row) => row[column]!).filter((each) => each !== "");
    const type = typeOf(cells);
    if (type === undefined || type === "utf8" || missing.test(cell)) continue;
    if (takes(type, cell) || /^[-+]?[\d.,]+$/.test(cell)) numbers.push(cell);
    else names++;
    areYears ||= cells.some((each) => year.test(each));
  }
  if (names === 0 && numbers.length === 0) return undefined;
  if (names > numbers.length) return true;
  if (numbers.length < 2 || areYears) return false;
  // country,2019,2020 and id,1001,1005,1012
  const areNext = [1, -1].some((step) =>
    numbers.every((cell, i) => year.test(cell) && isNext(cell, numbers[i - 1], step)),
  );
  return (
    areNext || (names > 0 && numbers.length >= labelsMin && numbers.every((cell, i) => isAbove(cell, numbers[i - 1])))
  );
}

/** Fewer numbers than these may be ascending by chance. */
const labelsMin = 4;

/** Whether numbers stand above columns of words, as in id,1001,1005 where the cells are yes and no. */
function areLabels(first: readonly string[], rest: Rows): boolean {
  const labels = first.flatMap((cell, column) => (/^\d+$/.test(cell) ? [column] : []));
  if (labels.length < 2 || labels.length === first.length || new Set(first).size < first.length) return false;
  return labels.every((column) => {
    const words = rest.map((row) => row[column]!).filter((cell) => !missing.test(cell));
    return words.length > 1 && words.every((cell) => !/\d/.test(cell));
  });
}

const year = /^(?:19|20)\d\d$/;
const missing = /^(?:|n\/?a|nan|null|nil|none|missing|unknown|-|\?|\.|\\N)$/i;

function isNext(cell: string, before: string | undefined, step: number): boolean {
  return before === undefined || Number(cell) === Number(before) + step;
}

function isAbove(cell: string, before: string | undefined): boolean {
  return /^\d+$/.test(cell) && (before === undefined || Number(cell) > Number(before));
}

/** Whether these can be names: not all are empty, and none is a number. */
function areNames(first: readonly string[]): boolean {
  if (first.every((cell) => cell === "")) return false;
  return first.every((cell) => cell.length <= 200 && !/^[-+]?\d+(?:[.,]\d+)*$/.test(cell.trim()));
}

/** Whether a cell of the first row is found again below it, as no name would be. */
function recurs(first: readonly string[], rest: Rows): boolean {
  return rest.some((row) => row.some((cell, column) => cell !== "" && cell === first[column]));
}

/** Whether there is a column whose cells mostly have characters that the first row does not have there. */
function differs(first: readonly string[], rest: Rows): boolean {
  const marks = [/\d/, /[ :@/,]/, /^\p{Lu}/u];
  return first.some((name, column) =>
    marks.some((mark) => {
      if (mark.test(name)) return false;
      return rest.length > 0 && 2 * rest.filter((row) => mark.test(row[column]!)).length > rest.length;
    }),
  );
}
