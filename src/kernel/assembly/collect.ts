// Taking pairs. The pool holds, in order of emission, what was emitted, or with a table one pair per key and its fold so far:
//
//   entry = u16 partition, pair
//   entry of the table = u64 XXH64 of the key, u16 partition, pair    (its value is a native f64 until it is sorted)
//
//   arena: … pool | entry entry entry →      free      ← table |
//
// The sort's records take the table's place afterwards: one pair's two records are no less than its share of the table, so
// both are counted as one.
import { copy, decodeNumber, encodeNumber, readVarint, same, shared, varintEnd } from "./bytes";
import { foldNumbers, isBeyond, isNumbers } from "./fold";
import { EXPLICIT, isByWholeHash, mode, partitions, placeOf, placeOfHash } from "./place";
import { DONE, EMISSION_DIGEST, EMISSIONS, failBeyond, FULL, HELD, MALFORMED, TAKEN } from "./state";
import { AHEAD_MASK, clearTable, growAt, growTable, lookAhead, mask, table, tagOf, TAGS } from "./table";
import { P1, P2, xxh64, xxh64Short, xxh64Word } from "./xxh64";

/** In front of an entry of the table: the hash that partition and digest need, so that it is made once per key. */
export const HASH_BYTES: u32 = 8;
/** Of the sort, per pair: two records. */
const SORT_BYTES: u32 = 32;
/** Combining is judged after each so many pairs, once a quarter of the space is used. */
const WINDOW: u32 = 65536;

export let pool: usize = 0;
export let poolEnd: usize = 0;
/** Up to here values are native f64: entries of the table. */
export let nativeEnd: usize = 0;
export let held: u32 = 0;
/** Pairs held per partition, u32 each. */
export let counts: usize = 0;
let spaceEnd: usize = 0;
/** Leading bytes that all keys held share with the first, so that the sort's records begin behind them. */
export let common: u32 = 0;
let firstKey: usize = 0;

let combines: bool = false;
let gives: bool = false;
let combining: bool = false;
let windowPairs: u32 = 0;
let windowHeld: u32 = 0;

let digest: u64 = 0;
let indexTerm: u64 = 0;
let emissions: f64 = 0;
/** Only sums of whole numbers matter: the emission digest is made of what is handed out (`emitted`), not of what is taken. */
export let sums: bool = false;

/** Begins. `withTable`: 0 never, 1 always, 2 given up while keys don't repeat. `end` leaves slack behind it. */
export function beginCollect(
  poolAt: usize,
  end: usize,
  countsAt: usize,
  withTable: i32,
  firstEmission: f64,
  bySums: bool,
): void {
  sums = bySums;
  pool = poolAt;
  spaceEnd = end;
  counts = countsAt;
  combines = withTable != 0;
  gives = withTable == 2;
  digest = 0;
  emissions = firstEmission;
  indexTerm = <u64>firstEmission * P1;
  emptyPool();
  publish();
}

/** Forgets what is held. */
export function emptyPool(): void {
  poolEnd = pool;
  held = 0;
  memory.fill(counts, 0, <usize>partitions << 2);
  combining = combines;
  windowPairs = 0;
  windowHeld = 0;
  if (combining) clearTable(spaceEnd);
  nativeEnd = combining ? usize.MAX_VALUE : pool;
  publish();
}

function publish(): void {
  store<u64>(EMISSION_DIGEST, digest);
  store<f64>(EMISSIONS, emissions);
  store<u32>(HELD, held);
}

/** Whether an entry of so many bytes fits, with what the sort needs for it; grows the table if it must. */
// @ts-ignore
@inline
function reserve(entryBytes: u32): bool {
  if (poolEnd + entryBytes + (<usize>(held + 1)) * SORT_BYTES > spaceEnd) return false;
  if (!combining) return true;
  if (held >= growAt && !growTable(poolEnd + entryBytes + 16)) return false;
  return poolEnd + entryBytes <= table;
}

/** Takes pairs from [at, end); results: DONE, FULL, MALFORMED, BEYOND. TAKEN says how far it got. */
export function addBatch(at: usize, end: usize): i32 {
  const before = emissions;
  let result: i32;
  if (combining) {
    if (!isByWholeHash()) result = take(at, end, true, false, false);
    else if (mask < AHEAD_MASK) result = take(at, end, true, true, false);
    else result = take(at, end, true, true, true);
  } else if (isByWholeHash()) {
    result = take(at, end, false, true, false);
  } else {
    result = take(at, end, false, false, false);
  }
  publish();
  if (combining) judge(<u32>(emissions - before));
  return result;
}

/** Gives combining up when more than 0.7 of the window's keys were new. */
function judge(pairs: u32): void {
  windowPairs += pairs;
  if (windowPairs < WINDOW) return;
  if (gives && 10 * <u64>(held - windowHeld) > 7 * <u64>windowPairs) {
    const used = poolEnd - pool + <usize>held * SORT_BYTES;
    if (used > (spaceEnd - pool) >> 2) {
      combining = false;
      nativeEnd = poolEnd;
    }
  }
  windowPairs = 0;
  windowHeld = held;
}

