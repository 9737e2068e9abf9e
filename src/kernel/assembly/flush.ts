// Hands out the pairs held, sorted, block by block.
import { addDigest, blockEnd, blockPairs, closeBlock, describePair, hasRoom, blockLimit, blockStart, push, tellOpenEnd } from "./block";
import { copy, decodeNumber, encodeNumber, readVarint, same, varintEnd, writeVarint } from "./bytes";
import { ACCUMULATOR, addState, beginAccumulator, columns, writeState, WRITTEN } from "./columns";
import { collecting, counts, emitted, emptyPool, hashOfEntry, held, nativeEnd, pool, poolEnd, settle, sums } from "./collect";
import { BYTES, foldNumbers, isBeyond, isNumbers, kind, NONE } from "./fold";
import { keyAt, keyBytesAt, pairAt } from "./radix";
import { sortPool } from "./sort";
import { BLOCK, DONE, failBeyond, FOLD, FOLD_FROM, FOLD_TO } from "./state";
import { xxh64, xxh64Word } from "./xxh64";

let records: usize = 0;
let total: u32 = 0;
let index: u32 = 0;
let partition: u32 = 0;
let partitionEnd: u32 = 0;
/**
 * Pairs are read in another order than they lie in, so each read is a cache miss; touching some pairs ahead lets the
 * misses overlap.
 */
const TOUCH: u32 = 32;
let touchedTo: u32 = 0;
/** Cache lines to touch per pair, by the pairs' mean length. */
let touchLines: u32 = 1;
let touched: u32 = 0;
/** Whether equal keys may be neighbours and must be folded; not so when the table held them all. */
let folds: bool = false;

export function beginFlush(): void {
  settle();
  records = (poolEnd + 16 + 15) & ~15;
  total = held;
  sortPool(records);
  index = 0;
  touchedTo = 0;
  touchLines = total == 0 ? 1 : min<u32>(4, 1 + (<u32>(poolEnd - pool) / total + 31) / 64);
  partition = 0;
  partitionEnd = load<u32>(counts);
  folds = kind != NONE && nativeEnd < poolEnd && !(columns != 0 && collecting());
}

export function endFlush(): void {
  emptyPool();
}

function touchAhead(): void {
  touchedTo = min(index + TOUCH, total);
  const end = records + (<usize>touchedTo << 4);
  let sum: u32 = 0;
  for (let record = records + (<usize>index << 4); record < end; record += 16) {
    const pair = pairAt(record);
    for (let line: u32 = 0; line < touchLines; line++) sum += load<u8>(pair + (<usize>line << 6));
  }
  touched = sum;
}

/** The first record behind `index` that differs in key: the records before it are equal. */
// @ts-ignore
@inline
function runEnd(record: usize, key: usize, keyBytes: u32): u32 {
  let next = index + 1;
  for (; next < partitionEnd; next++) {
    record += 16;
    if (keyBytesAt(record) != keyBytes || !same(keyAt(record), key, keyBytes)) break;
  }
  return next;
}

// @ts-ignore
@inline
function valueBytesOf(pair: usize, key: usize): u32 {
  // Nearly always there is one byte in front of the key; where there are more, the byte before that one has its high
  // bit set.
  if (load<u8>(key - 2) < 0x80) return load<u8>(key - 1);
  readVarint(pair, poolEnd);
  return readVarint(varintEnd, poolEnd);
}

