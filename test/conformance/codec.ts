// What every codec promises: bytes that can be read back, that are equal only for equal values, and, for a key's codec,
// that sort as the values do; alone, reversed, and as a part of a tuple between other parts.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteBuffer } from "../../src/base/bytes/byte-buffer.ts";
import { compareBytes } from "../../src/base/bytes/bytes.ts";
import type { Codec, KeyCodec } from "../../src/job/codec.ts";
import { desc } from "../../src/job/codecs/desc.ts";
import { fixedWidth } from "../../src/job/codecs/facts.ts";
import { tuple } from "../../src/job/codecs/tuple.ts";
import { utf8 } from "../../src/job/codecs/utf8.ts";

export interface CodecCase<T> {
  readonly codec: Codec<T>;
  readonly values: fc.Arbitrary<T>;
  /** The order that the codec's documentation promises; undefined: none. */
  readonly compare: ((a: T, b: T) => number) | undefined;
  /** What reads back for a value, where it is not the value itself (-0). */
  readonly normal?: (value: T) => T;
}

export function encode<T>(codec: Codec<T>, value: T): Uint8Array {
  const out = new ByteBuffer(1);
  codec.write(value, out);
  return out.copy();
}

/** Bytes that lie inside others, as the engine hands them over. */
export function decode<T>(codec: Codec<T>, bytes: Uint8Array): T {
  const around = new Uint8Array(bytes.length + 7).fill(0xee);
  around.set(bytes, 3);
  const value = codec.read(around.subarray(3, 3 + bytes.length));
  around.fill(0xdd); // what is read must not be a view
  return value;
}

export function codecSuite<T>(name: string, { codec, values, compare, normal = (value) => value }: CodecCase<T>): void {
  describe(`codec ${name}`, () => {
    it("reads back what was written", () => {
      fc.assert(
        fc.property(values, (value) => void expect(decode(codec, encode(codec, value))).toEqual(normal(value))),
      );
    });

    it("writes the same bytes for the same value, also after a round trip", () => {
      fc.assert(
        fc.property(values, (value) => {
          const bytes = encode(codec, value);
          expect(encode(codec, value)).toEqual(bytes);
          expect(encode(codec, decode(codec, bytes))).toEqual(bytes);
        }),
      );
    });

    it("says its width truly", () => {
      const width = fixedWidth(codec);
      fc.assert(fc.property(values, (value) => width === undefined || encode(codec, value).length === width));
    });

    it("reads back as a part of a tuple, whatever stands around", () => {
      const around = tuple(utf8, codec, utf8) as Codec<readonly [string, T, string]>;
      fc.assert(
        fc.property(fc.string(), values, fc.string(), (before, value, after) => {
          expect(decode(around, encode(around, [before, value, after]))).toEqual([before, normal(value), after]);
        }),
      );
    });

    if (compare === undefined) {
      it("is not a key", () => expect(codec.ordered).toBe(false));
      return;
    }
    const key = codec as KeyCodec<T>;
    const order = (a: Uint8Array, b: Uint8Array) => Math.sign(compareBytes(a, b));
    /** Neighbours, equal values and distant ones. */
    const pairs = fc.oneof(
      fc.tuple(values, values),
      values.map((value) => [value, value] as [T, T]),
    );

    it("sorts bytes as values, and only equal values have equal bytes", () => {
      expect(codec.ordered).toBe(true);
      fc.assert(
        fc.property(
          pairs,
          ([a, b]) => void expect(order(encode(key, a), encode(key, b))).toBe(Math.sign(compare(a, b))),
        ),
      );
    });

    it("sorts the other way round when reversed, and twice reversed as before", () => {
      const reversed = desc(key);
      const twice = desc(reversed);
      fc.assert(
        fc.property(pairs, ([a, b]) => {
          expect(order(encode(reversed, a), encode(reversed, b)) + Math.sign(compare(a, b))).toBe(0);
          expect(order(encode(twice, a), encode(twice, b))).toBe(Math.sign(compare(a, b)));
          expect(decode(reversed, encode(reversed, a))).toEqual(normal(a));
          expect(decode(twice, encode(twice, a))).toEqual(normal(a));
        }),
      );
    });

    it("sorts as a tuple's first part before the second, ascending and descending", () => {
      const ascending = tuple(key, utf8) as KeyCodec<readonly [T, string]>;
      const descending = tuple(desc(key), utf8) as KeyCodec<readonly [T, string]>;
      fc.assert(
        fc.property(pairs, fc.string(), fc.string(), ([a, b], c, d) => {
          const first = Math.sign(compare(a, b));
          const second = order(encode(utf8, c), encode(utf8, d));
          expect(order(encode(ascending, [a, c]), encode(ascending, [b, d]))).toBe(first === 0 ? second : first);
          const reversed = order(encode(descending, [a, c]), encode(descending, [b, d]));
          expect(reversed + (first === 0 ? -second : first)).toBe(0);
          expect(decode(descending, encode(descending, [a, c]))).toEqual([normal(a), c]);
        }),
      );
    });

    it("begins a tuple's bytes with the bytes of the tuple of its leading parts", () => {
      const whole = tuple(utf8, key, desc(key), utf8) as KeyCodec<readonly [string, T, T, string]>;
      const leading = tuple(utf8, key, desc(key)) as KeyCodec<readonly [string, T, T]>;
      fc.assert(
        fc.property(fc.string(), values, values, fc.string(), (a, b, c, d) => {
          const prefix = encode(leading, [a, b, c]);
          expect(encode(whole, [a, b, c, d]).subarray(0, prefix.length)).toEqual(prefix);
        }),
      );
    });
  });
}
