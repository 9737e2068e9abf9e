import { strictJson } from "../../base/value/strict-json.ts";
import type { Jsonable, JsonCodec, JsonValue } from "../codec.ts";
import { builtIn } from "./facts.ts";
import { readText } from "./utf8.ts";

/**
 * Values as JSON text. It has no order, so it can't be a key's codec. What JSON would lose or change (undefined, NaN, a
 * Date, an instance of a class) is refused with `wrong-value`, which names the place.
 * @example value: json<Event>()
 */
export function json<T extends Jsonable<T> = JsonValue>(): JsonCodec<T> {
  return codec as JsonCodec<T>;
}

const codec: JsonCodec<unknown> = builtIn(
  {
    ordered: false,
    // A lone surrogate is written as an escape sequence, and so survives.
    write: (value, out) => out.writeUtf8(strictJson(value, "json()")),
    read: (bytes) => JSON.parse(readText(bytes, 0, bytes.length)),
  } satisfies JsonCodec<unknown>,
  { name: "json()" },
);
