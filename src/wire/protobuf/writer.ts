// Writes protobuf's wire format by hand (types.ts says why).
import { assert } from "../../base/assert.ts";
import { wireType } from "./types.ts";

/**
 * Writes one message at a time into a buffer that it keeps. Fields that are zero or empty are left out, as proto3 says.
 */
export class WireWriter {
  #bytes = new Uint8Array(4096);
  #view = new DataView(this.#bytes.buffer);
  #at = 0;

  /** Begins a message, and forgets one that an error has cut off. */
  start(): void {
    this.#at = 0;
  }

  /** Returns a copy of what was written. The writer is empty again. */
  finish(): Uint8Array<ArrayBuffer> {
    const message = this.#bytes.slice(0, this.#at);
    this.#at = 0;
    return message;
  }

  /** A uint32 or uint64 field of at most 53 bits. */
  uint(field: number, value: number): void {
    if (value !== 0) this.presentUint(field, value);
  }

  /** An optional uint field, in which zero is a value. */
  presentUint(field: number, value: number): void {
    // Its text only where it fails: making it costs more than writing the number.
    if (!Number.isSafeInteger(value) || value < 0) assert(false, `${value} is no whole number from 0 to 2^53-1`);
    this.#reserve(15);
    this.#varint(field * 8 + wireType.varint);
    this.#varint(value);
  }

  /** An sint64 field: a safe integer of either sign. */
  sint(field: number, value: number): void {
    if (!Number.isSafeInteger(value)) assert(false, `${value} is no safe integer`);
    if (value === 0) return;
    this.#reserve(15);
    this.#varint(field * 8 + wireType.varint);
    if (Math.abs(value) < 2 ** 52) this.#varint(value < 0 ? -2 * value - 1 : 2 * value);
    else this.#bigVarint(value < 0 ? -2n * BigInt(value) - 1n : 2n * BigInt(value));
  }

  double(field: number, value: number): void {
    if (value === 0) return;
    this.#reserve(13);
    this.#varint(field * 8 + wireType.fixed64);
    this.#view.setFloat64(this.#at, value, true);
    this.#at += 8;
  }

  presentFixed64(field: number, value: bigint): void {
    this.#reserve(13);
    this.#varint(field * 8 + wireType.fixed64);
    this.#view.setBigUint64(this.#at, value, true);
    this.#at += 8;
  }

  string(field: number, value: string): void {
    if (value !== "") this.presentString(field, value);
  }

  presentString(field: number, value: string): void {
    const { length } = value;
    this.#reserve(10 + 3 * length);
    this.#varint(field * 8 + wireType.delimited);
    const from = this.#at;
    const bytes = this.#bytes;
    if (length < 128) {
      let at = from + 1;
      let index = 0;
      for (; index < length; index++) {
        const code = value.charCodeAt(index);
        if (code >= 128) break;
        bytes[at++] = code;
      }
      if (index === length) {
        bytes[from] = length;
        this.#at = at;
        return;
      }
    }
    const { written } = encoder.encodeInto(value, bytes.subarray(from + 5));
    this.#varint(written);
    bytes.copyWithin(this.#at, from + 5, from + 5 + written);
    this.#at += written;
  }

  presentBytes(field: number, value: Uint8Array): void {
    this.#reserve(10 + value.length);
    this.#varint(field * 8 + wireType.delimited);
    this.#varint(value.length);
    this.#bytes.set(value, this.#at);
    this.#at += value.length;
  }

  /** Begins a message in a field. Pass the result to `end`. */
  begin(field: number): number {
    this.#reserve(6);
    this.#varint(field * 8 + wireType.delimited);
    return this.#at++;
  }

  end(lengthAt: number): void {
    const from = lengthAt + 1;
    const length = this.#at - from;
    if (length < 128) {
      this.#bytes[lengthAt] = length;
      return;
    }
    const more = length < 16_384 ? 1 : length < 2_097_152 ? 2 : 3;
    assert(length < 268_435_456, "a message is smaller than 256 MiB");
    this.#reserve(more);
    this.#bytes.copyWithin(from + more, from, this.#at);
    this.#at = lengthAt;
    this.#varint(length);
    this.#at += length;
  }

  #varint(value: number): void {
    const bytes = this.#bytes;
    let left = value;
    while (left >= 128) {
      bytes[this.#at++] = (left % 128) + 128;
      left = Math.floor(left / 128);
    }
    bytes[this.#at++] = left;
  }

  #bigVarint(value: bigint): void {
    let left = value;
    for (; left >= 128n; left >>= 7n) this.#bytes[this.#at++] = Number(left & 127n) + 128;
    this.#bytes[this.#at++] = Number(left);
  }

  #reserve(more: number): void {
    if (this.#at + more <= this.#bytes.length) return;
    const bytes = new Uint8Array(Math.max(2 * this.#bytes.length, this.#at + more));
    bytes.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }
}

const encoder = new TextEncoder();
