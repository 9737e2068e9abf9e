import type { KeyCodec } from "../codec.ts";
import { builtIn, wrongValue } from "./facts.ts";

/** A Uint8Array, in the order of unsigned bytes. What is read is a copy, which may be kept. */
export const bytes: KeyCodec<Uint8Array> = builtIn(
  {
    ordered: true,
    write(value, out) {
      if (!(value instanceof Uint8Array)) throw wrongValue("bytes", "a Uint8Array", value);
      out.writeBytes(value);
    },
    read: (encoded) => new Uint8Array(encoded),
  } satisfies KeyCodec<Uint8Array>,
  { name: "bytes", gives: "bytes" },
);
