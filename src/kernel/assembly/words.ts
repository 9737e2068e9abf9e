// Words of a text, each counted as emitted with 1, straight into the table: no pair is written for a word that is
// known. The text is a block of whole lines in the arena; words stand between spaces and line ends (LF or CR LF), or
// are runs of ASCII letters (for blocks that are all ASCII).
//
// Words are found 64 bytes at a time, as the edges of a bit mask, and dealt with in groups (`table.ts`).
import { encodeNumber } from "./bytes";
import { collecting, countWords, growTable, makeEntry, makeWord } from "./collect";
import { DONE, FULL, LONG, TAKEN, TOUCHED, WORD_END } from "./state";
import { describe, DESCRIPTION, find, GROUP } from "./table";

/** A longer word is left to the caller. */
const WORD_BYTES_MAX: u32 = 16383;
/** Once a group has this many words no other window of 64 bytes is looked at; the last one may end up to 32 more. */
const GROUP_WORDS: usize = 32;

/** The bits of the 16 bytes at `at` that belong to words. */
// @ts-ignore
@inline
function bitsOf(at: usize, letters: bool): u64 {
  const window = v128.load(at);
  if (letters) {
    const lower = v128.or(window, i8x16.splat(0x20));
    return <u64>(<u32>i8x16.bitmask(i8x16.lt_u(i8x16.sub(lower, i8x16.splat(0x61)), i8x16.splat(26))));
  }
  const isSpace = v128.or(i8x16.eq(window, i8x16.splat(0x20)), i8x16.eq(window, i8x16.splat(0x0a)));
  return <u64>(<u32>i8x16.bitmask(isSpace) ^ 0xffff);
}

// @ts-ignore
@inline
function bitsAlike(at: usize, byte: u8): u64 {
  return <u64>(<u32>i8x16.bitmask(i8x16.eq(v128.load(at), i8x16.splat(byte))));
}

/** The carriage returns of the 64 bytes at `at` that have a line feed behind them, before `end`. */
function returnBits(at: usize, end: usize): u64 {
  const returns = bitsAlike(at, 13) | (bitsAlike(at + 16, 13) << 16) | (bitsAlike(at + 32, 13) << 32) | (bitsAlike(at + 48, 13) << 48);
  if (returns == 0) return 0;
  const feeds = bitsAlike(at + 1, 10) | (bitsAlike(at + 17, 10) << 16) | (bitsAlike(at + 33, 10) << 32) | (bitsAlike(at + 49, 10) << 48);
  const left = end - at;
  return returns & (left > 64 ? feeds : feeds & ((<u64>1 << <u64>(left - 1)) - 1));
}

/**
 * Takes the words of [at, end), which begins between words.
 *
 * Results: DONE; FULL and LONG, with TAKEN at the first word that was not taken, and for LONG, WORD_END at its end.
 */
export function addWords(at: usize, end: usize, letters: bool): i32 {
  if (letters) return collecting() ? takeWords(at, end, true, true) : takeWords(at, end, true, false);
  return collecting() ? takeWords(at, end, false, true) : takeWords(at, end, false, false);
}

// @ts-ignore
@inline
function takeWords(at: usize, end: usize, letters: bool, tabled: bool): i32 {
  let taken: f64 = 0;
  let result: i32 = DONE;
  let start: usize = at;
  let inside: u64 = 0;
  let touching: u32 = 0;
  while (at < end) {
    if (tabled && !growTable()) {
      store<u32>(TAKEN, <u32>(inside != 0 ? start : at));
      result = FULL;
      break;
    }
    let to = GROUP;
    while (at < end && to < GROUP + GROUP_WORDS * DESCRIPTION) {
      let bits = bitsOf(at, letters) | (bitsOf(at + 16, letters) << 16) | (bitsOf(at + 32, letters) << 32) | (bitsOf(at + 48, letters) << 48);
      // A carriage return before the line feed is no part of the line.
      if (!letters) bits &= ~returnBits(at, end);
      const left = end - at;
      if (left < 64) bits &= (<u64>1 << <u64>left) - 1;
      let edges = bits ^ ((bits << 1) | inside);
      if (inside != 0 && edges != 0) {
        touching += found(to, start, at + <usize>ctz<u64>(edges), tabled);
        to += DESCRIPTION;
        edges &= edges - 1;
      }
      while (edges != 0) {
        start = at + <usize>ctz<u64>(edges);
        edges &= edges - 1;
        if (edges == 0) break;
        touching += found(to, start, at + <usize>ctz<u64>(edges), tabled);
        to += DESCRIPTION;
        edges &= edges - 1;
      }
      inside = bits >> 63;
      at += 64;
    }
    if (at >= end && inside != 0) {
      touching += found(to, start, end, tabled);
      to += DESCRIPTION;
    }
    const done = tabled ? takeTabled(to) : take(to);
    taken += <f64>((done - GROUP) / DESCRIPTION);
    if (done < to) {
      const first = load<u32>(done, 24);
      const bytes = load<u32>(done, 28);
      result = bytes > WORD_BYTES_MAX ? LONG : FULL;
      store<u32>(TAKEN, first);
      store<u32>(WORD_END, first + bytes);
      break;
    }
  }
  store<u32>(TOUCHED, touching);
  countWords(taken);
  return result;
}

// @ts-ignore
@inline
function found(to: usize, start: usize, wordEnd: usize, tabled: bool): u32 {
  const bytes = <u32>(wordEnd - start);
  store<u32>(to, <u32>start, 24);
  store<u32>(to, bytes, 28);
  return tabled ? describe(to, start, bytes, 0) : 0;
}

/** Returns the first word of the group that was not taken, or its end. */
function takeTabled(end: usize): usize {
  for (let one = GROUP; one < end; one += DESCRIPTION) {
    const key = <usize>load<u32>(one, 24);
    const keyBytes = load<u32>(one, 28);
    const shape = load<u32>(one, 20);
    const node = find(one, shape, key + keyBytes);
    if (node != 0) {
      store<f64>(node, load<f64>(node, 16) + 1, 16);
    } else if (keyBytes > WORD_BYTES_MAX || !makeWord(one, shape, key, keyBytes, headerOf(keyBytes), keyBytes < 128 ? 2 : 3)) {
      return one;
    }
  }
  return end;
}

/** The lengths of key and value that a pair begins with; where there are three bytes the third is always the same. */
// @ts-ignore
@inline
function headerOf(keyBytes: u32): u32 {
  return keyBytes < 128 ? keyBytes | 0x800 : (keyBytes & 127) | 128 | ((keyBytes >> 7) << 8);
}

function take(end: usize): usize {
  const value = encodeNumber(1);
  for (let one = GROUP; one < end; one += DESCRIPTION) {
    const key = <usize>load<u32>(one, 24);
    const keyBytes = load<u32>(one, 28);
    if (keyBytes > WORD_BYTES_MAX) return one;
    if (!makeEntry(key, keyBytes, headerOf(keyBytes), keyBytes < 128 ? 2 : 3, value)) return one;
  }
  return end;
}

/** Counts the line feeds in [at, end). */
export function countLines(at: usize, end: usize): u32 {
  let count: u32 = 0;
  for (; at + 16 <= end; at += 16) count += popcnt<u32>(<u32>i8x16.bitmask(i8x16.eq(v128.load(at), i8x16.splat(10))));
  for (; at < end; at++) count += load<u8>(at) == 10 ? 1 : 0;
  return count;
}
