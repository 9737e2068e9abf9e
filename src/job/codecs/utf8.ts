import { asBuffer } from "../../base/bytes.ts";
import type { ColumnCodec } from "../codec.ts";
import { builtIn, wrongValue } from "./facts.ts";

/**
 * Text in code-point order (not JavaScript's `<`, which is the order of UTF-16 units). A lone surrogate is an error: UTF-8
 * would turn different strings into the same bytes.
 */
export const utf8: ColumnCodec<string> = builtIn(
  {
    ordered: true,
    write(value, out) {
      if (typeof value !== "string") throw wrongValue("utf8", "a string", value);
      out.writeUtf8(value);
    },
    read: readText,
    parse: (text) => text,
    format(value) {
      if (typeof value !== "string") throw wrongValue("utf8", "a string", value);
      return value;
    },
  } satisfies ColumnCodec<string>,
  { name: "utf8" },
);

/** Not TextDecoder, which takes U+FEFF at the start for a byte order mark and drops it. */
export function readText(bytes: Uint8Array): string {
  return asBuffer(bytes).toString("utf8");
}
