import { expect, it } from "vitest";
import { clip, oneLine, widthOf } from "./width.ts";

it("cuts lines to the terminal's width without counting colours", () => {
  expect(clip("abcdef", 4)).toBe("abc\x1b[0m");
  expect(clip("\x1b[31mab\x1b[0m", 4)).toBe("\x1b[31mab\x1b[0m");
});

it("counts columns, not characters", () => {
  expect(widthOf("a\x1b[1mb\x1b[22m")).toBe(2);
  expect(widthOf("\u8a9e")).toBe(2); // a Chinese character
  expect(widthOf("e\u0301")).toBe(1); // with an accent of its own
  expect(widthOf("\u{1f600}")).toBe(2); // a face
  expect(clip("\u8a9e\u8a9e\u8a9e", 6)).toBe("\u8a9e\u8a9e\x1b[0m");
});

it("makes a user's text one line that can't control the terminal", () => {
  expect(oneLine("a\nb\tc", 10)).toBe("a b c");
  expect(oneLine("\x1b[2J", 10)).toBe("\\x1b[2J");
  expect(oneLine("abcdefghij", 5)).toBe("abcd…");
  expect(oneLine("\u8a9e\u8a9e\u8a9e", 5)).toBe("\u8a9e\u8a9e…");
});
