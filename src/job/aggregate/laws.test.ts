// What every aggregate promises: the same bytes wherever the input was cut. Compared with a reference that sorts all
// records and computes each result from all values of its key, in rational numbers.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { partsOf, runTasks } from "../../../test/support/run-tasks.ts";
import { smallKernel } from "../../../test/support/small-kernel.ts";
import { ByteBuffer } from "../../base/bytes/byte-buffer.ts";
import {
  bool,
  collect,
  count,
  countDistinct,
  countIf,
  csv,
  defineAggregate,
  defineJob,
  fields,
  first,
  float64,
  ifPresent,
  json,
  last,
  max,
  mean,
  min,
  ndjson,
  quantile,
  stats,
  sum,
  topK,
  topN,
  uint,
  utf8,
  variance,
} from "../../index.ts";
import { createKernel } from "../../kernel/create-kernel.ts";
import { aggregateDefinition } from "./aggregate.ts";
import { asState } from "./combined.ts";
import { kernelColumns } from "./lower.ts";

interface Row {
  readonly host: string;
  readonly status: number;
  readonly bytes: number;
  readonly ms: number;
  readonly slow: boolean;
  readonly rent: number | null;
}

/** Numbers that floating point adds with errors: tenths, large beside small, cancelling. */
const fraction = fc.oneof(
  fc.integer({ min: -1000, max: 1000 }).map((n) => n / 10),
  fc.constantFrom(1e16, -1e16, 1, 1e-9, 0.1, 0, -0),
  fc.double({ noNaN: true, min: -1e20, max: 1e20 }),
);
const row: fc.Arbitrary<Row> = fc.record({
  host: fc.constantFrom("a", "b", "ü\0", ""),
  status: fc.constantFrom(200, 404),
  bytes: fc.nat(1_000_000),
  ms: fraction,
  slow: fc.boolean(),
  rent: fc.oneof(fc.constant(null), fraction),
});

const longest = defineAggregate({
  state: json<readonly number[]>(),
  lift: (value: Row) => [value.bytes],
  merge: (a, b) => [...a, ...b].sort((x, y) => x - y).slice(-2),
  finish: (two) => two.at(-1) ?? 0,
});

const all = stats({
  n: count(),
  slow: countIf("slow"),
  total: sum("bytes"),
  time: sum("ms"),
  least: min("ms"),
  most: max("ms"),
  avg: mean("ms"),
  spread: variance("ms"),
  rent: ifPresent(mean("rent")),
  from: first("ms", float64),
  until: last("ms", float64),
  word: max("host", utf8),
  hosts: countDistinct("bytes", uint),
  roughly: countDistinct.approx("bytes", uint),
  top: topN(3, "ms", { keep: { bytes: uint } }),
  half: quantile(0.5, "ms"),
  often: topK(2, "slow", bool),
  list: collect("bytes", uint),
  own: longest,
});

/** Nothing but columns of numbers, which the kernel folds itself. */
const numeric = stats({
  n: count(),
  slow: countIf("slow"),
  total: sum("bytes"),
  time: sum("ms"),
  least: min("ms"),
  most: max("ms"),
  avg: mean("ms"),
  spread: variance("ms"),
});

const numericJob = defineJob({
  name: "numeric",
  input: ndjson<Row>(),
  key: fields({ host: utf8, status: uint }),
  map: (value, emit) => emit(value, value),
  aggregate: numeric,
  output: ndjson(),
});

const job = defineJob({
  name: "all",
  input: ndjson<Row>(),
  key: fields({ host: utf8, status: uint }),
  map: (value, emit) => emit(value, value),
  aggregate: all,
  output: ndjson(),
});

// ── the reference: rational numbers as [numerator, power of two of the denominator] ──────────────────────────────

/** A float64 in units of 2^-1074, by repeated doubling. */
function units(value: number): bigint {
  let [rest, shift] = [Math.abs(value), 1074];
  while (!Number.isInteger(rest)) {
    rest *= 2;
    shift--;
  }
  const whole = BigInt(rest) << BigInt(shift);
  return value < 0 ? -whole : whole;
}

/** The float64 nearest to a / b, found by bisection over the order of float64s. */
function nearest(a: bigint, b: bigint): number {
  if (a === 0n) return 0;
  if (a < 0n) return -nearest(-a, b);
  const view = new DataView(new ArrayBuffer(8));
  const at = (bits: bigint) => {
    view.setBigUint64(0, bits);
    return view.getFloat64(0);
  };
  let [low, high] = [0n, 0x7fe0000000000000n];
  while (high - low > 1n) {
    const middle = (low + high) / 2n;
    if (units(at(middle)) * b <= a << 1074n) low = middle;
    else high = middle;
  }
  const below = (a << 1074n) - units(at(low)) * b;
  const above = units(at(high)) * b - (a << 1074n);
  return at(below < above || (below === above && low % 2n === 0n) ? low : high);
}

