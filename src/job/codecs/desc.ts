import type { ByteWriter } from "../../base/bytes/bytes.ts";
import { MillraceError } from "../../base/error.ts";
import type { Codec, KeyCodec } from "../codec.ts";
import { invert, unescaped, withEncoded, writeEscaped } from "./escape.ts";
import { builtIn, codecName, fixedWidth } from "./facts.ts";

/**
 * Reverses the order of a codec, also as a part of a tuple.
 * @throws `wrong-job` for a codec without an order.
 * @example key: tuple(utf8, desc(date))
 */
export function desc<T>(codec: KeyCodec<T>): KeyCodec<T> {
  const name = `desc(${codecName(codec)})`;
  if ((codec as Codec<T>).ordered !== true) {
    throw new MillraceError(
      "wrong-job",
      `${name}: there is no order to reverse, as the codec's \`ordered\` is not true`,
    );
  }
  const reverses = codec as Codec<unknown>;
  const width = fixedWidth(codec);
  if (width !== undefined) {
    const fixed: KeyCodec<T> = {
      ordered: true,
      write: (value, out) => withEncoded(codec, value, (bytes) => out.writeBytes(invert(bytes))),
      read: (bytes) => codec.read(invert(new Uint8Array(bytes))),
    };
    return builtIn(fixed, { name, width, reverses });
  }
  // Bytes of variable length are escaped and ended before they are inverted: "a" inverted is a prefix of "ab" inverted,
  // and would still come first.
  const escaped: Codec<T> = {
    ordered: true,
    write: (value, out) => withEncoded(codec, value, (bytes) => writeEscaped(bytes, 2, out)),
    read: (bytes) => codec.read(unescaped(bytes, 0, bytes.length - 2)),
  };
  const inverted: KeyCodec<T> = {
    ordered: true,
    write: (value: T, out: ByteWriter) => withEncoded(escaped, value, (bytes) => out.writeBytes(invert(bytes))),
    read: (bytes) => escaped.read(invert(new Uint8Array(bytes))),
  };
  return builtIn(inverted, { name, descending: true, reverses });
}
