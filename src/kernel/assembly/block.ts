// The block being filled, by flush and by merge.
import { shared } from "./bytes";
import { BLOCK_DIGEST, BLOCK_END, BLOCK_PAIRS, BLOCK_PARTITION, BLOCK_PREFIX, BLOCK_START, OPEN_END } from "./state";
import { xxh64 } from "./xxh64";

export let blockStart: usize = 0;
/** Where a block of more than one pair must end. */
export let blockLimit: usize = 0;
export let blockEnd: usize = 0;
export let blockPairs: u32 = 0;
export let blockDigest: u64 = 0;
let firstKey: usize = 0;
let firstBytes: u32 = 0;
let lastKey: usize = 0;
let lastBytes: u32 = 0;

export function setBlock(start: usize, bytes: u32): void {
  blockStart = start;
  blockLimit = start + bytes;
  openBlock();
}

export function openBlock(): void {
  blockEnd = blockStart;
  blockPairs = 0;
  blockDigest = 0;
  tellOpenEnd();
}

// @ts-ignore
@inline
export function hasRoom(pairBytes: u32): bool {
  return blockPairs == 0 || blockEnd + pairBytes <= blockLimit;
}

/** Counts a pair whose key is at `key` and which has been written up to `end`; its digest is added apart. */
// @ts-ignore
@inline
export function push(key: usize, keyBytes: u32, end: usize): void {
  if (blockPairs == 0) {
    firstKey = key;
    firstBytes = keyBytes;
  }
  lastKey = key;
  lastBytes = keyBytes;
  blockPairs++;
  blockEnd = end;
}

// @ts-ignore
@inline
export function addDigest(digest: u64): void {
  blockDigest += digest;
}

/** Tells the host where the open block ends, before the host writes there. */
export function tellOpenEnd(): void {
  store<u32>(OPEN_END, <u32>blockEnd);
}

/** Ends the last pair elsewhere, with its key in another place. Its digest is added apart. */
export function moveLast(key: usize, end: usize): void {
  if (blockPairs == 1) firstKey = key;
  lastKey = key;
  blockEnd = end;
}

/** Takes back the last pair, which began at `start` and whose digest hasn't been added; `key` is the key before it. */
export function dropLast(start: usize, key: usize, keyBytes: u32): void {
  blockPairs--;
  blockEnd = start;
  lastKey = key;
  lastBytes = keyBytes;
  tellOpenEnd();
}

export function lastKeyAt(): usize {
  return lastKey;
}

export function lastKeyBytes(): u32 {
  return lastBytes;
}

/** Counts a pair that the host wrote at `blockEnd`. */
export function pushWritten(key: usize, keyBytes: u32, valueBytes: u32): void {
  addDigest(digestOf(key, keyBytes, valueBytes));
  push(key, keyBytes, key + keyBytes + valueBytes);
  tellOpenEnd();
}

/** Describes the block for the host; the next begins in the same place. */
export function closeBlock(partition: u32): void {
  store<u32>(BLOCK_START, <u32>blockStart);
  store<u32>(BLOCK_END, <u32>blockEnd);
  store<u32>(BLOCK_PAIRS, blockPairs);
  store<u32>(BLOCK_PREFIX, blockPairs == 0 ? 0 : shared(firstKey, lastKey, 0, min(firstBytes, lastBytes)));
  store<u32>(BLOCK_PARTITION, partition);
  store<u64>(BLOCK_DIGEST, blockDigest);
  openBlock();
}

/** Describes a block of one pair that stays where it is. */
export function describePair(start: usize, key: usize, keyBytes: u32, valueBytes: u32, partition: u32): void {
  store<u32>(BLOCK_START, <u32>start);
  store<u32>(BLOCK_END, <u32>(key + keyBytes + valueBytes));
  store<u32>(BLOCK_PAIRS, 1);
  store<u32>(BLOCK_PREFIX, keyBytes);
  store<u32>(BLOCK_PARTITION, partition);
  store<u64>(BLOCK_DIGEST, digestOf(key, keyBytes, valueBytes));
}

export function digestOf(key: usize, keyBytes: u32, valueBytes: u32): u64 {
  return xxh64(key + keyBytes, valueBytes, xxh64(key, keyBytes, 0));
}
