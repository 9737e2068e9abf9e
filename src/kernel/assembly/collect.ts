// Taking pairs. The pool holds what was emitted, in order of emission; or, with a table, one pair per key with its fold
// so far:
//
//   entry = u16 partition, pair
//   entry of the table = u64 XXH64 of the key, u16 partition, pair    (its value is in the table, and then a native f64 until
//                                                                      it is sorted)
//   entry of the table, of columns: `folding-columns.ts`
//
//   arena: … pool | entry entry entry →      free      ← table |
//
// The sort's records take the table's place afterwards, so there must be room for either of them, not for both.
import { copy, decodeNumber, encodeNumber, readVarint, shared, varintEnd } from "./bytes";
import { columns } from "./columns";
import { isNumbers } from "./fold";
import { takeFolding } from "./folding";
import { settleEntries, takeColumns } from "./folding-columns";
import { EXPLICIT, isByWholeHash, mode, partitions, partitionOf, partitionOfHash } from "./partitioner";
import { DONE, EMISSION_DIGEST, EMISSIONS, FULL, HELD, MALFORMED, ODD, TAKEN } from "./state";
import { addNode, clearTable, growFor, NODE, rememberKeys, settleTable, table } from "./table";
import { P1, P2, xxh64, xxh64Nine, xxh64Short, xxh64Word } from "./xxh64";

/** An entry of the table begins with the hash that partition and digest need, so that it is computed once per key. */
export const HASH_BYTES: u32 = 8;
/** What the sort takes per pair: two records. */
const SORT_BYTES: u32 = 32;
/** Combining is judged each time this many pairs were taken, once a quarter of the space is used. */
const WINDOW: u32 = 65536;

export let pool: usize = 0;
export let poolEnd: usize = 0;
/** Entries up to here belong to the table: their values are native f64. */
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
/**
 * Only sums of whole numbers matter: the emission digest is made of what is handed out (`emitted`), not of what is
 * taken.
 */
export let sums: bool = false;

/** Begins. `withTable`: 0 never, 1 always, 2 until keys turn out not to repeat. `end` leaves slack behind it. */
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

/** Forgets all pairs held. */
export function emptyPool(): void {
  if (combining) rememberKeys(held);
  poolEnd = pool;
  held = 0;
  memory.fill(counts, 0, <usize>partitions << 2);
  combining = combines;
  windowPairs = 0;
  windowHeld = 0;
  if (combining) clearTable(pool, spaceEnd);
  nativeEnd = combining && columns == 0 ? usize.MAX_VALUE : pool;
  publish();
}

function publish(): void {
  store<u64>(EMISSION_DIGEST, digest);
  store<f64>(EMISSIONS, emissions);
  store<u32>(HELD, held);
}

/** Whether an entry of this many bytes fits, together with what the sort needs for it. */
// @ts-ignore
@inline
export function reserve(entryBytes: u32): bool {
  if (poolEnd + entryBytes + (<usize>(held + 1)) * SORT_BYTES > spaceEnd) return false;
  return !combining || poolEnd + entryBytes + NODE <= table;
}

/** Takes pairs from [at, end). Results: DONE, FULL, MALFORMED, BEYOND. TAKEN says how far it got. */
export function addBatch(at: usize, end: usize): i32 {
  const before = emissions;
  let result: i32 = combining && columns != 0 ? takeColumns(at, end) : ODD;
  if (result == ODD) {
    if (columns != 0 && combining) {
      at = load<u32>(TAKEN);
      giveUp();
    }
    result = combining ? takeFolding(at, end) : isByWholeHash() ? take(at, end, true) : take(at, end, false);
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
    if (used > (spaceEnd - pool) >> 2) giveUp();
  }
  windowPairs = 0;
  windowHeld = held;
}

/** Gives the table up; from here on pairs go into the pool only. */
export function giveUp(): void {
  if (!combining) return;
  settle();
  combining = false;
  nativeEnd = columns != 0 ? pool : poolEnd;
}

