// A replayed group beside the run: what reduce gets and emits for a key must be the same.
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { partsOf, runTasks, TaskRun, type TaskRunOptions } from "../../../test/support/run-tasks.ts";
import { MiB } from "../../base/limits.ts";
import { ndjson } from "../../format/json/ndjson.ts";
import { text } from "../../format/lines/text.ts";
import { csv } from "../../format/table/csv.ts";
import { tsv } from "../../format/table/tsv.ts";
import { collect } from "../../job/aggregate/collect.ts";
import { count } from "../../job/aggregate/numbers.ts";
import { stats } from "../../job/aggregate/stats.ts";
import { auto } from "../../job/codecs/auto.ts";
import { desc } from "../../job/codecs/desc.ts";
import { fields } from "../../job/codecs/fields.ts";
import { uint } from "../../job/codecs/numbers.ts";
import { tuple } from "../../job/codecs/tuple.ts";
import { utf8 } from "../../job/codecs/utf8.ts";
import { max, sum } from "../../job/combine.ts";
import { defineJob } from "../../job/define-job.ts";
import { defineJoin } from "../../job/join/define-join.ts";
import { byRange, prefix } from "../../job/partition.ts";
import { createKernel } from "../../kernel/create-kernel.ts";
import { type GroupOptions, mapGroup } from "./map-group.ts";
import { reduceGroup } from "./reduce-group.ts";

type Files = TaskRunOptions["files"];

function optionsFor(job: unknown, files: Files, key: string, over: Partial<GroupOptions> = {}): GroupOptions {
  const run = new TaskRun(job, { files });
  const kernel = createKernel({ arenaBytes: 1 * MiB });
  return { env: run.environment(), spec: run.spec, kernel, key, combining: "auto", ...over };
}

async function replay(job: unknown, files: Files, key: string, over: Partial<GroupOptions> = {}) {
  const options = optionsFor(job, files, key, over);
  const mapped = await mapGroup(options);
  if (mapped.kind === "missing") throw new Error(`no such key; there are ${JSON.stringify(mapped.keys)}`);
  return { mapped, ...(await reduceGroup(options, mapped.held)) };
}

const lines = "b 1\na 2\nb 3\nc 4\na 5\nb 6\n";
const base = { name: "test", input: text(), key: utf8, value: uint } as const;
type Emit = (key: string, value: number) => void;
const words = (line: string, emit: Emit) => emit(line.split(" ")[0]!, Number(line.split(" ")[1]));

describe("the group of a key", () => {
  test("has its values in input order, and what reduce emits, counts and sets up", async () => {
    const calls: string[] = [];
    const job = defineJob({
      ...base,
      output: { main: tsv(), seen: text() },
      setup: (ctx) => {
        ctx.count("set up");
        return { of: "state" };
      },
      map: words,
      reduce(key, values, emit, ctx) {
        calls.push(key);
        const all = [...values];
        ctx.count("values", all.length);
        emit.to("seen", `${key} ${ctx.state.of}`);
        emit([key, all.join()]);
      },
      teardown: () => void calls.push("teardown"),
    });
    const replayed = await replay(job, { in: lines }, "b");
    expect(replayed.mapped).toMatchObject({
      key: "b",
      others: [],
      pairs: 3,
      values: [1, 3, 6],
      records: 6,
      aside: 0,
    });
    expect(replayed.records).toEqual([
      { output: "seen", record: "b state" },
      { output: "main", record: ["b", "1,3,6"] },
    ]);
    expect(replayed.counters).toEqual({ "set up": 1, values: 3 });
    expect(replayed.failed).toBeUndefined();
    // Only this key's reduce was called; teardown of both tasks was.
    expect(calls).toEqual(["teardown", "b", "teardown"]);
  });
});

/** What `main` got: for jobs with one output. */
async function emitted(job: unknown, files: Files, key: string, over: Partial<GroupOptions> = {}): Promise<unknown[]> {
  const { records, failed } = await replay(job, files, key, over);
  if (failed !== undefined) throw failed;
  return records.map(({ record }) => record);
}

/** The lines of the run's output, by task after task. */
async function ran(job: unknown, files: Files): Promise<string[]> {
  const { files: parts } = await runTasks(job, { files, spec: { partitions: 2, splitBytes: 8 } });
  return partsOf(parts).join("").trimEnd().split("\n");
}

