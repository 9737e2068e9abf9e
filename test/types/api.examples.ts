// biome-ignore-all format: one example a line, and the error on the line below its comment
// biome-ignore-all lint/correctness/noUnusedVariables: wrong uses only have to be refused
// biome-ignore-all lint/correctness/noUnusedFunctionParameters: parameters stand for their types
// What compiles and what must not, which `tsc -p .` checks. Nothing runs. Every `@ts-expect-error` is on the line that
// tsc must complain about.
import { readFile } from "node:fs/promises";
import {
  type AutoKey, type AutoValue, auto, bigint, bool, bucket, byHash, byRange, bytes, type Codec, type Combine, csv, date, day, defineJob, desc, type Emit, eachKey, float64, int, type Job, type JsonValue, json,
  lines, max, min, ndjson, nullable, prefix, type Row, recordAsKey, records, run, type SortedValues, type StandardSchema, sum, text, tsv, tuple, uint, utf8, wholeFiles,
} from "millrace";
import { runInline } from "millrace/testing";

/** `is<Expected>()(value)` compiles if the value's type is exactly that. */
declare function is<Expected>(): <Actual>(
  value: Actual,
  ...same: (<T>() => T extends Actual ? 1 : 2) extends (<T>() => T extends Expected ? 1 : 2) ? [] : [differs: never]
) => void;

interface User { id: string; name: string; age?: number }
interface Order { user: string; cents: number }

// ── input fixes map's record ─────────────────────────────────────────────────

defineJob({ name: "text", input: text(), map(r, emit) { is<string>()(r); emit(r, 1); } });
defineJob({ name: "lines", input: lines(), map(r, emit) { is<Uint8Array>()(r); emit(r, null); }, reduce(k, vs, emit) { emit([vs ? 1 : 0]); } });
defineJob({ name: "records", input: records(100), key: bytes, value: bytes, map(r, emit) { is<Uint8Array>()(r); emit(r.subarray(0, 10), r.subarray(10)); }, reduce(k, vs, emit) { for (const v of vs) emit(v); }, output: records(90) });
defineJob({ name: "whole", input: wholeFiles(), map(r, emit, ctx) { is<Uint8Array>()(r); emit(ctx.source, r.length); } });
defineJob({ name: "json", input: ndjson(), map(r, emit) { is<JsonValue>()(r); emit(1, r); }, output: ndjson() });
defineJob({ name: "typed", input: ndjson<User>(), map(r, emit) { is<User>()(r); emit(r.id, r.age ?? null); } });
defineJob({ name: "fields", input: ndjson({ fields: { id: utf8, at: date } }), map(r, emit) { is<{ readonly id: string; readonly at: Date }>()(r); emit(r.id, r.at); } });
defineJob({ name: "header", input: csv({ header: true }), map(r, emit) { is<string | undefined>()(r["id"]); emit(r["id"] ?? "", 1); } });
defineJob({ name: "columns", input: csv({ columns: { id: int, name: utf8, ok: bool } }), map(r, emit) { is<{ readonly id: number; readonly name: string; readonly ok: boolean }>()(r); emit(r.id, r.name); } });
defineJob({ name: "rows", input: tsv(), map(r, emit) { is<readonly string[]>()(r); emit(r[0] ?? "", 1); } });

declare const zodLike: StandardSchema<{ at: string }, { at: Date }>;
defineJob({
  name: "schema", input: ndjson(zodLike), key: date, value: uint,
  map(r, emit) { is<{ at: Date }>()(r); emit(r.at, 1); },
  reduce(at, ones, emit) { emit({ at: at.toISOString() }); }, // written as the schema's input, read as its output
  output: ndjson(zodLike),
});

// ── codecs fix emit, reduce and the result ───────────────────────────────────

