import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { codecSuite, encode } from "../../../test/conformance/codec.ts";
import {
  addExact,
  type ExactSum,
  exactSumCodec,
  isFiniteSum,
  mergeExact,
  noSum,
  roundExact,
  squareExact,
  sumUnits,
} from "./exact-sum.ts";
import { roundUnits } from "./exact-wide.ts";

/** A float64 in units of 2^-2148, from its bits: written a second time, as the reference. */
function unitsOf(value: number): bigint {
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, value);
  const whole = bits.getBigUint64(0);
  const exponent = (whole >> 52n) & 0x7ffn;
  const fraction = whole & ((1n << 52n) - 1n);
  const size = exponent === 0n ? fraction << 1074n : (fraction | (1n << 52n)) << (1074n + exponent - 1n);
  return whole >> 63n ? -size : size;
}

/** The next float64 in the direction of `sign`. */
function neighbour(value: number, sign: 1 | -1): number {
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, value);
  const raw = bits.getBigInt64(0);
  if (value === 0) return sign * Number.MIN_VALUE;
  bits.setBigInt64(0, raw + (value > 0 === sign > 0 ? 1n : -1n));
  return bits.getFloat64(0);
}

const size = (value: bigint) => (value < 0n ? -value : value);
const isEven = (value: number) => unitsOfMantissa(value) % 2n === 0n;
function unitsOfMantissa(value: number): bigint {
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, value);
  return bits.getBigUint64(0) & ((1n << 52n) - 1n);
}

/** True when no float64 is nearer to the units than `value`, ties to even; infinities stand for 2^1024. */
function isNearest(units: bigint, value: number): boolean {
  const at = (each: number) => (Number.isFinite(each) ? unitsOf(each) : BigInt(Math.sign(each)) << BigInt(1024 + 2148));
  const distance = size(units - at(value));
  if (!Number.isFinite(value) && size(units) >= size(at(value))) return Math.sign(value) > 0 === units > 0n;
  return ([1, -1] as const).every((sign) => {
    if (!Number.isFinite(value) && sign > 0 === value > 0) return true;
    const other = size(units - at(neighbour(value, sign)));
    return distance < other || (distance === other && isEven(value));
  });
}

/**
 * The list that the documentation promises for this sum, from its definition; undefined where the wide form is needed.
 */
function isCanonical(sum: ExactSum, units: bigint): boolean {
  let rest = units;
  for (const part of sum) {
    if (part === 0 || !isNearest(rest, part)) return false;
    rest -= unitsOf(part);
  }
  return rest === 0n;
}

const corners = [
  0,
  -0,
  1,
  -1,
  0.1,
  -0.1,
  1e16,
  -1e16,
  2 ** 53,
  2 ** 53 - 1,
  -(2 ** 53),
  2 ** -52,
  2 ** -53,
  -(2 ** -53),
  2 ** -54,
  1 + 2 ** -52,
  Number.MAX_VALUE,
  -Number.MAX_VALUE,
  2 ** 1023,
  -(2 ** 1023),
  2 ** 970,
  -(2 ** 970),
  2 ** 969,
  Number.MIN_VALUE,
  -Number.MIN_VALUE,
  2 ** -1022,
  2 ** -1022 - Number.MIN_VALUE,
  2 ** 1000,
  -(2 ** 1000),
  2 ** 1001,
];
const finite = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom(...corners),
  fc.integer({ min: -1000, max: 1000 }).map((n) => n / 100),
  fc.maxSafeInteger(),
  // Powers of two and their neighbours: ties, and parts that lie far from each other.
  fc
    .tuple(fc.integer({ min: -1074, max: 1023 }), fc.constantFrom(1, -1, 1.5, -1.5))
    .map(([exponent, factor]) => 2 ** exponent * factor),
  fc
    .tuple(fc.integer({ min: -60, max: 60 }), fc.constantFrom(1, -1, 1 + 2 ** -52, -1 - 2 ** -52))
    .map(([exponent, factor]) => 2 ** exponent * factor),
);
const someFinite = fc.array(finite, { maxLength: 12 });
const add = (values: readonly number[]) => values.reduce<ExactSum>(addExact, noSum);
/** Merges a list's parts as a tree that `cuts` decides, in another order than they came. */
function mergeAnyhow(values: readonly number[], cuts: readonly number[]): ExactSum {
  const sums = values.map((value) => addExact(noSum, value));
  for (let i = 0; sums.length > 1; i++) {
    const [one] = sums.splice((cuts[i % cuts.length] ?? 0) % sums.length, 1);
    const at = (cuts[(i + 1) % cuts.length] ?? 0) % sums.length;
    sums[at] = i % 2 === 0 ? mergeExact(one!, sums[at]!) : mergeExact(sums[at]!, one!);
  }
  return sums[0] ?? noSum;
}
const hex = (sum: ExactSum) => Buffer.from(encode(exactSumCodec, sum)).toString("hex");

