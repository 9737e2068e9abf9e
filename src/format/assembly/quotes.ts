// Tells whether quotes come in pairs or one is left over, and whether each carriage return is part of a line's end.
import { LINE_FEED, QUOTE } from "./text";

const CARRIAGE_RETURN: u8 = 0x0d;

/** Returns 1 where the bytes of [start, end) contain an odd number of quotes. */
export function oddQuotes(start: usize, end: usize): u32 {
  let marks = i8x16.splat(0);
  let at = start;
  for (; at + 16 <= end; at += 16) marks = v128.xor(marks, i8x16.eq(v128.load(at), i8x16.splat(<i8>QUOTE)));
  let odd = popcnt<u32>(<u32>i8x16.bitmask(marks));
  for (; at < end; at++) odd += load<u8>(at) == QUOTE ? 1 : 0;
  return odd & 1;
}

/** Whether a carriage return in [start, end) is not followed by a line feed; the byte at `end` is looked at too. */
export function loneReturn(start: usize, end: usize): bool {
  let at = start;
  for (; at + 16 <= end; at += 16) {
    const returns = i8x16.eq(v128.load(at), i8x16.splat(<i8>CARRIAGE_RETURN));
    const feedsBehind = i8x16.eq(v128.load(at, 1), i8x16.splat(<i8>LINE_FEED));
    if (v128.any_true(v128.andnot(returns, feedsBehind))) return true;
  }
  for (; at < end; at++) if (load<u8>(at) == CARRIAGE_RETURN && load<u8>(at, 1) != LINE_FEED) return true;
  return false;
}
