// Sums of float64s without any rounding, so that a sum is the same however its values were grouped: wherever an input
// is cut, and in whichever order sums are merged.
//
// A sum is kept as an expansion, a few float64s whose exact sum it is (Shewchuk, Adaptive Precision Floating-Point
// Arithmetic, 1997; Python's `math.fsum` is built on it). An expansion is not unique, so each result is made canonical:
// the nearest float64, then the float64 nearest to what is left, and so on. (Neal's superaccumulator, Fast exact
// summation using small and large superaccumulators, 2015, is unique too, but 67 words for each key.)
import type { ByteWriter } from "../../base/bytes/bytes.ts";
import { readF64, writeF64 } from "../../base/bytes/f64.ts";
import type { Codec } from "../codec.ts";
import { readUnits, roundUnits, toUnits, writeUnits } from "./exact-wide.ts";

/**
 * An exact sum of float64s and of products of two. One sum is one list, however it was added:
 *
 * - plain: `[r1, r2, …]` where r1 is the float64 nearest to the sum (ties to even), r2 the one nearest to the sum less
 *   r1, and so on, with no zeros. A sum of 0 is the empty list; a whole number up to 2^53 is one element.
 * - wide, where r1 would be infinite or a part smaller than 2^-1074: what `writeUnits` (exact-wide.ts) makes.
 * - `[Infinity]` or `[-Infinity]` once an infinity was added, and `[NaN]` once both infinities or NaN were: it stays
 * so.
 *
 * There is no -0. The first element is the rounded sum in all forms.
 */
export type ExactSum = readonly number[];

export const noSum: ExactSum = Object.freeze([]);

/** Below this size nothing that is added here can overflow on the way. */
const CALM = 2 ** 1000;
/** The square of a number from here up to `SQUARE_MOST` is a sum of two float64s, without overflow on the way. */
const SQUARE_LEAST = 2 ** -480;
const SQUARE_MOST = 2 ** 490;

/** Where partial sums are worked on, smallest first; nothing here outlives a call. */
const parts: number[] = [];

/** The sum with one more value, which may be any float64. */
export function addExact(sum: ExactSum, value: number): ExactSum {
  const had = sum.length === 0 ? 0 : sum[0]!;
  if (!(Math.abs(value) <= CALM && Math.abs(had) <= CALM)) return mergeSlowly(sum, [value]);
  if (sum.length <= 1) {
    const total = had + value;
    const left = errorOf(had, value, total);
    if (left !== 0) return [total, left];
    return total === 0 ? noSum : [total];
  }
  if (isWide(sum)) return mergeSlowly(sum, [value]);
  let count = load(sum);
  count = grow(count, value);
  return canonical(count);
}

/** The sum of two sums: associative and commutative, to the bit. */
export function mergeExact(a: ExactSum, b: ExactSum): ExactSum {
  if (a.length === 0) return b;
  if (b.length === 0) return a;
  if (b.length === 1) return addExact(a, b[0]!);
  if (a.length === 1) return addExact(b, a[0]!);
  if (!(Math.abs(a[0]!) <= CALM && Math.abs(b[0]!) <= CALM) || isWide(a) || isWide(b)) return mergeSlowly(a, b);
  let count = load(a);
  for (let i = b.length - 1; i >= 0; i--) count = grow(count, b[i]!);
  return canonical(count);
}

/** The square of a value, of any size: exact where `value * value` would be rounded, overflow or vanish. */
export function squareExact(value: number): ExactSum {
  if (value === 0) return noSum;
  const size = Math.abs(value);
  if (!Number.isFinite(value)) return [size];
  if (size < SQUARE_LEAST || size > SQUARE_MOST) {
    const units = toUnits(value);
    return fromUnits((units * units) >> 2148n);
  }
  // Dekker's product: the halves have 26 bits each, so that their products are exact.
  const square = value * value;
  const c = 134217729 * value; // 2^27 + 1
  const high = c - (c - value);
  const low = value - high;
  const left = low * low - (square - high * high - 2 * high * low);
  return left === 0 ? [square] : [square, left];
}

/**
 * The float64 nearest to the sum, ties to even: infinite where that is beyond the largest, NaN for opposite infinities.
 */
export function roundExact(sum: ExactSum): number {
  return sum.length === 0 ? 0 : sum[0]!;
}

/**
 * A sum in units of 2^-2148, to compute from sums exactly and round once (`roundUnits`). The sum must be finite, which
 * `isFiniteSum` says.
 */
export function sumUnits(sum: ExactSum): bigint {
  if (isWide(sum)) return readUnits(sum);
  let units = 0n;
  for (const part of sum) units += toUnits(part);
  return units;
}

