// The codec `tuple`: several parts in one key or value, sorted part by part.
import type { ByteWriter } from "../../base/bytes/bytes.ts";
import { MillraceError } from "../../base/error.ts";
import type { Codec, KeyCodec } from "../codec.ts";
import { hasEscapes, partEnd, unescaped, withEncoded, writeEscaped } from "./escape.ts";
import { builtIn, codecName, codecShape, reader, wrongValue } from "./facts.ts";
import { utf8, writeTextEnded } from "./utf8.ts";

/**
 * An array of fixed length with a codec for each part, sorted by the first part, then the second, …
 * @throws `wrong-job` when a part is not a codec.
 * @example key: tuple(utf8, desc(date))
 */
export function tuple<T extends readonly unknown[]>(
  ...parts: { [K in keyof T]: KeyCodec<T[K]> }
): KeyCodec<Readonly<T>>;
/**
 * An array of fixed length with a codec for each part. With a part that has no order, such as `json()`, it can be a
 * value's codec only.
 * @throws `wrong-job` when a part is not a codec.
 */
export function tuple<T extends readonly unknown[]>(...parts: { [K in keyof T]: Codec<T[K]> }): Codec<Readonly<T>>;
export function tuple(...given: readonly unknown[]): KeyCodec<never> {
  const parts = given as readonly Codec<unknown>[];
  return makeTuple(
    parts,
    "tuple",
    parts.map((_, i) => `part ${i + 1}`),
  ) as Codec<unknown> as KeyCodec<never>;
}

/**
 * The codec of an array of these parts; `labels` name them in errors. Parts of fixed width are written as they are,
 * others escaped and ended, so that the first n parts of a tuple's bytes are the bytes of the tuple of its first n
 * parts.
 */
export function makeTuple(
  parts: readonly Codec<unknown>[],
  what: "tuple" | "fields",
  labels: readonly string[],
): Codec<readonly unknown[]> {
  for (const [index, part] of parts.entries()) {
    if (typeof part?.write !== "function" || typeof part.read !== "function") {
      const called = typeof part === "function" ? "; call it: nullable(…), json()" : "";
      throw new MillraceError("wrong-job", `${what}: ${labels[index]} is not a codec${called}`);
    }
  }
  const name = `tuple(${parts.map(codecName).join(", ")})`;
  const shapes = parts.map(codecShape);
  const readers = parts.map(reader);
  const width = shapes.reduce<number | undefined>(
    (sum, shape) => (sum === undefined || typeof shape !== "number" ? undefined : sum + shape),
    0,
  );
  const codec: Codec<readonly unknown[]> = {
    ordered: parts.every((part) => part.ordered === true),
    write(value, out) {
      if (!Array.isArray(value) || value.length !== parts.length) {
        throw wrongValue(name, `an array of ${parts.length}`, value);
      }
      for (let i = 0; i < parts.length; i++) writePart(i, value[i], out);
    },
    read: (bytes) => readParts(bytes, 0),
  };
  function writePart(index: number, value: unknown, out: ByteWriter): void {
    const part = parts[index]!;
    try {
      if (shapes[index] !== "ascending") part.write(value, out);
      else if (part === utf8 && typeof value === "string") writeTextEnded(value, 2, out);
      else withEncoded(part, value, (bytes) => writeEscaped(bytes, 2, out));
    } catch (thrown) {
      if (!(thrown instanceof MillraceError)) throw thrown;
      const of = what === "tuple" ? name : "the key";
      throw new MillraceError(thrown.code, `${labels[index]} of ${of}: ${thrown.message}`, { cause: thrown });
    }
  }
  function readParts(bytes: Uint8Array, start: number): readonly unknown[] {
    const value: unknown[] = [];
    let at = start;
    for (let i = 0; i < parts.length; i++) {
      const shape = shapes[i]!;
      const end = partEnd(bytes, at, shape);
      if (shape !== "ascending") value.push(readers[i]!(bytes, at, end));
      else if (!hasEscapes(bytes, at, end - 2)) value.push(readers[i]!(bytes, at, end - 2));
      else value.push(parts[i]!.read(unescaped(bytes, at, end - 2)));
      at = end;
    }
    return value;
  }
  const facts = { name, parts, readAt: readParts };
  return builtIn(codec, width === undefined ? facts : { ...facts, width });
}
