// Merging sources, each with one block in the arena, by a tree of losers (Knuth, The Art of Computer Programming 3, 5.4.1).
//
//   source = u32 buffer, u32 end (0: exhausted), u32 pair, u32 key, u32 key bytes, u32 pair bytes, u64 digest, u64 pairs,
//            u64 prefix of the key, u32 bytes that all keys of its block share                                     (64 bytes)
//   node   = u64 prefix, u32 source                                                        (16 bytes; node 0 is the winner)
//
// Prefixes are the 8 bytes behind what the keys of all current blocks share, so most comparisons are one of numbers. What
// comes from files is checked when a block is loaded: pairs end where the block does, numbers are 8 bytes.
import {
  addDigest,
  blockEnd,
  blockLimit,
  blockPairs,
  blockStart,
  closeBlock,
  digestOf,
  dropLast,
  hasRoom,
  lastKeyAt,
  lastKeyBytes,
  openBlock,
  push,
} from "./block";
import { compare, copy, decodeNumber, encodeNumber, head, readVarint, same, shared, varintEnd } from "./bytes";
import { BYTES, foldNumbers, isBeyond, isNumbers, kind, NONE } from "./fold";
import {
  BLOCK,
  DONE,
  failBeyond,
  FOLD,
  KEY_AT,
  KEY_BYTES,
  LEFT_AT,
  LEFT_BYTES,
  MALFORMED,
  NEED,
  RIGHT_AT,
  RIGHT_BYTES,
  SETTLE,
  SOURCE,
} from "./state";
import { xxh64, xxh64Short, xxh64Word } from "./xxh64";

let sources: usize = 0;
let sourceCount: u32 = 0;
let tree: usize = 0;
/** Leading bytes that all keys of the current blocks share. */
let common: u32 = 0;
/** The source whose next block is awaited; -1 before the first blocks are there. */
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
/** Whether the host has folded the current pair's value already, so that it is only to be passed over. */
let skips: bool = false;
let beforeKey: usize = 0;
let beforeKeyBytes: u32 = 0;

// @ts-ignore
@inline
function sourceAt(index: u32): usize {
  return sources + (<usize>index << 6);
}

/** Begins; source records and tree at the given places. The host then loads each source's first block and calls `nextMerge`. */
export function beginMerge(sourcesAt: usize, count: u32, treeAt: usize): void {
  sources = sourcesAt;
  sourceCount = count;
  tree = treeAt;
  awaited = -1;
  isBuilt = false;
  pendingStart = 0;
  pendingFolded = false;
  skips = false;
  openBlock();
  memory.fill(sourcesAt, 0, <usize>count << 6);
}

/** Checks the block that the host has put at buffer, and makes its first pair the source's current one. */
export function loadBlock(index: u32, buffer: usize, bytes: u32): i32 {
  const source = sourceAt(index);
  const end = buffer + bytes;
  store<u32>(source, <u32>buffer);
  store<u32>(source, bytes == 0 ? 0 : <u32>end, 4);
  store<u64>(source, u64.MAX_VALUE, 40);
  if (bytes == 0) return DONE;
  let at = buffer;
  let key: usize = 0;
  let keyBytes: u32 = 0;
  while (at < end) {
    keyBytes = load<u8>(at);
    let valueBytes: u32 = load<u8>(at, 1);
    key = at + 2;
    if (((keyBytes | valueBytes) & 0x80) != 0) {
      keyBytes = readVarint(at, end);
      if (varintEnd != 0) valueBytes = readVarint(varintEnd, end);
      key = varintEnd;
      if (key == 0) return MALFORMED;
    }
    const next = <u64>key + <u64>keyBytes + <u64>valueBytes;
    if (next > <u64>end || (isNumbers && valueBytes != 8)) return MALFORMED;
    at = <usize>next;
  }
  setPair(source, buffer);
  const first = load<u32>(source, 12);
  store<u32>(source, shared(first, key, 0, min(load<u32>(source, 16), keyBytes)), 48);
  return DONE;
}

/** Makes the pair at `pair` the source's current one. The block has been checked. */
// @ts-ignore
@inline
function setPair(source: usize, pair: usize): void {
  let keyBytes: u32 = load<u8>(pair);
  let valueBytes: u32 = load<u8>(pair, 1);
  let key = pair + 2;
  if (((keyBytes | valueBytes) & 0x80) != 0) {
    const end = load<u32>(source, 4);
    keyBytes = readVarint(pair, end);
    valueBytes = readVarint(varintEnd, end);
    key = varintEnd;
  }
  store<u32>(source, <u32>pair, 8);
  store<u32>(source, <u32>key, 12);
  store<u32>(source, keyBytes, 16);
  store<u32>(source, <u32>(key - pair) + keyBytes + valueBytes, 20);
  store<u64>(source, head(key + common, <i32>(keyBytes - common)), 40);
}

/** What the keys of all current blocks share, from blocks' own shares and the current keys. */
function commonOfAll(): u32 {
  let least: u32 = u32.MAX_VALUE;
  let reference: usize = 0;
  for (let i: u32 = 0; i < sourceCount; i++) {
    const source = sourceAt(i);
    if (load<u32>(source, 4) == 0) continue;
    least = min(least, load<u32>(source, 48));
    const key = load<u32>(source, 12);
    if (reference == 0) reference = key;
    else if (least > 0) least = shared(reference, key, 0, least);
    if (least == 0) return 0;
  }
  return least == u32.MAX_VALUE ? 0 : least;
}

