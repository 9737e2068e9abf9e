// Reads protobuf's wire format by hand (types.ts says why).
import type { StringTable } from "./string-table.ts";
import { wireType } from "./types.ts";

/**
 * Reads one message after the other. It throws for bytes that are no message, and the caller turns that into an error
 * of its own.
 */
export class WireReader {
  #bytes: Uint8Array = new Uint8Array();
  #text: Buffer = Buffer.alloc(0);
  #at = 0;
  #end = 0;
  /** The number of the field that `next` stepped to. */
  field = 0;
  #type = 0;

  open(bytes: Uint8Array): void {
    this.#bytes = bytes;
    this.#text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#at = 0;
    this.#end = bytes.length;
  }

  /** Offset of the next field, once the one before was read. */
  get at(): number {
    return this.#at;
  }

  /** Steps to the next field; false at the message's end. The field's value must then be read or skipped. */
  next(): boolean {
    if (this.#at >= this.#end) return false;
    const tag = this.#varint();
    this.field = Math.floor(tag / 8);
    this.#type = tag % 8;
    return true;
  }

  uint(): number {
    this.#expect(wireType.varint);
    return this.#varint();
  }

  bool(): boolean {
    return this.uint() !== 0;
  }

  sint(): number {
    this.#expect(wireType.varint);
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

  /** Reads a string that repeats from record to record. If the table has it, that one is returned and none is made. */
  repeated(table: StringTable): string {
    const from = this.#open();
    return table.take(this.#bytes, from, this.#at) ?? this.#string(from, this.#at);
  }

  /** Reads a field's content as a view, which is valid as long as the message's bytes. */
  bytes(): Uint8Array {
    const from = this.#open();
    return this.#bytes.subarray(from, this.#at);
  }

  /** Steps into a message. Pass the result to `leave`. */
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

  /** Skips a field of a later version. */
  skip(): void {
    if (this.#type === wireType.varint) this.#bigVarint();
    else if (this.#type === wireType.fixed64) this.#fixed64();
    else if (this.#type === wireType.delimited) this.#open();
    else if (this.#type === wireType.fixed32) this.#take(4);
    else throw new Error(`field ${this.field} is of wire type ${this.#type}`);
  }

  /** Returns the start of a field's bytes, and moves behind them. */
  #open(): number {
    this.#expect(wireType.delimited);
    return this.#take(this.#varint());
  }

  #fixed64(): number {
    this.#expect(wireType.fixed64);
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

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
