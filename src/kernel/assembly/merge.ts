// Merging: takes pairs from the tree of sources in order, folds equal keys where a fold is set, and fills the block.
import {
  addDigest,
  blockEnd,
  blockPairs,
  closeBlock,
  dropLast,
  hasRoom,
  lastKeyAt,
  blockLimit,
  lastKeyBytes,
  moveLast,
  openBlock,
  push,
} from "./block";
import { copy, decodeNumber, encodeNumber, same, writeVarint } from "./bytes";
import { ACCUMULATOR, addState, beginAccumulator, columns, writeState, WRITTEN } from "./columns";
import { BYTES, foldNumbers, isBeyond, kind, NONE } from "./fold";
import {
  BLOCK,
  DONE,
  failBeyond,
  FOLD,
  KEY_AT,
  KEY_BYTES,
  LEFT_AT,
  LEFT_BYTES,
  NEED,
  RIGHT_AT,
  RIGHT_BYTES,
  SETTLE,
  SOURCE,
} from "./state";
import { buildTree, common, commonOfAll, replay, setPair, setSources, sourceAt, sourceCount, tree } from "./tree";
import { xxh64, xxh64Short, xxh64Word } from "./xxh64";

/** The source whose next block is awaited; -1 until the first blocks are there. */
let awaited: i32 = -1;
let isBuilt: bool = false;

// The last pair of the open block, while later ones of the same key may still be folded into it.
let pendingStart: usize = 0; // 0: none
let pendingKey: usize = 0;
let pendingKeyBytes: u32 = 0;
let pendingValueBytes: u32 = 0;
let pendingHash: u64 = 0;
let pendingDigest: u64 = 0;
let pendingNumber: f64 = 0;
let pendingFolded: bool = false;
/** Whether its values so far are in the accumulator (`columns.ts`), and no longer what stands in the block. */
let pendingTallied: bool = false;
/** Whether the host has folded the current pair's value already, so that the pair is only passed over. */
let skips: bool = false;
let beforeKey: usize = 0;
let beforeKeyBytes: u32 = 0;

/**
 * Begins, with source records and tree at the given places. The host then loads each source's first block and calls
 * `nextMerge`.
 */
export function beginMerge(sourcesAt: usize, count: u32, treeAt: usize): void {
  setSources(sourcesAt, count, treeAt);
  awaited = -1;
  isBuilt = false;
  pendingStart = 0;
  pendingFolded = false;
  pendingTallied = false;
  skips = false;
  openBlock();
}

/** Goes on after a block was loaded: plays it, or builds the tree again where the keys share another prefix now. */
function resume(): void {
  if (isBuilt && commonOfAll() == common) replay(<u32>awaited);
  else buildTree();
  isBuilt = true;
  awaited = -1;
}

/**
 * Results:
 *
 * - BLOCK: a block is described.
 * - NEED: load the next block of SOURCE (or, with 0 bytes, its end), then call again.
 * - FOLD: fold bytes; KEY, LEFT and RIGHT are described; then call again.
 * - SETTLE: the host has folded the pending pair; or the kernel has, and it does not fit into the block: KEY and LEFT
 *   are described. The host takes the pair out (`dropPending`) and writes the folded one.
 * - BEYOND; DONE.
 */
export function nextMerge(): i32 {
  if (sourceCount == 0) return DONE;
  if (!isBuilt || awaited >= 0) resume();
  return kind == NONE ? run(false) : run(true);
}

// @ts-ignore
@inline
function run(folds: bool): i32 {
  while (true) {
    const winner = load<u32>(tree, 8);
    const source = sourceAt(winner);
    const end = load<u32>(source, 4);
    if (end == 0) break;
    const pair = load<u32>(source, 8);
    const key = load<u32>(source, 12);
    const keyBytes = load<u32>(source, 16);
    const pairBytes = load<u32>(source, 20);
    const value = key + keyBytes;
    const next = pair + pairBytes;
    const valueBytes = next - value;

    const hash = keyBytes < 32 ? xxh64Short(key, keyBytes, 0) : xxh64(key, keyBytes, 0);
    const digest = valueBytes == 8 ? xxh64Word(load<u64>(value), hash) : xxh64(value, valueBytes, hash);
    if (folds && pendingStart != 0 && pendingKeyBytes == keyBytes && same(pendingKey, key, keyBytes)) {
      if (kind == BYTES) {
        if (!foldBytes(value, valueBytes)) return FOLD;
      } else {
        pendingNumber = foldNumbers(pendingNumber, decodeNumber(load<u64>(value)), pendingKey, keyBytes);
        if (isBeyond(pendingNumber)) return failBeyond(pendingKey, keyBytes);
        pendingFolded = true;
      }
    } else {
      if (folds && pendingStart != 0) {
        if (kind == BYTES) {
          if (!settleBytes()) return SETTLE;
        } else settle();
      }
      if (!hasRoom(pairBytes)) {
        closeBlock(0);
        return BLOCK;
      }
      const to = blockEnd;
      copy(to, pair, pairBytes);
      if (folds) {
        beforeKey = lastKeyAt();
        beforeKeyBytes = lastKeyBytes();
        pendingStart = to;
        pendingKey = to + (key - pair);
        pendingKeyBytes = keyBytes;
        pendingValueBytes = valueBytes;
        pendingHash = hash;
        pendingDigest = digest;
        pendingFolded = false;
        if (kind != BYTES) pendingNumber = decodeNumber(load<u64>(value));
      } else {
        addDigest(digest);
      }
      push(to + (key - pair), keyBytes, to + pairBytes);
    }
    store<u64>(source, load<u64>(source, 24) + digest, 24);
    store<u64>(source, load<u64>(source, 32) + 1, 32);
    if (next == end) {
      awaited = <i32>winner;
      store<u32>(SOURCE, winner);
      return NEED;
    }
    setPair(source, next);
    replay(winner);
  }
  if (folds && pendingStart != 0) {
    if (kind == BYTES) {
      if (!settleBytes()) return SETTLE;
    } else settle();
  }
  if (blockPairs > 0) {
    closeBlock(0);
    return BLOCK;
  }
  return DONE;
}