/** Whether source a's pair comes before source b's, whose prefix is the same. */
function isBefore(a: u32, b: u32): bool {
  const x = sourceAt(a);
  const y = sourceAt(b);
  if (load<u32>(x, 4) == 0) return false;
  if (load<u32>(y, 4) == 0) return true;
  const order = compare(load<u32>(x, 12), load<u32>(x, 16), load<u32>(y, 12), load<u32>(y, 16), common);
  return order != 0 ? order < 0 : a < b;
}

function buildTree(): void {
  common = commonOfAll();
  for (let i: u32 = 0; i < sourceCount; i++) {
    const source = sourceAt(i);
    if (load<u32>(source, 4) != 0) {
      store<u64>(source, head(load<u32>(source, 12) + common, <i32>(load<u32>(source, 16) - common)), 40);
    }
    store<u32>(tree + (<usize>i << 4), u32.MAX_VALUE, 8);
  }
  for (let i: u32 = 0; i < sourceCount; i++) {
    let prefix = load<u64>(sourceAt(i), 40);
    let winner = i;
    let node = (i + sourceCount) >> 1;
    for (; node > 0; node >>= 1) {
      const at = tree + (<usize>node << 4);
      const other = load<u32>(at, 8);
      if (other == u32.MAX_VALUE) {
        store<u64>(at, prefix);
        store<u32>(at, winner, 8);
        break;
      }
      const otherPrefix = load<u64>(at);
      if (otherPrefix < prefix || (otherPrefix == prefix && isBefore(other, winner))) {
        store<u64>(at, prefix);
        store<u32>(at, winner, 8);
        prefix = otherPrefix;
        winner = other;
      }
    }
    if (node == 0) {
      store<u64>(tree, prefix);
      store<u32>(tree, winner, 8);
    }
  }
}

/** Plays the source's new pair from its leaf to the root. No branch on who wins: it can't be predicted. */
// @ts-ignore
@inline
function replay(index: u32): void {
  let prefix = load<u64>(sourceAt(index), 40);
  let winner: u64 = <u64>index;
  for (let node = (index + sourceCount) >> 1; node > 0; node >>= 1) {
    const at = tree + (<usize>node << 4);
    const otherPrefix = load<u64>(at);
    const other = load<u64>(at, 8);
    let wins = otherPrefix < prefix;
    if (otherPrefix == prefix) wins = isBefore(<u32>other, <u32>winner);
    const swap = <u64>0 - <u64>wins;
    const a = (prefix ^ otherPrefix) & swap;
    const b = (winner ^ other) & swap;
    store<u64>(at, otherPrefix ^ a);
    store<u64>(at, other ^ b, 8);
    prefix ^= a;
    winner ^= b;
  }
  store<u64>(tree, prefix);
  store<u64>(tree, winner, 8);
}

/** After a block was loaded: plays it, or builds the tree anew where the keys share another prefix now. */
function resume(): void {
  if (isBuilt && commonOfAll() == common) replay(<u32>awaited);
  else buildTree();
  isBuilt = true;
  awaited = -1;
}

/**
 * Results: BLOCK; NEED the next block of SOURCE (or, with 0 bytes, its end) and then again; FOLD bytes: KEY, LEFT and RIGHT
 * are described, then again; SETTLE: the pending pair was folded by the host, which takes it out (`dropPending`) and writes
 * the folded one; BEYOND; DONE.
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
        if (!pendingFolded || !skips) {
          pendingFolded = true;
          describeFold(value, valueBytes);
          skips = true;
          return FOLD;
        }
        skips = false;
      } else {
        pendingNumber = foldNumbers(pendingNumber, decodeNumber(load<u64>(value)), pendingKey, keyBytes);
        if (isBeyond(pendingNumber)) return failBeyond(pendingKey, keyBytes);
        pendingFolded = true;
      }
    } else {
      if (folds && pendingStart != 0) {
        if (kind == BYTES && pendingFolded) return SETTLE;
        settle();
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
    if (kind == BYTES && pendingFolded) return SETTLE;
    settle();
  }
  if (blockPairs > 0) {
    closeBlock(0);
    return BLOCK;
  }
  return DONE;
}

function describeFold(value: usize, valueBytes: u32): void {
  store<u32>(KEY_AT, <u32>pendingKey);
  store<u32>(KEY_BYTES, pendingKeyBytes);
  store<u32>(LEFT_AT, <u32>(pendingKey + pendingKeyBytes));
  store<u32>(LEFT_BYTES, pendingValueBytes);
  store<u32>(RIGHT_AT, <u32>value);
  store<u32>(RIGHT_BYTES, valueBytes);
}

/** Nothing more comes for the pending pair. */
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

/** SETTLE: takes the pending pair out of the block; the host has copied its key. */
export function dropPending(): void {
  dropLast(pendingStart, beforeKey, beforeKeyBytes);
  pendingStart = 0;
  pendingFolded = false;
}

/** Closes the open block for the host; DONE where none is open. */
export function closeMerge(): i32 {
  if (blockPairs == 0) return DONE;
  closeBlock(0);
  return BLOCK;
}