const count = defineJob({ name: "count", input: text(), key: utf8, value: uint, map(line, emit) { emit(line, 1); }, combine: sum });
const latest = defineJob({
  name: "latest", input: ndjson<Order>(), key: tuple(utf8, desc(float64)), value: tuple(date, json<Order>()),
  map(o, emit) { emit([o.user, o.cents], [new Date(0), o]); },
  reduce([user, cents], values, emit) {
    is<string>()(user); is<number>()(cents);
    for (const [at, o] of values) { is<Date>()(at); is<Order>()(o); emit([user, at, o.cents]); }
  },
});
defineJob({ name: "fold", input: ndjson<Order>(), key: utf8, value: json<Order>(), map(o, emit) { emit(o.user, o); }, combine: (a, b) => (a.cents > b.cents ? a : b), output: ndjson<[string, Order]>() });
defineJob({ name: "min", input: text(), key: utf8, value: date, map(l, emit) { emit(l, new Date(l)); }, combine: min });
defineJob({ name: "max", input: text(), key: auto, value: utf8, map(l, emit) { emit([l, 1n, null], l); }, combine: max, reduce(k, vs, emit) { is<AutoKey>()(k); } });

// no codecs: what `auto` takes, or what an annotated emit says
defineJob({ name: "auto", input: text(), map(l, emit) { emit([l, 1n, new Date(0)], { a: [l, null] }); }, reduce(k, vs, emit) { is<AutoKey>()(k); is<Iterable<AutoValue>>()(vs); } });
const annotated = defineJob({ name: "annotated", input: text(), map(l, emit: Emit<string, number>) { is<string>()(l); emit(l, 1); }, combine: sum });
defineJob({ name: "annotated-2", input: text(), group: prefix(1), map(l, emit: Emit<[string, number], User>) { emit([l, 1], { id: l, name: l }); }, reduce(k, vs, emit) { is<readonly [string]>()(k); is<SortedValues<[string, number], User>>()(vs); is<[string, number]>()(vs.key); } });

// ── output fixes reduce's emit; the order of properties does not matter ──────

defineJob({ output: text(), reduce(k, vs, emit) { is<string>()(k); emit(k); }, map(r, emit) { emit(r.name, 1); }, value: uint, key: utf8, input: ndjson<User>(), name: "backwards" });
defineJob({ name: "default-tsv", input: text(), key: utf8, value: uint, map(l, emit) { emit(l, 1); }, reduce(k, vs, emit) { emit([k, 1, 2n, true, null, new Date(0)]); } });
defineJob({ name: "typed-tsv", input: text(), key: utf8, value: uint, map(l, emit) { emit(l, 1); }, output: tsv<[word: string, n: number]>(), combine: sum });
// A tuple is as many cells as it has parts; typed rows say which.
defineJob({ name: "by-two", input: text(), key: tuple(utf8, date), value: uint, map(l, emit) { emit([l, new Date(0)], 1); }, combine: sum });
defineJob({ name: "per-week", input: csv({ columns: { at: date, paid: nullable(day) } }), key: tuple(bucket("week", "Europe/Berlin"), utf8), value: uint, map(r, emit) { is<Date | null>()(r.paid); emit([day.of(r.at), "a"], 1); }, combine: sum });
defineJob({ name: "by-two-csv", input: text(), key: tuple(utf8, nullable(bigint)), value: tuple(uint, bool), map(l, emit) { emit([l, null], [1, true]); }, output: csv({ delimiter: ";" }) });
defineJob({ name: "by-two-typed", input: text(), key: tuple(utf8, uint), value: uint, map(l, emit) { emit([l, 1], 1); }, output: tsv<[word: string, length: number, n: number]>(), combine: sum });
defineJob({ name: "by-two-named", input: text(), key: tuple(utf8, uint), value: uint, map(l, emit) { emit([l, 1], 1); }, output: { main: tsv<[string, number, number]>(), rejects: text() }, combine: sum });
defineJob({ name: "by-two-reduced", input: text(), key: tuple(utf8, uint), value: uint, map(l, emit) { emit([l, 1], 1); }, reduce(k, vs, emit) { emit([k, 1]); } });
defineJob({ name: "csv-out", input: text(), key: utf8, value: uint, map(l, emit) { emit(l, 1); }, reduce(k, vs, emit) { emit({ word: k, n: 1 }); }, output: csv({ columns: { word: utf8, n: uint } }) });
defineJob({ name: "sort", input: lines(), key: bytes, value: uint, partition: byRange(), reducers: 8, compress: "zstd", map(l, emit) { emit(l, 1); }, reduce(l, ones, emit) { for (const _ of ones) emit(l); }, output: lines() });

