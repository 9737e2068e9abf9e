// States of numbers (docs/aggregates.md), folded without a call of JavaScript, to the bytes that
// src/job/aggregate/columns.ts makes:
//
//   value       = column × n, tail
//   accumulator = for each column: f64 (count, least, largest), or a sum
//   sum         = f64 × PARTS, u64 fraction
//
// A sum is kept as a few f64s whose exact sum it is. A number is added to the first, what that loses in rounding to the
// second, and so on: most numbers cost two or three additions that do not wait for each other. The parts may overlap;
// only a sum that is written is made canonical, by the steps of exact-sum.ts. What this can't hold (infinities, sums
// beyond 2^1000, sums of more parts) and what is malformed is left to the host, with the accumulator as it was.
import { copy, decodeNumber, encodeNumber } from "./bytes";

// Kinds of columns, two bits each.
const COUNT: u32 = 0;
const SUM: u32 = 1;
const MIN: u32 = 2;

/** The f64s of a sum. The last one is 0 before a number is added, so that it can take what is left. */
const PARTS: usize = 4;
const LAST_PART: usize = 24;
const FRACTION: usize = 32;
const SUM_BYTES: u32 = 40;
/** Below this size nothing that is added can overflow on the way. */
const CALM: f64 = 1.0715086071862673e301; // 2^1000
const INTEGER_MAX: f64 = 9007199254740991;

// In the state region: beside what the table has there, so that a value can be added while a group of keys is dealt
// with. A sum has at most PARTS canonical parts.
const LIST: usize = 576;
const WORK: usize = 640;
const SNAPSHOT: usize = 3584;
/** Where flush and merge have their one accumulator, and what it is written as. A group of keys is not needed then. */
export const ACCUMULATOR: usize = 1024;
export const WRITTEN: usize = 2048;

/** How many columns values begin with; 0: values are not columns. At most 12, so that a snapshot has room. */
export let columns: u32 = 0;
export let accumulatorBytes: u32 = 0;
let kinds: u32 = 0;

/** `newKinds` has two bits for each column, the first in the lowest. */
export function setColumns(count: u32, newKinds: u32): void {
  columns = count;
  kinds = newKinds;
  accumulatorBytes = 0;
  for (let i: u32 = 0; i < count; i++) accumulatorBytes += kindOf(i) == SUM ? SUM_BYTES : 8;
}

// @ts-ignore
@inline
function kindOf(column: u32): u32 {
  return (kinds >> (column << 1)) & 3;
}

/** The accumulator of no value. */
export function beginAccumulator(to: usize): void {
  let at = to;
  for (let i: u32 = 0; i < columns; i++) {
    const kind = kindOf(i);
    if (kind == SUM) {
      v128.store(at, i64x2.splat(0));
      v128.store(at, i64x2.splat(0), 16);
      store<u64>(at, 0, FRACTION);
      at += SUM_BYTES;
    } else {
      store<f64>(at, kind == COUNT ? 0 : kind == MIN ? Infinity : -Infinity);
      at += 8;
    }
  }
}

/** Whether values are one sum, for which there is a loop of its own. */
// @ts-ignore
@inline
export function isOneSum(): bool {
  return columns == 1 && kinds == SUM;
}

/** As `addState`, in line, where values are one sum. */
// @ts-ignore
@inline
export function addOneSum(to: usize, value: usize, valueBytes: u32): bool {
  const number = decodeNumber(load<u64>(value));
  // The byte behind a value without a tail belongs to what follows; there is always something (`bytes.ts`).
  const head: u32 = valueBytes == 8 ? 0 : load<u8>(value, 8);
  const isPlain = valueBytes - 8 <= 1 && head <= 1;
  if (!isPlain || !(abs<f64>(number) + abs<f64>(load<f64>(to)) <= CALM) || load<f64>(to, LAST_PART) != 0) {
    return addState(to, value, valueBytes);
  }
  addPart(to, number);
  if (head != 0) store<u64>(to, 1, FRACTION);
  return true;
}

/** Adds a value. Returns false where the host has to; then the accumulator stands for what it stood for. */
export function addState(to: usize, value: usize, valueBytes: u32): bool {
  const plainBytes = columns << 3;
  if (valueBytes < plainBytes) return false;
  copy(SNAPSHOT, to, accumulatorBytes);
  if (addColumns(to, value, value + plainBytes, value + valueBytes)) return true;
  memory.copy(to, SNAPSHOT, accumulatorBytes);
  return false;
}

/** Adds the columns in [value, tail), whose sums have further parts in [tail, end). */
function addColumns(to: usize, value: usize, tail: usize, end: usize): bool {
  const numbersEnd = tail;
  const hasTail = tail < end;
  let kindsLeft = kinds;
  for (; value < numbersEnd; value += 8) {
    const kind = kindsLeft & 3;
    kindsLeft >>= 2;
    const number = decodeNumber(load<u64>(value));
    if (kind != SUM) {
      if (!mayTake(kind, load<f64>(to), number)) return false;
      take(to, kind, number);
      to += 8;
      continue;
    }
    if (!hasRoom(to, number)) return false;
    addPart(to, number);
    if (hasTail) {
      // More than a byte stands for more parts than there is room for.
      const head: u32 = tail < end ? load<u8>(tail++) : 0xff;
      if (head > 0x7f) return false;
      if ((head & 1) != 0) store<u64>(to, 1, FRACTION);
      for (let more = head >> 1; more > 0; more--) {
        if (tail + 8 > end) return false;
        const further = decodeNumber(load<u64>(tail));
        tail += 8;
        if (!hasRoom(to, further)) return false;
        addPart(to, further);
      }
    }
    to += SUM_BYTES;
  }
  return tail == end;
}

