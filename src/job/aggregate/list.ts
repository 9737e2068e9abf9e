// States that are lists of byte strings: each after its length.
import { ByteBuffer } from "../../base/bytes/byte-buffer.ts";
import type { ByteWriter } from "../../base/bytes/bytes.ts";
import type { Codec } from "../codec.ts";

/** The bytes that the codec makes of a value. */
export function encodedBy(codec: Codec<unknown>, value: unknown): Uint8Array {
  const buffer = new ByteBuffer(64);
  codec.write(value, buffer);
  return buffer.view();
}

export function writeItem(item: Uint8Array, out: ByteWriter): void {
  out.writeVarint(item.length);
  out.writeBytes(item);
}

/** Goes through the byte strings of bytes[start, end). */
export class ListReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  /** The current one is bytes[start, at). */
  start: number;
  at: number;

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.#bytes = bytes;
    this.#end = end;
    this.start = start;
    this.at = start;
  }

  /** Steps to the first or next one; false at the end. */
  next(): boolean {
    if (this.at >= this.#end) return false;
    const length = this.number();
    this.start = this.at;
    this.at += length;
    return true;
  }

  /** Reads the varint that begins at `at`. */
  number(): number {
    let number = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.#bytes[this.at++]!;
      number += (byte & 127) * scale;
      if (byte < 128) return number;
    }
  }

  /** A copy of the current one, which is no Buffer. */
  copy(): Uint8Array {
    return new Uint8Array(this.#bytes.subarray(this.start, this.at));
  }
}
