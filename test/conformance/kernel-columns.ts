import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteBuffer } from "../../src/base/bytes/byte-buffer.ts";
import { writeF64 } from "../../src/base/bytes/f64.ts";
import { MiB } from "../../src/base/limits.ts";
import { seededRandom } from "../../src/base/system/random.ts";
import { type Column, ColumnsAccumulator, liftColumns } from "../../src/job/aggregate/columns.ts";
import type { CollectOptions, Kernel, KernelColumn, KernelFold, KernelOptions } from "../../src/kernel/kernel.ts";
import { nastyKey } from "./kernel-collect.ts";
import {
  collectAll,
  drain,
  type Emitted,
  emit,
  type MemorySource,
  mergeRuns,
  modelDigest,
  modelResult,
  plain,
  sourceOf,
} from "./kernel-driver.ts";

type Kind = Column["kind"];

const kernelColumn: Readonly<Record<Kind, KernelColumn>> = {
  count: "count",
  countIf: "count",
  sum: "sum",
  squares: "sum",
  min: "min",
  max: "max",
};

/** A fold of columns as src/job/aggregate makes it, with values for it, which knows how often it was called. */
export class Columns {
  readonly #columns: readonly Column[];
  readonly fold: KernelFold;
  calls = 0;

  constructor(...kinds: readonly Kind[]) {
    this.#columns = kinds.map((kind, i) => ({ kind, field: `${i}`, by: kind }));
    const columns = kinds.map((kind) => kernelColumn[kind]);
    this.fold = {
      on: "bytes",
      columns,
      by: (a, b) => {
        this.calls++;
        return this.merge([a, b]);
      },
    };
  }

