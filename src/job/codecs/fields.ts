// biome-ignore-all lint/suspicious/noExplicitAny: in a constraint only `any` accepts every codec; none reaches a user's variable
// The codec `fields`: a key with names.
import { excerptOf } from "../../base/excerpt.ts";
import { checkFieldName } from "../aggregate/names.ts";
import { isObject, wrong } from "../check.ts";
import type { KeyCodec } from "../codec.ts";
import { builtIn, codecName, fixedWidth, wrongValue } from "./facts.ts";
import { makeTuple } from "./tuple.ts";

/** Codecs of a key's fields, by name. */
export type KeyColumns = { readonly [name: string]: KeyCodec<any> };
/** The key that follows from `fields`. */
export type FieldsOf<C> = { readonly [N in keyof C]: C[N] extends KeyCodec<infer T> ? T : never } & {};

/**
 * A key with names: the bytes and the order of `tuple` in the order written, read from and given back as an object.
 * Other properties of what is emitted are left out, so a whole record will do.
 * @throws `wrong-job` for a field that is no codec with an order.
 * @example key: fields({ host: utf8, status: uint })
 */
export function fields<const C extends KeyColumns>(parts: C): KeyCodec<FieldsOf<C>> {
  if (!isObject(parts)) throw wrong(`fields takes an object of codecs by name, not ${excerptOf(parts)}`);
  const names = Object.keys(parts);
  if (names.length === 0) throw wrong("fields names no field");
  for (const name of names) checkFieldName("fields", name);
  const codecs = names.map((name) => parts[name] as KeyCodec<unknown>);
  const labels = names.map((name) => `field ${JSON.stringify(name)}`);
  const inner = makeTuple(codecs, "fields", labels);
  for (const [index, codec] of codecs.entries()) {
    if (codec.ordered !== true) throw wrong(`fields: ${labels[index]} needs a codec with an order, such as utf8`);
  }
  const name = `fields({ ${names.map((field, i) => `${field}: ${codecName(codecs[i]!)}`).join(", ")} })`;
  const values: unknown[] = [];
  const codec: KeyCodec<Record<string, unknown>> = {
    ordered: true,
    write(value, out) {
      if (typeof value !== "object" || value === null) throw wrongValue(name, "an object of them", value);
      for (let i = 0; i < names.length; i++) {
        const part = value[names[i]!];
        if (part === undefined) throw wrongValue(name, `an object with ${labels[i]}`, value);
        values[i] = part;
      }
      inner.write(values, out);
    },
    read: (bytes) => named(inner.read(bytes)),
  };
  function named(read: readonly unknown[]): Record<string, unknown> {
    const object: Record<string, unknown> = {};
    for (let i = 0; i < names.length; i++) object[names[i]!] = read[i];
    return object;
  }
  const width = fixedWidth(inner);
  const facts = { name, parts: codecs, names };
  const made = builtIn(codec, width === undefined ? facts : { ...facts, width });
  return made as unknown as KeyCodec<FieldsOf<C>>;
}
