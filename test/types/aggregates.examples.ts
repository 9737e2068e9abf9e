// biome-ignore-all format: one example a line, and the error on the line below its comment
// biome-ignore-all lint/correctness/noUnusedVariables: wrong uses only have to be refused
// biome-ignore-all lint/correctness/noUnusedFunctionParameters: parameters stand for their types
// Aggregates, named keys and counters: what compiles and what must not, as in api.examples.ts. Nothing runs.
import {
  type Aggregate, bigint, collect, count, countDistinct, countIf, csv, date, defineAggregate, defineJob, desc, fields, first, float64, fold, ifPresent, int, type Job, json,
  last, max, mean, min, ndjson, nullable, prefix, quantile, run, stats, sum, text, topK, topN, tsv, tuple, uint, utf8, variance,
} from "millrace";
import { runInline } from "millrace/testing";

/** `is<Expected>()(value)` compiles if the value's type is exactly that. */
declare function is<Expected>(): <Actual>(
  value: Actual,
  ...same: (<T>() => T extends Actual ? 1 : 2) extends (<T>() => T extends Expected ? 1 : 2) ? [] : [differs: never]
) => void;
declare function record<J>(job: J): J extends Job<infer T> ? T["record"] : never;

const requests = ndjson({ fields: { host: utf8, status: uint, bytes: uint, ms: float64, user: utf8, at: date } });
interface Event { user: string; at: string; page: string; ms: number }

// ── GROUP BY, with names ─────────────────────────────────────────────────────

const traffic = defineJob({
  name: "traffic",
  input: requests,
  key: fields({ host: utf8, status: uint }),
  map: (request, emit) => emit(request, request),
  aggregate: stats({ n: count(), total: sum("bytes"), slowest: max("ms") }),
  output: csv({ header: true }),
});
is<{ readonly host: string; readonly status: number; readonly n: number; readonly total: number; readonly slowest: number }>()(record(traffic));
const three = stats({ n: count(), total: sum("bytes"), slowest: max("ms") });
is<Aggregate<{ readonly bytes: number; readonly ms: number }, { readonly n: number; readonly total: number; readonly slowest: number }>>()(three);
const { records } = await runInline(traffic, [{ host: "a", status: 200, bytes: 1, ms: 2, user: "u", at: new Date(0) }]);
is<number | undefined>()(records[0]?.slowest);

const cellsOut = defineJob({
  name: "cells-out",
  input: requests,
  key: tuple(utf8, uint),
  aggregate: stats({ n: count(), total: sum("bytes") }),
  map(request, emit) { emit([request.host, request.status], request); },
});
is<[key: readonly [string, number], value: { readonly n: number; readonly total: number }]>()(record(cellsOut));

const words = defineJob({
  name: "words",
  input: text(),
  key: utf8,
  aggregate: count(),
  map(line, emit) { for (const word of line.match(/\p{L}+/gu) ?? []) emit(word); },
});
is<[key: string, value: number]>()(record(words));

// ── one aggregate, and what `sum`, `min` and `max` are besides ───────────────

const spent = defineJob({ name: "spent", input: requests, key: utf8, aggregate: sum(), map: (r, emit) => emit(r.host, r.bytes), output: tsv<[host: string, bytes: number]>() });
const landed = defineJob({ name: "landed", input: text(), key: utf8, value: uint, map(line, emit) { emit(line, 1); }, combine: sum });
is<[key: string, value: number]>()(record(landed));
defineJob({ name: "latest-date", input: requests, key: utf8, value: date, combine: max, map: (r, emit) => emit(r.host, r.at) });
defineJob({ name: "bigints", input: ndjson({ fields: { user: utf8, cents: bigint } }), key: utf8, aggregate: sum("cents", bigint), map: (r, emit) => emit(r.user, r), reduce(user, cents, emit) { is<bigint>()(cents); emit([user, cents]); } });
is<number>()(fold(sum(), [1, 2, 3]));
const top = defineJob({
  name: "top", input: ndjson<{ id: string; name: string; cents: number }>(), params: { k: { type: "number", default: 3 } }, key: utf8,
  aggregate: topN(10, "cents", { keep: { id: utf8, cents: float64 } }),
  map: (row, emit) => emit("all", row),
  reduce(_, best, emit, ctx) { for (const { id, cents } of best.slice(0, ctx.params.k)) emit([id, cents]); },
  output: tsv<[id: string, cents: number]>(),
});
is<bigint>()(sum(1n, 2n)); is<number>()(sum(1, 2)); is<string>()(max("a", "b")); is<Date>()(min(new Date(0), new Date(1)));

