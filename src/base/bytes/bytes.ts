import { markAsUntransferable } from "node:worker_threads";

/** What codecs and formats write into. Its caller owns and reuses it: do not keep it after the call. */
export interface ByteWriter {
  /** Appends one byte: the low 8 bits of `value`. */
  writeUint8(value: number): void;
  /** Appends a safe integer >= 0 as unsigned LEB128. */
  writeVarint(value: number): void;
  /** Appends a copy of `bytes`. */
  writeBytes(bytes: Uint8Array): void;
  /**
   * Appends text as UTF-8.
   * @throws `wrong-value` for a lone surrogate, which UTF-8 can't hold.
   */
  writeUtf8(text: string): void;
}

/**
 * Compares in unsigned byte order, the one order of keys everywhere. Returns a negative number, 0 or a positive one.
 */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const difference = a[i]! - b[i]!;
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && compareBytes(a, b) === 0;
}

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex");
}

/** A view of the same memory with Buffer's fast slice methods. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** How many bytes `value` takes as unsigned LEB128. */
export function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) length++;
  return length;
}

/**
 * Copies bytes[start, end) for several views that user code will share. When user code transfers one of the views to
 * another thread, that thread gets a copy and the other views keep their bytes.
 */
export function sharedCopy(bytes: Uint8Array, start: number, end: number): ArrayBuffer {
  const { buffer } = new Uint8Array(new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start));
  markAsUntransferable(buffer);
  return buffer;
}
