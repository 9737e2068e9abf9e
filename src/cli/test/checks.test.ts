// The checks in this process, each with jobs that pass it and jobs that are wrong in its way.
import { expect, test } from "vitest";
import { TaskRun } from "../../../test/support/run-tasks.ts";
import { ndjson } from "../../format/json/ndjson.ts";
import { text } from "../../format/lines/text.ts";
import { tsv } from "../../format/table/tsv.ts";
import { count, mean } from "../../job/aggregate/numbers.ts";
import { defineAggregate } from "../../job/aggregate/own.ts";
import { stats } from "../../job/aggregate/stats.ts";
import { autoValue } from "../../job/codecs/auto.ts";
import { fields } from "../../job/codecs/fields.ts";
import { json } from "../../job/codecs/json.ts";
import { float64, uint } from "../../job/codecs/numbers.ts";
import { utf8 } from "../../job/codecs/utf8.ts";
import { sum } from "../../job/combine.ts";
import { defineJob, jobDefinition } from "../../job/define-job.ts";
import type { Codec } from "../../job/types.ts";
import type { MappedRecord } from "../../task/map/record-mapper.ts";
import { CodecCheck } from "./codec-check.ts";
import { checkCombine } from "./combine-check.ts";
import { type InProcess, mapAll } from "./in-process.ts";
import { checkMap } from "./map-check.ts";
import { checkReduce } from "./reduce-check.ts";

const words = ["a 0.1", "b 0.7", "a 0.2", "a 0.3", "b 0.1", "a 0.7"];

function hereOf(job: unknown, lines: readonly string[] = words): InProcess {
  let offset = 0;
  const records = lines.map((record) => {
    const at = offset;
    offset += record.length + 1;
    return { input: 0, record, file: 0, source: "data.txt", stream: () => 1, offset: at, bytes: 0, lines: 0 };
  });
  return {
    job: jobDefinition(job),
    spec: new TaskRun(job, { files: {} }).spec,
    records,
    signal: new AbortController().signal,
  };
}

const inOrder = (here: InProcess) => here.records.map((_, index) => index);

async function mapped(here: InProcess): Promise<Map<number, MappedRecord>> {
  return await mapAll(here, { order: inOrder(here) });
}

const base = { name: "checked", input: text(), key: utf8, output: tsv() };
const split = (line: string) => line.split(" ") as [string, string];

// ── map ──────────────────────────────────────────────────────────────────────

async function mapOutcome(job: unknown) {
  const here = hereOf(job);
  return await checkMap(here, await mapped(here));
}

test("a map of its record alone passes, and so do ctx.random, ctx.startedAt and what setup makes", async () => {
  const job = defineJob({
    ...base,
    output: ndjson<{}>(),
    value: autoValue,
    setup: () => ({ prefix: ">" }),
    async map(line, emit, ctx) {
      await Promise.resolve();
      emit(ctx.state.prefix + line, [ctx.random(), ctx.startedAt, ctx.offset, new Date(0)]);
    },
  });
  expect(await mapOutcome(job)).toMatchObject({ outcome: "ok", note: "6 records, in order and backwards" });
});

test.each<[string, () => number | string, string]>([
  ["Date.now", () => Date.now(), "reads the clock"],
  ["new Date", () => new Date().getFullYear(), "reads the clock"],
  ["Date()", () => Date(), "reads the clock"],
  ["Math.random", () => Math.random(), "calls Math.random()"],
])("a map that emits %s is told what to use instead", async (_, value, advice) => {
  const job = defineJob({
    ...base,
    map: (line, emit: (key: string, value: number | string) => void) => emit(line, value()),
  });
  const check = await mapOutcome(job);
  expect(check.outcome).toBe("failed");
  expect(check.details?.at(-1)).toContain(advice);
});

test("what setup took from the clock is setup's doing", async () => {
  const job = defineJob({ ...base, setup: () => Date.now(), map: (line, emit, ctx) => emit(line, ctx.state) });
  expect((await mapOutcome(job)).details?.at(-1)).toContain("setup reads the clock");
});

test("a map that keeps state from record to record is shown at a record that differs", async () => {
  let n = 0;
  const job = defineJob({ ...base, value: uint, setup: () => (n = 0), map: (line, emit) => emit(line, n++) });
  const check = await mapOutcome(job);
  expect(check).toMatchObject({ outcome: "failed", note: "it did not for 6 of 6 records" });
  expect(check.details).toEqual([
    'the record at data.txt:30: "a 0.7"',
    'first  "a 0.7" → 5',
    'again  "a 0.7" → 0',
    expect.stringContaining("keeps something from one record to the next"),
  ]);
});