const daily = defineJob({
  name: "daily",
  input: ndjson<Event>(),
  key: fields({ day: utf8 }),
  map(event, emit) { emit({ day: event.at.slice(0, 10) }, { ...event, slow: event.ms > 1000 }); },
  aggregate: stats({
    events: count(), slow: countIf("slow"), mean: mean("ms"), spread: variance("ms"), from: min("at", utf8), until: max("at", utf8), pages: collect("page", utf8),
    users: countDistinct("user", utf8), roughly: countDistinct.approx("user", utf8), slowest: topN(3, "ms", { keep: { page: utf8, ms: float64 } }),
  }),
  output: ndjson<{ day: string; events: number; slow: number; mean: number; spread: number | null; from: string; until: string; pages: readonly string[]; users: number; roughly: number; slowest: readonly { page: string; ms: number }[] }>(),
});
is<number | null>()(record(daily).spread);
is<readonly { readonly page: string; readonly ms: number }[]>()(fold(topN(3, "ms", { keep: { page: utf8, ms: float64 } }), []));
is<number>()(fold(quantile(0.5), [1])); is<number>()(fold(quantile(0.5, "ms"), [{ ms: 1 }]));
is<readonly { readonly value: string; readonly count: number }[]>()(fold(topK(3, "page", utf8), [{ page: "a" }]));
is<readonly { readonly value: bigint; readonly count: number }[]>()(fold(topK(3, bigint), [1n]));
defineJob({ name: "shares", input: requests, key: fields({ host: utf8 }), aggregate: stats({ p95: quantile(0.95, "ms"), rent: ifPresent(quantile(0.5, "bytes")) }), map: (r, emit) => emit(r, r), output: csv({ header: true }) });
const span = defineJob({ name: "span", input: requests, key: fields({ host: utf8 }), aggregate: stats({ from: min("at", date), until: max("at", date) }), map: (r, emit) => emit(r, r), output: csv({ header: true }) });
is<Date>()(record(span).from);

// ── reduce gets the result; properties in any order ──────────────────────────

const busy = defineJob({
  name: "busy", input: requests, key: utf8, params: { least: { type: "number", default: 100 } },
  aggregate: stats({ n: count(), ms: mean("ms") }),
  map: (r, emit) => emit(r.host, r),
  reduce(host, result, emit, ctx) {
    is<{ readonly n: number; readonly ms: number }>()(result);
    if (result.n >= ctx.params.least) emit([host, result.n, result.ms]);
  },
});
defineJob({ output: csv({ header: true }), reduce(key, { n }, emit) { is<{ readonly host: string }>()(key); emit({ ...key, n }); }, map(r, emit) { emit(r, r); }, aggregate: stats({ n: count() }), key: fields({ host: utf8 }), input: requests, name: "backwards" });
defineJob({ name: "slow", input: requests, key: utf8, aggregate: stats({ n: count(), ms: max("ms") }), async map(r, emit, ctx) { await Promise.resolve(ctx.attempt); emit(r.host, r); } });
defineJob({ name: "auto-key", input: text(), aggregate: count(), map(line, emit) { emit([line, 1]); } });
const both = defineJob({
  name: "both", input: { users: csv({ columns: { id: utf8 } }), visits: ndjson<Event>() }, key: fields({ id: utf8 }), aggregate: stats({ visits: countIf("visit"), ms: sum("ms") }),
  map: { users: (user, emit) => emit(user, { visit: false, ms: 0 }), visits: (event, emit) => emit({ id: event.user }, { visit: true, ms: event.ms }) },
  output: csv({ header: true }),
});
is<{ readonly id: string; readonly visits: number; readonly ms: number }>()(record(both));
defineJob({ name: "state", input: text(), setup: () => ({ seen: new Set<string>() }), key: utf8, aggregate: max(), map(l, emit, ctx) { is<Set<string>>()(ctx.state.seen); emit(l, l.length); } });

// ── sorted groups ────────────────────────────────────────────────────────────