describe("exact sums", () => {
  it("are the sum of big integers, rounded once, whatever the values", () => {
    fc.assert(
      fc.property(someFinite, (values) => {
        const units = values.reduce((sum, value) => sum + unitsOf(value), 0n);
        const sum = add(values);
        expect(sumUnits(sum)).toBe(units);
        expect(isNearest(units, roundExact(sum))).toBe(true);
        if (Number.isFinite(roundExact(sum))) expect(isCanonical(sum, units)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  it("are the same list in whichever order and groups the values come", () => {
    fc.assert(
      fc.property(someFinite, fc.array(fc.nat(100), { minLength: 1, maxLength: 12 }), (values, cuts) => {
        const sum = add(values);
        expect(mergeAnyhow(values, cuts)).toEqual(sum);
        expect(hex(mergeAnyhow(values, cuts))).toBe(hex(sum));
        const middle = (cuts[0] ?? 0) % (values.length + 1);
        expect(mergeExact(add(values.slice(0, middle)), add(values.slice(middle)))).toEqual(sum);
      }),
      { numRuns: 2000 },
    );
  });

  it("take back what was added", () => {
    fc.assert(
      fc.property(someFinite, someFinite, (values, others) => {
        const sum = add(values);
        const back = [...others, ...others.map((value) => -value)].reduce<ExactSum>(addExact, sum);
        expect(back).toEqual(sum);
      }),
    );
  });

  it("survive partial sums beyond the largest number", () => {
    const { MAX_VALUE } = Number;
    const beyond = add([MAX_VALUE, MAX_VALUE, MAX_VALUE, 0.1]);
    expect(roundExact(beyond)).toBe(Number.POSITIVE_INFINITY);
    expect(isFiniteSum(beyond)).toBe(true);
    expect([-MAX_VALUE, -MAX_VALUE, -MAX_VALUE].reduce<ExactSum>(addExact, beyond)).toEqual([0.1]);
    expect(roundExact(add([MAX_VALUE, 2 ** 969]))).toBe(MAX_VALUE);
    expect(roundExact(add([MAX_VALUE, 2 ** 970]))).toBe(Number.POSITIVE_INFINITY);
    expect(roundExact(add([MAX_VALUE, 2 ** 970, -Number.MIN_VALUE]))).toBe(MAX_VALUE);
  });

  it("stay at an infinity, and at NaN once both were added", () => {
    const { POSITIVE_INFINITY: up, NEGATIVE_INFINITY: down } = Number;
    expect(add([1, up, 2, -Number.MAX_VALUE])).toEqual([up]);
    expect(add([down, 1e308, 1e308])).toEqual([down]);
    expect(add([up, down, 1])).toEqual([Number.NaN]);
    expect(add([1, Number.NaN])).toEqual([Number.NaN]);
    expect(mergeExact(add([0.1, 0.2, up]), add([0.3, 1e100, down]))).toEqual([Number.NaN]);
    expect(isFiniteSum([up])).toBe(false);
    expect(isFiniteSum([Number.NaN])).toBe(false);
    expect(roundExact(add([up, down]))).toBeNaN();
  });

  it("of naive sums that differ by their cuts is one", () => {
    const values = Array.from({ length: 1000 }, (_, i) => ((i * 7919) % 1000) / 7);
    const naive = new Set<number>();
    const exact = new Set<string>();
    for (let cut = 0; cut < values.length; cut += 50) {
      const before = values.slice(0, cut);
      const after = values.slice(cut);
      const plain = (some: readonly number[]) => some.reduce((a, b) => a + b, 0);
      naive.add(plain(before) + plain(after));
      exact.add(hex(mergeExact(add(before), add(after))));
    }
    expect(naive.size).toBeGreaterThan(1);
    expect(exact.size).toBe(1);
  });
});

describe("exact squares", () => {
  it("are the squares of big integers, of huge and tiny values too", () => {
    fc.assert(
      fc.property(finite, (value) => {
        const units = (unitsOf(value) * unitsOf(value)) >> 2148n;
        const square = squareExact(value);
        expect(sumUnits(square)).toBe(units);
        expect(isNearest(units, roundExact(square))).toBe(true);
      }),
      { numRuns: 2000 },
    );
    expect(squareExact(Number.NEGATIVE_INFINITY)).toEqual([Number.POSITIVE_INFINITY]);
    expect(squareExact(Number.NaN)).toEqual([Number.NaN]);
  });

  it("add up to the same list in whichever order they come", () => {
    fc.assert(
      fc.property(someFinite, (values) => {
        const sum = (some: readonly number[]) => some.map(squareExact).reduce<ExactSum>(mergeExact, noSum);
        expect(sum([...values].reverse())).toEqual(sum(values));
        expect(sumUnits(sum(values))).toBe(values.reduce((all, value) => all + ((unitsOf(value) ** 2n) >> 2148n), 0n));
      }),
    );
  });
});

describe("roundUnits", () => {
  it("gives the float64 nearest to a fraction, ties to even", () => {
    fc.assert(
      fc.property(someFinite, fc.bigInt({ min: 1n, max: 1n << 70n }), (values, denominator) => {
        const units = values.reduce((sum, value) => sum + unitsOf(value), 0n);
        const mean = roundUnits(units, denominator);
        // Both sides times the denominator, as the fraction itself is no whole number of units.
        const at = (value: number) =>
          (Number.isFinite(value) ? unitsOf(value) : BigInt(Math.sign(value)) << 3172n) * denominator;
        if (!Number.isFinite(mean)) return;
        const distance = size(units - at(mean));
        for (const sign of [1, -1] as const) {
          const other = size(units - at(neighbour(mean, sign)));
          expect(distance < other || (distance === other && isEven(mean))).toBe(true);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

codecSuite("exactSumCodec", {
  codec: exactSumCodec,
  values: fc.oneof(
    someFinite.map(add),
    finite.map(squareExact),
    fc.constantFrom([Number.POSITIVE_INFINITY], [Number.NEGATIVE_INFINITY], [Number.NaN]),
  ),
  compare: undefined,
});

describe("the bytes of exact sums", () => {
  it("are at most 7 for a safe integer and 1 for a small one", () => {
    const length = (value: number) => encode(exactSumCodec, addExact(noSum, value)).length;
    expect([0, 1, -1, 127, -128, 128, -129, 32767, 32768].map(length)).toEqual([0, 1, 1, 1, 1, 2, 2, 2, 3]);
    fc.assert(fc.property(fc.maxSafeInteger(), (value) => void expect(length(value)).toBeLessThanOrEqual(7)));
    expect(length(0.5)).toBe(8);
  });
});