/** False when an infinity or NaN was added. A finite sum may still round to an infinity. */
export function isFiniteSum(sum: ExactSum): boolean {
  return sum.length !== 1 || Number.isFinite(sum[0]!);
}

/**
 * A whole sum that is safe is 0 to 7 bytes, two's complement, as short as it can be. Any other is 8 bytes an element,
 * so that lengths tell the two apart.
 */
export const exactSumCodec: Codec<ExactSum> = Object.freeze({
  ordered: false,
  write: writeSum,
  read: readSum,
});

const scratch = new Uint8Array(8);

function writeSum(sum: ExactSum, out: ByteWriter): void {
  if (sum.length === 0) return;
  const first = sum[0]!;
  if (sum.length === 1 && Number.isSafeInteger(first)) {
    let bytes = 1;
    for (let most = 128; first < -most || first >= most; most *= 256) bytes++;
    for (let shift = bytes - 1; shift >= 0; shift--) out.writeUint8(Math.floor(first / 256 ** shift) & 0xff);
    return;
  }
  for (const part of sum) {
    // One NaN, as float64s have many.
    if (Number.isNaN(part)) scratch.fill(0xff);
    else writeF64(scratch, 0, part);
    out.writeBytes(scratch);
  }
}

function readSum(bytes: Uint8Array): ExactSum {
  const { length } = bytes;
  if (length === 0) return noSum;
  if (length < 8) {
    let value = (bytes[0]! << 24) >> 24;
    for (let i = 1; i < length; i++) value = value * 256 + bytes[i]!;
    return [value];
  }
  const sum: number[] = [];
  for (let at = 0; at < length; at += 8) sum.push(readF64(bytes, at));
  return sum;
}

/**
 * What `a + b` lost when it was rounded to `total`: exact for all a and b whose sum does not overflow (Knuth's
 * two-sum).
 */
function errorOf(a: number, b: number, total: number): number {
  const virtual = total - a;
  return a - (total - virtual) + (b - virtual);
}

function isWide(sum: ExactSum): boolean {
  return sum.length > 1 && Number.isNaN(sum[1]!);
}

/** Puts a plain sum into `parts`, smallest first, and returns how many there are. */
function load(sum: ExactSum): number {
  let count = 0;
  for (let i = sum.length - 1; i >= 0; i--) parts[count++] = sum[i]!;
  return count;
}

/** Adds a value to `parts` (Shewchuk's grow-expansion, without zeros); returns how many there are. */
function grow(count: number, value: number): number {
  let kept = 0;
  let carry = value;
  for (let i = 0; i < count; i++) {
    const part = parts[i]!;
    const total = part + carry;
    const left = errorOf(part, carry, total);
    if (left !== 0) parts[kept++] = left;
    carry = total;
  }
  if (carry !== 0) parts[kept++] = carry;
  return kept;
}

/**
 * The canonical list of the sum of `parts`, of which none overlaps another. Each round takes off the nearest float64
 * and leaves the rest in `parts`.
 */
function canonical(count: number): ExactSum {
  if (count === 0) return noSum;
  const result: number[] = [];
  let left = count;
  while (left > 0) {
    let high = parts[--left]!;
    let low = 0;
    while (left > 0 && low === 0) {
      const part = parts[--left]!;
      const total = high + part;
      low = part - (total - high);
      high = total;
    }
    // A tie that was broken to even is none when what is below lies on the other side (as in `math.fsum`).
    if (low !== 0 && left > 0 && low < 0 === parts[left - 1]! < 0) {
      const further = high + 2 * low;
      if (further - high === 2 * low) {
        high = further;
        low = -low;
      }
    }
    result.push(high);
    if (low !== 0) parts[left++] = low;
  }
  return result;
}

/** As `mergeExact`, for sums of any form. */
function mergeSlowly(a: ExactSum, b: ExactSum): ExactSum {
  if (!isFiniteSum(a) || !isFiniteSum(b)) {
    const total = (isFiniteSum(a) ? 0 : a[0]!) + (isFiniteSum(b) ? 0 : b[0]!);
    return [Number.isNaN(total) ? Number.NaN : total];
  }
  return fromUnits(sumUnits(a) + sumUnits(b));
}

/** The canonical list of a sum in units of 2^-2148. */
function fromUnits(units: bigint): ExactSum {
  const result: number[] = [];
  for (let rest = units; rest !== 0n; ) {
    const nearest = roundUnits(rest);
    if (nearest === 0 || !Number.isFinite(nearest)) return writeUnits(units);
    result.push(nearest);
    rest -= toUnits(nearest);
  }
  return result.length === 0 ? noSum : result;
}
