import fc from "fast-check";
import { expect, test } from "vitest";
import { differsInLastDigits, sameValue } from "./same-value.ts";

test("any plain value is the same as a copy of it", () => {
  const values = fc.anything({ withDate: true, withBigInt: true, withTypedArray: false, withNullPrototype: true });
  fc.assert(fc.property(values, (value) => sameValue(value, structuredClone(value))));
});

test("what a codec may choose does not count", () => {
  expect(sameValue(-0, 0)).toBe(true);
  expect(sameValue(Buffer.from("ab"), new Uint8Array([97, 98]))).toBe(true);
  expect(sameValue({ a: [1] }, Object.assign(Object.create(null), { a: [1] }))).toBe(true);
  expect(sameValue(Number.NaN, Number.NaN)).toBe(true);
  expect(sameValue([new Date(Number.NaN)], [new Date(Number.NaN)])).toBe(true);
});

test.each<[unknown, unknown]>([
  [1, 2],
  [1, "1"],
  [1n, 1],
  [null, undefined],
  [[1], [1, 2]],
  [{ a: 1 }, { a: 1, b: undefined }],
  [{ a: undefined }, { b: undefined }],
  [{}, []],
  [new Date(1), new Date(2)],
  [new Date(1), new Date(Number.NaN)],
  [new Date(1), 1],
  [Buffer.from("a"), Buffer.from("b")],
  [new Map([[1, 2]]), new Map([[1, 3]])],
])("%o and %o are two values", (a, b) => {
  expect(sameValue(a, b)).toBe(false);
  expect(sameValue(b, a)).toBe(false);
});

test("fractions that were added in another order differ in their last digits only; whole numbers and texts never do", () => {
  expect(differsInLastDigits(0.1 + 0.2 + 0.3, 0.3 + 0.2 + 0.1)).toBe(true);
  expect(differsInLastDigits({ sum: [0.6000000000000001] }, { sum: [0.6] })).toBe(true);
  expect(differsInLastDigits(0.5, 0.5)).toBe(false);
  expect(differsInLastDigits(0.5, 0.6)).toBe(false);
  expect(differsInLastDigits(1e15, 1e15 + 1)).toBe(false);
  expect(differsInLastDigits({ sum: 0.6, n: 1 }, { sum: 0.6000000000000001, n: 2 })).toBe(false);
  expect(differsInLastDigits("a", "b")).toBe(false);
});
