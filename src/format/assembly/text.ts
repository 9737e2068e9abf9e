// Strings and nested values: where they end, and their characters. Every loop ends at the line's end at the latest, as
// a line feed is a control character, which no JSON string contains.
import { ASCII_STRING, NARROW_STRING, WIDE_STRING } from "./kinds";
import { NARROW, WIDE } from "./memory";

export const LINE_FEED: u8 = 0x0a;
export const QUOTE: u8 = 0x22;
export const BACKSLASH: u8 = 0x5c;
/** Bytes below this are control characters. */
export const CONTROL_END: u8 = 0x20;

/** Where the next text goes. */
export let narrowAt: usize = NARROW;
export let wideAt: usize = WIDE;
/** For the string that `behindText` passed: where its characters are, and of which kind it is. */
export let textStart: u32 = 0;
export let textEnd: u32 = 0;
export let textKind: u8 = ASCII_STRING;

export function clearText(): void {
  narrowAt = NARROW;
  wideAt = WIDE;
}

// @ts-ignore
@inline
function stopsIn(window: v128): u32 {
  const marks = v128.or(i8x16.eq(window, i8x16.splat(<i8>QUOTE)), i8x16.eq(window, i8x16.splat(<i8>BACKSLASH)));
  return <u32>i8x16.bitmask(v128.or(marks, i8x16.le_u(window, i8x16.splat(<i8>(CONTROL_END - 1)))));
}

/**
 * The index behind the string whose opening quote is at `at`; 0 where it does not end in its line, or has control
 * characters.
 */
// @ts-ignore
@inline
export function behindString(at: usize): usize {
  let from = at + 1;
  while (true) {
    const stops = stopsIn(v128.load(from));
    if (stops == 0) {
      from += 16;
      continue;
    }
    from += ctz<u32>(stops);
    const byte = load<u8>(from);
    if (byte == QUOTE) return from + 1;
    // The character behind a backslash does not end the string, but it must be in the line.
    if (byte != BACKSLASH || load<u8>(from + 1) < CONTROL_END) return 0;
    from += 2;
  }
}

/** Like `behindString`, but adds the characters to the text. */
export function behindText(at: usize): usize {
  const start = narrowAt;
  let from = at + 1;
  let to = start;
  while (true) {
    const window = v128.load(from);
    v128.store(to, window);
    // Signed: everything but printable ASCII.
    const stops = stopsIn(window) | <u32>i8x16.bitmask(window);
    if (stops == 0) {
      from += 16;
      to += 16;
      continue;
    }
    const length = ctz<u32>(stops);
    from += length;
    if (load<u8>(from) != QUOTE) break;
    narrowAt = to + length;
    textKind = ASCII_STRING;
    textStart = <u32>(start - NARROW);
    textEnd = <u32>(narrowAt - NARROW);
    return from + 1;
  }
  const behind = behindString(at);
  if (behind == 0) return 0;
  textKind = decodeNarrow(at + 1, behind - 1) ? NARROW_STRING : WIDE_STRING;
  return textKind == WIDE_STRING && !decodeWide(at + 1, behind - 1) ? 0 : behind;
}

/** Adds bytes that stand for themselves. Returns false, and adds nothing, where they are not all ASCII. */
// @ts-ignore
@inline
export function addAscii(start: usize, end: usize): bool {
  let to = narrowAt;
  for (let at = start; at < end; at += 16) {
    const window = v128.load(at);
    v128.store(to, window);
    let signs = <u32>i8x16.bitmask(window);
    if (end - at < 16) signs &= (1 << <u32>(end - at)) - 1;
    if (signs != 0) return false;
    to += 16;
  }
  textStart = <u32>(narrowAt - NARROW);
  narrowAt += end - start;
  textEnd = <u32>(narrowAt - NARROW);
  return true;
}

/** Adds bytes that stand for themselves. */
export function addBytes(start: usize, end: usize): void {
  textStart = <u32>(narrowAt - NARROW);
  memory.copy(narrowAt, start, end - start);
  narrowAt += end - start;
  textEnd = <u32>(narrowAt - NARROW);
}

/** The index behind the character that `unitAt` decoded. */
let behindUnit: usize = 0;

