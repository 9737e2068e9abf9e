// The table of keys: a hash table with linear probing in u64 slots of u32 entry offset and u32 hash; 0 is free. It ends where the
// arena does, starts small and doubles, so that few keys stay within the processor's caches.
import { readVarint, varintEnd } from "./bytes";
import { xxh64, xxh64Short } from "./xxh64";

const BITS_MIN: u32 = 10;
/** Tables from this size on are looked ahead into. */
export const AHEAD_MASK: u32 = (1 << 16) - 1;
const AHEAD: usize = 16;
/** Hashes of the pairs ahead, in the state region. */
export const HASHES: usize = 512;
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

/**
 * Hashes the keys of the next pairs and touches their slots and entries, so that the cache misses of a large table overlap.
 * Returns the end of the hashes; stops at what is malformed.
 */
export function lookAhead(at: usize, end: usize): usize {
  let to = HASHES;
  for (; to < HASHES + (AHEAD << 3) && at < end; to += 8) {
    let keyBytes: u32 = load<u8>(at);
    let valueBytes: u32 = load<u8>(at, 1);
    let key = at + 2;
    if (((keyBytes | valueBytes) & 0x80) != 0) {
      keyBytes = readVarint(at, end);
      if (varintEnd != 0) valueBytes = readVarint(varintEnd, end);
      key = varintEnd;
    }
    if (key == 0 || <u64>key + <u64>keyBytes + <u64>valueBytes > <u64>end) break;
    const hash = keyBytes < 32 ? xxh64Short(key, keyBytes, 0) : xxh64(key, keyBytes, 0);
    store<u64>(to, hash);
    touched = load<u32>(table + (<usize>(<u32>hash & mask) << 3));
    at = key + keyBytes + valueBytes;
  }
  let sum: u32 = 0;
  for (let from = HASHES; from < to; from += 8) {
    sum += load<u8>(load<u32>(table + (<usize>(load<u32>(from) & mask) << 3)));
  }
  touched = sum;
  return to;
}
