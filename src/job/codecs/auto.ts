// Any plain value as tagged bytes whose order is the order of the values, after the idea of FoundationDB's tuple layer.
//
//   null 01 · false 02 · true 03 · number 04 · bigint 05 · string 06 · Date 07 · bytes 08 · array 09 · object 0A
//
// Values of different types are ordered by these tags: all numbers before all bigints (1 and 1n are two keys), those
// before all strings. Within a type: numbers and Dates 8 bytes (`base/bytes/f64.ts`), bigints as their codec writes
// them, strings and bytes as they are, arrays element by element, a shorter one before those that go on. Inside an
// array or object strings and bytes are escaped (00 becomes 00 FF) and ended by 00, and 00 also ends the array: no tag
// is 00 or FF, so both stay unambiguous. Objects, in values only, are name and value in turn, in the object's own
// order.

import { types } from "node:util";
import { assert } from "../../base/assert.ts";
import { asBuffer, type ByteWriter } from "../../base/bytes/bytes.ts";
import { readF64 } from "../../base/bytes/f64.ts";
import type { MillraceError } from "../../base/error.ts";
import { limits } from "../../base/limits.ts";
import { isPlainObject, notPlain } from "../../base/value/plain-value.ts";
import type { AutoKey, AutoValue, Codec, KeyCodec } from "../codec.ts";
import { bigintEnd, readBigint, writeBigint } from "./bigint.ts";
import { hasEscapes, unescaped, writeEscaped } from "./escape.ts";
import { writeDouble } from "./f64.ts";
import { builtIn } from "./facts.ts";
import { readText, writeTextEnded } from "./utf8.ts";

const tag = {
  null: 1,
  false: 2,
  true: 3,
  number: 4,
  bigint: 5,
  string: 6,
  date: 7,
  bytes: 8,
  array: 9,
  object: 10,
} as const;
const end = 0;

/**
 * The default codec. Keys are null, booleans, finite numbers, bigints, strings, Dates, Uint8Arrays and arrays of these.
 * Types are ordered as listed here, each in its own order. Values may be plain objects too. Encoding anything else, or
 * what would be read back changed, is refused with `wrong-value`.
 */
export const auto: KeyCodec<AutoKey> = builtIn<KeyCodec<AutoKey>>(
  { ordered: true, write: (value, out) => write(value, out, keys, []), read: (bytes) => read(bytes) as AutoKey },
  { name: "auto" },
);

/** Takes the place of `auto` where values are encoded: it also takes plain objects. */
export const autoValue: Codec<AutoValue> = builtIn<Codec<AutoValue>>(
  { ordered: false, write: (value, out) => write(value, out, values, []), read },
  { name: "auto" },
);

/**
 * Encodes parameters as they are stored with a job. What can't be stored must be made in `setup`; a property that is
 * undefined counts as left out.
 */
export const paramsCodec: Codec<AutoValue> = builtIn<Codec<AutoValue>>(
  { ordered: false, write: (value, out) => write(value, out, params, []), read },
  { name: "params" },
);

/**
 * Encodes whole records of a format, for a join: all numbers may be in them, and a property that is undefined counts
 * as left out.
 */
export const recordCodec: Codec<unknown> = builtIn<Codec<unknown>>(
  { ordered: false, write: (value, out) => write(value, out, records, []), read },
  { name: "records" },
);

interface Role {
  readonly carrier: string;
  readonly objects: boolean;
  /** Properties that are undefined count as left out. Default: they are refused. */
  readonly leavesOut?: true;
  /** NaN and infinities are allowed. Default: they are refused. */
  readonly allNumbers?: true;
  /** Advice for errors, in place of the usual one. */
  readonly advice?: string;
}
const params: Role = {
  carrier: "params, which are stored with the job,",
  objects: true,
  leavesOut: true,
  advice: "Let the schema give plain data, and make it in `setup`.",
};
const records: Role = {
  carrier: "a join, whose records are kept as plain data,",
  objects: true,
  leavesOut: true,
  allNumbers: true,
  advice: "Let the input's format give plain data.",
};
const keys: Role = { carrier: "the auto codec, for keys,", objects: false };
const values: Role = { carrier: "the auto codec", objects: true };

function write(value: unknown, out: ByteWriter, role: Role, path: (string | number)[]): void {
  switch (typeof value) {
    case "string":
      out.writeUint8(tag.string);
      if (path.length === 0) out.writeUtf8(value);
      else writeTextEnded(value, 1, out);
      break;
    case "number":
      if (!Number.isFinite(value) && role.allNumbers !== true)
        throw refused(role, value, path, "Use the codec float64, or null instead.");
      out.writeUint8(tag.number);
      writeDouble(value, out);
      break;
    case "boolean":
      out.writeUint8(value ? tag.true : tag.false);
      break;
    case "bigint":
      out.writeUint8(tag.bigint);
      writeBigint(value, out);
      break;
    case "object":
      if (value === null) out.writeUint8(tag.null);
      else writeObject(value, out, role, path);
      break;
    case "undefined":
      throw refused(role, value, path, "Write null, or leave the property out.");
    default:
      throw refused(role, value, path, "Emit data instead.");
  }
}