defineJob({ name: "sorted", input: lines(), key: bytes, partition: byRange(), map: recordAsKey, reduce: eachKey, output: lines() });
defineJob({ name: "sorted-text", input: text(), key: utf8, map: recordAsKey, reduce: eachKey, output: text() });
defineJob({ name: "distinct", input: text(), key: utf8, map: recordAsKey, reduce(line, values, emit) { is<Iterable<null>>()(values); emit(line); }, output: text() });

const rejecting = defineJob({
  name: "named-output", input: text(), key: utf8, value: uint,
  output: { main: tsv(), rejects: text(), users: ndjson<User>() },
  map(line, emit) { if (line) emit(line, 1); else emit.to("rejects", line); },
  reduce(k, vs, emit) { emit([k]); emit.to("users", { id: k, name: k }); },
});

// ── several inputs ───────────────────────────────────────────────────────────

const join = defineJob({
  name: "join", input: { users: csv({ columns: { id: utf8, name: utf8 } }), orders: ndjson<Order>() },
  key: utf8, value: json<{ name: string } | { cents: number }>(),
  setup: () => ({ seen: 0 }),
  map: {
    users(u, emit, ctx) { is<string>()(u.name); is<number>()(ctx.state.seen); emit(u.id, { name: u.name }); },
    async orders(o, emit) { is<Order>()(o); emit(o.user, { cents: o.cents }); },
  },
  reduce(id, others, emit) { for (const s of others) if ("name" in s) emit([id, s.name]); },
});

// ── group, partition, map-only, parameters, state, async ─────────────────────

defineJob({
  name: "group", input: text(), key: tuple(utf8, desc(uint), date), value: uint, group: prefix(2),
  partition: (key, n) => { is<readonly [string, number]>()(key); return key[1] % n; },
  map(l, emit) { emit([l, 1, new Date(0)], 1); },
  reduce(key, vs, emit) { is<readonly [string, number]>()(key); emit([key[0], key[1]]); },
});
const mapOnly = defineJob({ name: "map-only", input: ndjson<User>(), reducers: 0, output: text(), map(u, emit) { emit(u.name); } });

const configured = defineJob({
  name: "params-state-async", input: text(), key: utf8, value: uint, concurrency: 4, combine: sum,
  params: { minLength: { type: "number", default: 3, about: "shortest word" }, endpoint: { type: "string" }, strict: { type: "boolean" } },
  async setup(ctx) { is<string>()(ctx.params.endpoint); return { cache: new Map<string, number>() }; },
  async map(line, emit, ctx) {
    is<number>()(ctx.params.minLength); is<boolean>()(ctx.params.strict); is<Map<string, number>>()(ctx.state.cache);
    const reply = await fetch(ctx.params.endpoint, { signal: ctx.signal, headers: { "idempotency-key": `${ctx.source}:${ctx.offset}` } });
    ctx.count("replies"); ctx.count("bytes", line.length); ctx.log("reply", { status: reply.status, attempt: ctx.attempt.attempt });
    emit(line, reply.status);
  },
  teardown(ctx) { ctx.state.cache.clear(); ctx.log(ctx.params.endpoint); },
});
defineJob({
  name: "side-file-sample", input: text(), files: { stop: "stop.txt" },
  async setup(ctx) { return new Set((await readFile(ctx.file("stop"), "utf8")).split("\n")); },
  map(line, emit, ctx) { ctx.progress(); if (ctx.random() < 0.01 && !ctx.state.has(line)) emit(line, ctx.startedAt); },
});
declare const paramSchema: StandardSchema<{ n?: string }, { n: number }>;
defineJob({ name: "param-schema", input: text(), params: paramSchema, map(l, emit, ctx) { is<number>()(ctx.params.n); emit(l, 1); } });

// ── run and test ─────────────────────────────────────────────────────────

