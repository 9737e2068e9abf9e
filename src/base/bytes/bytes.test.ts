import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { seededRandom } from "../system/random.ts";
import { ByteBuffer, writeUtf8At } from "./byte-buffer.ts";
import { compareBytes, varintLength } from "./bytes.ts";
import { readF64, writeF64 } from "./f64.ts";

const encoded = (value: number) => {
  const bytes = new Uint8Array(8);
  writeF64(bytes, 0, value);
  return bytes;
};

describe("f64", () => {
  it("round-trips every double but -0, which becomes 0", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true }), (value) => {
        expect(Object.is(readF64(encoded(value), 0), value + 0)).toBe(true);
      }),
    );
  });

  it("orders bytes as numbers are ordered", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true }), fc.double({ noNaN: true }), (a, b) => {
        expect(Math.sign(compareBytes(encoded(a), encoded(b)))).toBe(a < b ? -1 : a > b ? 1 : 0);
      }),
    );
  });
});

describe("byte buffer", () => {
  it("writes the UTF-8 that Buffer writes, for any well-formed text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 2000 }), (text) => {
        const buffer = new ByteBuffer(1);
        buffer.writeUtf8(text);
        expect(buffer.copy()).toEqual(new Uint8Array(Buffer.from(text)));
      }),
    );
  });

  it.each([
    "\ud800",
    "a\udc00",
    "\ud800\ud800",
    `${"x".repeat(31)}\ud83d`,
    `${"x".repeat(2000)}\ud83d`,
    `\udc00${"é".repeat(40)}`,
  ])("fault 83: refuses the lone surrogate in text %#", (text) => {
    expect(writeUtf8At(new Uint8Array(text.length * 3), 0, text)).toBe(-1);
    expect(() => new ByteBuffer().writeUtf8(text)).toThrow(/surrogate/);
  });

  it("writes varints of every safe integer, in the length announced", () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (value) => {
        const buffer = new ByteBuffer(1);
        buffer.writeVarint(value);
        let back = 0;
        for (let i = buffer.length - 1; i >= 0; i--) back = back * 128 + (buffer.bytes[i]! & 127);
        expect(back).toBe(value);
        expect(buffer.length).toBe(varintLength(value));
      }),
    );
    expect(() => new ByteBuffer().writeVarint(-1)).toThrow(/0 to 2\^53-1/);
    expect(() => new ByteBuffer().writeVarint(1.5)).toThrow(/0 to 2\^53-1/);
  });
});

describe("seeded random", () => {
  it("repeats for the same seeds and differs for others", () => {
    const draw = (seed: number, stream: number) => {
      const next = seededRandom(seed, stream);
      return Array.from({ length: 4 }, next);
    };
    expect(draw(1, 2)).toEqual(draw(1, 2));
    expect(draw(1, 2)).not.toEqual(draw(1, 3));
    expect(draw(1, 2).every((x) => x >= 0 && x < 1)).toBe(true);
  });
});
