// Makes lines into rows of a table. A line that is not quite plain gets a row that says so, and is left to the caller:
// a line that is no object, names with escapes, control characters, malformed values.
import {
  FALSE,
  MISSING,
  NULL,
  NUMBER,
  NUMBER_TEXT,
  OTHER,
  TRUE,
} from "./kinds";
import {
  BLOCK,
  CELLS_MAX,
  CONSUMED,
  FIRST,
  KINDS,
  NARROW,
  NARROW_LENGTH,
  ROWS_MAX,
  SLOTS,
  STARTS,
  WANTS,
  WIDE,
  WIDE_LENGTH,
} from "./memory";
import { behindName, fieldOf, FOLLOWER, nameAt } from "./names";
import { behindNumberOf, behindValue, isKnown, value } from "./numbers";
import {
  addBytes,
  behindNested,
  behindString,
  behindText,
  clearText,
  LINE_FEED,
  narrowAt,
  QUOTE,
  textEnd,
  textKind,
  textStart,
  wideAt,
} from "./text";

export const COMMA: u8 = 0x2c;
export const COLON: u8 = 0x3a;
const BRACKET_OPEN: u8 = 0x5b;
export const BRACE_OPEN: u8 = 0x7b;
export const BRACE_CLOSE: u8 = 0x7d;
const TRUE_WORD: u32 = 0x65757274;
const ALSE_WORD: u32 = 0x65736c61;
const NULL_WORD: u32 = 0x6c6c756e;

/** The row's status. */
const READ: u8 = 0;
const LEFT: u8 = 1;

/**
 * Reads lines of [start, end), which is followed by a line feed, into as many rows as there is room for; the first byte
 * is at `offset` in the file. Returns their number; CONSUMED is behind the last one.
 */
export function scan(start: usize, end: usize, offset: f64, fields: u32): u32 {
  const rowsMax = min(ROWS_MAX, CELLS_MAX / (fields + 1));
  let rows: u32 = 0;
  let kinds = KINDS;
  let slots = SLOTS;
  let at = start;
  clearText();
  while (at < end && rows < rowsMax) {
    const open = behindBlanks(at);
    if (load<u8>(open) == LINE_FEED) {
      at = open + 1;
      continue;
    }
    for (let i: u32 = 0; i <= fields; i += 16) v128.store(kinds + i, i8x16.splat(<i8>MISSING));
    store<f64>(STARTS + (<usize>rows << 3), offset + <f64>(at - start));
    const read = lineEnd(open, kinds + 1, slots);
    store<u8>(kinds, read == 0 ? LEFT : READ);
    at = (read == 0 ? nextLineFeed(open) : read) + 1;
    kinds += fields + 1;
    slots += <usize>fields << 3;
    rows++;
  }
  store<u32>(CONSUMED, <u32>(min(at, end) - start));
  store<u32>(NARROW_LENGTH, <u32>(narrowAt - NARROW));
  store<u32>(WIDE_LENGTH, <u32>((wideAt - WIDE) >> 1));
  return rows;
}

/** Index of the line feed behind the object at `open`; 0 where it is left to the caller. */
// @ts-ignore
@inline
function lineEnd(open: usize, kinds: usize, slots: usize): usize {
  if (load<u8>(open) != BRACE_OPEN) return 0;
  let at = behindBlanks(open + 1);
  if (load<u8>(at) != BRACE_CLOSE) {
    let follower = FIRST;
    while (true) {
      const name = nameAt(at, follower);
      if (name == 0) return 0;
      follower = <usize>name + FOLLOWER;
      at = behindName;
      if (load<u8>(at) != COLON) {
        at = behindBlanks(at);
        if (load<u8>(at) != COLON) return 0;
      }
      at = behindBlanks(at + 1);
      const field = fieldOf(name);
      at =
        field < 0
          ? behindOther(at, name)
          : behindField(at, load<u8>(WANTS + field), kinds + field, slots + (<usize>field << 3));
      if (at == 0) return 0;
      at = behindBlanks(at);
      const byte = load<u8>(at);
      if (byte != COMMA) {
        if (byte != BRACE_CLOSE) return 0;
        break;
      }
      at = behindBlanks(at + 1);
    }
  }
  at = behindBlanks(at + 1);
  return load<u8>(at) == LINE_FEED ? at : 0;
}

/** The index behind a value that is not wanted. */
// @ts-ignore
@inline
function behindOther(at: usize, name: u32): usize {
  const first = load<u8>(at);
  if (first == QUOTE) return behindString(at);
  if (<u8>(first - 0x2b) < 15) return behindNumberOf(at, name);
  if (first == BRACE_OPEN || first == BRACKET_OPEN) return behindNested(at);
  return behindWord(at);
}

/**
 * The index behind a value, which is put into the table; for an object or array, that is where it begins and ends in
 * the block.
 */
// @ts-ignore
@inline
export function behindField(at: usize, want: u8, kind: usize, slot: usize): usize {
  const first = load<u8>(at);
  if (first == QUOTE) {
    const behind = behindText(at);
    store<u8>(kind, textKind);
    store<u32>(slot, textStart);
    store<u32>(slot, textEnd, 4);
    return behind;
  }
  if (<u8>(first - 0x2b) < 15) {
    const behind = behindValue(at, want);
    if (isKnown) {
      store<u8>(kind, NUMBER);
      store<f64>(slot, value);
    } else if (behind != 0) {
      addBytes(at, behind);
      store<u8>(kind, NUMBER_TEXT);
      store<u32>(slot, textStart);
      store<u32>(slot, textEnd, 4);
    }
    return behind;
  }
  if (first == BRACE_OPEN || first == BRACKET_OPEN) {
    const behind = behindNested(at);
    store<u8>(kind, OTHER);
    store<u32>(slot, <u32>(at - BLOCK));
    store<u32>(slot, <u32>(behind - BLOCK), 4);
    return behind;
  }
  store<u8>(kind, first == 0x74 ? TRUE : first == 0x66 ? FALSE : NULL);
  return behindWord(at);
}

/** The index behind true, false or null. */
function behindWord(at: usize): usize {
  const word = load<u32>(at);
  if (word == TRUE_WORD || word == NULL_WORD) return at + 4;
  return load<u8>(at) == 0x66 && load<u32>(at, 1) == ALSE_WORD ? at + 5 : 0;
}

/** The index behind spaces, tabs and carriage returns, which mostly are not there. */
// @ts-ignore
@inline
export function behindBlanks(at: usize): usize {
  return load<u8>(at) > 0x20 ? at : behindSome(at);
}

function behindSome(at: usize): usize {
  let to = at;
  for (let byte = load<u8>(to); byte == 0x20 || byte == 0x09 || byte == 0x0d; byte = load<u8>(to)) to++;
  return to;
}

export function nextLineFeed(from: usize): usize {
  let at = from;
  while (true) {
    const feeds = <u32>i8x16.bitmask(i8x16.eq(v128.load(at), i8x16.splat(<i8>LINE_FEED)));
    if (feeds != 0) return at + ctz<u32>(feeds);
    at += 16;
  }
}
