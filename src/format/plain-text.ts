// Texts that our own codecs read the same in every way of looking at them, so that bytes need not become strings first.
import type { Codec, ColumnCodec } from "../job/codec.ts";
import { f64Kind } from "../job/codecs/facts.ts";
import { utf8 } from "../job/codecs/utf8.ts";

/** What plain texts are values of without asking the codec: "string", the text itself; "number", digits alone; undefined: none. */
export type PlainKind = "string" | "number" | undefined;

export function plainKind(codec: ColumnCodec<unknown>): PlainKind {
  if ((codec as unknown) === utf8) return "string";
  return f64Kind(codec as unknown as Codec<unknown>) === undefined ? undefined : "number";
}

/** The number of 1 to 15 digits without a leading zero at [start, end); -1: something else. */
export function digitsAt(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start;
  if (length < 1 || length > 15 || (bytes[start] === 0x30 && length > 1)) return -1;
  let number = 0;
  for (let at = start; at < end; at++) {
    const digit = bytes[at]! - 0x30;
    if (digit < 0 || digit > 9) return -1;
    number = number * 10 + digit;
  }
  return number;
}
