// States of numbers: columns of float64s, of which equal ones are kept once (`count()` and `mean("ms")` share the
// number of values). docs/aggregates.md has the layout:
//
//   state  = column × n, tail
//   column = 8 bytes as `writeF64` writes them: a count, the least, the largest, or a sum rounded to a float64
//   tail   = for each column of a sum: varint 2 * parts + fraction, parts of 8 bytes
//
// `parts` are what the exact sum (exact-sum.ts) has beyond its first element, which is the column. `fraction` is 1
// where a value was added that is no safe integer: only then may the sum be rounded. A tail that says 0 everywhere is
// left out where nothing follows, so that columns of integers have one width.
import type { ByteWriter } from "../../base/bytes/bytes.ts";
import { readF64, writeF64 } from "../../base/bytes/f64.ts";
import { MillraceError } from "../../base/error.ts";
import { addExact, type ExactSum, mergeExact, noSum, roundExact, squareExact } from "./exact-sum.ts";
import { booleanOf, numberOf } from "./field.ts";

export interface Column {
  readonly kind: "count" | "countIf" | "sum" | "squares" | "min" | "max";
  /** Undefined: the value itself. */
  readonly field: string | undefined;
  /** The aggregate that wants it, for errors. */
  readonly by: string;
}

/** What columns have come to. */
export interface FoldedColumns {
  /** A count, the least or the largest. */
  number(at: number): number;
  sum(at: number): ExactSum;
  /** Whether a value was added to this sum that is no safe integer. */
  hasFractions(at: number): boolean;
}

/** Adds columns that are not in the list yet, and returns where each one is. */
export function placeColumns(columns: readonly Column[], list: Column[]): readonly number[] {
  return columns.map((column) => {
    const at = list.findIndex(({ kind, field }) => kind === column.kind && field === column.field);
    return at >= 0 ? at : list.push(column) - 1;
  });
}

export const columnBytes = 8;
const scratch = new Uint8Array(columnBytes);

/** Appends the columns of one value. `tailed`: the tail is always written, as something follows it. */
export function liftColumns(columns: readonly Column[], value: unknown, out: ByteWriter, tailed: boolean): void {
  // Heads and parts of the tail, from the first column on where there is one.
  let tail: number[] | undefined = tailed ? [] : undefined;
  let sums = 0;
  for (const { kind, field, by } of columns) {
    switch (kind) {
      case "count":
        writeNumber(1, out);
        break;
      case "countIf":
        writeNumber(booleanOf(by, value, field) ? 1 : 0, out);
        break;
      case "min":
      case "max":
        writeNumber(numberOf(by, value, field), out);
        break;
      case "sum":
      case "squares": {
        const number = numberOf(by, value, field);
        const square = kind === "squares" ? squareExact(number) : noSum;
        const more = Math.max(0, square.length - 1);
        const head = 2 * more + (Number.isSafeInteger(number) ? 0 : 1);
        writeNumber(kind === "squares" ? roundExact(square) : number, out);
        if (head !== 0) tail ??= new Array<number>(sums).fill(0);
        tail?.push(head);
        for (let i = 1; i <= more; i++) tail!.push(square[i]!);
        sums++;
      }
    }
  }
  if (tail === undefined) return;
  for (let i = 0; i < tail.length; ) {
    const head = tail[i++]!;
    out.writeVarint(head);
    for (let more = Math.floor(head / 2); more > 0; more--) writeNumber(tail[i++]!, out);
  }
}

function writeNumber(value: number, out: ByteWriter): void {
  // One NaN, as float64s have many.
  if (Number.isNaN(value)) scratch.fill(0xff);
  else writeF64(scratch, 0, value);
  out.writeBytes(scratch);
}

function writeTail(sum: ExactSum, fraction: boolean, out: ByteWriter): void {
  out.writeVarint(2 * Math.max(0, sum.length - 1) + (fraction ? 1 : 0));
  for (let i = 1; i < sum.length; i++) writeNumber(sum[i]!, out);
}

function tooManyValues(by: string): MillraceError {
  return new MillraceError("over-limit", `${by}: one key has more than 2^53-1 values, where counts lose digits`);
}

