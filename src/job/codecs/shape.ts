// What is known of a value before there is one: what its codec says that it gives. Outputs refuse by it, before the
// first map, what they could not write.
import type { Codec } from "../codec.ts";
import { codecFacts, type GivenType } from "./facts.ts";

export type Shape =
  | { readonly kind: GivenType }
  | { readonly kind: "nullable"; readonly of: Shape }
  /** An array of these parts: a tuple, or a key and its value. `names`: what the parts are called. */
  | { readonly kind: "array"; readonly parts: readonly Shape[]; readonly names?: readonly string[] }
  /** An object of these properties: a key with names, or what an aggregate gives beside one. */
  | { readonly kind: "object"; readonly names: readonly string[] }
  /** Anything: of `auto`, `json()` and codecs of the job's own. */
  | { readonly kind: "unknown" };

export function shapeOf(codec: Codec<unknown>): Shape {
  const { gives, inner, reverses, parts, names } = codecFacts(codec) ?? {};
  if (gives !== undefined) return { kind: gives };
  if (inner !== undefined) return { kind: "nullable", of: shapeOf(inner) };
  if (reverses !== undefined) return shapeOf(reverses);
  if (names !== undefined) return { kind: "object", names };
  if (parts !== undefined) return { kind: "array", parts: parts.map(shapeOf) };
  return { kind: "unknown" };
}
