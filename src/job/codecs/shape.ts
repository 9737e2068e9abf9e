// What is known of a value before there is one: what its codec says that it gives. Outputs refuse by it, before the
// first map, what they could not write, and write by it what has a text of its own.
import type { Codec } from "../codec.ts";
import { codecFacts, type GivenType } from "./facts.ts";

export type Shape =
  | { readonly kind: GivenType; readonly text?: Text }
  | { readonly kind: "nullable"; readonly of: Shape }
  /** An array of these parts: a tuple, or a key and its value. `names`: what the parts are called. */
  | { readonly kind: "array"; readonly parts: readonly Shape[]; readonly names?: readonly string[] }
  /** An object of these properties: a key with names, or what an aggregate gives beside one. */
  | { readonly kind: "object"; readonly names: readonly string[]; readonly parts: readonly Shape[] }
  /** Anything: of `auto`, `json()` and codecs of the job's own. */
  | { readonly kind: "unknown"; readonly text?: Text };

/** The text of a value, by `format` of its codec, where outputs would not make the same one by themselves. */
export type Text = (value: unknown) => unknown;

export const unknownShape: Shape = { kind: "unknown" };

export function shapeOf(codec: Codec<unknown>): Shape {
  const facts = codecFacts(codec);
  if (facts === undefined) return { ...unknownShape, ...formattedBy(codec) };
  const { gives, inner, reverses, parts, names, hasOwnText } = facts;
  if (gives !== undefined) return hasOwnText === true ? { kind: gives, ...formattedBy(codec) } : { kind: gives };
  if (inner !== undefined) return { kind: "nullable", of: shapeOf(inner) };
  if (reverses !== undefined) return shapeOf(reverses);
  if (names !== undefined) return { kind: "object", names, parts: (parts ?? []).map(shapeOf) };
  if (parts !== undefined) return { kind: "array", parts: parts.map(shapeOf) };
  return unknownShape;
}

function formattedBy(codec: object): { readonly text?: Text } {
  const { format } = codec as { readonly format?: unknown };
  return typeof format === "function" ? { text: (value) => Reflect.apply(format, codec, [value]) } : {};
}

/** The text of a value of this shape, null being the empty one; undefined: outputs make it by themselves. */
export function ownText(shape: Shape): Text | undefined {
  switch (shape.kind) {
    case "array":
    case "object":
      return undefined;
    case "nullable": {
      const text = ownText(shape.of);
      return text && ((value) => (value === null ? "" : text(value)));
    }
    default:
      return shape.text;
  }
}