for await (const [word, n] of await run(count, { inputs: ["books/*.txt"] })) { is<string>()(word); is<number>()(n); }
for await (const [word, n] of await run(annotated, { inputs: ["-"] })) { is<string>()(word); is<number>()(n); }
for await (const line of await run(mapOnly, { inputs: ["users"] })) is<string>()(line);
for await (const row of await run(latest, { inputs: ["orders"] })) is<Row>()(row);
is<Readonly<Record<string, number>>>()((await run(join, { inputs: { users: ["u.csv"], orders: ["o/*.ndjson"] }, output: "out", reducers: 4 })).counters);
await run(configured, { inputs: ["a"], params: { endpoint: "http://localhost", strict: true } });
const told = await run(count, { inputs: "books", output: "out", onProgress: ({ percent, state }) => { is<number | undefined>()(percent); state === "mapping"; } });
is<number>()(told.stats.map.recordsIn); is<number>()(told.deadLetters); is<string | undefined>()(told.output); is<number>()(told.elapsedMs);
await run(join, { inputs: { users: "u.csv", orders: ["o/*.ndjson"] }, output: "out", onProgress: async () => {} });
is<readonly [key: string, value: number][]>()((await runInline(count, ["a b", "b"])).records);
is<readonly string[]>()((await runInline(rejecting, [""])).others.rejects);
await runInline(join, { users: [{ id: "1", name: "Ann" }], orders: [{ user: "1", cents: 5 }] });
await runInline(configured, ["a"], { params: { endpoint: "", strict: false, minLength: 1 } });

is<Job<{ input: string; params: {}; record: [key: string, value: number]; others: {}; reread: readonly string[]; counter: string }>>()(count);

// ── wrong uses ───────────────────────────────────────────────────────────────

const base = { name: "wrong", input: text(), key: utf8, value: uint } as const;
const pair = { name: "wrong", input: text(), key: tuple(utf8, uint), value: uint } as const;

// 1-4 map's emit
// @ts-expect-error 1 value: number expected
defineJob({ ...base, map(l, emit) { emit(l, "1"); } });
// @ts-expect-error 2 key: string expected
defineJob({ ...base, map(l, emit) { emit(1, 1); } });
// @ts-expect-error 3 value missing
defineJob({ ...base, map(l, emit) { emit(l); } });
// @ts-expect-error 4 a part of the key missing
defineJob({ ...pair, map(l, emit) { emit([l], 1); }, reduce(k, vs, emit) {} });

// 5-9 codecs
// @ts-expect-error 5 json cannot be a key
defineJob({ name: "wrong", input: text(), key: json<User>(), map(l, emit) {}, reduce(k, vs, emit) {} });
// @ts-expect-error 6 nor a part of one
defineJob({ name: "wrong", input: text(), key: tuple(utf8, json<User>()), map(l, emit) {}, reduce(k, vs, emit) {} });
// @ts-expect-error 7 nor reversed
desc(json<string>());
// @ts-expect-error 8 JSON would turn a Date into a string
json<{ at: Date }>();
// @ts-expect-error 9 and lose a Map
ndjson<{ tags: Map<string, number> }>();

// 10-14 reduce and output
// @ts-expect-error 10 tsv takes rows
defineJob({ ...base, map(l, emit) {}, reduce(k, vs, emit) { emit(k); } });
// @ts-expect-error 11 n is a number
defineJob({ ...base, map(l, emit) {}, reduce(k, vs, emit) { emit({ n: k }); }, output: ndjson<{ n: number }>() });
// @ts-expect-error 12 values are iterable, no array
defineJob({ ...base, map(l, emit) {}, reduce(k, vs, emit) { emit([k, vs.length]); } });
// @ts-expect-error 13 text does not take pairs: reduce is missing
defineJob({ ...base, map(l, emit) { emit(l, 1); }, combine: sum, output: text() });
// @ts-expect-error 14 wholeFiles only reads
defineJob({ ...base, map(l, emit) {}, output: wholeFiles() });