/** Results: BLOCK (described), FOLD (records of FOLD_FROM to FOLD_TO, then `skipFolded`), BEYOND, DONE. */
export function nextFlush(): i32 {
  let digest: u64 = 0;
  while (index < total) {
    if (index == partitionEnd) {
      // The next partition that has any.
      addDigest(digest);
      digest = 0;
      if (blockPairs > 0) {
        closeBlock(partition);
        return BLOCK;
      }
      while (index == partitionEnd) {
        partition++;
        partitionEnd = load<u32>(counts + (<usize>partition << 2));
      }
    }
    if (index >= touchedTo) touchAhead();
    const record = records + (<usize>index << 4);
    const pair = pairAt(record);
    const key = keyAt(record);
    const keyBytes = keyBytesAt(record);
    const next = folds ? runEnd(record, key, keyBytes) : index + 1;
    const repeats = next > index + 1;
    if (repeats && kind == BYTES) {
      if (columns != 0 && foldColumns(record, key, keyBytes, next - index)) {
        if (!hasRoom(foldedPairBytes)) {
          addDigest(digest);
          closeBlock(partition);
          return BLOCK;
        }
        digest += pushFolded(key, keyBytes);
        index = next;
        continue;
      }
      addDigest(digest);
      tellOpenEnd();
      store<u32>(FOLD_FROM, <u32>record);
      store<u32>(FOLD_TO, <u32>(records + (<usize>next << 4)));
      return FOLD;
    }
    const valueBytes: u32 = isNumbers ? 8 : valueBytesOf(pair, key);
    const pairBytes = <u32>(key - pair) + keyBytes + valueBytes;
    if (!hasRoom(pairBytes)) {
      addDigest(digest);
      closeBlock(partition);
      return BLOCK;
    }
    if (repeats && !foldRun(record, key, keyBytes, next - index)) return failBeyond(key, keyBytes);
    index = next;
    if (blockStart + pairBytes > blockLimit) {
      if (sums) emitted(xxh64(key, keyBytes, 0), partition, load<u64>(key + keyBytes));
      describePair(pair, key, keyBytes, valueBytes, partition); // the pair is alone: the open block is empty
      return BLOCK;
    }
    const hash = pair < nativeEnd ? hashOfEntry(pair) : xxh64(key, keyBytes, 0);
    digest += isNumbers ? xxh64Word(load<u64>(key + keyBytes), hash) : xxh64(key + keyBytes, valueBytes, hash);
    if (sums) emitted(hash, partition, load<u64>(key + keyBytes));
    const to = blockEnd;
    copy(to, pair, pairBytes);
    push(to + (key - pair), keyBytes, to + pairBytes);
  }
  addDigest(digest);
  if (blockPairs > 0) {
    closeBlock(partition);
    return BLOCK;
  }
  return DONE;
}

/** Folds the numbers of `count` records of one key into the first of them. */
function foldRun(record: usize, key: usize, keyBytes: u32, count: u32): bool {
  let folded = decodeNumber(load<u64>(key + keyBytes));
  for (let i: u32 = 1; i < count; i++) {
    record += 16;
    folded = foldNumbers(folded, decodeNumber(load<u64>(keyAt(record) + keyBytes)), key, keyBytes);
    if (isBeyond(folded)) return false;
  }
  store<u64>(key + keyBytes, encodeNumber(folded));
  return true;
}

/** Bytes of the value that the last `foldColumns` made, and of its pair. */
let foldedBytes: u32 = 0;
let foldedPairBytes: u32 = 0;

/** Folds the columns of `count` records of one key. Returns false where the host has to. */
function foldColumns(record: usize, key: usize, keyBytes: u32, count: u32): bool {
  beginAccumulator(ACCUMULATOR);
  for (let i: u32 = 0; i < count; i++) {
    const at = keyAt(record);
    if (!addState(ACCUMULATOR, at + keyBytes, valueBytesOf(pairAt(record), at))) return false;
    record += 16;
  }
  foldedBytes = writeState(ACCUMULATOR, WRITTEN);
  foldedPairBytes = varintBytes(keyBytes) + varintBytes(foldedBytes) + keyBytes + foldedBytes;
  return blockStart + foldedPairBytes <= blockLimit;
}

function varintBytes(value: u32): u32 {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x200000 ? 3 : value < 0x10000000 ? 4 : 5;
}

/** Writes the pair that was folded to the open block, which has room, and returns its digest. */
function pushFolded(key: usize, keyBytes: u32): u64 {
  const to = writeVarint(writeVarint(blockEnd, keyBytes), foldedBytes);
  copy(to, key, keyBytes);
  memory.copy(to + keyBytes, WRITTEN, foldedBytes);
  push(to, keyBytes, to + keyBytes + foldedBytes);
  return xxh64(WRITTEN, foldedBytes, xxh64(key, keyBytes, 0));
}

/** Goes on behind the records of the last FOLD. */
export function skipFolded(): void {
  index = <u32>((load<u32>(FOLD_TO) - records) >> 4);
}

/** The partition of the records of the last FOLD. */
export function flushPartition(): u32 {
  return partition;
}

/** Closes the open block for the host, whose next pair does not fit into it. DONE where no block is open. */
export function closeOpen(): i32 {
  if (blockPairs == 0) return DONE;
  closeBlock(partition);
  return BLOCK;
}
