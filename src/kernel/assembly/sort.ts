// Sorting what is held, by records of 16 bytes:
//
// record = u64 eight bytes of the key, big-endian, zeros behind its end; u32 offset of the pair; u32 key bytes << 4 |
// header bytes
//
// Records are laid out by partition (a counting sort over the pool, which is in order of emission). Each partition is
// sorted by a most-significant-digit radix sort of the 8 bytes behind what its keys share, digits beginning at the
// highest bit that differs; small buckets by insertion. Records that are still equal differ behind these 8 bytes or not
// at all: they are taken apart by `splitTies`, again and again, deeper each time. Every step keeps the order of equals,
// so emission order survives.
import { compare, head, readVarint, shared, varintEnd } from "./bytes";
import { common, counts, HASH_BYTES, nativeEnd, pool, poolEnd, settleNumber } from "./collect";
import { partitions } from "./partitioner";
import { differenceOf, histogram, INSERTION_MAX, keyAt, keyBytesAt, move, prefixAt, radix } from "./radix";

/** The depth of `splitTies` at which a merge sort takes over, so that the stack is bounded. */
const LEVELS_MAX: i32 = 24;

/** The records whose keys are touched together, in bytes. */
const TOUCH_BYTES: usize = 32 << 4;
let touched: u32 = 0;

/**
 * Sorts all pairs held, with records from `records` on and the same space behind them as scratch. `counts` become
 * partition ends.
 */
export function sortPool(records: usize): void {
  let total: u32 = 0;
  for (let i: u32 = 0; i < partitions; i++) {
    const at = counts + (<usize>i << 2);
    const count = load<u32>(at);
    store<u32>(at, total);
    total += count;
  }
  writeRecords(records);
  const scratch = records + (<usize>total << 4);
  let from: u32 = 0;
  for (let i: u32 = 0; i < partitions; i++) {
    const to = load<u32>(counts + (<usize>i << 2));
    if (to - from > 1) sortPartition(records + (<usize>from << 4), to - from, scratch);
    from = to;
  }
}

function writeRecords(records: usize): void {
  const end = poolEnd;
  const native = nativeEnd;
  const depth = common;
  let at = pool;
  while (at < end) {
    if (at < native) at += HASH_BYTES;
    const slot = counts + (<usize>load<u16>(at) << 2);
    const pair = at + 2;
    let keyBytes: u32 = load<u8>(pair);
    let valueBytes: u32 = load<u8>(pair, 1);
    let key = pair + 2;
    if (((keyBytes | valueBytes) & 0x80) != 0) {
      keyBytes = readVarint(pair, end);
      valueBytes = readVarint(varintEnd, end);
      key = varintEnd;
    }
    if (at < native) settleNumber(key + keyBytes);
    const index = load<u32>(slot);
    store<u32>(slot, index + 1);
    const record = records + (<usize>index << 4);
    store<u64>(record, head(key + depth, <i32>(keyBytes - depth)));
    store<u64>(record, <u64>pair | ((<u64>keyBytes << 4 | <u64>(key - pair)) << 32), 8);
    at = key + keyBytes + valueBytes;
  }
}

function sortPartition(records: usize, count: u32, scratch: usize): void {
  const difference = differenceOf(records, count);
  if (difference == 0) {
    splitTies(records, count, scratch, common, 0);
    return;
  }
  // Four or more bytes that this partition's keys share, beyond what all share, are worth another look at the keys: the
  // radix sort then sees eight bytes that matter.
  let depth = common + (<u32>clz<u64>(difference) >> 3);
  if (depth >= common + 4 && count > INSERTION_MAX && shortest(records, count) >= depth) {
    loadPrefixes(records, count, depth);
    radix(records, scratch, count, differenceOf(records, count), true);
  } else {
    depth = common;
    radix(records, scratch, count, difference, true);
  }
  findTies(records, count, scratch, depth, 0);
}

function shortest(records: usize, count: u32): u32 {
  let least: u32 = u32.MAX_VALUE;
  const end = records + (<usize>count << 4);
  for (let at = records; at < end; at += 16) least = min(least, keyBytesAt(at));
  return least;
}

function loadPrefixes(records: usize, count: u32, depth: u32): void {
  const end = records + (<usize>count << 4);
  for (let at = records; at < end; at += 16) store<u64>(at, head(keyAt(at) + depth, <i32>(keyBytesAt(at) - depth)));
}

/** Touches the keys of ties that are about to be compared: the cache misses overlap instead of adding up. */
function touchTies(at: usize, end: usize, depth: u32): usize {
  let sum: u32 = 0;
  let prefix = prefixAt(at);
  let isTie = false;
  for (let next = at + 16; next < end; next += 16) {
    const other = prefixAt(next);
    if (other == prefix) {
      if (!isTie) sum += load<u8>(keyAt(next - 16) + depth);
      sum += load<u8>(keyAt(next) + depth);
    }
    isTie = other == prefix;
    prefix = other;
  }
  touched = sum;
  return end;
}

