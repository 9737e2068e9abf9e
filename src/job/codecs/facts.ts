// What the engine knows of its own codecs beyond their public face. It is kept beside the codecs, by identity: a user's copy
// (`{ ...utf8, write }`) is a codec of their own, of which nothing is known.
import { MillraceError } from "../../base/error.ts";
import { excerptOf } from "../../base/excerpt.ts";
import type { PartShape } from "../../kernel/kernel.ts";
import type { Codec } from "../codec.ts";

export interface CodecFacts {
  /** As written in a job: "utf8", "tuple(utf8, desc(uint))". */
  readonly name: string;
  /** Bytes of every value; undefined: variable. */
  readonly width?: number;
  /** Variable, and ends at FF FF by itself: what `desc` makes. */
  readonly descending?: true;
  /** Encoded by `writeF64`, which the kernel can fold. */
  readonly f64?: F64Kind;
  /** Reads bytes[start, end) without a view of them, which costs more than most reads. */
  readonly readAt?: ReadAt;
  /** Of `nullable`: the codec of all values but null. */
  readonly inner?: Codec<unknown>;
  /** Of a tuple. */
  readonly parts?: readonly Codec<unknown>[];
}

/** Which numbers the 8 bytes stand for: "uint" and "int" are whole and safe. */
export type F64Kind = "uint" | "int" | "float64";

export type ReadAt = (bytes: Uint8Array, start: number, end: number) => unknown;

const known = new WeakMap<object, CodecFacts>();

/** Freezes the codec and remembers what it is. */
export function builtIn<C extends object>(codec: C, facts: CodecFacts): C {
  known.set(codec, facts);
  return Object.freeze(codec);
}

export function codecName(codec: Codec<unknown>): string {
  return known.get(codec)?.name ?? "a codec of the job's own";
}

/** Bytes of every encoded value; undefined: they vary, as those of any codec of a user's do. */
export function fixedWidth(codec: Codec<unknown>): number | undefined {
  return known.get(codec)?.width;
}

/** Which numbers the codec writes in the kernel's 8-byte form; undefined: none. */
export function f64Kind(codec: Codec<unknown>): F64Kind | undefined {
  return known.get(codec)?.f64;
}

/** What `nullable` was made of; undefined for all others. */
export function nullableOf(codec: Codec<unknown>): Codec<unknown> | undefined {
  return known.get(codec)?.inner;
}

/** Reads a value that lies inside others. */
export function reader(codec: Codec<unknown>): ReadAt {
  return known.get(codec)?.readAt ?? ((bytes, start, end) => codec.read(bytes.subarray(start, end)));
}

/** How the codec's bytes end as a part of a tuple. */
export function codecShape(codec: Codec<unknown>): PartShape {
  const facts = known.get(codec);
  return facts?.width ?? (facts?.descending ? "descending" : "ascending");
}

/** The parts of a `tuple` codec; undefined for all others. */
export function codecParts(codec: Codec<unknown>): readonly Codec<unknown>[] | undefined {
  return known.get(codec)?.parts;
}

/** The error for a value that a codec does not take. */
export function wrongValue(codec: string, takes: string, value: unknown): MillraceError {
  return new MillraceError("wrong-value", `${codec} takes ${takes}, not ${excerptOf(value)}`);
}

/** The error for a cell or field whose text a codec can't read. */
export function wrongText(codec: string, takes: string, text: string): MillraceError {
  return new MillraceError("wrong-value", `${codec} reads ${takes}, not ${excerptOf(text)}`);
}