/** Folds a value into those of the pending pair. Returns false where the host has to, for which it is described. */
function foldBytes(value: usize, valueBytes: u32): bool {
  if (columns != 0 && !pendingFolded && tally(value, valueBytes)) return true;
  if (pendingFolded && skips) {
    skips = false;
    return true;
  }
  pendingFolded = true;
  describeFold(value, valueBytes);
  skips = true;
  return false;
}

/** Closes the pending pair of bytes. Returns false where the host has to write it. */
function settleBytes(): bool {
  if (pendingFolded) return false;
  if (pendingTallied) return settleTallied();
  addDigest(pendingDigest);
  pendingStart = 0;
  return true;
}

/** Adds a value to those of the pending pair. Returns false where the host has to. */
function tally(value: usize, valueBytes: u32): bool {
  if (!pendingTallied) {
    beginAccumulator(ACCUMULATOR);
    if (!addState(ACCUMULATOR, pendingKey + pendingKeyBytes, pendingValueBytes)) return false;
  }
  if (!addState(ACCUMULATOR, value, valueBytes)) return false;
  pendingTallied = true;
  return true;
}

/**
 * Writes what the pending pair has come to over it, and closes it. Where there is no room for it, describes it for the
 * host and returns false.
 */
function settleTallied(): bool {
  pendingTallied = false;
  const valueBytes = writeState(ACCUMULATOR, WRITTEN);
  // The lengths of a key and a value stand in front of the key.
  const header = pendingKey - pendingStart;
  const value = writeVarint(writeVarint(HEADER, pendingKeyBytes), valueBytes);
  const headerBytes = value - HEADER;
  const end = pendingStart + headerBytes + pendingKeyBytes + valueBytes;
  if (end > blockLimit && headerBytes + valueBytes > header + pendingValueBytes) {
    describePending(WRITTEN, valueBytes);
    return false;
  }
  if (headerBytes != header) memory.copy(pendingStart + headerBytes, pendingKey, pendingKeyBytes);
  memory.copy(pendingStart, HEADER, headerBytes);
  memory.copy(end - valueBytes, WRITTEN, valueBytes);
  moveLast(pendingStart + headerBytes, end);
  addDigest(xxh64(WRITTEN, valueBytes, pendingHash));
  pendingStart = 0;
  return true;
}

/** A few bytes in the state region, behind what `columns.ts` has there. */
const HEADER: usize = 720;

function describePending(value: usize, valueBytes: u32): void {
  store<u32>(KEY_AT, <u32>pendingKey);
  store<u32>(KEY_BYTES, pendingKeyBytes);
  store<u32>(LEFT_AT, <u32>value);
  store<u32>(LEFT_BYTES, valueBytes);
}

function describeFold(value: usize, valueBytes: u32): void {
  if (pendingTallied) describePending(WRITTEN, writeState(ACCUMULATOR, WRITTEN));
  else describePending(pendingKey + pendingKeyBytes, pendingValueBytes);
  pendingTallied = false;
  store<u32>(RIGHT_AT, <u32>value);
  store<u32>(RIGHT_BYTES, valueBytes);
}

/** Closes the pending pair: no more values come for it. */
// @ts-ignore
@inline
function settle(): void {
  if (pendingFolded) {
    const word = encodeNumber(pendingNumber);
    store<u64>(pendingKey + pendingKeyBytes, word);
    addDigest(xxh64Word(word, pendingHash));
  } else {
    addDigest(pendingDigest);
  }
  pendingStart = 0;
}

/** The host's answer to SETTLE: takes the pending pair out of the block. The host has copied its key. */
export function dropPending(): void {
  dropLast(pendingStart, beforeKey, beforeKeyBytes);
  pendingStart = 0;
  pendingFolded = false;
}

/** Closes the open block for the host. DONE where no block is open. */
export function closeMerge(): i32 {
  if (blockPairs == 0) return DONE;
  closeBlock(0);
  return BLOCK;
}
