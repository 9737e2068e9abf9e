// Words of a text, each counted as emitted with 1, straight into the table: no pair is written for a word that is known. The
// text is a block of whole lines in the arena; words stand between spaces and line ends (LF or CR LF), or are runs of ASCII letters
// (for blocks that are all ASCII).
//
// Words are found 16 bytes at a time, as the edges of a bit mask, and dealt with in groups: tags of a group first, then its
// table slots and entries are touched, so that cache misses overlap, and only then is anything compared.
import { encodeNumber, same } from "./bytes";
import { collecting, countWords, makeEntry, makeEntryInTable } from "./collect";
import { DONE, FULL, LONG, TAKEN, WORD_END } from "./state";
import { AHEAD_MASK, mask, table, tagOf, WORDS } from "./table";

/** A longer word is left to the caller. */
const WORD_BYTES_MAX: u32 = 16383;
/** Of a group; a window of 16 bytes ends at most 8. */
const GROUP: u32 = 32;
/** Per word of the group: u32 start, u32 length, u32 tag. */
const WORD: usize = 12;
let touched: u32 = 0;

// @ts-ignore
@inline
function wordBits(window: v128, letters: bool): u32 {
  if (letters) {
    const lower = v128.or(window, i8x16.splat(0x20));
    return <u32>i8x16.bitmask(i8x16.lt_u(i8x16.sub(lower, i8x16.splat(0x61)), i8x16.splat(26)));
  }
  const isSpace = v128.or(i8x16.eq(window, i8x16.splat(0x20)), i8x16.eq(window, i8x16.splat(0x0a)));
  return <u32>i8x16.bitmask(isSpace) ^ 0xffff;
}

/**
 * Takes the words of [at, end), which begins between words. Results: DONE; FULL and LONG, with TAKEN where the first word
 * begins that was not taken and, for LONG, WORD_END where that ends.
 */
export function addWords(at: usize, end: usize, letters: bool): i32 {
  let taken: f64 = 0;
  let result: i32 = DONE;
  let start: usize = 0;
  let inside: u32 = 0;
  while (result == DONE && at < end) {
    let to = WORDS;
    const groupEnd = WORDS + <usize>(GROUP - 9) * WORD;
    while (at < end && to <= groupEnd) {
      let bits = wordBits(v128.load(at), letters);
      const left = end - at;
      if (left < 16) bits &= (1 << <u32>left) - 1;
      let edges = (bits ^ ((bits << 1) | inside)) & 0xffff;
      inside = bits >> 15;
      while (edges != 0) {
        const edge = at + ctz<u32>(edges);
        edges &= edges - 1;
        if (start == 0) {
          start = edge;
        } else {
          // A carriage return before the line feed is no part of the line.
          const length = <u32>(edge - start) - (!letters && edge < end && load<u16>(edge - 1) == 0x0a0d ? 1 : 0);
          store<u32>(to, <u32>start);
          store<u32>(to, length, 4);
          to += length > 0 ? WORD : 0;
          start = 0;
        }
      }
      at += 16;
    }
    if (at >= end && start != 0) {
      store<u32>(to, <u32>start);
      store<u32>(to, <u32>(end - start), 4);
      to += WORD;
      start = 0;
    }
    const done = collecting() ? takeTabled(to) : take(to);
    taken += <f64>((done - WORDS) / WORD);
    if (done < to) {
      const first = load<u32>(done);
      const bytes = load<u32>(done, 4);
      result = bytes > WORD_BYTES_MAX ? LONG : FULL;
      store<u32>(TAKEN, first);
      store<u32>(WORD_END, first + bytes);
    }
  }
  countWords(taken);
  return result;
}

/** Returns the first word of the group that was not taken, or its end. */
function takeTabled(end: usize): usize {
  const isAhead = mask >= AHEAD_MASK;
  for (let at = WORDS; at < end; at += WORD) {
    const tag = tagOf(load<u32>(at), load<u32>(at, 4));
    store<u32>(at, tag, 8);
    if (isAhead) touched = load<u32>(table + (<usize>(tag & mask) << 3));
  }
  if (isAhead) {
    let sum: u32 = 0;
    for (let at = WORDS; at < end; at += WORD) sum += load<u8>(load<u32>(table + (<usize>(load<u32>(at, 8) & mask) << 3)));
    touched = sum;
  }
  for (let at = WORDS; at < end; at += WORD) {
    const key = <usize>load<u32>(at);
    const keyBytes = load<u32>(at, 4);
    const tag = load<u32>(at, 8);
    if (keyBytes > WORD_BYTES_MAX) return at;
    // Lengths of key and value as a pair begins with them; of three bytes the third is always the same.
    const header: u32 = keyBytes < 128 ? keyBytes | 0x800 : (keyBytes & 127) | 128 | ((keyBytes >> 7) << 8);
    const headerBytes: u32 = keyBytes < 128 ? 2 : 3;
    let slot: usize = 0;
    let found: usize = 0;
    let i = tag & mask;
    while (true) {
      slot = table + (<usize>i << 3);
      const content = load<u64>(slot);
      if (content == 0) break;
      if (<u32>(content >> 32) == tag) {
        const entry = <usize>(<u32>content);
        if (load<u16>(entry, 2) == <u16>header && same(entry + 2 + headerBytes, key, keyBytes)) {
          found = entry + 2 + headerBytes + keyBytes;
          break;
        }
      }
      i = (i + 1) & mask;
    }
    if (found != 0) store<f64>(found, load<f64>(found) + 1);
    else if (!makeEntryInTable(slot, tag, key, keyBytes, header, headerBytes)) return at;
  }
  return end;
}

function take(end: usize): usize {
  const one = encodeNumber(1);
  for (let at = WORDS; at < end; at += WORD) {
    const key = <usize>load<u32>(at);
    const keyBytes = load<u32>(at, 4);
    if (keyBytes > WORD_BYTES_MAX) return at;
    const header: u32 = keyBytes < 128 ? keyBytes | 0x800 : (keyBytes & 127) | 128 | ((keyBytes >> 7) << 8);
    if (!makeEntry(key, keyBytes, header, keyBytes < 128 ? 2 : 3, one)) return at;
  }
  return end;
}

/** Line feeds in [at, end). */
export function countLines(at: usize, end: usize): u32 {
  let count: u32 = 0;
  for (; at + 16 <= end; at += 16) count += popcnt<u32>(<u32>i8x16.bitmask(i8x16.eq(v128.load(at), i8x16.splat(10))));
  for (; at < end; at++) count += load<u8>(at) == 10 ? 1 : 0;
  return count;
}