test("a map that emits less, more, elsewhere, or throws the second time has not done the same", async () => {
  const of = (again: (emit: (key: string, value: number) => void) => void) => {
    let calls = 0;
    return mapOutcome(
      defineJob({
        ...base,
        value: uint,
        map(line, emit) {
          emit(line, 1);
          if (calls++ >= words.length) again(emit);
        },
      }),
    );
  };
  expect((await of((emit) => emit("more", 1))).details).toContain('again  "more" → 1');
  const thrown = await of(() => {
    throw new Error("twice is too often");
  });
  expect(thrown.details).toContain("again  it threw twice is too often");
});

test("records of a map-only job and of other outputs are compared as they are written", async () => {
  let n = 0;
  const job = defineJob({
    name: "checked",
    input: text(),
    reducers: 0,
    output: { main: text(), side: text() },
    map(line, emit) {
      emit(line);
      emit.to("side", `${n++}`);
    },
  });
  expect((await mapOutcome(job)).details).toContain("again  to side: 6");
});

test("the clock and Math.random are as before when the check is over", async () => {
  const [RealDate, realRandom] = [Date, Math.random];
  await mapOutcome(defineJob({ ...base, map: (line, emit) => emit(line, Date.now()) }));
  expect(Date).toBe(RealDate);
  expect(Math.random).toBe(realRandom);
});

// ── codecs ───────────────────────────────────────────────────────────────────

async function codecOutcome(job: unknown) {
  const here = hereOf(job);
  const check = new CodecCheck(here.job);
  await mapAll(here, {
    order: inOrder(here),
    emitted: (key, value, encoded) => check.add(key, encoded.keyView, value, encoded.valueView),
  });
  return check.result();
}

const codec = (write: (value: number) => number, read: (byte: number) => number): Codec<number> => ({
  ordered: false,
  write: (value, out) => out.writeUint8(write(value)),
  read: (bytes) => read(bytes[0]!),
});

test("values that come back as they were pass", async () => {
  const job = defineJob({
    ...base,
    map: (line, emit) => emit(line, { n: -0, bytes: Buffer.from(line), at: new Date(1) }),
  });
  expect(await codecOutcome(job)).toMatchObject({ outcome: "ok", note: "6 pairs" });
});

test("a codec that rounds, one that never writes the same, and one that can't read are found", async () => {
  const with_ = (value: Codec<number>) =>
    codecOutcome(defineJob({ ...base, value, map: (line, emit) => emit(line, Number(split(line)[1])) }));
  const rounding = codec(
    (value) => Math.round(value),
    (byte) => byte,
  );
  expect(await with_(rounding)).toMatchObject({
    outcome: "failed",
    details: [
      "the value that map emits      0.1",
      "as combine and reduce get it  0",
      expect.stringContaining("loses something"),
    ],
  });
  let salt = 0;
  const salted: Codec<number> = {
    ordered: false,
    write(value, out) {
      out.writeUint8(salt++ % 256);
      out.writeUint8(value * 10);
    },
    read: (bytes) => bytes[1]! / 10,
  };
  expect((await with_(salted)).details?.at(-1)).toContain("One value must have one encoding");
  const unreadable: Codec<number> = {
    ...rounding,
    read() {
      throw new Error("what is this?");
    },
  };
  expect((await with_(unreadable)).details?.[0]).toContain("can't be read back from its bytes: what is this?");
});

// ── combine ──────────────────────────────────────────────────────────────────

async function combineOutcome(job: unknown, lines = words) {
  const here = hereOf(job, lines);
  return checkCombine(here.job, (await mapped(here)).values());
}

test("sum of whole numbers and joining texts are associative", async () => {
  const whole = defineJob({ ...base, value: uint, combine: sum, map: (line, emit) => emit(split(line)[0], 1) });
  expect(await combineOutcome(whole)).toMatchObject([
    { outcome: "ok", note: "2 triples of values" },
    { outcome: "ok" },
  ]);
  const joined = defineJob({
    ...base,
    value: utf8,
    combine: (a, b) => a + b,
    map: (line, emit) => emit(split(line)[0], split(line)[1]),
  });
  expect(await combineOutcome(joined)).toMatchObject([{ outcome: "ok" }, { outcome: "ok" }]);
});

test("an average is not associative, and is shown with three values of a key", async () => {
  const job = defineJob({
    ...base,
    value: uint,
    combine: (a, b) => Math.floor((a + b) / 2),
    map: (line, emit) => emit(split(line)[0], Number(split(line)[1]) * 10),
  });
  const [check] = await combineOutcome(job);
  expect(check).toMatchObject({ outcome: "failed", note: "it is not" });
  expect(check?.details?.slice(0, 3)).toEqual([
    'a = 1, b = 2, c = 3, of the key "a"',
    "combine(combine(a, b), c) = 2",
    "combine(a, combine(b, c)) = 1",
  ]);
});

test("a sum of fractions is told apart from what is wrong altogether", async () => {
  const map = (line: string, emit: (key: string, value: number) => void) =>
    emit(split(line)[0], Number(split(line)[1]));
  const [check] = await combineOutcome(defineJob({ ...base, value: float64, combine: sum, map }));
  expect(check).toMatchObject({ outcome: "failed", note: "except for the last digits of fractions" });
});

