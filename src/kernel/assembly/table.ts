// The table of keys: a hash table with linear probing in u64 slots of u32 entry offset and u32 hash; 0 is free. It ends where the
// arena does, starts small and doubles, so that few keys stay within the processor's caches.
import { readVarint, varintEnd } from "./bytes";

const BITS_MIN: u32 = 10;
/** Tables from this size on are looked ahead into. */
export const AHEAD_MASK: u32 = (1 << 16) - 1;
const AHEAD: usize = 16;
/** Tags of the pairs ahead, in the state region. */
export const TAGS: usize = 512;
/** Words of a group, in the state region (`words.ts`). */
export const WORDS: usize = 1024;
let touched: u32 = 0;

export let table: usize = 0;
export let mask: u32 = 0;
/** Entries from which on it must grow. */
export let growAt: u32 = 0;
let tableEnd: usize = 0;

/** Begins anew, ending at `end`. */
export function clearTable(end: usize): void {
  tableEnd = end;
  openTable(BITS_MIN);
}

function openTable(bits: u32): void {
  const bytes = <usize>8 << bits;
  table = tableEnd - bytes;
  mask = (1 << bits) - 1;
  growAt = (mask >> 1) + (mask >> 3); // 0.625
  memory.fill(table, 0, bytes);
}

/** Doubles; false when there is no room between `usedEnd` and the end for the new table and a copy of the old one. */
export function growTable(usedEnd: usize): bool {
  const bytes = (<usize>mask + 1) << 3;
  if (usedEnd + bytes * 3 > tableEnd) return false;
  const old = table - bytes * 2;
  memory.copy(old, table, bytes);
  openTable(ctz<u32>(mask + 1) + 1);
  for (let at = old; at < old + bytes; at += 8) {
    const slot = load<u64>(at);
    if (slot == 0) continue;
    let i = <u32>(slot >> 32) & mask;
    while (load<u64>(table + (<usize>i << 3)) != 0) i = (i + 1) & mask;
    store<u64>(table + (<usize>i << 3), slot);
  }
  return true;
}

const K1: u64 = 0x9e3779b185ebca87;
const K2: u64 = 0xc2b2ae3d27d4eb4f;

/**
 * The table's own hash of a key: cheaper than XXH64, of which only keys that are new need one. Low 32 bits count, of which the
 * table uses the lowest for the slot and keeps all. Reads up to 15 bytes past the key.
 */
// @ts-ignore
@inline
export function tagOf(key: usize, keyBytes: u32): u32 {
  let h: u64 = <u64>keyBytes * K2;
  while (keyBytes > 16) {
    h = rotl<u64>((h ^ load<u64>(key)) * K1, 29) + load<u64>(key, 8) * K2;
    h ^= h >> 32;
    key += 16;
    keyBytes -= 16;
  }
  // Shifts by 64 are by 0, so both words are masked by what their half has, without a branch.
  const low = load<u64>(key) & select<u64>(<u64>-1, (<u64>1 << (<u64>keyBytes << 3)) - 1, keyBytes >= 8);
  const rest = keyBytes > 8 ? keyBytes - 8 : 0;
  const high = load<u64>(key, 8) & select<u64>(<u64>-1, (<u64>1 << (<u64>rest << 3)) - 1, rest >= 8);
  h = rotl<u64>((h ^ low) * K1, 31) ^ high;
  h *= K2;
  return <u32>(h ^ (h >> 32));
}

/**
 * Hashes the keys of the next pairs and touches their slots and entries, so that the cache misses of a large table overlap.
 * Returns the end of the hashes; stops at what is malformed.
 */
export function lookAhead(at: usize, end: usize): usize {
  let to = TAGS;
  for (; to < TAGS + (AHEAD << 2) && at < end; to += 4) {
    let keyBytes: u32 = load<u8>(at);
    let valueBytes: u32 = load<u8>(at, 1);
    let key = at + 2;
    if (((keyBytes | valueBytes) & 0x80) != 0) {
      keyBytes = readVarint(at, end);
      if (varintEnd != 0) valueBytes = readVarint(varintEnd, end);
      key = varintEnd;
    }
    if (key == 0 || <u64>key + <u64>keyBytes + <u64>valueBytes > <u64>end) break;
    const tag = tagOf(key, keyBytes);
    store<u32>(to, tag);
    touched = load<u32>(table + (<usize>(tag & mask) << 3));
    at = key + keyBytes + valueBytes;
  }
  let sum: u32 = 0;
  for (let from = TAGS; from < to; from += 4) {
    sum += load<u8>(load<u32>(table + (<usize>(load<u32>(from) & mask) << 3)));
  }
  touched = sum;
  return to;
}
