import fc from "fast-check";
import { expect, test } from "vitest";
import { keyExcerptOf } from "./excerpt.ts";
import { limits } from "./limits.ts";
import { isKeyExcerpt } from "./printable.ts";

test("a key's excerpt is what an error shows of it, where that is short", () => {
  expect(keyExcerptOf("the")).toBe('"the"');
  expect(keyExcerptOf(["a", 1])).toBe("[ 'a', 1 ]");
  expect(keyExcerptOf(1)).toBe("1");
  expect(keyExcerptOf(Buffer.from([0, 255]))).toBe("0x00ff");
});

test("S6: a key's excerpt is short, and nothing in it controls a terminal, whatever the key is", () => {
  const hostile = fc.constantFrom("\u001b[2J", "\u202e", "\u2028", "\u009b", "\x7f", "\n", "\ud800", "漢", "\u{1f600}");
  const text = fc.array(fc.oneof(hostile, fc.string({ unit: "binary" })), { maxLength: 60 }).map((all) => all.join(""));
  const key = fc.oneof(text, fc.array(text, { maxLength: 3 }), fc.anything());
  fc.assert(
    fc.property(key, (value) => {
      const shown = keyExcerptOf(value);
      expect(Buffer.byteLength(shown)).toBeLessThanOrEqual(limits.keyExcerptBytes);
      expect(shown).not.toMatch(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]/u);
      expect(isKeyExcerpt(shown)).toBe(true);
    }),
  );
});

test.each([
  ["too long", "x".repeat(limits.keyExcerptBytes + 1)],
  ["too long in UTF-8", "漢".repeat(22)],
  ["a sequence of a terminal", '"\u001b[2J"'],
  ["text that turns around", '"\u202e"'],
  ["half a character", '"\ud800"'],
])("no excerpt of a key is %s", (_, text) => {
  expect(isKeyExcerpt(text)).toBe(false);
});