/** Returns false where the string has characters from U+0100 on, or invalid escapes. */
function decodeNarrow(start: usize, end: usize): bool {
  let to = narrowAt;
  for (let at = start; at < end; at = behindUnit) {
    const unit = unitAt(at);
    if (unit > 0xff) return false;
    store<u8>(to++, <u8>unit);
  }
  textStart = <u32>(narrowAt - NARROW);
  textEnd = <u32>(to - NARROW);
  narrowAt = to;
  return true;
}

/** Returns false where the string has invalid escapes. */
function decodeWide(start: usize, end: usize): bool {
  let to = wideAt;
  for (let at = start; at < end; at = behindUnit) {
    const unit = unitAt(at);
    if (unit == NONE) return false;
    if (unit < 0x10000) {
      store<u16>(to, <u16>unit);
      to += 2;
    } else {
      store<u16>(to, <u16>(0xd7c0 + (unit >> 10)));
      store<u16>(to, <u16>(0xdc00 | (unit & 0x3ff)), 2);
      to += 4;
    }
  }
  textStart = <u32>((wideAt - WIDE) >> 1);
  textEnd = <u32>((to - WIDE) >> 1);
  wideAt = to;
  return true;
}

const NONE: u32 = <u32>-1;

/** The character at `at`, which is UTF-8, or the one that an escape there stands for; NONE for an invalid escape. */
// @ts-ignore
@inline
function unitAt(at: usize): u32 {
  const byte = <u32>load<u8>(at);
  if (byte < 0x80) {
    if (byte == BACKSLASH) return escapeAt(at);
    behindUnit = at + 1;
    return byte;
  }
  if (byte < 0xe0) {
    behindUnit = at + 2;
    return ((byte & 31) << 6) | tail(at, 1);
  }
  if (byte < 0xf0) {
    behindUnit = at + 3;
    return ((byte & 15) << 12) | (tail(at, 1) << 6) | tail(at, 2);
  }
  behindUnit = at + 4;
  return ((byte & 7) << 18) | (tail(at, 1) << 12) | (tail(at, 2) << 6) | tail(at, 3);
}

// @ts-ignore
@inline
function tail(at: usize, index: usize): u32 {
  return <u32>load<u8>(at + index) & 63;
}

function escapeAt(at: usize): u32 {
  behindUnit = at + 2;
  switch (load<u8>(at + 1)) {
    case 0x22:
      return 0x22;
    case 0x5c:
      return 0x5c;
    case 0x2f:
      return 0x2f;
    case 0x62:
      return 8;
    case 0x66:
      return 12;
    case 0x6e:
      return 10;
    case 0x72:
      return 13;
    case 0x74:
      return 9;
    case 0x75: {
      behindUnit = at + 6;
      let unit: u32 = 0;
      for (let i: usize = 2; i < 6; i++) {
        const byte = <u32>load<u8>(at + i);
        const lower = byte | 0x20;
        // The closing quote of a string that ends too early is no digit either.
        if (byte - 0x30 < 10) unit = (unit << 4) | (byte - 0x30);
        else if (lower - 0x61 < 6) unit = (unit << 4) | (lower - 0x57);
        else return NONE;
      }
      return unit;
    }
    default:
      return NONE;
  }
}

/** The index behind the object or array that begins at `at`; 0 where it does not end in its line. */
export function behindNested(at: usize): usize {
  let depth: i32 = 0;
  let from = at;
  while (true) {
    const window = v128.load(from);
    // { and [, } and ] differ in one bit.
    const raised = v128.or(window, i8x16.splat(0x20));
    const opens = i8x16.eq(raised, i8x16.splat(0x7b));
    const closes = i8x16.eq(raised, i8x16.splat(0x7d));
    const others = v128.or(
      i8x16.eq(window, i8x16.splat(<i8>QUOTE)),
      i8x16.eq(window, i8x16.splat(<i8>LINE_FEED)),
    );
    let stops = <u32>i8x16.bitmask(v128.or(v128.or(opens, closes), others));
    let next = from + 16;
    while (stops != 0) {
      const stop = from + ctz<u32>(stops);
      stops &= stops - 1;
      const byte = load<u8>(stop);
      if (byte == LINE_FEED) return 0;
      if (byte == QUOTE) {
        next = behindString(stop);
        if (next == 0) return 0;
        stops = 0;
      } else if ((byte | 0x20) == 0x7b) {
        depth++;
      } else if (--depth == 0) {
        return stop + 1;
      }
    }
    from = next;
  }
}
