// Exact sums of a kernel against big integers, which share no code with those of src/job/aggregate.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readF64, writeF64 } from "../../src/base/bytes/f64.ts";
import { MiB } from "../../src/base/limits.ts";
import type { Column } from "../../src/job/aggregate/columns.ts";
import type { CollectOptions, Kernel, KernelOptions } from "../../src/kernel/kernel.ts";
import { Columns } from "./kernel-columns.ts";
import { collectAll, emit, mergeRuns, plain } from "./kernel-driver.ts";

/** A finite float64 in units of 2^-1074. */
function units(value: number): bigint {
  const bits = new BigUint64Array(new Float64Array([value]).buffer)[0]!;
  const exponent = (bits >> 52n) & 0x7ffn;
  const fraction = bits & 0xfffffffffffffn;
  const size = exponent === 0n ? fraction : (fraction | 0x10000000000000n) << (exponent - 1n);
  return bits >> 63n === 1n ? -size : size;
}

/** The float64 nearest to a number of units, ties to even. */
function nearest(exact: bigint): number {
  if (exact < 0n) return -nearest(-exact);
  // `Number` rounds once; what is cut off below 64 bits counts as one bit more.
  const cut = BigInt(Math.max(0, exact.toString(2).length - 64));
  const kept = exact >> cut;
  const shown = kept | (kept << cut === exact ? 0n : 1n);
  let value = Number(shown);
  let exponent = Number(cut) - 1074;
  for (; exponent > 0; exponent--) value *= 2;
  for (; exponent < -1000; exponent += 50) value *= 2 ** -50;
  return value * 2 ** exponent;
}

interface Sum {
  readonly first: number;
  readonly parts: readonly number[];
  readonly fraction: boolean;
}

/** Reads a state of one sum as docs/aggregates.md has it. */
function readSum(state: Uint8Array): Sum {
  const first = readF64(state, 0);
  if (state.length === 8) return { first, parts: [], fraction: false };
  let [head, end] = [state[8]! & 127, 9];
  if (state[8]! > 127) head += state[end++]! << 7;
  const parts: number[] = [];
  for (let at = end; at < state.length; at += 8) parts.push(readF64(state, at));
  expect(parts.length).toBe(Math.floor(head / 2));
  return { first, parts, fraction: head % 2 === 1 };
}

/** What all elements of a sum come to, wide ones too (`writeUnits`: NaN, exponent, digits in base 2^48). */
function exactOf({ first, parts }: Sum): bigint {
  if (parts.length === 0 || !Number.isNaN(parts[0]))
    return [first, ...parts].reduce((so, part) => so + units(part), 0n);
  const digits = parts.slice(2).reduce((so, digit) => (so << 48n) + BigInt(digit), 0n);
  const shift = BigInt(parts[1]! + 1074);
  return shift >= 0n ? digits << shift : digits >> -shift;
}

const most = Number.MAX_VALUE;
const least = Number.MIN_VALUE;
const finite = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.integer({ min: -1000, max: 1000 }).map((n) => n / 10),
  fc.maxSafeInteger(),
  fc.constantFrom(0, -0, 0.1, 2 ** 53, 2 ** 53 - 1, -(2 ** 53), 2 ** 53 + 2, most, -most, least, -least, 2 ** -1022),
  fc.integer({ min: -1074, max: 1023 }).map((exponent) => 2 ** exponent),
);
/** Beyond the largest and back: the sum on the way is no float64. */
const there = fc.constantFrom([most, most, -most, -most, 0.1], [2 ** 1023, 2 ** 1023, 1, -(2 ** 1023), -(2 ** 1023)]);
const way = fc.record({
  combining: fc.constantFrom("auto" as const, "always" as const, "never" as const),
  flushEvery: fc.integer({ min: 1, max: 60 }),
});

