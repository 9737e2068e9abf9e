// uint, int and float64: one encoding (8 bytes in numeric order, `base/bytes/f64.ts`), three ranges. The kernel knows
// the encoding, so values of these are folded without calling back.
import { readF64 } from "../../base/bytes/f64.ts";
import type { ColumnCodec } from "../codec.ts";
import { readDouble, writeDouble } from "./f64.ts";
import { builtIn, type F64Kind, wrongText, wrongValue } from "./facts.ts";

/**
 * Integers from 0 to 2^53-1, in numeric order, 8 bytes; as text digits. Anything else is refused with `wrong-value`.
 */
export const uint: ColumnCodec<number> = numberCodec(
  "uint",
  "an integer from 0 to 2^53-1",
  (value) => Number.isSafeInteger(value) && value >= 0,
  /^\+?\d+$/,
);

/** Integers from -(2^53-1) to 2^53-1, in numeric order, 8 bytes; as text digits with an optional sign. */
export const int: ColumnCodec<number> = numberCodec(
  "int",
  "an integer from -(2^53-1) to 2^53-1",
  Number.isSafeInteger,
  /^[+-]?\d+$/,
);

/**
 * Numbers in numeric order, infinities included, 8 bytes. -0 is read back as 0, and NaN is refused with `wrong-value`.
 * As text, an infinity is the word `Infinity`, and digits that are too large for a number are refused.
 */
export const float64: ColumnCodec<number> = numberCodec(
  "float64",
  "a number",
  (value) => !Number.isNaN(value),
  /^[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|Infinity)$/,
);

/** The codec that takes what this one refuses: told behind what this one takes. */
function otherFor(name: F64Kind, value: unknown): string {
  const isInteger = typeof value === "bigint" || (typeof value === "number" && Number.isInteger(value));
  if (name === "float64" || !isInteger) return "";
  const isSmall = typeof value === "number" && Number.isSafeInteger(value);
  return isSmall ? " (int takes negative ones too)" : " (bigint takes all integers)";
}

function numberCodec(
  name: F64Kind,
  takes: string,
  isOne: (value: number) => boolean,
  pattern: RegExp,
): ColumnCodec<number> {
  const check = (value: unknown): number => {
    if (typeof value !== "number" || !isOne(value)) throw wrongValue(name, takes + otherFor(name, value), value);
    return value;
  };
  const codec: ColumnCodec<number> = {
    ordered: true,
    write: (value, out) => writeDouble(check(value), out),
    read: readDouble,
    parse(text) {
      const value = pattern.test(text) ? Number(text) + 0 : Number.NaN; // -0 + 0 is 0
      if (!isOne(value)) throw wrongText(name, takes + otherFor(name, value), text);
      if (!Number.isFinite(value) && !text.endsWith("Infinity")) throw wrongText(name, `${takes} up to 1.8e308`, text);
      return value;
    },
    format: (value) => String(check(value)),
  };
  return builtIn(codec, { name, width: 8, gives: "number", f64: name, readAt: readF64 });
}