  /** The state of one value, which has this number in all columns. */
  lift(number: number): Uint8Array {
    const fields = this.#columns.map(({ kind, field }) => [field, kind === "countIf" ? number > 0 : number]);
    const out = new ByteBuffer();
    liftColumns(this.#columns, Object.fromEntries(fields), out, false);
    return out.copy();
  }

  merge(states: readonly Uint8Array[]): Uint8Array {
    const accumulator = new ColumnsAccumulator(this.#columns, false);
    for (const state of states) accumulator.add(state, 0, state.length);
    const out = new ByteBuffer();
    accumulator.write(out);
    return out.copy();
  }
}

/** Readable form of pairs, with all digits of their values. */
function states(pairs: readonly Emitted[]): readonly string[] {
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
  return pairs.map(({ partition = 0, key, value }) => `${partition} ${hex(key)}=${hex(value)}`);
}

const kind = fc.constantFrom<Kind>("count", "countIf", "sum", "sum", "squares", "min", "max");
const calm = fc.oneof(
  fc.integer({ min: -1000, max: 1000 }).map((n) => n / 10),
  fc.integer({ min: -1000, max: 1000 }),
  fc.constantFrom(1e16, -1e16, 1, 1e-9, 0.1, -0.1, 0, -0, 2 ** 53 - 1, 1 - 2 ** 53, 2 ** 53),
);
const wild = fc.oneof(
  calm,
  fc.double({ noNaN: true }),
  fc.constantFrom(1e300, -1e300, 2 ** 1000, -(2 ** 1000), 2 ** 1001, Number.MAX_VALUE, -Number.MAX_VALUE),
  fc.constantFrom(Number.MIN_VALUE, -Number.MIN_VALUE, 2 ** -540, 2 ** -1022),
  fc.constantFrom(Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
  // Powers of two: ties, and parts that lie far from each other.
  fc.integer({ min: -1074, max: 1023 }).map((exponent) => 2 ** exponent),
);

export function columnsConformance(create: (options: KernelOptions) => Kernel): void {
  describe("folding columns", () => {
    it("agrees with the model for any columns, numbers, keys, cuts and ways of combining", () => {
      const how = fc.record({
        combining: fc.constantFrom("auto" as const, "always" as const, "never" as const),
        partitioner: fc.constantFrom({ kind: "hash" } as const, { kind: "explicit" } as const),
        flushEvery: fc.integer({ min: 1, max: 200 }),
        batchEvery: fc.integer({ min: 1, max: 50 }),
        // The largest values need blocks of their own.
        blockBytes: fc.constantFrom(64, 400, 4096),
        batchBytes: fc.constantFrom(64, 1024, 16_384),
      });
      const numbers = fc.constantFrom(calm, wild).chain((number) =>
        fc.array(
          // A key of few more often than not, so that there is much to fold.
          fc.tuple(
            fc.oneof({ weight: 3, arbitrary: fc.constantFrom("a", "b").map((key) => Buffer.from(key)) }, nastyKey),
            fc.array(number, { minLength: 1, maxLength: 3 }),
            fc.nat(2),
          ),
          { maxLength: 120, size: "max" },
        ),
      );
      const property = fc.property(
        fc.array(kind, { minLength: 1, maxLength: 12 }),
        numbers,
        how,
        (kinds, given, { combining, partitioner, flushEvery, batchEvery, ...sizes }) => {
          const columns = new Columns(...kinds);
          const { fold } = columns;
          const options: CollectOptions = { ...plain, fold, combining, partitioner, partitions: 3 };
          const isExplicit = partitioner.kind === "explicit";
          const pairs = given.map(([key, list, partition]) =>
            emit(
              new Uint8Array(key),
              columns.merge(list.map((number) => columns.lift(number))),
              isExplicit ? partition : undefined,
            ),
          );
          const kernel = create({ arenaBytes: 1 * MiB, ...sizes });
          const { runs, emissionDigest } = collectAll(kernel, options, pairs, { flushEvery, batchEvery });
          expect(emissionDigest).toBe(modelDigest(options, pairs));
          expect(states(mergeRuns(kernel, runs, fold))).toEqual(states(modelResult(options, pairs)));
        },
      );
      fc.assert(property, { seed: 13, numRuns: 150 });
    });

    it("adds many fractions of one key exactly, in the table, after the sort and in a merge", () => {
      const random = seededRandom(5, 5);
      const columns = new Columns("count", "sum", "squares", "min", "max");
      const values = Array.from({ length: 20_000 }, () =>
        columns.lift(Math.round(random() * 1e7) / 1000 - 10 ** Math.floor(random() * 9)),
      );
      const expected = states([emit("k", columns.merge(values))]);
      for (const combining of ["always", "never"] as const) {
        const kernel = create({ arenaBytes: 4 * MiB });
        const options: CollectOptions = { ...plain, fold: columns.fold, combining };
        const { runs } = collectAll(
          kernel,
          options,
          values.map((value) => emit("k", value)),
        );
        expect(states(mergeRuns(kernel, runs, columns.fold))).toEqual(expected);
      }
      const kernel = create({ arenaBytes: 4 * MiB });
      const sources: MemorySource[] = [];
      for (let from = 0; from < values.length; from += 1000)
        sources.push(sourceOf(values.slice(from, from + 1000).map((value) => emit("k", value))));
      expect(states(drain(kernel.merge(sources, columns.fold), kernel))).toEqual(expected);
    });

    it("goes on where it was full, and while combining is given up and tried again", () => {
      const random = seededRandom(21, 7);
      const columns = new Columns("count", "sum", "max");
      const keys: string[] = [];
      for (let i = 0; i < 3_000; i++) keys.push(`old ${Math.floor(random() * 400)}`);
      for (let i = 0; i < 70_000; i++)
        keys.push(random() < 0.05 ? `old ${i % 400}` : `new ${Math.floor(random() * 1e7)}`);
      for (let i = 0; i < 3_000; i++) keys.push(`old ${i % 400}`);
      const lifted = [0.1, 3, -1e9, 1 / 3, 2 ** 60].map((number) => columns.lift(number));
      const pairs = keys.map((key, i) => emit(key, lifted[i % lifted.length]!));
      const options: CollectOptions = { ...plain, fold: columns.fold };
      const kernel = create({ arenaBytes: 4 * MiB });
      const { runs, emissionDigest, emissions } = collectAll(kernel, options, pairs);
      expect(runs.length).toBeGreaterThan(1);
      expect(emissions).toBe(pairs.length);
      expect(emissionDigest).toBe(modelDigest(options, pairs));
      const texts = [mergeRuns(kernel, runs, columns.fold), modelResult(options, pairs)].map((list) =>
        states(list).join("\n"),
      );
      expect(texts[0] === texts[1]).toBe(true);
    });

    it("refuses counts beyond 2^53-1", () => {
      const columns = new Columns("count", "max");
      const [most, one] = [2 ** 53 - 1, 1].map((count) => {
        const value = columns.lift(7);
        writeF64(value, 0, count);
        return emit("k", value);
      });
      for (const combining of ["always", "never"] as const) {
        const options: CollectOptions = { ...plain, fold: columns.fold, combining };
        const kernel = create({ arenaBytes: 1 * MiB });
        expect(() => collectAll(kernel, options, [most!, one!])).toThrow(/more than 2\^53-1 values/);
        expect(() => drain(kernel.merge([sourceOf([most!]), sourceOf([one!])], columns.fold), kernel)).toThrow(
          /more than 2\^53-1 values/,
        );
      }
    });

    it("leaves values that are no columns to the fold, whatever they are", () => {
      const fold: KernelFold = { on: "bytes", columns: ["sum", "count", "min"], by: (a) => a };
      const property = fc.property(
        fc.array(fc.tuple(fc.constantFrom("a", "b", "c"), fc.uint8Array({ maxLength: 60 })), { maxLength: 60 }),
        fc.constantFrom("always" as const, "never" as const),
        (given, combining) => {
          const kernel = create({ arenaBytes: 1 * MiB });
          const pairs = given.map(([key, value]) => emit(key, value));
          const { runs } = collectAll(kernel, { ...plain, fold, combining }, pairs, { flushEvery: 17 });
          const merged = mergeRuns(kernel, runs, fold);
          expect(merged.length).toBe(new Set(given.map(([key]) => key)).size);
        },
      );
      fc.assert(property, { seed: 17, numRuns: 200 });
    });
  });
}