function refused(role: Role, value: unknown, path: readonly (string | number)[], advice: string): MillraceError {
  return notPlain(role.carrier, value, path, role.advice ?? advice);
}

function writeObject(value: object, out: ByteWriter, role: Role, path: (string | number)[]): void {
  if (path.length >= limits.nestingMax) {
    throw refused(role, value, path, `It is nested more than ${limits.nestingMax} deep, or contains itself.`);
  }
  if (Array.isArray(value)) {
    out.writeUint8(tag.array);
    for (let i = 0; i < value.length; i++) writePart(i, value[i], out, role, path);
    out.writeUint8(end);
  } else if (value instanceof Uint8Array) {
    out.writeUint8(tag.bytes);
    if (path.length === 0) out.writeBytes(value);
    else writeEscaped(asBuffer(value), 1, out);
  } else if (types.isDate(value)) {
    const ms = Date.prototype.getTime.call(value);
    if (Number.isNaN(ms)) throw refused(role, value, path, "It is no valid date.");
    out.writeUint8(tag.date);
    writeDouble(ms, out);
  } else if (!isPlainObject(value)) {
    throw refused(role, value, path, "Give a codec of your own, or make plain data of it.");
  } else if (role.objects) {
    writeProperties(value as Readonly<Record<string, unknown>>, out, role, path);
  } else {
    throw refused(role, value, path, "An object's properties have no order: use an array of them as the key.");
  }
}

function writeProperties(
  object: Readonly<Record<string, unknown>>,
  out: ByteWriter,
  role: Role,
  path: (string | number)[],
): void {
  out.writeUint8(tag.object);
  for (const name of Object.keys(object)) {
    if (role.leavesOut === true && object[name] === undefined) continue;
    out.writeUint8(tag.string);
    writeTextEnded(name, 1, out);
    writePart(name, object[name], out, role, path);
  }
  out.writeUint8(end);
}

function writePart(step: string | number, part: unknown, out: ByteWriter, role: Role, path: (string | number)[]): void {
  path.push(step);
  write(part, out, role, path);
  path.pop();
}

function read(bytes: Uint8Array): AutoValue {
  switch (bytes[0]) {
    case tag.string:
      return readText(bytes, 1, bytes.length);
    case tag.bytes:
      return new Uint8Array(bytes.subarray(1));
    default:
      return new AutoReader(bytes).value();
  }
}

/** Reads values one after the other, as they lie inside arrays. */
class AutoReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  value(): AutoValue {
    const kind = this.#bytes[this.#at++];
    switch (kind) {
      case tag.null:
        return null;
      case tag.false:
        return false;
      case tag.true:
        return true;
      case tag.number:
        return this.#double();
      case tag.date:
        return new Date(this.#double());
      case tag.bigint: {
        const value = readBigint(this.#bytes, this.#at);
        this.#at = bigintEnd(this.#bytes, this.#at);
        return value;
      }
      case tag.string:
        return this.#text();
      case tag.bytes:
        return this.#plain();
      case tag.array:
        return this.#array();
      case tag.object:
        return this.#object();
      default:
        throw new Error(`millrace bug: tag ${kind} in the bytes of the auto codec`);
    }
  }

  #double(): number {
    this.#at += 8;
    return readF64(this.#bytes, this.#at - 8);
  }

  #array(): AutoValue {
    const array: AutoValue[] = [];
    while (this.#bytes[this.#at] !== end) array.push(this.value());
    this.#at++;
    return array;
  }

  #object(): AutoValue {
    const object: Record<string, AutoValue> = {};
    while (this.#bytes[this.#at] !== end) {
      assert(this.#bytes[this.#at++] === tag.string, "a name of an object is no string");
      const name = this.#text();
      const value = this.value();
      // Assignment would set the prototype instead.
      if (name === "__proto__")
        Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true });
      else object[name] = value;
    }
    this.#at++;
    return object;
  }

  #text(): string {
    const start = this.#at;
    const end = this.#skipEnded();
    if (!hasEscapes(this.#bytes, start, end)) return readText(this.#bytes, start, end);
    const plain = unescaped(this.#bytes, start, end);
    return readText(plain, 0, plain.length);
  }

  #plain(): Uint8Array {
    const start = this.#at;
    return unescaped(this.#bytes, start, this.#skipEnded());
  }

  /** Moves behind the end mark, and returns the offset of that mark. */
  #skipEnded(): number {
    const bytes = this.#bytes;
    for (let i = this.#at; i < bytes.length; i++) {
      if (bytes[i] !== 0) continue;
      if (bytes[i + 1] !== 0xff) {
        this.#at = i + 1;
        return i;
      }
      i++; // an escaped byte
    }
    throw new Error("millrace bug: a string in the bytes of the auto codec has no end");
  }
}