const latest = defineJob({
  name: "latest", input: ndjson<Event>(),
  key: fields({ user: utf8, at: desc(utf8) }), group: prefix("user"),
  aggregate: stats({ page: first("page", utf8), oldest: last("at", utf8), visits: count() }),
  map: (event, emit) => emit(event, event),
  output: ndjson<{ user: string; page: string; oldest: string; visits: number }>(),
});
is<{ readonly user: string; readonly page: string; readonly oldest: string; readonly visits: number }>()(record(latest));
const latestByTuple = defineJob({
  name: "latest-by-tuple", input: ndjson<Event>(), key: tuple(utf8, desc(utf8)), group: prefix(1), aggregate: first(json<Event>()),
  map: (event, emit) => emit([event.user, event.at], event),
  reduce([user], event, emit) { is<string>()(user); is<Event>()(event); emit(event); },
  output: ndjson<Event>(),
});
defineJob({
  name: "sorted", input: ndjson<Event>(), key: fields({ user: utf8, at: utf8 }), value: utf8, group: prefix("user"),
  partition: (key, n) => { is<{ readonly user: string }>()(key); return key.user.length % n; },
  map: (event, emit) => emit(event, event.page),
  reduce(key, pages, emit) { for (const page of pages) { is<{ readonly user: string; readonly at: string }>()(pages.key); emit([key.user, pages.key.at, page]); } },
});

// ── nulls, and aggregates of one's own ───────────────────────────────────────

defineJob({
  name: "maybe", input: csv({ columns: { town: utf8, rent: nullable(float64) } }), key: utf8,
  aggregate: stats({ flats: count(), rent: ifPresent(mean("rent")) }),
  map: (flat, emit) => emit(flat.town, flat),
  reduce(town, { flats, rent }, emit) { is<number | null>()(rent); emit([town, flats, rent]); },
});
const histogram = defineAggregate({
  state: json<readonly number[]>(),
  lift: (ms: number) => { const bin = Math.ceil(Math.log2(ms + 1)); return Array.from({ length: bin + 1 }, (_, n) => (n === bin ? 1 : 0)); },
  merge: (a, b) => Array.from({ length: Math.max(a.length, b.length) }, (_, n) => (a[n] ?? 0) + (b[n] ?? 0)),
});
is<Aggregate<number, readonly number[]>>()(histogram);
defineJob({ name: "histogram", input: requests, key: utf8, aggregate: histogram, map: (r, emit) => emit(r.host, r.ms), output: ndjson<[string, readonly number[]]>() });

// ── counters ─────────────────────────────────────────────────────────────────

const counted = defineJob({
  name: "counted", input: text(), key: utf8, value: uint, combine: sum,
  counters: ["other lines", "status *"],
  map(line, emit, ctx) {
    const status = Number(line.slice(0, 3));
    if (Number.isNaN(status)) ctx.count("other lines");
    else { ctx.count(`status ${status}`); emit(line, 1); }
  },
});
is<number>()((await run(counted, { inputs: ["logs"] })).counters["other lines"]);
is<number>()((await runInline(counted, [])).counters["other lines"]);

// ── wrong uses ───────────────────────────────────────────────────────────────