describe("replayed keys are reduced as in the run", () => {
  test("each key of a job with and without combine, which --without-combine leaves out", async () => {
    const reduce = (key: string, values: Iterable<number>, emit: (record: [string, string]) => void) =>
      emit([key, [...values].join("+")]);
    const plain = defineJob({ ...base, map: words, reduce });
    expect(await emitted(plain, { in: lines }, "b")).toEqual([["b", "1+3+6"]]);
    for (const combine of [sum, max, (a: number, b: number) => a + b]) {
      const combined = defineJob({ ...base, map: words, combine, reduce });
      for (const key of ["a", "b", "c"]) {
        const [record] = (await emitted(combined, { in: lines }, key)) as [string, string][];
        expect(await ran(combined, { in: lines })).toContain(record!.join("\t"));
      }
      expect(await emitted(combined, { in: lines }, "b", { combining: "never" })).toEqual([["b", "1+3+6"]]);
    }
  });

  test("no reduce: the combined value, or each of them", async () => {
    expect(await emitted(defineJob({ ...base, map: words, combine: sum }), { in: lines }, "b")).toEqual([["b", 10]]);
    expect(await emitted(defineJob({ ...base, map: words }), { in: lines }, "a")).toEqual([
      ["a", 2],
      ["a", 5],
    ]);
  });

  test("a grouping prefix: all its pairs, sorted by the whole key, which values.key gives", async () => {
    const job = defineJob({
      name: "grouped",
      input: text(),
      key: tuple(utf8, desc(uint)),
      value: utf8,
      group: prefix(1),
      map: (line, emit) => emit([line.split(" ")[0]!, Number(line.split(" ")[1])], line),
      reduce(key, values, emit) {
        const seen: string[] = [];
        for (const value of values) seen.push(`${values.key[1]}=${value}`);
        emit([key[0], seen.join()]);
      },
    });
    const record = ["b", "6=b 6,3=b 3,1=b 1"];
    for (const key of ["b", '["b"]', "[ 'b' ]"]) expect(await emitted(job, { in: lines }, key)).toEqual([record]);
    expect(await ran(job, { in: lines })).toContain(record.join("\t"));
  });

  test("a key with names and an aggregate", async () => {
    const job = defineJob({
      name: "by-host",
      input: csv({ header: true, columns: { host: utf8, status: uint, bytes: uint } }),
      key: fields({ host: utf8, status: uint }),
      map: (row, emit) => emit(row, row),
      aggregate: stats({ n: count(), total: sum("bytes") }),
      output: csv({ header: true }),
    });
    const files = { in: "host,status,bytes\na,200,5\nb,200,1\na,404,2\na,200,7\n" };
    for (const combining of ["auto", "never"] as const) {
      expect(await emitted(job, files, '{"host":"a","status":200}', { combining })).toEqual([
        { host: "a", status: 200, n: 2, total: 12 },
      ]);
    }
    const lists = defineJob({ name: "lists", input: text(), key: utf8, map: words, aggregate: collect(uint) });
    expect(await emitted(lists, { in: lines }, "b")).toEqual([["b", [1, 3, 6]]]);
  });

  test("named inputs, and a join", async () => {
    const files = {
      "users/1": '{"id":"x","name":"Ann"}\n{"id":"y","name":"Bo"}\n',
      "orders/1": '{"user":"x","cents":5}\n{"user":"y","cents":6}\n',
      "orders/2": '{"user":"x","cents":7}\n{"user":"z","cents":8}\n',
    };
    const join = defineJoin({
      name: "bought",
      left: { users: ndjson<{ id: string; name: string }>() },
      right: { orders: ndjson<{ user: string; cents: number }>() },
      key: utf8,
      on: { users: "id", orders: "user" },
      how: "inner",
      map: ({ users, orders }, emit) => emit([users.name, orders.cents]),
    });
    expect(await emitted(join, files, "x")).toEqual([
      ["Ann", 5],
      ["Ann", 7],
    ]);
    expect(await emitted(join, files, "z")).toEqual([]);
  });

  test("compressed files, promises, byRange, and a partition function that knows few keys", async () => {
    const job = (partition: unknown) =>
      defineJob({
        ...base,
        partition,
        async map(line: string, emit: Emit) {
          await Promise.resolve();
          words(line, emit);
        },
        async reduce(key: string, values: Iterable<number>, emit: (record: [string, string]) => void) {
          const all = [...values].join();
          await Promise.resolve();
          emit([key, all]);
        },
      } as never);
    const never = () => {
      throw new Error("it is not called: there is nothing to choose");
    };
    for (const partition of [byRange(), never])
      expect(await emitted(job(partition), { "in.gz": gzipSync(lines) }, "b")).toEqual([["b", "1,3,6"]]);
  });
});

