// The frame of every conversion between plain data and protobuf bytes, with the checks that protobuf itself doesn't
// make.
import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { assert } from "../base/assert.ts";
import { type ErrorCode, MillraceError } from "../base/error.ts";

/** Encodes and decodes one type; `decode` throws a `MillraceError` on bytes that are no such message. */
export interface MessageCodec<T> {
  encode(value: T): Uint8Array<ArrayBuffer>;
  decode(bytes: Uint8Array): T;
}

/** Makes a codec. `code` is the error for unreadable bytes: "io-error" on a wire, "corrupt-state" in a store. */
export function messageCodec<S extends DescMessage, T>(
  schema: S,
  to: (value: T) => MessageInitShape<S>,
  from: (message: MessageShape<S>) => T,
  code: ErrorCode = "io-error",
): MessageCodec<T> {
  return {
    encode: (value) => toBinary(schema, create(schema, to(value))),
    decode: (bytes) => {
      try {
        return from(fromBinary(schema, bytes));
      } catch (error) {
        throw unreadable(bytes, schema.name, code, error);
      }
    },
  };
}

/** The error for bytes that could not be read as a message of that name. */
export function unreadable(bytes: Uint8Array, name: string, code: ErrorCode, error: unknown): MillraceError {
  const why = error instanceof Error ? error.message : String(error);
  const message = `${bytes.length} bytes are no readable ${name} (${why}); were they written by another version?`;
  return new MillraceError(code, message, { cause: error });
}

/** A count, size or offset for a uint64 field. */
export function big(value: number): bigint {
  assert(Number.isSafeInteger(value) && value >= 0, `${value} is no whole number from 0 to 2^53-1`);
  return BigInt(value);
}

/** A whole number of either sign for an sint64 field. */
export function bigSigned(value: number): bigint {
  assert(Number.isSafeInteger(value), `${value} is no safe integer`);
  return BigInt(value);
}

/** The number in a 64-bit field. Throws where JavaScript's numbers would round it. */
export function num(value: bigint): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw new Error(`${value} is beyond 2^53`);
  return number;
}

/** A duration in milliseconds. */
export function duration(value: number): number {
  if (!(value >= 0 && value <= Number.MAX_SAFE_INTEGER)) throw new Error(`${value} is no duration`);
  return value;
}

/** Milliseconds since 1970, up to the year 9999. */
export function instant(value: number): number {
  if (!(value >= 0 && value < 253_402_300_800_000)) throw new Error(`${value} is no time`);
  return value;
}

/** The difference of two clocks, in milliseconds. */
export function difference(value: number): number {
  if (!Number.isSafeInteger(value)) throw new Error(`${value} is no difference of clocks`);
  return value;
}

/** A field that every valid message has. */
export function required<T>(value: T | undefined, name: string): T {
  if (value === undefined) throw new Error(`it lacks ${name}`);
  return value;
}

/** Turns a value that may be missing, and leaves a missing one missing. */
export function optional<A, B>(value: A | undefined, turn: (value: A) => B): B | undefined {
  return value === undefined ? undefined : turn(value);
}

/** Checks that a string is one of the words of a union. */
export function oneOf<W extends string>(words: readonly W[], word: string): W {
  const found = words[(words as readonly string[]).indexOf(word)];
  if (found === undefined) throw new Error(`${JSON.stringify(word)} is none of ${words.join(", ")}`);
  return found;
}
