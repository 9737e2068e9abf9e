import type { ColumnCodec } from "../codec.ts";
import { builtIn, wrongText, wrongValue } from "./facts.ts";

/** Booleans, false before true, one byte; as text "false" and "true". */
export const bool: ColumnCodec<boolean> = builtIn(
  {
    ordered: true,
    write(value, out) {
      if (typeof value !== "boolean") throw wrongValue("bool", "true or false", value);
      out.writeUint8(value ? 1 : 0);
    },
    read: (bytes) => bytes[0] === 1,
    parse(text) {
      if (text !== "true" && text !== "false") throw wrongText("bool", '"true" or "false"', text);
      return text === "true";
    },
    format(value) {
      if (typeof value !== "boolean") throw wrongValue("bool", "true or false", value);
      return String(value);
    },
  } satisfies ColumnCodec<boolean>,
  { name: "bool", width: 1, gives: "boolean" },
);
