// A growing byte array for codecs and formats to write into, and the writing of UTF-8, which is most of the work of
// emitting. The functions here run once per value: they allocate nothing while the array is large enough.
import { MillraceError } from "../error.ts";
import type { ByteWriter } from "./bytes.ts";

/**
 * A `ByteWriter` on a growing array, which its owner reuses: `reset`, write, then read `bytes` up to `length`. A write
 * may replace `bytes`, so views taken before it may show the old array.
 */
export class ByteBuffer implements ByteWriter {
  bytes: Buffer;
  length = 0;

  constructor(capacity = 1024) {
    this.bytes = Buffer.allocUnsafeSlow(capacity);
  }

  reset(): void {
    this.length = 0;
  }

  /** The bytes written, as a view that the next write may invalidate. */
  view(): Buffer {
    return this.bytes.subarray(0, this.length);
  }

  /** The bytes written, as a copy. */
  copy(): Uint8Array {
    return new Uint8Array(this.bytes.subarray(0, this.length));
  }

  /** Makes room for `count` more bytes. */
  reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.bytes.length) return;
    const next = Buffer.allocUnsafeSlow(Math.max(needed, this.bytes.length * 2));
    this.bytes.copy(next, 0, 0, this.length);
    this.bytes = next;
  }

  writeUint8(value: number): void {
    this.reserve(1);
    this.bytes[this.length++] = value;
  }

  writeVarint(value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new MillraceError("wrong-value", `writeVarint takes an integer from 0 to 2^53-1, not ${String(value)}`);
    }
    this.reserve(8);
    let rest = value;
    while (rest >= 128) {
      this.bytes[this.length++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    this.bytes[this.length++] = rest;
  }

  writeBytes(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  writeUtf8(text: string): void {
    this.reserve(text.length * 3);
    const end = writeUtf8At(this.bytes, this.length, text);
    if (end < 0) throw loneSurrogate(text);
    this.length = end;
  }
}

/** Longer text is written by `utf8Write`; see `writeUtf8At`. */
export const loopLengthMax = 32;

// Every Uint8Array can be its `this`; `write` of a Buffer would need a view first.
const { utf8Write } = Buffer.prototype as unknown as {
  utf8Write(this: Uint8Array, text: string, start: number, bytesMax: number): number;
};

/**
 * Writes `text` as UTF-8 at `start` and returns the offset behind it, or -1 on a lone surrogate. The caller has made
 * room for three bytes per UTF-16 unit. Short text is written by a loop: one call of `utf8Write` takes as long as 25
 * characters of the loop, and hides lone surrogates.
 */
export function writeUtf8At(bytes: Uint8Array, start: number, text: string): number {
  const length = text.length;
  if (length > loopLengthMax) {
    const written = utf8Write.call(bytes, text, start, length * 3);
    // As many bytes as units means that all are ASCII.
    return written === length || text.isWellFormed() ? start + written : -1;
  }
  let at = start;
  for (let i = 0; i < length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) {
      bytes[at++] = unit;
    } else if (unit < 0x800) {
      bytes[at++] = 0xc0 | (unit >> 6);
      bytes[at++] = 0x80 | (unit & 63);
    } else if (unit < 0xd800 || unit > 0xdfff) {
      bytes[at++] = 0xe0 | (unit >> 12);
      bytes[at++] = 0x80 | ((unit >> 6) & 63);
      bytes[at++] = 0x80 | (unit & 63);
    } else {
      const low = i + 1 < length ? text.charCodeAt(i + 1) : 0;
      if (unit > 0xdbff || low < 0xdc00 || low > 0xdfff) return -1;
      i++;
      const point = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
      bytes[at++] = 0xf0 | (point >> 18);
      bytes[at++] = 0x80 | ((point >> 12) & 63);
      bytes[at++] = 0x80 | ((point >> 6) & 63);
      bytes[at++] = 0x80 | (point & 63);
    }
  }
  return at;
}

export function loneSurrogate(text: string): MillraceError {
  const shown = JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
  return new MillraceError(
    "wrong-value",
    `${shown} holds half of a surrogate pair, which UTF-8 can't express: two different strings would become equal. Use text.toWellFormed() if that is what you want.`,
  );
}
