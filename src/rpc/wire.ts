// Protobuf's wire format by hand, for the one record that there are a million of (task-record.ts): what the library reads and
// writes through objects and bigints is here numbers and one buffer. (protobuf.dev/programming-guides/encoding)
import { assert } from "../base/assert.ts";

const varint = 0;
const fixed64 = 1;
const delimited = 2;
const fixed32 = 5;

/** Writes one message at a time into a buffer that it keeps. Fields that are zero or empty are left out, as proto3 says. */
export class WireWriter {
  #bytes = new Uint8Array(4096);
  #view = new DataView(this.#bytes.buffer);
  #at = 0;

  /** What was written, copied; the writer is empty again. */
  finish(): Uint8Array<ArrayBuffer> {
    const message = this.#bytes.slice(0, this.#at);
    this.#at = 0;
    return message;
  }

  /** A uint32 or uint64 field of at most 53 bits. */
  uint(field: number, value: number): void {
    if (value !== 0) this.presentUint(field, value);
  }

  /** Of an optional field, where zero is a value. */
  presentUint(field: number, value: number): void {
    assert(Number.isSafeInteger(value) && value >= 0, `${value} is no whole number from 0 to 2^53-1`);
    this.#reserve(15);
    this.#varint(field * 8 + varint);
    this.#varint(value);
  }

  /** An sint64 field: a safe integer of either sign. */
  sint(field: number, value: number): void {
    assert(Number.isSafeInteger(value), `${value} is no safe integer`);
    if (value === 0) return;
    this.#reserve(15);
    this.#varint(field * 8 + varint);
    if (Math.abs(value) < 2 ** 52) this.#varint(value < 0 ? -2 * value - 1 : 2 * value);
    else this.#bigVarint(value < 0 ? -2n * BigInt(value) - 1n : 2n * BigInt(value));
  }

  double(field: number, value: number): void {
    if (value === 0) return;
    this.#reserve(13);
    this.#varint(field * 8 + fixed64);
    this.#view.setFloat64(this.#at, value, true);
    this.#at += 8;
  }

  presentFixed64(field: number, value: bigint): void {
    this.#reserve(13);
    this.#varint(field * 8 + fixed64);
    this.#view.setBigUint64(this.#at, value, true);
    this.#at += 8;
  }

  string(field: number, value: string): void {
    if (value !== "") this.presentString(field, value);
  }

