// The sources of a merge, each with one block in the arena, in a tree of losers (Knuth, The Art of Computer Programming
// 3, 5.4.1).
//
// source = u32 buffer, u32 end (0: exhausted), u32 pair, u32 key, u32 key bytes, u32 pair bytes, u64 digest, u64 pairs,
//            u64 prefix of the key, u32 bytes that all keys of its block share                                     (64 bytes)
//   node   = u64 prefix, u32 source                                                        (16 bytes; node 0 is the winner)
//
// Prefixes are the 8 bytes behind what the keys of all current blocks share, so most comparisons are one of numbers.
// What comes from files is checked when a block is loaded: pairs end where the block does, numbers are 8 bytes.
import { compare, head, readVarint, shared, varintEnd } from "./bytes";
import { isNumbers } from "./fold";
import { DONE, MALFORMED } from "./state";

let sources: usize = 0;
export let sourceCount: u32 = 0;
export let tree: usize = 0;
/** Leading bytes that all keys of the current blocks share. */
export let common: u32 = 0;

// @ts-ignore
@inline
export function sourceAt(index: u32): usize {
  return sources + (<usize>index << 6);
}

/** Places source records and tree. */
export function setSources(sourcesAt: usize, count: u32, treeAt: usize): void {
  sources = sourcesAt;
  sourceCount = count;
  tree = treeAt;
  memory.fill(sourcesAt, 0, <usize>count << 6);
}

/** Checks the block that the host has loaded into the buffer, and makes its first pair the source's current one. */
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
export function setPair(source: usize, pair: usize): void {
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

/** The bytes that the keys of all current blocks share, from the blocks' own shares and the current keys. */
export function commonOfAll(): u32 {
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

export function buildTree(): void {
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
export function replay(index: u32): void {
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
