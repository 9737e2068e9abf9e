// Texts that our own codecs read in only one way, so that their bytes need not become strings first.
import type { Codec, ColumnCodec } from "../../job/codec.ts";
import { f64Kind } from "../../job/codecs/facts.ts";
import { utf8 } from "../../job/codecs/utf8.ts";

/** What is taken as it is, without asking the codec, which is one of our own: texts, or numbers of that kind. */
export type PlainKind = "string" | "uint" | "int" | "float64" | undefined;

export function plainKind(codec: ColumnCodec<unknown> | Codec<unknown>): PlainKind {
  return (codec as unknown) === utf8 ? "string" : f64Kind(codec as unknown as Codec<unknown>);
}