// @ts-ignore
@inline
function take(at: usize, end: usize, tabled: bool, wholeHash: bool, ahead: bool): i32 {
  let result: i32 = DONE;
  let sum = digest;
  let term = indexTerm;
  let count: f64 = emissions;
  let tagAt: usize = 0;
  let tagEnd: usize = 0;
  while (at < end) {
    if (ahead && tagAt == tagEnd) {
      tagAt = TAGS;
      tagEnd = lookAhead(at, end);
    }
    // What this pair begins with.
    let pair = at;
    let partition: u32 = 0;
    if (!wholeHash && mode == EXPLICIT) {
      partition = load<u32>(pair);
      pair += 4;
      if (partition >= partitions) {
        result = MALFORMED;
        break;
      }
    }
    let keyBytes: u32 = load<u8>(pair);
    let valueBytes: u32 = load<u8>(pair, 1);
    let key = pair + 2;
    if (((keyBytes | valueBytes) & 0x80) != 0) {
      keyBytes = readVarint(pair, end);
      if (varintEnd != 0) valueBytes = readVarint(varintEnd, end);
      key = varintEnd;
    }
    if (key == 0 || <u64>key + <u64>keyBytes + <u64>valueBytes > <u64>end || ((isNumbers || sums) && valueBytes != 8)) {
      result = MALFORMED;
      break;
    }
    const value = key + keyBytes;
    const next = value + valueBytes;

    let hash: u64;
    let emission: u64;
    const pairBytes = <u32>(next - pair);
    // Read before the entry is made: a large pair was written where its entry goes, or two bytes behind that.
    const word = load<u64>(value);
    if (tabled) {
      let tag: u32;
      if (ahead && tagAt != tagEnd) {
        tag = load<u32>(tagAt);
        tagAt += 4;
      } else {
        tag = tagOf(key, keyBytes);
      }
      // One key may be in several explicit partitions, so they are part of what is looked up.
      if (!wholeHash && mode == EXPLICIT) tag ^= partition * 0x9e3779b1;
      const headerBytes = <u32>(key - pair) + 2;
      const headerWord = load<u16>(pair); // equal for equal lengths under 128; longer keys compare theirs in full below
      const isShort = headerBytes == 4;
      let slot: usize = 0;
      let found: usize = 0;
      let i = tag & mask;
      while (true) {
        slot = table + (<usize>i << 3);
        const content = load<u64>(slot);
        if (content == 0) break;
        if (<u32>(content >> 32) == tag) {
          const entry = <usize>(<u32>content);
          const isAlike = isShort ? load<u16>(entry, 2) == headerWord : same(entry + 2, pair, headerBytes - 2);
          if (isAlike && same(entry + headerBytes, key, keyBytes) && (wholeHash || mode != EXPLICIT || load<u16>(entry) == <u16>partition)) {
            found = entry;
            break;
          }
        }
        i = (i + 1) & mask;
      }
      const number = decodeNumber(word);
      if (found != 0) {
        const fold = found + headerBytes + keyBytes;
        const folded = foldNumbers(load<f64>(fold), number, key, keyBytes);
        if (isBeyond(folded)) {
          result = failBeyond(key, keyBytes);
          break;
        }
        store<f64>(fold, folded);
        hash = load<u64>(found - HASH_BYTES);
        partition = load<u16>(found);
      } else {
        hash = keyBytes < 32 ? xxh64Short(key, keyBytes, 0) : xxh64(key, keyBytes, 0);
        if (wholeHash) partition = placeOfHash(hash);
        else if (mode != EXPLICIT) partition = placeOf(key, keyBytes, hash);
        const tableBefore = table;
        if (!reserve(pairBytes + 2 + HASH_BYTES)) {
          result = FULL;
          break;
        }
        if (table != tableBefore) {
          i = tag & mask;
          while (load<u64>(table + (<usize>i << 3)) != 0) i = (i + 1) & mask;
          slot = table + (<usize>i << 3);
        }
        store<u64>(poolEnd, hash);
        poolEnd += HASH_BYTES;
        store<u64>(slot, (<u64>tag << 32) | <u64>poolEnd);
        append(partition, pair, pairBytes, <u32>(key - pair), keyBytes);
        store<f64>(poolEnd - 8, number);
      }
      if (!sums) emission = xxh64Word(word, (hash + term) ^ (<u64>partition * P2));
      else emission = number > 0 ? 0 : xxh64Word(word, hash ^ (<u64>partition * P2));
    } else {
      hash = keyBytes < 32 ? xxh64Short(key, keyBytes, 0) : xxh64(key, keyBytes, 0);
      if (wholeHash) partition = placeOfHash(hash);
      else if (mode != EXPLICIT) partition = placeOf(key, keyBytes, hash);
      if (!sums) {
        const seed = (hash + term) ^ (<u64>partition * P2);
        emission = valueBytes == 8 ? xxh64Word(word, seed) : xxh64(value, valueBytes, seed);
      } else {
        emission = decodeNumber(word) > 0 ? 0 : xxh64Word(word, hash ^ (<u64>partition * P2));
      }
      if (!reserve(pairBytes + 2)) {
        result = FULL;
        break;
      }
      append(partition, pair, pairBytes, <u32>(key - pair), keyBytes);
    }

    sum += emission;
    term += P1;
    count += 1;
    at = next;
  }
  digest = sum;
  indexTerm = term;
  emissions = count;
  store<u32>(TAKEN, <u32>at);
  return result;
}

