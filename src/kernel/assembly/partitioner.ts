// The partition that a key goes to.
import { compare, head } from "./bytes";
import { xxh64 } from "./xxh64";

export const HASH = 0;
export const RANGE = 1;
export const EXPLICIT = 2;
/** By range, with more boundaries than should take the arena's space: the host looks them up. */
export const HOST_RANGE = 3;

/** Number of boundaries that are not above the key. */
// @ts-ignore
@external("env", "rangeOf")
declare function hostRangeOf(key: usize, keyBytes: u32): u32;

export let partitions: u32 = 1;
export let mode: i32 = HASH;
/** Parts of the grouping prefix as i32: a number of bytes, -1 ascending, -2 descending. No parts: the whole key. */
let groups: usize = 0;
let groupCount: u32 = 0;
/** Boundaries: per boundary its first 8 bytes big-endian, its offset and its length (u64, u32, u32), in order. */
let boundaries: usize = 0;
let boundaryCount: u32 = 0;

export function setPartitioner(count: u32, newMode: i32, groupsAt: usize, groupParts: u32, boundariesAt: usize, boundaryParts: u32): void {
  partitions = count;
  mode = newMode;
  groups = groupsAt;
  groupCount = groupParts;
  boundaries = boundariesAt;
  boundaryCount = boundaryParts;
  for (let i: u32 = 0; i < boundaryParts; i++) {
    const at = boundariesAt + (<usize>i << 4);
    store<u64>(at, head(load<u32>(at, 8), load<i32>(at, 12)));
  }
}

/** Whether the hash of the whole key decides, which is the fast path. */
export function isByWholeHash(): bool {
  return mode == HASH && groupCount == 0;
}

// @ts-ignore
@inline
export function partitionOfHash(hash: u64): u32 {
  return <u32>(((hash >> 32) * <u64>partitions) >> 32);
}

/** The partition of a key, except with explicit partitions. `hash` is that of the whole key. */
export function partitionOf(key: usize, keyBytes: u32, hash: u64): u32 {
  const length = groupCount == 0 ? keyBytes : <u32>(groupEnd(key, key + keyBytes) - key);
  if (mode == RANGE) return rangeOf(key, length);
  if (mode == HOST_RANGE) return hostRangeOf(key, length);
  return partitionOfHash(groupCount == 0 ? hash : xxh64(key, length, 0));
}

function groupEnd(at: usize, end: usize): usize {
  for (let i: u32 = 0; i < groupCount; i++) {
    const shape = load<i32>(groups + (<usize>i << 2));
    if (shape >= 0) at = <u32>(end - at) < <u32>shape ? end : at + <u32>shape;
    else at = terminated(at, end, shape == -1 ? 0 : 0xff);
  }
  return at;
}

/** The offset behind the two marks that end a part; a mark followed by anything else is an escaped byte. */
function terminated(at: usize, end: usize, mark: u8): usize {
  while (at < end) {
    if (load<u8>(at) != mark) at++;
    else if (at + 1 < end && load<u8>(at, 1) == mark) return at + 2;
    else at += 2;
  }
  return end;
}

function rangeOf(key: usize, keyBytes: u32): u32 {
  const first = head(key, <i32>keyBytes);
  let low: u32 = 0;
  let high = boundaryCount;
  while (low < high) {
    const middle = (low + high) >> 1;
    const at = boundaries + (<usize>middle << 4);
    const prefix = load<u64>(at);
    const isBelow = prefix != first ? prefix < first : compare(load<u32>(at, 8), load<u32>(at, 12), key, keyBytes, 0) <= 0;
    if (isBelow) low = middle + 1;
    else high = middle;
  }
  return low;
}
