// Taking pairs into the table of keys (`table.ts`), group by group: all pairs of a group are parsed and described
// before any is looked up.
import { decodeNumber, encodeNumber, readVarint, varintEnd } from "./bytes";
import { addTerm, countPairs, HASH_BYTES, makePair, poolEnd, reserve, sums } from "./collect";
import { foldNumbers, isBeyond, kind, SUM, sumMax } from "./fold";
import { EXPLICIT, mode, partitions, partitionOf } from "./partitioner";
import { DONE, failBeyond, FULL, MALFORMED, TAKEN, TOUCHED } from "./state";
import { addNode, describe, DESCRIPTION, find, GROUP, growFor, LONG, touchEntries } from "./table";
import { xxh64, xxh64Short } from "./xxh64";

/** Pairs of a group; at most GROUP_KEYS. */
const GROUP_PAIRS: usize = 32;

/** Takes pairs from [at, end). Results are those of `addBatch`. */
export function takeFolding(at: usize, end: usize): i32 {
  // The most frequent jobs have a loop that does not ask for each pair where it goes and how it is folded.
  if (sums && kind == SUM && mode != EXPLICIT) return takeTabled(at, end, true, false);
  return takeTabled(at, end, false, mode == EXPLICIT);
}

/** Takes pairs into the table, group by group (`table.ts`). */
// @ts-ignore
@inline
function takeTabled(at: usize, end: usize, onlySums: bool, explicit: bool): i32 {
  const headBytes: usize = explicit ? 4 : 0;
  const limit = sumMax;
  let lastWord: u64 = encodeNumber(1);
  let last: f64 = 1;
  let isMalformed = false;
  let touching: u32 = 0;
  while (at < end && !isMalformed) {
    // A large pair lies behind the pool.
    if (!growFor(max(poolEnd, end))) return stopAt(at, FULL);
    let to = GROUP;
    while (at < end && to < GROUP + GROUP_PAIRS * DESCRIPTION) {
      const pair = at + headBytes;
      const partition: u32 = explicit ? load<u32>(at) : 0;
      let keyBytes: u32 = load<u8>(pair);
      let key = pair + 2;
      // Mostly one byte for each of the lengths, the second of which is 8.
      if (load<u8>(pair, 1) != 8 || keyBytes > 0x7f) {
        key = behindHeader(pair, end);
        keyBytes = headerKeyBytes;
      }
      const value = key + keyBytes;
      if (key == 0 || <u64>key + <u64>keyBytes + 8 > <u64>end || (explicit && partition >= partitions)) {
        isMalformed = true;
        break;
      }
      touching += describe(to, key, keyBytes, partition << 16);
      store<u32>(to, <u32>pair, 24);
      store<u32>(to, <u32>value, 28);
      to += DESCRIPTION;
      at = value + 8;
    }
    if (!sums) touchEntries(to);
    for (let one = GROUP; one < to; one += DESCRIPTION) {
      const value = <usize>load<u32>(one, 28);
      const word = load<u64>(value);
      if (word != lastWord) {
        lastWord = word;
        last = decodeNumber(word);
      }
      const shape = load<u32>(one, 20);
      const node = find(one, shape, value);
      if (node == 0) {
        if (!takeNew(one, shape, last, value, word)) {
          countPairs(<u32>((one - GROUP) / DESCRIPTION));
          return stopAt(load<u32>(one, 24) - headBytes, FULL);
        }
      } else {
        const before = load<f64>(node, 16);
        const folded = onlySums
          ? before + last
          : foldNumbers(before, last, value - keyBytesOf(one, shape), keyBytesOf(one, shape));
        if (onlySums ? !(abs<f64>(folded) <= limit) : isBeyond(folded)) {
          return failBeyond(value - keyBytesOf(one, shape), keyBytesOf(one, shape));
        }
        store<f64>(node, folded, 16);
        if (!(onlySums || sums) || !(last > 0)) addKnown(load<u32>(node, 24), keyBytesOf(one, shape), word);
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

let headerKeyBytes: u32 = 0;

/**
 * The offset behind the lengths that a pair with a number begins with; 0 where they are malformed. Lengths that take
 * more bytes than necessary count as malformed, because they are found again by the key's length.
 */
function behindHeader(pair: usize, end: usize): usize {
  headerKeyBytes = readVarint(pair, end);
  if (varintEnd == 0) return 0;
  const valueBytes = readVarint(varintEnd, end);
  if (varintEnd == 0 || valueBytes != 8 || <u32>(varintEnd - pair) != headerBytesOf(headerKeyBytes)) return 0;
  return varintEnd;
}

// @ts-ignore
@inline
function keyBytesOf(one: usize, shape: u32): u32 {
  return (shape & LONG) == 0 ? (shape & 0xffff) - 1 : load<u32>(one, 8);
}

/** Bytes of the two lengths in front of a key, where the value has 8. */
function headerBytesOf(keyBytes: u32): u32 {
  return 2 + (keyBytes > 0x7f ? 1 : 0) + (keyBytes > 0x3fff ? 1 : 0) + (keyBytes > 0x1fffff ? 1 : 0);
}

/** Adds the term of a pair whose key has its entry's value there. */
function addKnown(place: usize, keyBytes: u32, word: u64): void {
  const entry = place - keyBytes - headerBytesOf(keyBytes) - 2;
  addTerm(load<u64>(entry - HASH_BYTES), load<u16>(entry), word);
}

/** Makes an entry and a node for a pair. Returns false when there is no room. */
function takeNew(one: usize, shape: u32, number: f64, value: usize, word: u64): bool {
  const keyBytes = keyBytesOf(one, shape);
  const pair = <usize>load<u32>(one, 24);
  const pairBytes = <u32>(value + 8 - pair);
  if (!reserve(pairBytes + 2 + HASH_BYTES)) return false;
  const key = value - keyBytes;
  const hash = keyBytes < 32 ? xxh64Short(key, keyBytes, 0) : xxh64(key, keyBytes, 0);
  const partition = mode == EXPLICIT ? shape >> 16 : partitionOf(key, keyBytes, hash);
  addNode(one, shape, number, makePair(partition, hash, pair, pairBytes, keyBytes));
  if (!sums || !(number > 0)) addTerm(hash, partition, word);
  return true;
}
