// Makes pairs whose keys are lines, and lines of the keys of pairs: what a built-in mapper and a built-in reducer do
// with text. The layout of a pair is the kernel's: varint keyBytes, varint valueBytes, key, value.
import { CONSUMED, FIRST_RUN, LARGEST_RUN, LAST_KEY, LAST_RUN, LINES, PAIRS, RUNS, VALUE } from "./memory";
import { LINE_FEED } from "./text";

/** A longer key has a length of three bytes: it is left to the caller. */
const KEY_BYTES_MAX: u32 = 16383;
const CARRIAGE_RETURN: u8 = 0x0d;
/** `writeKeys` returns this where a key can't be a line. */
const STRANGE: u32 = <u32>-1;

/**
 * Writes a pair for each line of [start, end), which is followed by a line feed, with the value at VALUE (at most 16
 * bytes), as many as fit in `room` bytes. Returns their bytes; CONSUMED is behind the last line, LINES is their number.
 */
export function frameLines(start: usize, end: usize, room: u32, valueBytes: u32): u32 {
  const low = load<u64>(VALUE);
  const high = load<u64>(VALUE, 8);
  const limit = PAIRS + <usize>room;
  let at = start;
  let to = PAIRS;
  let lines: u32 = 0;
  while (at < end) {
    const feed = lineFeedAt(at);
    const keyBytes = <u32>(feed - at);
    const key = to + (keyBytes < 128 ? 2 : 3);
    const value = key + keyBytes;
    if (keyBytes > KEY_BYTES_MAX || value + valueBytes > limit) break;
    if (keyBytes < 128) store<u16>(to, <u16>(keyBytes | (valueBytes << 8)));
    else store<u32>(to, (keyBytes & 127) | 128 | ((keyBytes >> 7) << 8) | (valueBytes << 16));
    for (let i: usize = 0; i < <usize>keyBytes; i += 16) v128.store(key + i, v128.load(at + i));
    store<u64>(value, low);
    store<u64>(value, high, 8);
    to = value + valueBytes;
    at = feed + 1;
    lines++;
  }
  store<u32>(CONSUMED, <u32>(min(at, end) - start));
  store<u32>(LINES, lines);
  return <u32>(to - PAIRS);
}

// @ts-ignore
@inline
function lineFeedAt(from: usize): usize {
  let at = from;
  while (true) {
    const feeds = <u32>i8x16.bitmask(i8x16.eq(v128.load(at), i8x16.splat(<i8>LINE_FEED)));
    if (feeds != 0) return at + ctz<u32>(feeds);
    at += 16;
  }
}

/**
 * Writes the key of each pair of [start, end) as a line to PAIRS, and returns their bytes; -1 where a key contains a
 * line feed or, with `refuses`, ends with a carriage return. RUNS is the number of runs of equal keys; FIRST_RUN,
 * LAST_RUN and LARGEST_RUN are their numbers of pairs; LINES is the number of all lines; LAST_KEY is where the last key
 * begins, and its bytes.
 */
export function writeKeys(start: usize, end: usize, refuses: bool): u32 {
  let at = start;
  let to = PAIRS;
  let lines: u32 = 0;
  let runs: u32 = 0;
  let run: u32 = 0;
  let first: u32 = 0;
  let largest: u32 = 0;
  let before: usize = 0;
  let beforeBytes: u32 = 0;
  while (at < end) {
    let keyBytes: u32 = load<u8>(at++);
    if (keyBytes > 127) {
      keyBytes = more(at, keyBytes);
      at = behind;
    }
    let valueBytes: u32 = load<u8>(at++);
    if (valueBytes > 127) {
      valueBytes = more(at, valueBytes);
      at = behind;
    }
    if (before != 0 && keyBytes == beforeBytes && equal(before, at, keyBytes)) {
      run++;
    } else {
      if (runs == 1) first = run;
      largest = max(largest, run);
      runs++;
      run = 1;
    }
    for (let i: u32 = 0; i < keyBytes; i += 16) {
      const window = v128.load(at + i);
      v128.store(to + i, window);
      let feeds = <u32>i8x16.bitmask(i8x16.eq(window, i8x16.splat(<i8>LINE_FEED)));
      if (keyBytes - i < 16) feeds &= (1 << (keyBytes - i)) - 1;
      if (feeds != 0) return STRANGE;
    }
    if (refuses && keyBytes > 0 && load<u8>(at + keyBytes - 1) == CARRIAGE_RETURN) return STRANGE;
    store<u8>(to + keyBytes, LINE_FEED);
    to += keyBytes + 1;
    before = at;
    beforeBytes = keyBytes;
    at += keyBytes + valueBytes;
    lines++;
  }
  if (runs == 1) first = run;
  store<u32>(LINES, lines);
  store<u32>(RUNS, runs);
  store<u32>(FIRST_RUN, first);
  store<u32>(LAST_RUN, run);
  store<u32>(LARGEST_RUN, max(largest, run));
  store<u32>(LAST_KEY, <u32>before);
  store<u32>(LAST_KEY, beforeBytes, 4);
  return <u32>(to - PAIRS);
}

let behind: usize = 0;

/** The value of a varint of several bytes, of which the first has been read; `behind` is the index behind it. */
function more(at: usize, first: u32): u32 {
  let value = first & 127;
  for (let shift: u32 = 7; ; shift += 7) {
    const byte: u32 = load<u8>(at++);
    value |= (byte & 127) << shift;
    if (byte < 128) break;
  }
  behind = at;
  return value;
}

// @ts-ignore
@inline
function equal(a: usize, b: usize, bytes: u32): bool {
  for (let i: u32 = 0; i < bytes; i += 16) {
    let same = <u32>i8x16.bitmask(i8x16.eq(v128.load(a + i), v128.load(b + i)));
    if (bytes - i < 16) same |= 0xffff << (bytes - i);
    if ((same & 0xffff) != 0xffff) return false;
  }
  return true;
}
