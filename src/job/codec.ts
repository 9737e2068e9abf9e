// biome-ignore-all lint/suspicious/noExplicitAny: in a constraint only `any` accepts every format and codec; none reaches a user's variable
// What a codec is, as types. The codecs themselves are in `codecs/`, one a file.
import type { ByteWriter } from "../base/bytes/bytes.ts";

/**
 * Turns values into bytes and back. A codec of your own is an object of these three: equal values must be written as
 * equal bytes, `read` must give back what `write` was given, and neither may wait.
 */
export interface Codec<T> {
  /** True when the bytes, compared as unsigned bytes, sort as the values do. A key's codec must. */
  readonly ordered: boolean;
  /** Appends the value's bytes. Throw for a value that would not be read back the same. */
  write(value: T, out: ByteWriter): void;
  /**
   * The value that was written as exactly these bytes. They may be used again after the call: copy what is kept of
   * them.
   */
  read(bytes: Uint8Array): T;
}

/** A codec whose byte order is the order of its type. */
export interface KeyCodec<T> extends Codec<T> {
  /** True: the bytes, compared as unsigned bytes, sort as the values do. */
  readonly ordered: true;
}
/** A codec that also has a text form, and so can be a column of csv and tsv or a field of ndjson. */
export interface ColumnCodec<T> extends KeyCodec<T> {
  /** The value of a cell or field. Throw for text that is not one: the record is then a bad record. */
  parse(text: string): T;
  /** The value as the text of a cell or field; `parse` must give it back. */
  format(value: T): string;
}

/** The codec of `json()`. It can't be a key's, as JSON text has no useful order. */
export interface JsonCodec<T> extends Codec<T> {
  /** False: JSON text has no useful order. */
  readonly ordered: false;
}

/** What `auto` takes as a key. */
export type AutoKey = null | boolean | number | bigint | string | Date | Uint8Array | readonly AutoKey[];
/** What `auto` takes as a value: keys, and arrays and plain objects of values. */
export type AutoValue = AutoKey | readonly AutoValue[] | { readonly [name: string]: AutoValue };
/** What JSON can hold: what `ndjson()` reads when its records have no type. */
export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [name: string]: JsonValue };

/** As `JsonValue`, with bigints: what `ndjson({ integers: "bigint" })` reads. */
export type JsonValueWithBigints =
  | null
  | boolean
  | number
  | bigint
  | string
  | readonly JsonValueWithBigints[]
  | { readonly [name: string]: JsonValueWithBigints };

/** As `Jsonable`, but bigints are allowed. */
export type JsonableWithBigints<T> = [T] extends [JsonValueWithBigints]
  ? unknown
  : [T] extends [Exclude<NotJson, bigint>]
    ? never
    : { [K in keyof T]: JsonPartWithBigints<T[K]> };
type JsonPartWithBigints<T> = unknown extends T
  ? T
  : T extends JsonValueWithBigints
    ? T
    : T extends Exclude<NotJson, bigint>
      ? never
      : { [K in keyof T]: JsonPartWithBigints<T[K]> };

/** T with `never` in place of every part that JSON would lose or change. */
export type Jsonable<T> = [T] extends [JsonValue]
  ? unknown
  : [T] extends [NotJson]
    ? never
    : { [K in keyof T]: JsonPart<T[K]> };
type JsonPart<T> = unknown extends T
  ? T
  : T extends JsonValue
    ? T
    : T extends NotJson
      ? never
      : { [K in keyof T]: JsonPart<T[K]> };
/** Types that JSON would lose or change. */
export type NotJson =
  | bigint
  | symbol
  | Date
  | Uint8Array
  | ReadonlyMap<any, any>
  | ReadonlySet<any>
  | ((...args: never) => unknown);