// @ts-expect-error 1 the value lacks the field that sum reads: `ms` is not `bytes`
defineJob({ name: "x1", input: requests, key: utf8, aggregate: stats({ total: sum("bytes") }), map: (r, emit) => emit(r.host, { ms: r.ms }) });
// @ts-expect-error 2 the field is text, and sum adds numbers
defineJob({ name: "x2", input: requests, key: utf8, aggregate: sum("host"), map: (r, emit) => emit(r.host, r) });
// @ts-expect-error 3 sum of the value itself needs a value
defineJob({ name: "x3", input: requests, key: utf8, aggregate: sum(), map: (r, emit) => emit(r.host) });
// @ts-expect-error 4 a value codec beside an aggregate, which has its own state
defineJob({ name: "x4", input: requests, key: utf8, value: uint, aggregate: sum(), map: (r, emit) => emit(r.host, r.bytes) });
// @ts-expect-error 5 combine beside an aggregate, which merges by itself
defineJob({ name: "x5", input: requests, key: utf8, aggregate: count(), combine: sum, map: (r, emit) => emit(r.host) });
// @ts-expect-error 6 count and sum are called: `n: count()`
stats({ n: count });
// @ts-expect-error 7 the field may be null: ifPresent(mean("rent"))
defineJob({ name: "x7", input: csv({ columns: { town: utf8, rent: nullable(float64) } }), key: utf8, aggregate: mean("rent"), map: (r, emit) => emit(r.town, r) });
defineJob({ name: "x8", input: requests, key: tuple(utf8, uint), aggregate: stats({ n: count() }), map: (r, emit) => emit([r.host, r.status], r),
  // @ts-expect-error 8 a header needs names, and the parts of a tuple have none: key: fields({ … })
  output: csv({ header: true }),
});
defineJob({ name: "x9", input: requests, key: fields({ host: utf8 }), aggregate: stats({ users: collect("user", utf8) }), map: (r, emit) => emit(r, r),
  // @ts-expect-error 9 the result has a list, which is no cell: ndjson, or a reduce
  output: csv({ header: true }),
});
defineJob({ name: "x10", input: requests, key: fields({ host: utf8 }), aggregate: stats({ n: count() }), map: (r, emit) => emit(r, r),
  // @ts-expect-error 10 the declared output has a column that key and result don't have
  output: csv({ columns: { host: utf8, total: uint } }),
});
defineJob({ name: "x11", input: requests, key: fields({ n: utf8 }), map: (r, emit) => emit({ n: r.host }, r),
  // @ts-expect-error 11 a name in both key and result
  aggregate: stats({ n: count() }),
});
// @ts-expect-error 12 the key lacks `status`
defineJob({ name: "x12", input: requests, key: fields({ host: utf8, status: uint }), aggregate: count(), map: (r, emit) => emit({ host: r.host }) });
// @ts-expect-error 13 grouped by a name that the key does not have
defineJob({ name: "x13", input: requests, key: fields({ user: utf8, at: date }), group: prefix("day"), aggregate: count(), map: (r, emit) => emit(r) });
// @ts-expect-error 14 a number of parts is for tuple keys
defineJob({ name: "x14", input: requests, key: fields({ user: utf8, at: date }), group: prefix(1), aggregate: count(), map: (r, emit) => emit(r) });
defineJob({ name: "x15", input: requests, key: utf8, aggregate: stats({ n: count() }), map: (r, emit) => emit(r.host, r), reduce(host, result, emit) {
  // @ts-expect-error 15 the result is one object, not many values
  for (const value of result) emit([host, value]);
} });
defineJob({ name: "x16", input: requests, key: utf8, aggregate: stats({ n: count() }), map: (r, emit) => emit(r.host, r), reduce(host, result, emit) {
  // @ts-expect-error 16 the result has no `total`
  emit([host, result.total]);
} });
// @ts-expect-error 17 a map-only job has nothing to aggregate
defineJob({ name: "x17", input: requests, reducers: 0, aggregate: count(), map: (r, emit) => emit([r.host]) });
// @ts-expect-error 18 a JSON value has no order to be distinct by: a key codec
countDistinct("user", json<Event>());
// @ts-expect-error 19 merge gives another type than the state's
defineAggregate({ state: uint, lift: (n: number) => n, merge: (a, b) => `${a}${b}` });
// @ts-expect-error 20 sum adds numbers, not text
defineJob({ name: "x20", input: text(), key: utf8, value: utf8, combine: sum, map: (l, emit) => emit(l, l) });
// @ts-expect-error 33 a counter that is not declared
defineJob({ name: "x33", input: text(), key: utf8, aggregate: count(), counters: ["bad"], map(l, emit, ctx) { ctx.count("bda"); emit(l); } });
// @ts-expect-error 52 the result's counters are those that are declared
(await runInline(counted, [])).counters["other line"].toFixed();
// @ts-expect-error 58 sum() adds the values themselves, sum("cents") a field of them
defineJob({ name: "x58", input: ndjson({ fields: { user: utf8, cents: int } }), key: utf8, aggregate: stats({ a: sum(), b: sum("cents") }), map: (order, emit) => emit(order.user, order) });
// @ts-expect-error 60 a misspelt field: what is emitted lacks `cnets`
defineJob({ name: "x60", input: ndjson({ fields: { user: utf8, cents: int } }), key: utf8, aggregate: stats({ n: count(), cents: sum("cnets") }), map: (order, emit) => emit(order.user, order) });
// @ts-expect-error 53 a median is quantile(0.5, "ms"): the share comes first
quantile("ms", 0.5);
// @ts-expect-error 61 a JSON value has no order to be counted by: a key codec
topK(3, "user", json<Event>());
