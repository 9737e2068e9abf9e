// What the engine knows about its own codecs beyond their public interface. It is kept beside the codecs, by identity:
// a user's copy (`{ ...utf8, write }`) is the user's own codec, about which nothing is known.
import { MillraceError } from "../../base/error.ts";
import { excerptOf } from "../../base/excerpt.ts";
import type { PartShape } from "../../kernel/kernel.ts";
import type { Codec } from "../codec.ts";

export interface CodecFacts {
  /** The name as written in a job: "utf8", "tuple(utf8, desc(uint))". */
  readonly name: string;
  /** The number of bytes of every value; undefined: it varies. */
  readonly width?: number;
  /** Values vary in length and end at FF FF: codecs that `desc` made. */
  readonly descending?: true;
  /** Values are encoded by `writeF64`, so that the kernel can fold them. */
  readonly f64?: F64Kind;
  /** Reads bytes[start, end) without making a view of them, which costs more than most reads. */
  readonly readAt?: ReadAt;
  /** The type of every value; left out where it varies or is made of others. */
  readonly gives?: GivenType;
  /** Its text is not the one that every output makes of such values. */
  readonly hasOwnText?: true;
  /** For `nullable`: the codec of all values but null. */
  readonly inner?: Codec<unknown>;
  /** For `desc`: the codec whose order it reverses. */
  readonly reverses?: Codec<unknown>;
  /** For `tuple` and `fields`: the codecs of the parts. */
  readonly parts?: readonly Codec<unknown>[];
  /** For `fields`: the names of the parts. */
  readonly names?: readonly string[];
}

export type GivenType = "string" | "number" | "bigint" | "boolean" | "date" | "bytes";

/** Which numbers the 8 bytes hold: those of "uint" and "int" are whole and safe. */
export type F64Kind = "uint" | "int" | "float64";

export type ReadAt = (bytes: Uint8Array, start: number, end: number) => unknown;

const known = new WeakMap<object, CodecFacts>();

/** Freezes the codec and remembers its facts. */
export function builtIn<C extends object>(codec: C, facts: CodecFacts): C {
  known.set(codec, facts);
  return Object.freeze(codec);
}

/** What is known of the codec; undefined for every codec of a user. */
export function codecFacts(codec: Codec<unknown>): CodecFacts | undefined {
  return known.get(codec);
}

export function codecName(codec: Codec<unknown>): string {
  return known.get(codec)?.name ?? "a codec of the job's own";
}

/** The number of bytes of every encoded value; undefined where it varies, as for every codec of a user. */
export function fixedWidth(codec: Codec<unknown>): number | undefined {
  return known.get(codec)?.width;
}

/** Which numbers the codec writes in the kernel's 8-byte form; undefined for other codecs. */
export function f64Kind(codec: Codec<unknown>): F64Kind | undefined {
  return known.get(codec)?.f64;
}

/** The codec that `nullable` was given; undefined for all other codecs. */
export function nullableOf(codec: Codec<unknown>): Codec<unknown> | undefined {
  return known.get(codec)?.inner;
}

/** Returns a function that reads a value from the middle of other bytes. */
export function reader(codec: Codec<unknown>): ReadAt {
  return known.get(codec)?.readAt ?? ((bytes, start, end) => codec.read(bytes.subarray(start, end)));
}

/** How the codec's bytes end as a part of a tuple. */
export function codecShape(codec: Codec<unknown>): PartShape {
  const facts = known.get(codec);
  return facts?.width ?? (facts?.descending ? "descending" : "ascending");
}

/** The codecs of the parts of `tuple` and `fields`; undefined for all other codecs. */
export function codecParts(codec: Codec<unknown>): readonly Codec<unknown>[] | undefined {
  return known.get(codec)?.parts;
}

/** The names of the parts of `fields`; undefined for all other codecs. */
export function codecNames(codec: Codec<unknown>): readonly string[] | undefined {
  return known.get(codec)?.names;
}

/** The error for a value that a codec does not take. */
export function wrongValue(codec: string, takes: string, value: unknown): MillraceError {
  return new MillraceError("wrong-value", `${codec} takes ${takes}, not ${excerptOf(value)}`);
}

/** The error for a cell or field whose text a codec can't read. */
export function wrongText(codec: string, takes: string, text: string): MillraceError {
  return new MillraceError("wrong-value", `${codec} reads ${takes}, not ${excerptOf(text)}`);
}