export function exactConformance(create: (options: KernelOptions) => Kernel): void {
  describe("exact sums", () => {
    const summed = (
      numbers: readonly number[],
      { combining, flushEvery }: { combining: CollectOptions["combining"]; flushEvery: number },
    ) => {
      const columns = new Columns("sum");
      const kernel = create({ arenaBytes: 1 * MiB });
      const pairs = numbers.map((value) => emit("k", columns.lift(value)));
      const { runs } = collectAll(kernel, { ...plain, fold: columns.fold, combining }, pairs, { flushEvery });
      const merged = mergeRuns(kernel, runs, columns.fold);
      expect(merged.length).toBe(1);
      return readSum(merged[0]!.value);
    };

    it("are those of big integers, and round once, whatever the values and the cuts", () => {
      const numbers: fc.Arbitrary<readonly number[]> = fc.oneof(
        fc.array(finite, { minLength: 2, maxLength: 80 }),
        there,
      );
      const property = fc.property(numbers, way, (given, how) => {
        const sum = summed(given, how);
        const exact = given.reduce((so, value) => so + units(value), 0n);
        expect(exactOf(sum)).toBe(exact);
        expect(sum.first).toBe(nearest(exact));
        expect(sum.fraction).toBe(given.some((value) => !Number.isSafeInteger(value)));
      });
      fc.assert(property, { numRuns: 150 });
    });

    it("keep infinities, and become NaN where both were added", () => {
      const infinite = fc.constantFrom(Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY);
      const property = fc.property(
        fc.array(finite, { maxLength: 20 }),
        fc.array(infinite, { minLength: 1, maxLength: 3 }),
        fc.nat(),
        way,
        (given, more, at, how) => {
          fc.pre(given.length + more.length > 1);
          const mixed = given.toSpliced(at % (given.length + 1), 0, ...more);
          const sum = summed(mixed, how);
          expect(sum.first).toBe(new Set(more).size === 1 ? more[0] : Number.NaN);
          expect(sum.parts).toEqual([]);
        },
      );
      fc.assert(property, { numRuns: 60 });
    });

    // Runs outlive the process that wrote them: another encoding is another protocol (docs/changing.md).
    it("have fixed bytes", () => {
      const hexOf = (numbers: readonly number[], ...kinds: readonly Column["kind"][]) => {
        const columns = new Columns(...kinds);
        const pairs = numbers.map((value) => emit("k", columns.lift(value)));
        const kernel = create({ arenaBytes: 1 * MiB });
        const { runs } = collectAll(kernel, { ...plain, fold: columns.fold }, pairs);
        return Buffer.from(mergeRuns(kernel, runs, columns.fold)[0]!.value).toString("hex");
      };
      expect(hexOf([1, 2], "sum")).toBe("c008000000000000");
      expect(hexOf([0.1, 0.2], "sum")).toBe("bfd333333333333403437fffffffffffff");
      expect(hexOf([0.5, 0.5], "count", "max", "sum")).toBe("c000000000000000bfe0000000000000bff000000000000001");
      expect(hexOf([Infinity, 1], "sum")).toBe("fff000000000000001");
    });

    it("count beyond 2^32 values", () => {
      const columns = new Columns("count", "sum");
      const many = (count: number, value: number) => {
        const state = columns.lift(value);
        writeF64(state, 0, count);
        return emit("k", state);
      };
      for (const combining of ["always", "never"] as const) {
        const kernel = create({ arenaBytes: 1 * MiB });
        const pairs = [many(2 ** 32 - 1, 3), many(2 ** 32 - 1, 4), many(2 ** 52, 5), many(1, 6)];
        const { runs } = collectAll(kernel, { ...plain, fold: columns.fold, combining }, pairs, { flushEvery: 3 });
        const [merged] = mergeRuns(kernel, runs, columns.fold);
        expect([readF64(merged!.value, 0), readF64(merged!.value, 8)]).toEqual([2 ** 52 + 2 ** 33 - 1, 18]);
      }
    });
  });
}
