import type { KeyCodec } from "../codec.ts";
import { builtIn, wrongValue } from "./facts.ts";

/** Bytes in unsigned order. What is read is a copy, and so stays as it is. */
export const bytes: KeyCodec<Uint8Array> = builtIn(
  {
    ordered: true,
    write(value, out) {
      if (!(value instanceof Uint8Array)) throw wrongValue("bytes", "a Uint8Array", value);
      out.writeBytes(value);
    },
    read: (encoded) => new Uint8Array(encoded),
  } satisfies KeyCodec<Uint8Array>,
  { name: "bytes" },
);
