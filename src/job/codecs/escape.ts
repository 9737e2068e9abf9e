// Bytes of variable length inside a tuple: 00 becomes 00 FF, and 00 00 ends them. So they keep their order whatever
// follows, and a reader finds their end. When they are inverted (`desc`), FF becomes FF 00 and FF FF is the end.
import { assert } from "../../base/assert.ts";
import { ByteBuffer } from "../../base/bytes/byte-buffer.ts";
import type { ByteWriter } from "../../base/bytes/bytes.ts";
import { MiB } from "../../base/limits.ts";
import type { PartShape } from "../../kernel/kernel.ts";
import type { Codec } from "../codec.ts";

/** One buffer per depth, because a part may be a tuple, or a user's codec that calls one. */
const scratch: ByteBuffer[] = [];
let depth = 0;

/**
 * Encodes `value` into a buffer of its own and calls `use` with the bytes. `use` may change them, but must not keep
 * them.
 */
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

/** Writes `bytes` escaped, followed by `ends` zeros: two of them end a part of a tuple. */
export function writeEscaped(bytes: Buffer, ends: 1 | 2, out: ByteWriter): void {
  let from = 0;
  for (let zero = bytes.indexOf(0); zero >= 0; zero = bytes.indexOf(0, from)) {
    out.writeBytes(bytes.subarray(from, zero + 1));
    out.writeUint8(0xff);
    from = zero + 1;
  }
  out.writeBytes(from === 0 ? bytes : bytes.subarray(from));
  out.writeUint8(0);
  if (ends === 2) out.writeUint8(0);
}

/** The bytes of [start, end) as they were before escaping; the range does not include their end mark. */
export function unescaped(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const plain = new Uint8Array(end - start);
  let length = 0;
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!;
    plain[length++] = byte;
    if (byte === 0) i++; // the FF behind it
  }
  return length === plain.length ? plain : plain.subarray(0, length);
}

/** Whether [start, end) contains an escaped byte. */
export function hasEscapes(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (bytes[i] === 0) return true;
  return false;
}

/** The offset behind the part that starts at `at`. */
export function partEnd(bytes: Uint8Array, at: number, shape: PartShape): number {
  if (typeof shape === "number") {
    assert(at + shape <= bytes.length, "a part of a tuple is cut off");
    return at + shape;
  }
  const mark = shape === "ascending" ? 0 : 0xff;
  const last = bytes.length - 1;
  for (let i = at; i < last; i++) {
    if (bytes[i] !== mark) continue;
    if (bytes[i + 1] === mark) return i + 2;
    i++; // an escaped byte
  }
  throw new Error("millrace bug: a part of a tuple has no end");
}

/** Inverts all bits in place. */
export function invert(bytes: Uint8Array): Uint8Array {
  for (let i = 0; i < bytes.length; i++) bytes[i]! ^= 0xff;
  return bytes;
}
