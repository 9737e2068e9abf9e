// Jobs with aggregates, in this process.
import { describe, expect, it } from "vitest";
import {
  collect,
  count,
  countDistinct,
  csv,
  defineJob,
  desc,
  fields,
  first,
  float64,
  fold,
  last,
  max,
  mean,
  ndjson,
  prefix,
  stats,
  sum,
  text,
  uint,
  utf8,
} from "../../index.ts";
import { runInline } from "../../testing.ts";

const requests = ndjson({ fields: { host: utf8, status: uint, bytes: uint, ms: float64 } });

describe("GROUP BY two columns with three aggregates", () => {
  const traffic = defineJob({
    name: "traffic",
    input: requests,
    key: fields({ host: utf8, status: uint }),
    map: (request, emit) => emit(request, request),
    aggregate: stats({ n: count(), total: sum("bytes"), slowest: max("ms"), avg: mean("ms") }),
    output: csv({ header: true }),
  });

  it("gives one record of key and results for each key", async () => {
    const { records } = await runInline(traffic, [
      { host: "b", status: 200, bytes: 1, ms: 0.1 },
      { host: "a", status: 500, bytes: 2, ms: 3 },
      { host: "b", status: 200, bytes: 5, ms: 0.2 },
      { host: "a", status: 200, bytes: 7, ms: 4 },
    ]);
    expect(records).toEqual([
      { host: "a", status: 200, n: 1, total: 7, slowest: 4, avg: 4 },
      { host: "a", status: 500, n: 1, total: 2, slowest: 3, avg: 3 },
      { host: "b", status: 200, n: 2, total: 6, slowest: 0.2, avg: (0.1 + 0.2) / 2 },
    ]);
  });
});

describe("aggregates refuse", () => {
  it.each([
    ["a missing field", () => fold(sum("bytes"), [{} as never]), /sum\("bytes"\): .* has no field "bytes"/],
    ["null, naming ifPresent", () => fold(mean("ms"), [{ ms: null as never }]), /ifPresent\(mean\("ms"\)\) skips/],
    ["NaN", () => fold(max(), [Number.NaN]), /max\(\): it takes numbers, and the value is NaN/],
    ["whole numbers beyond 2^53", () => fold(sum(), [2 ** 53 - 1, 1]), /sum\(\) is beyond 2\^53-1/],
    ["both infinities", () => fold(sum(), [1 / 0, -1 / 0]), /both infinities/],
    ["more than max", () => fold(collect(uint, { max: 2 }), [1, 2, 3]), /one key has more than 2 values/],
    [
      "more different ones",
      () => fold(countDistinct("a", uint, { max: 1 }), [{ a: 1 }, { a: 2 }]),
      /more than 1 different/,
    ],
    ["no values", () => fold(sum(), []), /no result where there are no values/],
    ["a function not called", () => stats({ n: count as never }), /call it, as in count\(/],
    ["fields beside the value", () => stats({ a: sum(), b: sum("x") }), /name fields in all of them/],
  ])("%s", (_, wrong, message) => {
    expect(wrong).toThrow(message);
  });

  it("a name in both key and result, a value codec beside them, and names that don't lead, when the job is loaded", () => {
    const job = {
      name: "w",
      input: requests,
      map() {},
      key: fields({ n: utf8, m: utf8 }),
      aggregate: stats({ n: count() }),
    };
    expect(() => defineJob(job as never)).toThrow(/both have the name "n"/);
    expect(() => defineJob({ ...job, key: utf8, value: uint } as never)).toThrow(/leave value out/);
    const grouped = { ...job, aggregate: count() };
    expect(() => defineJob({ ...grouped, group: prefix("m") } as never)).toThrow(/must name the first fields/);
    expect(() => defineJob({ ...grouped, group: prefix(1) } as never)).toThrow(/is for tuples/);
    expect(() => defineJob({ ...job, aggregate: stats({ k: count() }), output: text() } as never)).toThrow(
      /output can't be written|writes/,
    );
  });
});

it("sums of fractions beyond 2^53 are rounded once, and counts are 0 of nothing", () => {
  expect(fold(sum(), [1e300, 1, -1e300])).toBe(1);
  expect(fold(sum(), [0.1, 0.2, 0.3])).toBe(0.6);
  expect(fold(count(), [])).toBe(0);
});

it("in a sorted group values.key is the whole key of each value, and first goes by the key", async () => {
  const key = fields({ user: utf8, at: desc(uint) });
  const input = ndjson<{ user: string; at: number }>();
  const sorted = defineJob({
    name: "sorted",
    input,
    key,
    value: uint,
    group: prefix("user"),
    map: (event, emit) => emit(event, event.at * 10),
    reduce(group, values, emit) {
      for (const value of values) emit([group.user, values.key.at, value]);
      expect(() => values.key).toThrow(/all values have been read/);
    },
  });
  const events = [1, 3, 2].map((at) => ({ user: "u", at }));
  expect((await runInline(sorted, events)).records).toEqual([3, 2, 1].map((at) => ["u", at, at * 10]));
  const latest = defineJob({
    name: "latest",
    input,
    key,
    group: prefix("user"),
    map: (event, emit) => emit(event, event),
    aggregate: stats({ newest: first("at", uint), oldest: last("at", uint) }),
    counters: ["none"],
  });
  const result = await runInline(latest, events);
  expect(result.records).toEqual([{ user: "u", newest: 3, oldest: 1 }]);
  expect(result.counters).toEqual({ none: 0 });
});

it("countDistinct.approx is within three standard errors of many values, in whichever parts they come", () => {
  const values = Array.from({ length: 50_000 }, (_, i) => ({ user: `user ${i}` }));
  const estimate = fold(countDistinct.approx("user", utf8), [...values, ...values.slice(0, 1000)]);
  expect(Math.abs(estimate - 50_000)).toBeLessThan(50_000 * 0.025);
});