function expectedOf(rows: readonly Row[]): object[] {
  const groups = new Map<string, Row[]>();
  for (const one of rows) {
    const name = JSON.stringify([one.host, one.status]);
    groups.set(name, [...(groups.get(name) ?? []), one]);
  }
  const sorted = [...groups.values()].sort(
    ([a], [b]) => Buffer.compare(Buffer.from(a!.host), Buffer.from(b!.host)) || a!.status - b!.status,
  );
  return sorted.map((group) => {
    const ms = group.map((one) => one.ms + 0);
    const n = BigInt(group.length);
    const total = ms.reduce((so, value) => so + units(value), 0n);
    const squares = ms.reduce((so, value) => so + units(value) ** 2n, 0n);
    const rents = group.flatMap(({ rent }) => (rent === null ? [] : [rent]));
    const bytes = group.map((one) => one.bytes);
    const unit = 1n << 1074n;
    const best = group.map((one, i) => ({ one, i })).sort((a, b) => b.one.ms - a.one.ms || a.i - b.i);
    return {
      host: group[0]!.host,
      status: group[0]!.status,
      n: group.length,
      slow: group.filter((one) => one.slow).length,
      total: bytes.reduce((so, value) => so + value, 0),
      time: nearest(total, unit),
      least: Math.min(...ms) + 0,
      most: Math.max(...ms) + 0,
      avg: nearest(total, unit * n),
      spread: n < 2n ? null : nearest(n * squares - total * total, unit * unit * n * (n - 1n)),
      rent:
        rents.length === 0
          ? null
          : nearest(
              rents.reduce((so, value) => so + units(value), 0n),
              unit * BigInt(rents.length),
            ),
      from: ms[0],
      until: ms.at(-1),
      word: group[0]!.host,
      hosts: new Set(bytes).size,
      roughly: new Set(bytes).size,
      top: best.slice(0, 3).map(({ one }) => ({ bytes: one.bytes })),
      half: ms.toSorted((a, b) => a - b)[Math.ceil(ms.length / 2) - 1],
      often: [false, true]
        .map((value) => ({ value, count: group.filter((one) => one.slow === value).length }))
        .filter((one) => one.count > 0)
        .sort((a, b) => b.count - a.count),
      list: bytes,
      own: Math.max(...bytes),
    };
  });
}

/** With the median of the other one, where it is as near to it as it has to be. */
function withExactHalf(one: object, other: object | undefined): object {
  const [{ half }, { half: exact }] = [one, other ?? { half: Number.NaN }] as [{ half: number }, { half: number }];
  // Numbers below 2^-1022 have fewer bits.
  return Math.abs(half - exact) <= Math.max(Math.abs(exact), 2 ** -1022) / 128 ? { ...one, half: exact } : one;
}

const spilledRows = Array.from(
  { length: 20 },
  (_, i): Row => ({
    host: i % 3 === 0 ? "a" : "b",
    status: 200,
    bytes: i % 7,
    ms: i / 10,
    slow: i % 2 === 0,
    rent: i % 5 === 0 ? null : i / 3,
  }),
);

const numericNames = ["host", "status", "n", "slow", "total", "time", "least", "most", "avg", "spread"];
const onlyNumeric = (result: object) =>
  Object.fromEntries(Object.entries(result).filter(([name]) => numericNames.includes(name)));

// ─────────────────────────────────────────────────────────────────────────────