// @ts-expect-error 14a no cell holds bytes
defineJob({ name: "wrong", input: text(), key: bytes, value: uint, map(l, emit) {}, combine: sum });
// @ts-expect-error 14b nor an object
defineJob({ name: "wrong", input: text(), key: utf8, value: json<User>(), map(l, emit) {} });
// @ts-expect-error 14c nor a tuple in a tuple
defineJob({ name: "wrong", input: text(), key: tuple(utf8, tuple(utf8, uint)), value: uint, map(l, emit) {}, combine: sum });
// @ts-expect-error 14d the second cell is a number
defineJob({ ...pair, map(l, emit) {}, output: tsv<[word: string, length: string, n: number]>() });
// @ts-expect-error 14e only tsv and csv make cells of a tuple
defineJob({ ...pair, map(l, emit) {}, output: ndjson<[word: string, length: number, n: number]>() });
// @ts-expect-error 14f with columns they write objects
defineJob({ ...pair, map(l, emit) {}, output: csv({ columns: { word: utf8, length: uint, n: uint } }) });
// @ts-expect-error 14g there are no fortnights
bucket("fortnight");
// @ts-expect-error 14h a text is on no day
day.of("2024-05-31");

// 15-17 combine
// @ts-expect-error 15 sum of strings
defineJob({ ...base, value: utf8, map(l, emit) {}, combine: sum });
// @ts-expect-error 16 must return a value
defineJob({ ...base, map(l, emit) {}, combine: (a, b) => `${a}${b}` });
// @ts-expect-error 17 no such property
defineJob({ ...base, map(l, emit) {}, combiner: sum });

// 18-22 group and partition
// @ts-expect-error 18 the key has two parts
defineJob({ ...pair, group: prefix(3), map(l, emit) {}, reduce(k, vs, emit) {} });
// @ts-expect-error 19 the key is no tuple
defineJob({ ...base, group: prefix(1), map(l, emit) {}, reduce(k, vs, emit) {} });
// @ts-expect-error 20 the second part is not in the group's key
defineJob({ ...pair, group: prefix(1), map(l, emit) {}, reduce(k, vs, emit) { emit([k[0], k[1]]); } });
// @ts-expect-error 21 forgot to call it
defineJob({ ...base, map(l, emit) {}, partition: byHash });
// @ts-expect-error 22 arithmetic on a string key
defineJob({ ...base, map(l, emit) {}, partition: (key, n) => key % n });

// 23-28 several inputs
const two = { name: "wrong", input: { users: ndjson<User>(), orders: ndjson<Order>() }, key: utf8, value: uint } as const;
// @ts-expect-error 23 orders is missing
defineJob({ ...two, map: { users(u, emit) { emit(u.id, 1); } } });
// @ts-expect-error 24 no such input
defineJob({ ...two, map: { users(u, emit) {}, orders(o, emit) {}, items() {} } });
// @ts-expect-error 25 one function for two inputs
defineJob({ ...two, map(r, emit) {} });
// @ts-expect-error 26 functions by name for one input
defineJob({ ...base, map: { users() {} } });
// @ts-expect-error 27 an order has no name
defineJob({ ...two, map: { users(u, emit) {}, orders(o, emit) { emit(o.name, 1); } } });
// @ts-expect-error 28 forgot to call it
defineJob({ ...base, input: text, map(l: string, emit) {} });

// 29-32 several outputs
const outs = { ...base, output: { main: tsv(), rejects: text() } } as const;
// @ts-expect-error 29 no such output
defineJob({ ...outs, map(l, emit) { emit.to("reject", l); } });
// @ts-expect-error 30 rejects takes text
defineJob({ ...outs, map(l, emit) {}, reduce(k, vs, emit) { emit.to("rejects", 7); } });
// @ts-expect-error 31 one output only
defineJob({ ...base, map(l, emit) { emit.to("rejects", l); } });
// @ts-expect-error 32 main is missing
defineJob({ ...base, map(l, emit) {}, output: { rejects: text() } });

// 33-35 map-only
// @ts-expect-error 33 has no key
defineJob({ name: "wrong", input: text(), key: utf8, reducers: 0, map(l, emit) { emit(l); }, output: text() });
// @ts-expect-error 34 emits records
defineJob({ name: "wrong", input: text(), reducers: 0, map(l, emit) { emit(l, 1); }, output: text() });
// @ts-expect-error 35 has no reduce
defineJob({ name: "wrong", input: text(), reducers: 0, map(l, emit) {}, reduce(k: string) {}, output: text() });