/** Takes pairs into the pool. */
// @ts-ignore
@inline
function take(at: usize, end: usize, wholeHash: bool): i32 {
  let result: i32 = DONE;
  let sum = digest;
  let term = indexTerm;
  let count: f64 = emissions;
  while (at < end) {
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
    const hash = keyBytes < 32 ? xxh64Short(key, keyBytes, 0) : xxh64(key, keyBytes, 0);
    if (wholeHash) partition = partitionOfHash(hash);
    else if (mode != EXPLICIT) partition = partitionOf(key, keyBytes, hash);
    // Must come before the entry is made: a large pair was written where its entry goes, or two bytes behind that.
    const emission = valueBytes == 8 ? numberTerm(hash, partition, term, load<u64>(value)) : xxh64(value, valueBytes, (hash + term) ^ (<u64>partition * P2));
    const pairBytes = <u32>(next - pair);
    if (!reserve(pairBytes + 2)) {
      result = FULL;
      break;
    }
    append(partition, pair, pairBytes, <u32>(key - pair), keyBytes);
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

/** What a pair whose value is this word adds to the emission digest when it is taken. */
// @ts-ignore
@inline
function numberTerm(hash: u64, partition: u32, term: u64, word: u64): u64 {
  if (!sums) return xxh64Word(word, (hash + term) ^ (<u64>partition * P2));
  return decodeNumber(word) > 0 ? 0 : xxh64Word(word, hash ^ (<u64>partition * P2));
}

/** Counts this many pairs as taken into the table. */
export function countPairs(count: u32): void {
  emissions += <f64>count;
}

/**
 * Adds the emission term of a pair in the table, with the hash and partition of its key; with `sums`, only the term for
 * values that are not above 0.
 */
export function addTerm(hash: u64, partition: u32, word: u64): void {
  digest += xxh64Word(word, (sums ? hash : hash + indexTerm) ^ (<u64>partition * P2));
  indexTerm += P1;
}

/** Adds the emission term of a pair of columns in the table. */
export function addTermOf(hash: u64, partition: u32, value: usize, valueBytes: u32): void {
  const seed = (hash + indexTerm) ^ (<u64>partition * P2);
  digest += valueBytes == 8 ? xxh64Word(load<u64>(value), seed) : valueBytes == 9 ? xxh64Nine(value, seed) : xxh64(value, valueBytes, seed);
  indexTerm += P1;
}

/** Makes an entry of the table for a pair; `reserve` has found room for it. Returns the offset of its value. */
export function makePair(partition: u32, hash: u64, pair: usize, pairBytes: u32, keyBytes: u32): usize {
  store<u64>(poolEnd, hash);
  poolEnd += HASH_BYTES;
  append(partition, pair, pairBytes, pairBytes - keyBytes - 8, keyBytes);
  return poolEnd - 8;
}

// @ts-ignore
@inline
function append(partition: u32, pair: usize, pairBytes: u32, headerBytes: u32, keyBytes: u32): void {
  store<u16>(poolEnd, <u16>partition);
  copy(poolEnd + 2, pair, pairBytes);
  hold(partition, poolEnd + 2 + headerBytes, keyBytes, poolEnd + 2 + pairBytes);
}

/** Holds the entry of the table that was made behind the pool, up to `end`. */
export function holdColumns(partition: u32, key: usize, keyBytes: u32, end: usize): void {
  hold(partition, key, keyBytes, end);
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

/** XXH64 of the key of an entry of the table, whose pair begins there. */
// @ts-ignore
@inline
export function hashOfEntry(pair: usize): u64 {
  return load<u64>(pair - 2 - HASH_BYTES);
}

/** Writes what the table has into its entries, before the sort. */
export function settle(): void {
  if (!combining) return;
  if (columns == 0) {
    settleTable();
    return;
  }
  poolEnd = settleEntries(pool, poolEnd);
  if (held == 0) return;
  readVarint(pool + 2, poolEnd);
  readVarint(varintEnd, poolEnd);
  firstKey = varintEnd;
}

/** Makes room in the table for another group of keys. Returns false when it is full. */
export function growTable(): bool {
  return growFor(poolEnd);
}

/** Counts this many words as taken. */
export function countWords(count: f64): void {
  emissions += count;
  publish();
  if (combining) judge(<u32>count);
}

/**
 * With `sums`: adds the term of a pair that is handed out, for the sum of its key's values. (It is whole, and below
 * 2^53.)
 */
// @ts-ignore
@inline
export function emitted(hash: u64, partition: u32, value: u64): void {
  digest += ((hash ^ (<u64>partition * P2)) | 1) * <u64>(<i64>decodeNumber(value));
}

/** Makes an entry for a word that was described, with the value 1. Returns false when there is no room. */
export function makeWord(one: usize, shape: u32, key: usize, keyBytes: u32, header: u32, headerBytes: u32): bool {
  if (!reserve(keyBytes + headerBytes + 10 + HASH_BYTES)) return false;
  const hash = keyBytes < 32 ? xxh64Short(key, keyBytes, 0) : xxh64(key, keyBytes, 0);
  store<u64>(poolEnd, hash);
  poolEnd += HASH_BYTES;
  writeEntry(partitionOf(key, keyBytes, hash), key, keyBytes, header, headerBytes, 0);
  addNode(one, shape, 1, poolEnd - 8);
  return true;
}

/** Makes an entry for a key with this value, without a table. Returns false when there is no room. */
export function makeEntry(key: usize, keyBytes: u32, header: u32, headerBytes: u32, value: u64): bool {
  if (!reserve(keyBytes + headerBytes + 10)) return false;
  writeEntry(partitionOf(key, keyBytes, xxh64(key, keyBytes, 0)), key, keyBytes, header, headerBytes, value);
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
 * Where the host may write a pair of this many bytes, its explicit partition included, to have it taken by `addBatch`;
 * 0 when there is no room. It is where the pair's entry will be, so nothing is held twice.
 */
export function reserveLarge(bytes: u32): usize {
  // Entries of columns are not their pairs.
  if (columns != 0) giveUp();
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

/** Encodes the value of an entry of the table; done once, before the sort. */
// @ts-ignore
@inline
export function settleNumber(value: usize): void {
  store<u64>(value, encodeNumber(load<f64>(value)));
}