describe("what can't be replayed", () => {
  test("a key that is not there comes with those that are", async () => {
    const mapped = await mapGroup(optionsFor(defineJob({ ...base, map: words }), { in: lines }, "d"));
    expect(mapped).toMatchObject({ kind: "missing", pairs: 6, keys: ["b", "a", "c"], records: 6 });
  });

  test("a text that stands for two keys is the likelier one, and the other is told", async () => {
    const reduce = (key: unknown, _: unknown, emit: (record: [string]) => void) => emit([String(key)]);
    const any = { name: "any", input: text(), key: auto, value: uint, reduce } as const;
    const job = defineJob({ ...any, map: (line, emit) => emit(line, 1) });
    const both = defineJob({
      ...any,
      map(line, emit) {
        emit(line, 1);
        emit(Number(line), 2);
      },
    });
    expect(await mapGroup(optionsFor(both, { in: "404\n" }, "404"))).toMatchObject({ key: 404, others: ["404"] });
    expect(await mapGroup(optionsFor(job, { in: "404\n" }, "404"))).toMatchObject({ key: "404", others: [] });
  });

  test("a key whose text a message has cut is the first that is shown so", async () => {
    const long = "x".repeat(500);
    const job = defineJob({ ...base, map: (line, emit) => emit(line, 1) });
    const shown = `"${"x".repeat(198)}…`;
    expect(await mapGroup(optionsFor(job, { in: `short\n${long}\n${long}\n` }, shown))).toMatchObject({
      key: long,
      pairs: 2,
    });
  });

  test("more pairs of the key than memory is for are a named error; those of other keys are not held", async () => {
    const many = "a 1\n".repeat(60_000);
    const job = defineJob({ ...base, map: words });
    const heldBytesMax = 256 * 1024;
    await expect(mapGroup(optionsFor(job, { in: many }, "a", { heldBytesMax }))).rejects.toMatchObject({
      code: "over-limit",
      message: expect.stringContaining('the pairs of the key "a" take more than'),
    });
    const other = await mapGroup(optionsFor(job, { in: `${many}b 2\n` }, "b", { heldBytesMax }));
    expect(other).toMatchObject({ kind: "found", pairs: 1, records: 60_001 });
  });

  test("a record on which map fails ends it with the record's place, unless so many may be bad", async () => {
    const job = defineJob({
      ...base,
      map(line, emit) {
        // More pairs than a batch holds, so that they have been handed on when the record fails.
        for (let i = 0; line.startsWith("b 3") && i < 20_000; i++) emit("b", 1000);
        if (line.startsWith("b 3")) throw new TypeError("mine");
        words(line, emit);
      },
    });
    await expect(mapGroup(optionsFor(job, { in: lines }, "b"))).rejects.toMatchObject({
      reason: { kind: "user-error", error: { message: expect.stringContaining("mine"), where: "in:8" } },
    });
    const options = optionsFor(job, { in: lines }, "b");
    const mapped = await mapGroup({ ...options, spec: { ...options.spec, skipBad: 1 } });
    expect(mapped).toMatchObject({ kind: "found", pairs: 2, values: [1, 6], records: 5, aside: 1 });
  });

  test("a record that can't be read is left out where it may be", async () => {
    const job = defineJob({
      name: "json",
      input: ndjson<{ k: string; n: number }>(),
      key: utf8,
      value: uint,
      map: (record, emit) => emit(record.k, record.n),
    });
    const files = { in: '{"k":"a","n":1}\n{"k":\n{"k":"a","n":2}\n' };
    const options = optionsFor(job, files, "a");
    await expect(mapGroup(options)).rejects.toMatchObject({ reason: { kind: "bad-input" } });
    expect(await mapGroup({ ...options, spec: { ...options.spec, skipBad: 1 } })).toMatchObject({
      values: [1, 2],
      aside: 1,
    });
  });

  test("what reduce throws comes back with the key, beside what it emitted before", async () => {
    const job = defineJob({
      ...base,
      map: words,
      reduce(key, values, emit) {
        for (const value of values) {
          if (value === 6) throw new RangeError("mine");
          emit([key, value]);
        }
      },
    });
    const replayed = await replay(job, { in: lines }, "b");
    expect(replayed.recordCounts).toEqual(new Map([["main", 2]]));
    expect(replayed.failed).toMatchObject({
      thrown: expect.any(RangeError),
      reason: { error: { where: 'reduce of the key "b"' } },
    });
  });

  test("a map-only job has no keys", async () => {
    const job = defineJob({ name: "m", input: text(), reducers: 0, output: text(), map: (line, emit) => emit(line) });
    await expect(mapGroup(optionsFor(job, { in: lines }, "b"))).rejects.toMatchObject({ code: "wrong-usage" });
  });
});
