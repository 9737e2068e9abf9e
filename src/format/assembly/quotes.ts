// Whether there are pairs of quotes, or one is left over.
import { QUOTE } from "./text";

/** 1 where the bytes of [start, end) hold an odd number of quotes. */
export function oddQuotes(start: usize, end: usize): u32 {
  let marks = i8x16.splat(0);
  let at = start;
  for (; at + 16 <= end; at += 16) marks = v128.xor(marks, i8x16.eq(v128.load(at), i8x16.splat(<i8>QUOTE)));
  let odd = popcnt<u32>(<u32>i8x16.bitmask(marks));
  for (; at < end; at++) odd += load<u8>(at) == QUOTE ? 1 : 0;
  return odd & 1;
}
