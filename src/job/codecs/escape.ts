// Variable bytes inside a tuple: 00 becomes 00 FF, and 00 00 ends them. So they keep their order whatever follows, and a
// reader finds their end. Inverted (`desc`), FF becomes FF 00 and FF FF is the end.
import { assert } from "../../base/assert.ts";
import { ByteBuffer } from "../../base/byte-buffer.ts";
import { asBuffer, type ByteWriter } from "../../base/bytes.ts";
import { MiB } from "../../base/limits.ts";
import type { PartShape } from "../../kernel/kernel.ts";
import type { Codec } from "../codec.ts";

/** One buffer per depth: a part may be a tuple, or a user's codec that calls one. */
const scratch: ByteBuffer[] = [];
let depth = 0;

/** Encodes `value` into a buffer of its own and calls `use` with the bytes, which it may change and must not keep. */
export function withEncoded<T>(codec: Codec<T>, value: T, use: (bytes: Buffer) => void): void {
  const level = depth++;
  try {
    const buffer = (scratch[level] ??= new ByteBuffer());
    buffer.reset();
    codec.write(value, buffer);
    use(buffer.view());
  } finally {
    depth = level;
    if (scratch[level] !== undefined && scratch[level].bytes.length > MiB) delete scratch[level];
  }
}

/** Writes `bytes` escaped and ended. */
export function writeEscaped(bytes: Buffer, out: ByteWriter): void {
  let from = 0;
  for (let zero = bytes.indexOf(0); zero >= 0; zero = bytes.indexOf(0, from)) {
    out.writeBytes(bytes.subarray(from, zero + 1));
    out.writeUint8(0xff);
    from = zero + 1;
  }
  out.writeBytes(from === 0 ? bytes : bytes.subarray(from));
  out.writeUint8(0);
  out.writeUint8(0);
}

/** The bytes that were escaped, from what `writeEscaped` wrote, end included; a view where nothing was escaped. */
export function unescaped(bytes: Uint8Array): Uint8Array {
  const source = asBuffer(bytes);
  const end = source.length - 2;
  let zero = source.indexOf(0);
  if (zero >= end) return source.subarray(0, end);
  const plain = Buffer.allocUnsafe(end);
  let length = 0;
  let from = 0;
  for (; zero < end; zero = source.indexOf(0, from)) {
    length += source.copy(plain, length, from, zero + 1);
    from = zero + 2;
  }
  length += source.copy(plain, length, from, end);
  return plain.subarray(0, length);
}

/** Offset behind the part that starts at `at`. */
export function partEnd(bytes: Uint8Array, at: number, shape: PartShape): number {
  if (typeof shape === "number") {
    assert(at + shape <= bytes.length, "a part of a tuple is cut off");
    return at + shape;
  }
  const mark = shape === "ascending" ? 0 : 0xff;
  for (let i = bytes.indexOf(mark, at); i >= 0; i = bytes.indexOf(mark, i + 2)) {
    if (bytes[i + 1] === mark) return i + 2;
  }
  throw new Error("millrace bug: a part of a tuple has no end");
}

/** Inverts all bits in place. */
export function invert(bytes: Uint8Array): Uint8Array {
  for (let i = 0; i < bytes.length; i++) bytes[i]! ^= 0xff;
  return bytes;
}
