import type { ByteWriter } from "../../base/bytes.ts";
import { MillraceError } from "../../base/error.ts";
import type { Codec, KeyCodec } from "../codec.ts";
import { partEnd, unescaped, withEncoded, writeEscaped } from "./escape.ts";
import { builtIn, codecName, codecShape, wrongValue } from "./facts.ts";

/**
 * Parts one after the other, sorted by the first, then the second, … A part without order (json) is fine in a value. Parts of
 * fixed width are written as they are, others escaped and ended, so the first n parts of a tuple's bytes are the bytes of the
 * tuple of the first n parts.
 */
export function tuple<T extends readonly unknown[]>(
  ...parts: { [K in keyof T]: KeyCodec<T[K]> }
): KeyCodec<Readonly<T>>;
export function tuple<T extends readonly unknown[]>(...parts: { [K in keyof T]: Codec<T[K]> }): Codec<Readonly<T>>;
export function tuple(...given: readonly unknown[]): KeyCodec<never> {
  return makeTuple(given as readonly Codec<unknown>[]) as Codec<unknown> as KeyCodec<never>;
}

function makeTuple(parts: readonly Codec<unknown>[]): Codec<readonly unknown[]> {
  for (const [index, part] of parts.entries()) {
    if (typeof part?.write !== "function" || typeof part.read !== "function") {
      const called = typeof part === "function" ? "; call it: nullable(…), json()" : "";
      throw new MillraceError("wrong-job", `tuple: part ${index + 1} is not a codec${called}`);
    }
  }
  const name = `tuple(${parts.map(codecName).join(", ")})`;
  const shapes = parts.map(codecShape);
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
    read(bytes) {
      const value: unknown[] = [];
      let at = 0;
      for (let i = 0; i < parts.length; i++) {
        const end = partEnd(bytes, at, shapes[i]!);
        const part = bytes.subarray(at, end);
        value.push(parts[i]!.read(shapes[i] === "ascending" ? unescaped(part) : part));
        at = end;
      }
      return value;
    },
  };
  function writePart(index: number, value: unknown, out: ByteWriter): void {
    const part = parts[index]!;
    try {
      if (shapes[index] !== "ascending") part.write(value, out);
      else withEncoded(part, value, (bytes) => writeEscaped(bytes, out));
    } catch (thrown) {
      if (!(thrown instanceof MillraceError)) throw thrown;
      throw new MillraceError(thrown.code, `part ${index + 1} of ${name}: ${thrown.message}`, { cause: thrown });
    }
  }
  return builtIn(codec, width === undefined ? { name, parts } : { name, parts, width });
}