test("a combine that changes an argument is found, and still tried for being associative", async () => {
  const job = defineJob({
    ...base,
    output: ndjson<{}>(),
    value: json<string[]>(),
    combine(a, b) {
      a.push(...b);
      return a;
    },
    map: (line, emit) => emit(split(line)[0], [split(line)[1]]),
  });
  expect(await combineOutcome(job)).toMatchObject([
    { outcome: "ok", note: "2 triples of values" },
    {
      outcome: "failed",
      note: "it changes its first argument",
      details: ["before  [ '0.1' ]", "after   [ '0.1', '0.2' ]", expect.anything()],
    },
  ]);
});

test("a combine that throws is shown with the key", async () => {
  const job = defineJob({
    ...base,
    value: uint,
    combine() {
      throw new RangeError("no");
    },
    map: (line, emit) => emit(split(line)[0], 1),
  });
  expect((await combineOutcome(job))[0]).toMatchObject({
    outcome: "failed",
    note: 'it throws for values of the key "a"',
    details: expect.arrayContaining(["RangeError: no"]),
  });
});

test("without a combine, or three values of one key, there is nothing to try", async () => {
  const none = defineJob({ ...base, value: uint, map: (line, emit) => emit(line, 1) });
  expect(await combineOutcome(none)).toMatchObject([{ outcome: "skipped", note: "the job has no combine" }]);
  const few = defineJob({ ...base, value: uint, combine: sum, map: (line, emit) => emit(line, 1) });
  expect(await combineOutcome(few)).toMatchObject([{ outcome: "skipped" }]);
});

test("aggregates survive the checks; a merge of one's own that is not associative is found", async () => {
  const named = { name: "checked", input: text(), key: fields({ word: utf8 }), output: ndjson() };
  const emitted = (line: string) => ({ word: split(line)[0], x: Number(split(line)[1]) });
  const right = defineJob({
    ...named,
    aggregate: stats({ n: count(), x: mean("x") }),
    map: (line, emit) => emit(emitted(line), emitted(line)),
  });
  expect(await codecOutcome(right)).toMatchObject({ outcome: "ok" });
  expect(await combineOutcome(right)).toMatchObject([{ outcome: "ok" }, { outcome: "ok" }]);
  const wrong = defineJob({
    ...named,
    aggregate: defineAggregate({ state: float64, lift: ({ x }: { x: number }) => x, merge: (a, b) => (a + b) / 2 }),
    map: (line, emit) => emit(emitted(line), emitted(line)),
  });
  expect(await combineOutcome(wrong)).toMatchObject([{ outcome: "failed" }, { outcome: "ok" }]);
});

// ── reduce ───────────────────────────────────────────────────────────────────

type Reduce = (key: string, values: Iterable<number>, emit: (record: [string, number]) => void) => void;

async function reduceOutcome(reduce: Reduce | undefined) {
  const job = defineJob({
    ...base,
    value: uint,
    output: tsv<[string, number]>(),
    map: (line: string, emit: (key: string, value: number) => void) => emit(split(line)[0], 1),
    ...(reduce && { reduce }),
  });
  const here = hereOf(job);
  return await checkReduce(here.job, here.spec, [...(await mapped(here)).values()]);
}

test("a reduce that reads all of its values, one that reads some and one that reads none pass", async () => {
  const outcomes = [
    await reduceOutcome((key, values, emit) => emit([key, [...values].length])),
    await reduceOutcome((key, values, emit) => {
      for (const value of values) return emit([key, value]);
    }),
    await reduceOutcome((key, _values, emit) => emit([key, 0])),
  ];
  for (const outcome of outcomes) expect(outcome).toMatchObject({ outcome: "ok", note: "2 records" });
});

test("a reduce that reads the clock or keeps something is found", async () => {
  const clock = await reduceOutcome((key, _values, emit) => emit([key, new Date().getFullYear()]));
  expect(clock).toMatchObject({ outcome: "failed" });
  expect(clock.details?.at(-1)).toContain("reduce reads the clock");
  let n = 0;
  const state = await reduceOutcome((key, _values, emit) => emit([key, n++]));
  expect(state.details).toEqual([
    "first  a\t0",
    "again  a\t2",
    expect.stringContaining("nothing that it keeps outside"),
  ]);
});

test("a reduce that can't do with a part of the data, or that the job has none of, is not checked", async () => {
  const strict = await reduceOutcome((key) => {
    throw new Error(`where is the rest of ${key}?`);
  });
  expect(strict).toMatchObject({ outcome: "skipped", note: expect.stringContaining("where is the rest of a?") });
  expect(await reduceOutcome(undefined)).toMatchObject({ outcome: "skipped", note: "the job has no reduce" });
});
