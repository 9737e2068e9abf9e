// biome-ignore-all lint/suspicious/noExplicitAny: in a constraint only `any` accepts every format and codec; none reaches a user's variable
// What a codec is, as types. The codecs themselves are in `codecs/`, one a file.
import type { ByteWriter } from "../base/bytes/bytes.ts";

/** Turns values into bytes and back. */
export interface Codec<T> {
  /** Whether the bytes sort as the values do; a key's codec must. */
  readonly ordered: boolean;
  write(value: T, out: ByteWriter): void;
  read(bytes: Uint8Array): T;
}

/** A codec whose byte order is the order of its type. */
export interface KeyCodec<T> extends Codec<T> {
  readonly ordered: true;
}
/** A codec that also has a text form, and so can be a column of csv and tsv or a field of ndjson. */
export interface ColumnCodec<T> extends KeyCodec<T> {
  parse(text: string): T;
  format(value: T): string;
}

/** Not a key: JSON text has no useful order. */
export interface JsonCodec<T> extends Codec<T> {
  readonly ordered: false;
}

export type AutoKey = null | boolean | number | bigint | string | Date | Uint8Array | readonly AutoKey[];
export type AutoValue = AutoKey | readonly AutoValue[] | { readonly [name: string]: AutoValue };
export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [name: string]: JsonValue };

/** What `ndjson({ integers: "bigint" })` reads. */
export type JsonValueWithBigints =
  | null
  | boolean
  | number
  | bigint
  | string
  | readonly JsonValueWithBigints[]
  | { readonly [name: string]: JsonValueWithBigints };

/** As `Jsonable`, but bigints are fine. */
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

/** T with `never` for every part that JSON would lose or change. */
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
export type NotJson =
  | bigint
  | symbol
  | Date
  | Uint8Array
  | ReadonlyMap<any, any>
  | ReadonlySet<any>
  | ((...args: never) => unknown);