describe("the results of aggregates", () => {
  it.each([
    ["all", "reference", job],
    ["all", "wasm", job],
    ["columns of numbers", "reference", numericJob],
    ["columns of numbers", "wasm", numericJob],
  ] as const)(
    "of %s are those of all values of a key at once, wherever the input is cut and however little memory there is (%s kernel)",
    async (which, kind, tried) => {
      const way = fc.record({
        splitBytes: fc.constantFrom(1, 200, 1000, undefined),
        batchBytes: fc.constantFrom(64, 1024, 32768),
        blockBytes: fc.constantFrom(64, 1024, 8192),
        partitions: fc.constantFrom(1, 3),
      });
      let spilled = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(row, { maxLength: 60 }), way, async (rows, { splitBytes, partitions, ...sizes }) => {
          const lines = rows.map((one) => `${JSON.stringify(one)}\n`);
          const half = Math.ceil(lines.length / 2);
          const { files, plan } = await runTasks(tried, {
            files: { "a.ndjson": lines.slice(0, half).join(""), "b.ndjson": lines.slice(half).join("") },
            spec: { partitions, splitBytes },
            kernel: createKernel({ arenaBytes: 1024 * 1024, ...sizes }, kind),
          });
          if (plan.splits.length > 4 && sizes.batchBytes === 64) spilled++;
          const written = partsOf(files).flatMap((part) =>
            part
              .trimEnd()
              .split("\n")
              .filter((line) => line !== "")
              .map((line) => JSON.parse(line)),
          );
          const order = (one: { host: string; status: number }) => `${one.host}\n${one.status}`;
          const byKey = (list: object[]) =>
            [...(list as { host: string; status: number }[])].sort((a, b) => (order(a) < order(b) ? -1 : 1));
          const expected = byKey(which === "all" ? expectedOf(rows) : expectedOf(rows).map(onlyNumeric));
          expect(byKey(written).map((one, i) => withExactHalf(one, expected[i]))).toEqual(expected);
        }),
        // Chance alone may draw no run with spills.
        { numRuns: 40, examples: [[spilledRows, { splitBytes: 1, batchBytes: 64, blockBytes: 64, partitions: 1 }]] },
      );
      expect(spilled).toBeGreaterThan(0);
    },
  );

  it("are the same through many passes of merges with few sources each", async () => {
    const lines = Array.from({ length: 400 }, (_, i) => ({
      host: `h${i % 3}`,
      status: 200,
      bytes: i,
      ms: i / 10,
      slow: i % 2 === 0,
      rent: i % 5 === 0 ? null : i / 3,
    }));
    const kernel = smallKernel(2);
    const { files } = await runTasks(job, {
      files: { "a.ndjson": lines.map((one) => `${JSON.stringify(one)}\n`).join("") },
      spec: { partitions: 1, splitBytes: 2000 },
      kernel,
    });
    expect(kernel.merges.length).toBeGreaterThan(5);
    const written = partsOf(files)[0]!
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    const expected = expectedOf(lines);
    // Of 133 values the estimate may be one off.
    const near = written.map((one, i) => ({
      ...withExactHalf(one, expected[i]),
      roughly: Math.abs(one.roughly - one.hosts) < 3 ? one.hosts : one.roughly,
    }));
    expect(near).toEqual(expected);
  });
});

it("the kernel folds columns of numbers, and nothing else", () => {
  const columnsOf = (aggregate: object) => kernelColumns(asState(aggregateDefinition(aggregate)!));
  expect(columnsOf(numeric)).toEqual(["count", "count", "sum", "sum", "min", "max", "sum"]);
  expect(columnsOf(mean("ms"))).toEqual(["count", "sum"]);
  expect(columnsOf(all)).toBe(undefined);
  expect(columnsOf(ifPresent(mean("rent")))).toBe(undefined);
  expect(columnsOf(first(json<number>()))).toBe(undefined);
  const sums = (n: number) => stats(Object.fromEntries(Array.from({ length: n }, (_, i) => [`s${i}`, sum(`f${i}`)])));
  expect(columnsOf(sums(12))).toHaveLength(12);
  expect(columnsOf(sums(13))).toBe(undefined);
});

describe("states", () => {
  const { lift, begin } = asState(aggregateDefinition(all)!);
  const lifted = (value: unknown) => {
    const out = new ByteBuffer();
    lift(value, out);
    return out.copy();
  };
  const merged = (...states: Uint8Array[]) => {
    const accumulator = begin();
    for (const state of states) accumulator.add(state, 0, state.length);
    const out = new ByteBuffer();
    accumulator.write(out);
    return out.copy();
  };

  it("are the same bytes in whichever groups they are merged", () => {
    fc.assert(
      fc.property(fc.array(row, { minLength: 3, maxLength: 12 }), fc.nat(), fc.nat(), (rows, x, y) => {
        const states = rows.map(lifted);
        const [from, to] = [x % states.length, y % states.length].sort((a, b) => a - b) as [number, number];
        const parts = [states.slice(0, from), states.slice(from, to + 1), states.slice(to + 1)];
        const nested = parts.filter((part) => part.length > 0).map((part) => merged(...part));
        expect(merged(...nested)).toEqual(merged(...states));
      }),
    );
  });

  it("are the same bytes when they are read and written again", () => {
    fc.assert(
      fc.property(row, (one) => {
        expect(merged(lifted(one))).toEqual(lifted(one));
      }),
    );
  });
});

it("a group of two columns with three aggregates is written with a header of their names", async () => {
  const traffic = defineJob({
    name: "traffic",
    input: ndjson<Row>(),
    key: fields({ host: utf8, status: uint }),
    map: (request, emit) => emit(request, request),
    aggregate: stats({ n: count(), total: sum("bytes"), slowest: max("ms") }),
    output: csv({ header: true }),
  });
  const rows = [1, 2, 3].map((i) => ({ host: "a, b", status: 200, bytes: i, ms: i / 2, slow: true, rent: null }));
  const { files } = await runTasks(traffic, {
    files: { "a.ndjson": rows.map((one) => `${JSON.stringify(one)}\n`).join("") },
    spec: { partitions: 1 },
  });
  expect(partsOf(files)).toEqual(['host,status,n,total,slowest\n"a, b",200,3,6,1.5\n']);
});