/** Columns of one key as they are merged. */
export class ColumnsAccumulator implements FoldedColumns {
  readonly #columns: readonly Column[];
  readonly #tailed: boolean;
  /** Counts and extremes; of a sum that is a safe integer, the sum. */
  readonly #numbers: Float64Array;
  /** Sums that are more than a safe integer. */
  readonly #sums: (ExactSum | undefined)[];
  readonly #fractions: boolean[];
  #isEmpty = true;

  constructor(columns: readonly Column[], tailed: boolean) {
    this.#columns = columns;
    this.#tailed = tailed;
    this.#numbers = new Float64Array(columns.length);
    this.#sums = columns.map(() => undefined);
    this.#fractions = columns.map(() => false);
  }

  /**
   * Merges the state that begins at `start`, and returns the offset behind it; `end` is the end of all that there is.
   */
  add(bytes: Uint8Array, start: number, end: number): number {
    const columns = this.#columns;
    let tail = start + columns.length * columnBytes;
    const hasTail = this.#tailed || tail < end;
    for (let i = 0; i < columns.length; i++) {
      const number = readF64(bytes, start + i * columnBytes);
      switch (columns[i]!.kind) {
        case "count":
        case "countIf": {
          const total = this.#numbers[i]! + number;
          if (!(total <= Number.MAX_SAFE_INTEGER)) throw tooManyValues(columns[i]!.by);
          this.#numbers[i] = total;
          break;
        }
        case "min":
          if (this.#isEmpty || number < this.#numbers[i]!) this.#numbers[i] = number;
          break;
        case "max":
          if (this.#isEmpty || number > this.#numbers[i]!) this.#numbers[i] = number;
          break;
        default:
          if (hasTail) tail = this.#addTailed(i, number, bytes, tail);
          else this.#addSum(i, number, undefined);
      }
    }
    this.#isEmpty = false;
    return tail;
  }

  /** Returns the offset behind the column's tail. */
  #addTailed(column: number, first: number, bytes: Uint8Array, from: number): number {
    let at = from;
    let head = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++]!;
      head += (byte & 127) * scale;
      if (byte < 128) break;
    }
    if (head % 2 === 1) this.#fractions[column] = true;
    const parts = Math.floor(head / 2);
    if (parts === 0) {
      this.#addSum(column, first, undefined);
      return at;
    }
    const sum = [first];
    for (let i = 0; i < parts; i++, at += columnBytes) sum.push(readF64(bytes, at));
    this.#addSum(column, first, sum);
    return at;
  }

  /** `sum` is undefined where it is the number alone. */
  #addSum(column: number, number: number, sum: ExactSum | undefined): void {
    const before = this.#sums[column];
    if (before === undefined && sum === undefined && Number.isSafeInteger(number)) {
      const total = this.#numbers[column]! + number;
      if (Number.isSafeInteger(total)) {
        this.#numbers[column] = total;
        return;
      }
    }
    const held = before ?? addExact(noSum, this.#numbers[column]!);
    const merged = sum === undefined ? addExact(held, number) : mergeExact(held, sum);
    const isSafe = merged.length === 0 || (merged.length === 1 && Number.isSafeInteger(merged[0]));
    this.#numbers[column] = isSafe ? roundExact(merged) : 0;
    this.#sums[column] = isSafe ? undefined : merged;
  }

  write(out: ByteWriter): void {
    let plain = true;
    for (let i = 0; i < this.#columns.length; i++) {
      const sum = this.#sums[i];
      writeNumber(sum === undefined ? this.#numbers[i]! : roundExact(sum), out);
      if (this.#fractions[i]! || (sum !== undefined && sum.length > 1)) plain = false;
    }
    if (plain && !this.#tailed) return;
    for (const [i, { kind }] of this.#columns.entries()) {
      if (kind === "sum" || kind === "squares") writeTail(this.#sums[i] ?? noSum, this.#fractions[i]!, out);
    }
  }

  number(at: number): number {
    return this.#numbers[at]!;
  }

  sum(at: number): ExactSum {
    return this.#sums[at] ?? addExact(noSum, this.#numbers[at]!);
  }

  hasFractions(at: number): boolean {
    return this.#fractions[at]!;
  }
}
