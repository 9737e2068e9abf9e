// Taking pairs whose values are columns into the table of keys (`table.ts`), group by group, as `folding.ts` does with
// numbers. A node has the place of its key's accumulator (`columns.ts`), which lies behind the key:
//
//   entry = u64 XXH64 of the key, u16 partition, u16 nothing, u32 key bytes, key, accumulator
//
// Before the pool is sorted, or the table is given up, entries become those of a pool without a table (`collect.ts`).
import { copy, readVarint, varintEnd, writeVarint } from "./bytes";
import { accumulatorBytes, addOneSum, addState, beginAccumulator, isOneSum, writeState, WRITTEN } from "./columns";
import { addTermOf, countPairs, holdColumns, poolEnd, reserve } from "./collect";
import { EXPLICIT, mode, partitions, partitionOf } from "./partitioner";
import { DONE, FULL, MALFORMED, ODD, TAKEN, TOUCHED } from "./state";
import { addNode, describe, DESCRIPTION, find, GROUP, growFor, LONG, touchEntries } from "./table";
import { xxh64, xxh64Short } from "./xxh64";

/** Pairs of a group; at most GROUP_KEYS. */
const GROUP_PAIRS: usize = 32;
/** The bytes of an entry in front of its key. */
const HEAD: usize = 16;

/**
 * Takes pairs from [at, end). Results are those of `addBatch`; and ODD where the kernel can't fold a value: it and what
 * follows is not taken.
 */
export function takeColumns(at: usize, end: usize): i32 {
  // The most frequent aggregates are one sum.
  if (isOneSum() && mode != EXPLICIT) return takeTabled(at, end, true, false);
  return takeTabled(at, end, false, mode == EXPLICIT);
}

// @ts-ignore
@inline
function takeTabled(at: usize, end: usize, oneSum: bool, isExplicit: bool): i32 {
  const headBytes: usize = isExplicit ? 4 : 0;
  let isMalformed = false;
  let touching: u32 = 0;
  while (at < end && !isMalformed) {
    if (!growFor(max(poolEnd, end))) return stopAt(at, FULL);
    let to = GROUP;
    while (at < end && to < GROUP + GROUP_PAIRS * DESCRIPTION) {
      const pair = at + headBytes;
      const partition: u32 = isExplicit ? load<u32>(at) : 0;
      let keyBytes: u32 = load<u8>(pair);
      let valueBytes: u32 = load<u8>(pair, 1);
      let key = pair + 2;
      if (((keyBytes | valueBytes) & 0x80) != 0) {
        keyBytes = readVarint(pair, end);
        if (varintEnd != 0) valueBytes = readVarint(varintEnd, end);
        key = varintEnd;
      }
      if (key == 0 || <u64>key + <u64>keyBytes + <u64>valueBytes > <u64>end || (isExplicit && partition >= partitions)) {
        isMalformed = true;
        break;
      }
      touching += describe(to, key, keyBytes, partition << 16);
      store<u32>(to, <u32>at, 24);
      store<u32>(to, <u32>(key + keyBytes), 28);
      store<u32>(to, valueBytes, 36);
      to += DESCRIPTION;
      at = key + keyBytes + valueBytes;
    }
    touchEntries(to);
    for (let one = GROUP; one < to; one += DESCRIPTION) {
      const value = <usize>load<u32>(one, 28);
      const valueBytes = load<u32>(one, 36);
      const shape = load<u32>(one, 20);
      const keyBytes: u32 = (shape & LONG) == 0 ? (shape & 0xffff) - 1 : load<u32>(one, 8);
      const node = find(one, shape, value);
      let result: i32 = DONE;
      if (node == 0) {
        result = takeNew(one, shape, keyBytes, value, valueBytes);
      } else {
        const accumulator = <usize>load<u32>(node, 24);
        if (oneSum ? addOneSum(accumulator, value, valueBytes) : addState(accumulator, value, valueBytes)) {
          const entry = accumulator - keyBytes - HEAD;
          addTermOf(load<u64>(entry), load<u16>(entry, 8), value, valueBytes);
        } else result = ODD;
      }
      if (result != DONE) {
        countPairs(<u32>((one - GROUP) / DESCRIPTION));
        return stopAt(load<u32>(one, 24), result);
      }
    }
    countPairs(<u32>((to - GROUP) / DESCRIPTION));
  }
  store<u32>(TOUCHED, touching);
  return stopAt(at, isMalformed ? MALFORMED : DONE);
}

function stopAt(at: usize, result: i32): i32 {
  store<u32>(TAKEN, <u32>at);
  return result;
}

/** Makes an entry and a node for a pair. Results: DONE, FULL, ODD. */
function takeNew(one: usize, shape: u32, keyBytes: u32, value: usize, valueBytes: u32): i32 {
  if (!reserve(<u32>HEAD + keyBytes + accumulatorBytes)) return FULL;
  const key = value - keyBytes;
  const entry = poolEnd;
  const accumulator = entry + HEAD + keyBytes;
  // The copy writes further than the key, so it comes first.
  copy(entry + HEAD, key, keyBytes);
  beginAccumulator(accumulator);
  if (!addState(accumulator, value, valueBytes)) return ODD;
  const hash = keyBytes < 32 ? xxh64Short(key, keyBytes, 0) : xxh64(key, keyBytes, 0);
  const partition = mode == EXPLICIT ? shape >> 16 : partitionOf(key, keyBytes, hash);
  store<u64>(entry, hash);
  store<u16>(entry, <u16>partition, 8);
  store<u32>(entry, keyBytes, 12);
  holdColumns(partition, entry + HEAD, keyBytes, accumulator + accumulatorBytes);
  addNode(one, shape, 0, accumulator);
  addTermOf(hash, partition, value, valueBytes);
  return DONE;
}

/** Makes the entries in [from, end) those of a pool without a table, which are shorter; returns where they end. */
export function settleEntries(from: usize, end: usize): usize {
  let to = from;
  while (from < end) {
    const partition = load<u16>(from, 8);
    const keyBytes = load<u32>(from, 12);
    const key = from + HEAD;
    const next = key + keyBytes + accumulatorBytes;
    const valueBytes = writeState(key + keyBytes, WRITTEN);
    store<u16>(to, partition);
    const at = writeVarint(writeVarint(to + 2, keyBytes), valueBytes);
    memory.copy(at, key, keyBytes);
    memory.copy(at + keyBytes, WRITTEN, valueBytes);
    to = at + keyBytes + valueBytes;
    from = next;
  }
  return to;
}