  presentString(field: number, value: string): void {
    const { length } = value;
    this.#reserve(10 + 3 * length);
    this.#varint(field * 8 + delimited);
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

  /** Begins a message in a field; `end` takes what is returned. */
  begin(field: number): number {
    this.#reserve(6);
    this.#varint(field * 8 + delimited);
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

/** Reads one message after the other. Whatever is no such message throws; the caller says what that means. */
export class WireReader {
  #bytes: Uint8Array = new Uint8Array();
  #text: Buffer = Buffer.alloc(0);
  #at = 0;
  #end = 0;
  /** Of the field that `next` stepped to. */
  field = 0;
  #type = 0;

  open(bytes: Uint8Array): void {
    this.#bytes = bytes;
    this.#text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#at = 0;
    this.#end = bytes.length;
  }

  /** Offset of the next field, when the one before has been read. */
  get at(): number {
    return this.#at;
  }

  /** Steps to the next field; false at the message's end. Its value must be read, or skipped. */
  next(): boolean {
    if (this.#at >= this.#end) return false;
    const tag = this.#varint();
    this.field = Math.floor(tag / 8);
    this.#type = tag % 8;
    return true;
  }

  uint(): number {
    this.#expect(varint);
    return this.#varint();
  }

  bool(): boolean {
    return this.uint() !== 0;
  }

  sint(): number {
    this.#expect(varint);
    const from = this.#at;
    if (this.#bytes[from]! < 128 || this.#bytes[from + 1]! < 128 || this.#bytes[from + 2]! < 128) {
      const small = this.#varint();
      return small % 2 === 0 ? small / 2 : -(small + 1) / 2;
    }
    const bits = this.#bigVarint();
    const value = Number(bits & 1n ? -(bits >> 1n) - 1n : bits >> 1n);
    if (!Number.isSafeInteger(value)) throw new Error(`${value} is beyond 2^53`);
    return value;
  }

  double(): number {
    const from = this.#fixed64();
    return this.#text.readDoubleLE(from);
  }

  fixed64(): bigint {
    const from = this.#fixed64();
    return this.#text.readBigUInt64LE(from);
  }

  string(): string {
    const from = this.#open();
    return this.#string(from, this.#at);
  }

  #string(from: number, to: number): string {
    for (let at = from; at < to; at++) {
      if (this.#bytes[at]! >= 128) return decoder.decode(this.#bytes.subarray(from, to));
    }
    return this.#text.toString("latin1", from, to);
  }

  /** A string that repeats from record to record: the same one again where the table has it, without making it first. */
  repeated(table: StringTable): string {
    const from = this.#open();
    return table.take(this.#bytes, from, this.#at) ?? this.#string(from, this.#at);
  }

  /** Steps into a message; `leave` takes what is returned. */
  enter(): number {
    const outer = this.#end;
    const from = this.#open();
    this.#end = this.#at;
    this.#at = from;
    return outer;
  }

  leave(outer: number): void {
    this.#end = outer;
  }

  /** A field of a later version. */
  skip(): void {
    if (this.#type === varint) this.#bigVarint();
    else if (this.#type === fixed64) this.#fixed64();
    else if (this.#type === delimited) this.#open();
    else if (this.#type === fixed32) this.#take(4);
    else throw new Error(`field ${this.field} is of wire type ${this.#type}`);
  }

  /** The start of a field's bytes; behind them from then on. */
  #open(): number {
    this.#expect(delimited);
    return this.#take(this.#varint());
  }

  #fixed64(): number {
    this.#expect(fixed64);
    return this.#take(8);
  }

  #take(length: number): number {
    const from = this.#at;
    if (from + length > this.#end) throw new Error(`field ${this.field} ends behind its message`);
    this.#at = from + length;
    return from;
  }

  #varint(): number {
    const bytes = this.#bytes;
    let value = 0;
    let factor = 1;
    for (let count = 0; count < 8; count++) {
      if (this.#at >= this.#end) throw new Error("a number ends behind its message");
      const byte = bytes[this.#at++]!;
      value += (byte & 127) * factor;
      if (byte < 128) {
        if (value > Number.MAX_SAFE_INTEGER) break;
        return value;
      }
      factor *= 128;
    }
    throw new Error("a number is beyond 2^53");
  }

  #bigVarint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      if (this.#at >= this.#end) throw new Error("a number ends behind its message");
      const byte = this.#bytes[this.#at++]!;
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
    throw new Error("a number has more than 64 bits");
  }

  #expect(type: number): void {
    if (this.#type !== type) throw new Error(`field ${this.field} is of wire type ${this.#type}, not ${type}`);
  }
}

/** Short ASCII strings by their bytes; of two with the same place the later one stays. */
export class StringTable {
  readonly #strings: (string | undefined)[];

  /** `size`: a power of two. */
  constructor(size: number) {
    this.#strings = new Array<string | undefined>(size).fill(undefined);
  }

  /** Undefined for what is long, or no ASCII. */
  take(bytes: Uint8Array, from: number, to: number): string | undefined {
    if (to - from > 64) return undefined;
    let hash = 0x811c9dc5; // FNV-1a
    for (let at = from; at < to; at++) {
      const byte = bytes[at]!;
      if (byte >= 128) return undefined;
      hash = Math.imul(hash ^ byte, 0x01000193);
    }
    const place = (hash ^ (hash >>> 15)) & (this.#strings.length - 1);
    const known = this.#strings[place];
    if (known !== undefined && isEqual(known, bytes, from, to)) return known;
    const text = String.fromCharCode(...bytes.subarray(from, to));
    this.#strings[place] = text;
    return text;
  }
}

function isEqual(text: string, bytes: Uint8Array, from: number, to: number): boolean {
  if (text.length !== to - from) return false;
  for (let at = from; at < to; at++) if (text.charCodeAt(at - from) !== bytes[at]) return false;
  return true;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
