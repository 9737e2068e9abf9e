import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteBuffer } from "../../base/bytes/byte-buffer.ts";
import { aggregateDefinition } from "./aggregate.ts";
import { asState } from "./combined.ts";
import { fold } from "./fold.ts";
import { quantile } from "./quantile.ts";

/** The number of the nearest rank, by sorting; the share is `part / 1000`. */
function exactly(part: number, numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const rank = Number((BigInt(part) * BigInt(numbers.length) + 999n) / 1000n);
  return sorted[Math.max(1, rank) - 1]! + 0;
}

const parts = fc.oneof(fc.integer({ min: 0, max: 1000 }), fc.constantFrom(0, 1, 50, 70, 500, 950, 999, 1000));
const numbers = fc.oneof(
  fc.double({ noNaN: true }),
  fc.double({ noNaN: true, min: -1000, max: 1000 }),
  fc.constantFrom(0, -0, 1e300, -1e-300, 127.99, 128, 255.9, 256, 257, Number.MAX_VALUE, 1 / 0, -1 / 0),
);
/** Below this, floating point has no more leading bits to go by. */
const leastNormal = 2 ** -1022;

describe("quantile", () => {
  it("property: is within a 128th of the number of its rank", () => {
    fc.assert(
      fc.property(parts, fc.array(numbers, { minLength: 1, maxLength: 60 }), (part, list) => {
        const [found, exact] = [fold(quantile(part / 1000), list), exactly(part, list)];
        if (Number.isFinite(exact)) {
          expect(Math.abs(found - exact)).toBeLessThanOrEqual(Math.max(Math.abs(exact), leastNormal) / 128);
        } else expect(found).toBe(exact);
      }),
    );
  });

  it("property: is exact for whole numbers below 256", () => {
    const small = fc.integer({ min: -255, max: 255 });
    fc.assert(
      fc.property(parts, fc.array(small, { minLength: 1, maxLength: 300 }), (part, list) => {
        expect(fold(quantile(part / 1000), list)).toBe(exactly(part, list));
      }),
    );
  });

  it("gives the least and the largest number themselves, and nothing outside of them", () => {
    for (const part of [0, 0.5, 1]) expect(fold(quantile(part), [612])).toBe(612);
    const wide = [-1000, 0.001, 1000];
    expect(fold(quantile(0), wide)).toBe(-1000);
    expect(fold(quantile(1), wide)).toBe(1000);
    expect(fold(quantile(0.5), [1003, 1003, 1003])).toBe(1003);
    expect(fold(quantile(0), [1003, 2015])).toBe(1003);
    expect(fold(quantile(1), [1003, 2015])).toBe(2015);
    expect(fold(quantile(0), [-0])).toBe(0);
  });

  it("property: the share 0 is the least number, 1 the largest, and all others are between them", () => {
    fc.assert(
      fc.property(parts, fc.array(numbers, { minLength: 1, maxLength: 60 }), (part, list) => {
        const [least, largest] = [exactly(0, list), exactly(1000, list)];
        expect(fold(quantile(0), list)).toBe(least);
        expect(fold(quantile(1), list)).toBe(largest);
        const found = fold(quantile(part / 1000), list);
        expect(found >= least && found <= largest).toBe(true);
      }),
    );
  });

  it("counts ranks in whole numbers, also where the share of them is rounded", () => {
    const upTo = (n: number) => Array.from({ length: n }, (_, i) => i + 1);
    // 0.07 * 100 is 7.000000000000001
    expect(fold(quantile(0.07), upTo(100))).toBe(7);
    expect(fold(quantile(0.95), upTo(20))).toBe(19);
    expect(fold(quantile(0.55), upTo(100))).toBe(55);
    expect(fold(quantile(1), upTo(255))).toBe(255);
    expect(fold(quantile(0), upTo(255))).toBe(1);
    expect(fold(quantile(Number.MIN_VALUE), upTo(3))).toBe(1);
  });

  it("property: states are the same bytes in whatever order and groups they are merged", () => {
    const { lift, begin } = asState(aggregateDefinition(quantile(0.5))!);
    const lifted = (value: unknown) => {
      const out = new ByteBuffer();
      lift(value, out);
      return out.copy();
    };
    const merged = (states: readonly Uint8Array[]) => {
      const accumulator = begin();
      for (const state of states) accumulator.add(state, 0, state.length);
      const out = new ByteBuffer();
      accumulator.write(out);
      return out.copy();
    };
    fc.assert(
      fc.property(fc.array(numbers, { minLength: 2, maxLength: 40 }), fc.nat(), (list, x) => {
        const states = list.map(lifted);
        const cut = 1 + (x % (states.length - 1));
        const nested = merged([merged(states.slice(cut).toReversed()), merged(states.slice(0, cut))]);
        expect(nested).toEqual(merged(states));
        expect(merged([merged(states)])).toEqual(merged(states));
      }),
    );
  });

  it("takes some kB for a key with numbers of nine powers of ten", () => {
    const { lift, begin } = asState(aggregateDefinition(quantile(0.5))!);
    const accumulator = begin();
    for (let i = 0; i < 200_000; i++) {
      const out = new ByteBuffer();
      lift(10 ** ((9 * i) / 200_000), out);
      accumulator.add(out.bytes, 0, out.length);
    }
    const out = new ByteBuffer();
    accumulator.write(out);
    expect(out.length).toBeLessThan(14 * 1024);
  });

  it.each<[string, () => unknown, RegExp]>([
    ["a share beyond 1", () => quantile(95), /a share from 0 to 1 first, such as 0.95, not 95/],
    ["a share that is no number", () => quantile("ms" as never, 0.5 as never), /a share from 0 to 1 first/],
    ["NaN as share", () => quantile(Number.NaN), /a share from 0 to 1/],
    ["a negative share", () => quantile(-0.1), /a share from 0 to 1/],
    ["a field that is no name", () => quantile(0.5, 7 as never), /quantile takes the name of a field, not 7/],
    ["null", () => fold(quantile(0.5, "ms"), [{ ms: null as never }]), /ifPresent\(quantile\(0\.5, "ms"\)\) skips/],
    ["NaN", () => fold(quantile(0.5), [Number.NaN]), /takes numbers, and the value is NaN/],
    ["no values", () => fold(quantile(0.5), []), /no result where there are no values/],
  ])("refuses %s", (_, wrong, message) => {
    expect(wrong).toThrow(message);
  });
});
