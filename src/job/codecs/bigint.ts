// Integers of any size, order-preserving: a head byte with sign and length, then the magnitude, big-endian without
// leading zeros; all bytes inverted when negative. So longer positive ones are larger, and longer negative ones
// smaller.
//
//   0                     80
//   magnitude of n bytes  80+n magnitude              (1 <= n <= 126)
//   longer                FF, n as u32 big-endian, magnitude
import type { ByteWriter } from "../../base/bytes/bytes.ts";
import { asBuffer } from "../../base/bytes/bytes.ts";
import type { ColumnCodec } from "../codec.ts";
import { builtIn, wrongText, wrongValue } from "./facts.ts";

const zero = 0x80;
const longHead = 0xff;
const shortMax = longHead - zero - 1;

/** Integers of any size as bigints, in numeric order; as text, digits with an optional sign. */
export const bigint: ColumnCodec<bigint> = builtIn(
  {
    ordered: true,
    write(value, out) {
      if (typeof value !== "bigint") throw wrongValue("bigint", "a bigint", value);
      writeBigint(value, out);
    },
    read: (bytes) => readBigint(bytes, 0),
    parse(text) {
      if (!/^[+-]?\d+$/.test(text)) throw wrongText("bigint", "an integer", text);
      return BigInt(text.startsWith("+") ? text.slice(1) : text);
    },
    format(value) {
      if (typeof value !== "bigint") throw wrongValue("bigint", "a bigint", value);
      return String(value);
    },
  } satisfies ColumnCodec<bigint>,
  { name: "bigint", gives: "bigint" },
);

export function writeBigint(value: bigint, out: ByteWriter): void {
  if (value === 0n) out.writeUint8(zero);
  else writeMagnitude(value, out);
}

function writeMagnitude(value: bigint, out: ByteWriter): void {
  const digits = (value < 0n ? -value : value).toString(16);
  const magnitude = Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, "hex");
  const flip = value < 0n ? 0xff : 0;
  if (magnitude.length <= shortMax) {
    out.writeUint8((zero + magnitude.length) ^ flip);
  } else {
    out.writeUint8(longHead ^ flip);
    for (let shift = 24; shift >= 0; shift -= 8) out.writeUint8(((magnitude.length >>> shift) & 0xff) ^ flip);
  }
  if (flip !== 0) for (let i = 0; i < magnitude.length; i++) magnitude[i]! ^= flip;
  out.writeBytes(magnitude);
}

/** Reads the bigint that starts at `at`; `bigintEnd` says where it ends. */
export function readBigint(bytes: Uint8Array, at: number): bigint {
  const head = bytes[at]!;
  if (head === zero) return 0n;
  const { start, end } = magnitudeOf(bytes, at);
  if (head > zero) return BigInt(`0x${asBuffer(bytes).toString("hex", start, end)}`);
  const magnitude = Buffer.from(bytes.subarray(start, end));
  for (let i = 0; i < magnitude.length; i++) magnitude[i]! ^= 0xff;
  return -BigInt(`0x${magnitude.toString("hex")}`);
}

/** Offset behind the bigint that starts at `at`. */
export function bigintEnd(bytes: Uint8Array, at: number): number {
  return bytes[at] === zero ? at + 1 : magnitudeOf(bytes, at).end;
}

function magnitudeOf(bytes: Uint8Array, at: number): { readonly start: number; readonly end: number } {
  const flip = bytes[at]! < zero ? 0xff : 0;
  const head = bytes[at]! ^ flip;
  if (head !== longHead) return { start: at + 1, end: at + 1 + head - zero };
  let length = 0;
  for (let i = 1; i <= 4; i++) length = length * 256 + (bytes[at + i]! ^ flip);
  return { start: at + 5, end: at + 5 + length };
}
