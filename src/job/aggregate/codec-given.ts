// The arguments of aggregates that keep values: a field's name, where there is one, and a codec. All throw `wrong-job`.
import { excerptOf } from "../../base/excerpt.ts";
import { checkOptions } from "../../base/value/known-options.ts";
import { isObject, wrong } from "../check.ts";
import type { Codec, KeyCodec } from "../codec.ts";
import { codecName } from "../codecs/facts.ts";
import { fieldName } from "./field.ts";

/** `(field, codec)` or `(codec)`; what follows is `more`: options, of which these are known. */
export function fieldAndCodec(
  what: string,
  given: readonly unknown[],
  known: Readonly<Record<string, true>>,
): { readonly field: string | undefined; readonly codec: unknown; readonly more: unknown } {
  const isOfField = typeof given[0] === "string";
  const field = isOfField ? fieldName(what, given[0]) : undefined;
  const [codec, more] = isOfField ? given.slice(1) : given;
  checkOptions(what, more, known);
  return { field, codec, more };
}

export function codecGiven(what: string, codec: unknown): Codec<unknown> {
  if (isObject(codec) && typeof codec["write"] === "function" && typeof codec["read"] === "function") {
    return codec as object as Codec<unknown>;
  }
  const called = typeof codec === "function" ? ", which has to be called, as in json()" : "";
  throw wrong(`${what} takes a codec such as utf8, not ${excerptOf(codec)}${called}`);
}

export function keyCodecGiven(what: string, codec: unknown): KeyCodec<unknown> {
  const given = codecGiven(what, codec);
  if (given.ordered === true) return given as KeyCodec<unknown>;
  throw wrong(`${what} needs a codec with an order, such as utf8, and ${codecName(given)} has none`);
}