/** Whether a count stays a whole number, and a least or largest one is none of the many NaNs. */
// @ts-ignore
@inline
function mayTake(kind: u32, before: f64, number: f64): bool {
  return kind == COUNT ? before + number <= INTEGER_MAX : number == number;
}

// @ts-ignore
@inline
function take(at: usize, kind: u32, number: f64): void {
  const before = load<f64>(at);
  if (kind == COUNT) store<f64>(at, before + number);
  else if (kind == MIN ? number < before : number > before) store<f64>(at, number);
}

/** Whether a number can be added to a sum, which may get other parts of the same sum by this. */
// @ts-ignore
@inline
function hasRoom(sum: usize, number: f64): bool {
  if (!(abs<f64>(number) + abs<f64>(load<f64>(sum)) <= CALM)) return false;
  return load<f64>(sum, LAST_PART) == 0 || renew(sum);
}

/** Gives a sum its canonical parts. Returns false where these are too many for another number. */
function renew(sum: usize): bool {
  const count = listOf(sum);
  if (count >= <u32>PARTS) return false;
  for (let i: usize = 0; i < PARTS; i++) store<f64>(sum + (i << 3), i < <usize>count ? load<f64>(LIST + (i << 3)) : 0);
  return true;
}

/** Adds a number to a sum that has room for it. */
// @ts-ignore
@inline
function addPart(sum: usize, number: f64): void {
  const before = load<f64>(sum);
  const total = before + number;
  store<f64>(sum, total);
  const left = errorOf(before, number, total);
  if (left != 0) carry(sum, left);
}

function carry(sum: usize, number: f64): void {
  const second = load<f64>(sum, 8);
  const total = second + number;
  store<f64>(sum, total, 8);
  const left = errorOf(second, number, total);
  if (left == 0) return;
  const third = load<f64>(sum, 16);
  const rest = third + left;
  store<f64>(sum, rest, 16);
  store<f64>(sum, errorOf(third, left, rest), LAST_PART);
}

/** What `a + b` lost when it was rounded to `total` (Knuth's two-sum). */
// @ts-ignore
@inline
function errorOf(a: f64, b: f64, total: f64): f64 {
  const added = total - a;
  return a - (total - added) + (b - added);
}

/** Writes the canonical list of a sum to LIST, and returns how many parts it has. */
function listOf(sum: usize): u32 {
  const first = load<f64>(sum);
  if (load<f64>(sum, 8) == 0 && load<f64>(sum, 16) == 0 && load<f64>(sum, LAST_PART) == 0) {
    store<f64>(LIST, first);
    return first == 0 ? 0 : 1;
  }
  let count: u32 = 0;
  for (let at = sum + LAST_PART; at >= sum; at -= 8) count = grow(count, load<f64>(at));
  return canonical(count);
}

// The next two are those of exact-sum.ts, where it is said why they are right.

function grow(count: u32, value: f64): u32 {
  let kept: u32 = 0;
  let carried = value;
  for (let i: u32 = 0; i < count; i++) {
    const part = workAt(i);
    const total = part + carried;
    const left = errorOf(part, carried, total);
    if (left != 0) setWork(kept++, left);
    carried = total;
  }
  if (carried != 0) setWork(kept++, carried);
  return kept;
}

function canonical(count: u32): u32 {
  let written: u32 = 0;
  let left = count;
  while (left > 0) {
    let high = workAt(--left);
    let low: f64 = 0;
    while (left > 0 && low == 0) {
      const part = workAt(--left);
      const total = high + part;
      low = part - (total - high);
      high = total;
    }
    // A tie that was broken to even is none when what is below lies on the other side.
    if (low != 0 && left > 0 && low < 0 == workAt(left - 1) < 0) {
      const further = high + 2 * low;
      if (further - high == 2 * low) {
        high = further;
        low = -low;
      }
    }
    store<f64>(LIST + (<usize>written << 3), high);
    written++;
    if (low != 0) setWork(left++, low);
  }
  return written;
}

// @ts-ignore
@inline
function workAt(index: u32): f64 {
  return load<f64>(WORK + (<usize>index << 3));
}

// @ts-ignore
@inline
function setWork(index: u32, value: f64): void {
  store<f64>(WORK + (<usize>index << 3), value);
}

/** Writes an accumulator as a value and returns its bytes: at most those of the accumulator. */
export function writeState(from: usize, to: usize): u32 {
  let at = from;
  let tail = to + (<usize>columns << 3);
  let isPlain = true;
  for (let i: u32 = 0; i < columns; i++) {
    const column = to + (<usize>i << 3);
    if (kindOf(i) != SUM) {
      store<u64>(column, encodeNumber(load<f64>(at)));
      at += 8;
      continue;
    }
    const count = listOf(at);
    const more: u32 = count == 0 ? 0 : count - 1;
    const fraction = <u32>load<u64>(at, FRACTION);
    store<u64>(column, encodeNumber(count == 0 ? 0 : load<f64>(LIST)));
    if ((more | fraction) != 0) isPlain = false;
    store<u8>(tail++, <u8>((more << 1) | fraction));
    for (let part: usize = 1; part <= <usize>more; part++, tail += 8) {
      store<u64>(tail, encodeNumber(load<f64>(LIST + (part << 3))));
    }
    at += SUM_BYTES;
  }
  return isPlain ? columns << 3 : <u32>(tail - to);
}
