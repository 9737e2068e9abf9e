import type { ByteWriter } from "../../base/bytes/bytes.ts";
import type { Codec, ColumnCodec, KeyCodec } from "../codec.ts";
import { builtIn, codecName } from "./facts.ts";

/**
 * Null, which comes first, or a value of the codec; one byte more than the codec's own. As text, an empty cell or field
 * is null.
 * @example columns: { amount: nullable(float64) }
 */
export function nullable<T>(codec: ColumnCodec<T>): ColumnCodec<T | null>;
/** Null, which comes first, or a value of the codec; one byte more than the codec's own. */
export function nullable<T>(codec: KeyCodec<T>): KeyCodec<T | null>;
export function nullable<T>(codec: KeyCodec<T> | ColumnCodec<T>): KeyCodec<T | null> {
  const plain: KeyCodec<T | null> = {
    ordered: codec.ordered,
    write(value: T | null, out: ByteWriter) {
      out.writeUint8(value === null ? 0 : 1);
      if (value !== null) codec.write(value, out);
    },
    read: (bytes: Uint8Array) => (bytes[0] === 0 ? null : codec.read(bytes.subarray(1))),
  };
  const facts = { name: `nullable(${codecName(codec)})`, inner: codec as unknown as Codec<unknown> };
  if (!("parse" in codec)) return builtIn(plain, facts);
  const column: ColumnCodec<T | null> = {
    ...plain,
    parse: (text) => (text === "" ? null : codec.parse(text)),
    format: (value) => (value === null ? "" : codec.format(value)),
  };
  return builtIn(column, facts);
}