/** Takes apart runs of equal prefixes, which are the keys' bytes [depth, depth + 8). */
function findTies(records: usize, count: u32, scratch: usize, depth: u32, level: i32): void {
  const end = records + (<usize>count << 4);
  let at = records;
  let touchedTo = at;
  while (at < end) {
    if (at >= touchedTo) touchedTo = touchTies(at, min(at + TOUCH_BYTES, end), depth);
    const prefix = prefixAt(at);
    let next = at + 16;
    while (next < end && prefixAt(next) == prefix) next += 16;
    if (next - at > 16) splitTies(at, <u32>((next - at) >> 4), scratch + (at - records), depth, level);
    at = next;
  }
}

/** Sorts records whose keys are equal up to depth + 8, where zeros stand for bytes behind a key's end. */
function splitTies(records: usize, count: u32, scratch: usize, depth: u32, level: i32): void {
  const end = records + (<usize>count << 4);
  let least: u32 = u32.MAX_VALUE;
  let most: u32 = 0;
  for (let at = records; at < end; at += 16) {
    const keyBytes = keyBytesAt(at);
    least = min(least, keyBytes);
    most = max(most, keyBytes);
  }
  if (most <= depth + 8 && least == most) return; // equal keys
  if (count <= INSERTION_MAX) {
    insertByKey(records, count, depth);
    return;
  }
  if (least <= depth + 8) {
    // Keys that end here: shorter before longer, and all before those that go on.
    const ended = splitEnded(records, count, scratch, depth);
    records += <usize>ended << 4;
    count -= ended;
    if (count > 1) splitTies(records, count, scratch, depth, level);
    return;
  }
  const first = keyAt(records);
  let common = least;
  for (let at = records + 16; at < end && common > depth + 8; at += 16) common = shared(first, keyAt(at), depth + 8, common);
  if (common == most) return; // equal keys
  if (level >= LEVELS_MAX) {
    mergeByKey(records, count, scratch, common);
    return;
  }
  loadPrefixes(records, count, common);
  radix(records, scratch, count, differenceOf(records, count), true);
  findTies(records, count, scratch, common, level + 1);
}

/**
 * Moves keys of at most depth + 8 bytes to the front, by length, and returns their number. Ten classes, one pass each
 * way.
 */
function splitEnded(records: usize, count: u32, scratch: usize, depth: u32): u32 {
  const bytes = <usize>count << 4;
  memory.copy(scratch, records, bytes);
  memory.fill(histogram, 0, 40);
  for (let at = scratch; at < scratch + bytes; at += 16) {
    const slot = histogram + (<usize>min<u32>(keyBytesAt(at) - depth, 9) << 2);
    store<u32>(slot, load<u32>(slot) + 1);
  }
  let sum: u32 = 0;
  let ended: u32 = 0;
  for (let i: usize = 0; i < 40; i += 4) {
    const n = load<u32>(histogram + i);
    store<u32>(histogram + i, sum);
    if (i == 36) ended = sum;
    sum += n;
  }
  for (let at = scratch; at < scratch + bytes; at += 16) {
    const slot = histogram + (<usize>min<u32>(keyBytesAt(at) - depth, 9) << 2);
    const index = load<u32>(slot);
    store<u32>(slot, index + 1);
    move(records + (<usize>index << 4), at);
  }
  return ended;
}

// @ts-ignore
@inline
function isAbove(record: usize, key: usize, keyBytes: u32, from: u32): bool {
  return compare(keyAt(record), keyBytesAt(record), key, keyBytes, from) > 0;
}

function insertByKey(records: usize, count: u32, from: u32): void {
  const end = records + (<usize>count << 4);
  for (let at = records + 16; at < end; at += 16) {
    const key = keyAt(at);
    const keyBytes = keyBytesAt(at);
    if (!isAbove(at - 16, key, keyBytes, from)) continue;
    const record = v128.load(at);
    let to = at;
    do {
      move(to, to - 16);
      to -= 16;
    } while (to > records && isAbove(to - 16, key, keyBytes, from));
    v128.store(to, record);
  }
}

/** Bottom-up merge sort: for keys made of ever longer repetitions, where taking apart by prefixes would go too deep. */
function mergeByKey(records: usize, count: u32, scratch: usize, from: u32): void {
  const bytes = <usize>count << 4;
  for (let width: usize = 16; width < bytes; width <<= 1) {
    for (let at: usize = 0; at < bytes; at += width << 1) {
      let left = records + at;
      const middle = records + min(at + width, bytes);
      let right = middle;
      const end = records + min(at + (width << 1), bytes);
      for (let to = scratch + at; to < scratch + (end - records); to += 16) {
        if (right == end || (left < middle && !isAbove(left, keyAt(right), keyBytesAt(right), from))) {
          move(to, left);
          left += 16;
        } else {
          move(to, right);
          right += 16;
        }
      }
    }
    memory.copy(records, scratch, bytes);
  }
}