// @ts-ignore
@inline
function append(partition: u32, pair: usize, pairBytes: u32, headerBytes: u32, keyBytes: u32): void {
  store<u16>(poolEnd, <u16>partition);
  copy(poolEnd + 2, pair, pairBytes);
  hold(partition, poolEnd + 2 + headerBytes, keyBytes, poolEnd + 2 + pairBytes);
}

// @ts-ignore
@inline
function hold(partition: u32, key: usize, keyBytes: u32, end: usize): void {
  if (held == 0) {
    firstKey = key;
    common = keyBytes;
  } else if (common > 0) {
    common = shared(firstKey, key, 0, min(common, keyBytes));
  }
  poolEnd = end;
  held++;
  const at = counts + (<usize>partition << 2);
  store<u32>(at, load<u32>(at) + 1);
}

/** Whether there is a table now. */
export function collecting(): bool {
  return combining;
}

/** So many words have been taken. */
export function countWords(count: f64): void {
  emissions += count;
  publish();
  if (combining) judge(<u32>count);
}

/** With `sums`, of a pair that is handed out: what its key's values have come to. (They are whole, and below 2^53.) */
// @ts-ignore
@inline
export function emitted(hash: u64, partition: u32, value: u64): void {
  digest += ((hash ^ (<u64>partition * P2)) | 1) * <u64>(<i64>decodeNumber(value));
}

/** A key that the table lacks, with 1; `slot` is where it belongs. False: full. */
export function makeEntryInTable(
  slot: usize,
  tag: u32,
  key: usize,
  keyBytes: u32,
  header: u32,
  headerBytes: u32,
): bool {
  const tableBefore = table;
  if (!reserve(keyBytes + headerBytes + 10 + HASH_BYTES)) return false;
  if (table != tableBefore) {
    let i = tag & mask;
    while (load<u64>(table + (<usize>i << 3)) != 0) i = (i + 1) & mask;
    slot = table + (<usize>i << 3);
  }
  const hash = xxh64(key, keyBytes, 0);
  store<u64>(poolEnd, hash);
  poolEnd += HASH_BYTES;
  store<u64>(slot, (<u64>tag << 32) | <u64>poolEnd);
  writeEntry(placeOf(key, keyBytes, hash), key, keyBytes, header, headerBytes, reinterpret<u64>(<f64>1));
  return true;
}

/** A key with this value, without a table. False: full. */
export function makeEntry(key: usize, keyBytes: u32, header: u32, headerBytes: u32, value: u64): bool {
  if (!reserve(keyBytes + headerBytes + 10)) return false;
  writeEntry(placeOf(key, keyBytes, xxh64(key, keyBytes, 0)), key, keyBytes, header, headerBytes, value);
  return true;
}

// @ts-ignore
@inline
function writeEntry(partition: u32, key: usize, keyBytes: u32, header: u32, headerBytes: u32, value: u64): void {
  store<u16>(poolEnd, <u16>partition);
  store<u32>(poolEnd + 2, header | 0x80000);
  const to = poolEnd + 2 + headerBytes;
  copy(to, key, keyBytes);
  store<u64>(to + keyBytes, value);
  hold(partition, to, keyBytes, to + keyBytes + 8);
}

/**
 * Where the host may write a pair of so many bytes, its explicit partition included, to have it taken by `addBatch`; 0: full.
 * It is where its entry will be, so nothing is held twice.
 */
export function reserveLarge(bytes: u32): usize {
  const hashBytes = combining ? HASH_BYTES : 0;
  const end = <u64>poolEnd + <u64>bytes + <u64>hashBytes + 16;
  if (end + (<u64>held + 1) * SORT_BYTES > <u64>spaceEnd) return 0;
  if (combining && end > <u64>table) return 0;
  return hashBytes + (mode == EXPLICIT ? poolEnd : poolEnd + 2);
}

/** Counts a pair that the host has placed and hashed itself. */
export function countLarge(high: u32, low: u32): void {
  digest += (<u64>high << 32) | <u64>low;
  indexTerm += P1;
  emissions += 1;
  publish();
}

/** Writes the values of the table's entries as values are written; done once, before the sort. */
// @ts-ignore
@inline
export function settleNumber(value: usize): void {
  store<u64>(value, encodeNumber(load<f64>(value)));
}