// 36-42 parameters, state, side files
// @ts-expect-error 36 misspelt
defineJob({ ...base, params: { limit: { type: "number" } }, map(l, emit, ctx) { emit(l, ctx.params.limits); } });
// @ts-expect-error 37 the default is no number
defineJob({ ...base, params: { limit: { type: "number", default: "3" } }, map(l, emit) {} });
// @ts-expect-error 38 no such type
defineJob({ ...base, params: { limit: { type: "integer" } }, map(l, emit) {} });
// @ts-expect-error 39 a parameter is a string
defineJob({ ...base, params: { limit: { type: "string" } }, map(l, emit, ctx) { emit(l, ctx.params.limit); } });
// @ts-expect-error 40 no setup
defineJob({ ...base, map(l, emit, ctx) { emit(l, ctx.state.n); } });
// @ts-expect-error 41 setup returns no m
defineJob({ ...base, setup(ctx) { return { n: 1 }; }, map(l, emit, ctx) { emit(l, ctx.state.m); } });

// @ts-expect-error 42 no such side file
defineJob({ ...base, files: { stop: "stop.txt" }, map(l, emit, ctx) { emit(ctx.file("stops"), 1); } });

// 43-47 others
// @ts-expect-error 43 id is a number
defineJob({ ...base, input: csv({ columns: { id: int } }), map(r, emit) { emit(r.id, 1); } });
// @ts-expect-error 44 bytes have no text form
csv({ columns: { id: bytes } });
// @ts-expect-error 45 a generator would never run
defineJob({ ...base, *map(l: string) { yield l; } });
// @ts-expect-error 46 input is missing
defineJob({ name: "wrong", key: utf8, value: uint, map(l, emit) {} });
// @ts-expect-error 47 a Map is no plain key: give a codec
defineJob({ name: "wrong", input: text(), map(l, emit: Emit<Map<string, string>, number>) {}, reduce(k, vs, emit) {} });

// 48-54 run and test
// @ts-expect-error 48 params are missing
run(configured, { inputs: ["a"] });
// @ts-expect-error 49 strict is a boolean
run(configured, { inputs: ["a"], params: { endpoint: "", strict: "yes" } });
// @ts-expect-error 50 one input
run(count, { inputs: { users: ["a"] } });
// @ts-expect-error: a function, not a flag
run(count, { inputs: "a", onProgress: true });
// @ts-expect-error: progress is read, not set
run(count, { inputs: "a", onProgress: (progress) => { progress.percent = 1; } });
// @ts-expect-error: there is no such option
run(count, { inputs: "a", outptu: "out" });
// @ts-expect-error 51 orders is missing
run(join, { inputs: { users: ["a"] } });
// @ts-expect-error 52 published, so not in memory
for await (const _ of await run(count, { inputs: ["a"], output: "out" }));
// @ts-expect-error 53 records are strings
runInline(count, [1]);
// @ts-expect-error 54 params are missing
runInline(configured, ["a"]);

// 55-57 built-in mappers and reducers
// @ts-expect-error 55 records are text, and the key's codec takes bytes
defineJob({ name: "sorted-wrong-key", input: text(), key: bytes, map: recordAsKey, reduce: eachKey, output: text() });
// @ts-expect-error 56 keys are text, and lines() writes bytes
defineJob({ name: "sorted-wrong-output", input: text(), key: utf8, map: recordAsKey, reduce: eachKey, output: lines() });
// @ts-expect-error 57 the value is null, which uint does not take
defineJob({ name: "sorted-wrong-value", input: lines(), key: bytes, value: uint, map: recordAsKey, reduce: eachKey, output: lines() });
// Custom formats and codecs are plain objects.
export const host: Codec<URL> = { ordered: false, write(url, out) { out.writeUtf8(url.href); }, read: (b) => new URL(new TextDecoder().decode(b)) };
export const median: Combine<number> = (a, b) => (a + b) / 2;
