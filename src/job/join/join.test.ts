import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { failed, runTasks, succeeded, TaskRun } from "../../../test/support/run-tasks.ts";
import { limits } from "../../base/limits.ts";
import { ndjson } from "../../format/json/ndjson.ts";
import { text } from "../../format/lines/text.ts";
import { csv } from "../../format/table/csv.ts";
import { runInline } from "../../testing.ts";
import { count, countIf } from "../aggregate/numbers.ts";
import { first } from "../aggregate/picks.ts";
import { stats } from "../aggregate/stats.ts";
import { fields } from "../codecs/fields.ts";
import { nullable } from "../codecs/nullable.ts";
import { float64, uint } from "../codecs/numbers.ts";
import { tuple } from "../codecs/tuple.ts";
import { utf8 } from "../codecs/utf8.ts";
import { sum } from "../combine.ts";
import { jobDefinition } from "../define-job.ts";
import { defineJoin } from "./define-join.ts";
import type { How } from "./types.ts";

interface One {
  readonly id: string | null;
  readonly day: number | null;
  readonly n: number;
}
interface Row {
  readonly a: One | null;
  readonly b: One | null;
}

const hows: readonly How[] = ["inner", "left", "right", "outer", "semi", "anti"];
const records = () => ndjson<One>();

/** Loops over all pairs: what each kind of join means, written down a second time. */
function nestedLoop(how: How, as: readonly One[], bs: readonly One[], isEqual: (a: One, b: One) => boolean): Row[] {
  if (how === "semi") return as.filter((a) => bs.some((b) => isEqual(a, b))).map((a) => ({ a, b: null }));
  if (how === "anti") return as.filter((a) => !bs.some((b) => isEqual(a, b))).map((a) => ({ a, b: null }));
  const rows: Row[] = [];
  for (const a of as) for (const b of bs) if (isEqual(a, b)) rows.push({ a, b });
  if (how === "left" || how === "outer")
    for (const a of as) if (!bs.some((b) => isEqual(a, b))) rows.push({ a, b: null });
  if (how === "right" || how === "outer")
    for (const b of bs) if (!as.some((a) => isEqual(a, b))) rows.push({ a: null, b });
  return rows;
}

const bag = (rows: readonly unknown[]) => rows.map((row) => JSON.stringify(row)).sort();
const withNulls = (row: { readonly a: One | null; readonly b?: One | null }): Row => ({ a: row.a, b: row.b ?? null });

/** Few different keys, some of them null, so that groups of each shape turn up. */
const one = fc.record<One>({
  id: fc.option(fc.constantFrom("", "x", "y", "ü", "zz")),
  day: fc.option(fc.nat(1)),
  n: fc.nat(3),
});
const some = fc.array(one, { maxLength: 12 });

describe("rows of a join", () => {
  it.each(hows)("%s: are those of a nested loop, by a key that may be null", async (how) => {
    const join = defineJoin({
      name: "join",
      left: { a: records() },
      right: { b: records() },
      key: nullable(utf8),
      on: { a: "id", b: (b) => b.id },
      how,
      map: (row, emit) => emit(withNulls(row)),
      output: ndjson<Row>(),
    });
    await fc.assert(
      fc.asyncProperty(some, some, fc.integer({ min: 1, max: 3 }), async (a, b, reducers) => {
        const expected = nestedLoop(how, a, b, (x, y) => x.id !== null && x.id === y.id);
        expect(bag((await runInline(join, { a, b }, { reducers })).records)).toEqual(bag(expected));
      }),
      { numRuns: 40 },
    );
  });

  it.each(hows)("%s: are those of a nested loop, by two columns, in reduce", async (how) => {
    const join = defineJoin({
      name: "join",
      left: { a: records() },
      right: { b: records() },
      key: tuple(nullable(utf8), nullable(uint)),
      on: { a: ["id", "day"], b: ["id", "day"] },
      how,
      reduce(key, rows, emit) {
        let any = false;
        for (const row of rows) {
          any = true;
          const { a, b } = withNulls(row);
          expect([(a ?? b)?.id, (a ?? b)?.day]).toEqual(key);
          emit({ a, b });
        }
        expect(any).toBe(true);
      },
      output: ndjson<Row>(),
    });
    await fc.assert(
      fc.asyncProperty(some, some, async (a, b) => {
        const isEqual = (x: One, y: One) => x.id !== null && x.day !== null && x.id === y.id && x.day === y.day;
        expect(bag((await runInline(join, { a, b })).records)).toEqual(bag(nestedLoop(how, a, b, isEqual)));
      }),
      { numRuns: 40 },
    );
  });

  it.each(hows)("%s: are the same, in the same order, wherever the inputs are cut", async (how) => {
    const join = defineJoin({
      name: "join",
      left: { a: records() },
      right: { b: records() },
      key: nullable(utf8),
      on: { a: "id", b: "id" },
      how,
      map: (row, emit) => emit(withNulls(row)),
      output: ndjson<Row>(),
    });
    const file = (values: readonly One[]) => values.map((value) => `${JSON.stringify(value)}\n`).join("");
    await fc.assert(
      fc.asyncProperty(some, some, fc.nat(12), async (a, b, cut) => {
        const whole = await runTasks(join, { files: { "a/1": file(a), "b/1": file(b) }, spec: { partitions: 1 } });
        const cutAt = { "a/1": file(a.slice(0, cut)), "a/2": file(a.slice(cut)) };
        const pieces = await runTasks(join, {
          files: { ...cutAt, "b/1": file(b.slice(0, cut)), "b/2": file(b.slice(cut)) },
          spec: { partitions: 1, splitBytes: limits.splitBytesMin },
        });
        expect(pieces.files).toEqual(whole.files);
        const rows = Object.values(whole.files).join("").split("\n").slice(0, -1);
        expect([...rows].sort()).toEqual(bag(nestedLoop(how, a, b, (x, y) => x.id !== null && x.id === y.id)));
      }),
      { numRuns: 20 },
    );
  });

  it("come right by right, and left by left for each, in input order", async () => {
    const join = defineJoin({
      name: "join",
      left: { a: records() },
      right: { b: records() },
      key: nullable(utf8),
      on: { a: "id", b: "id" },
      how: "inner",
      map: ({ a, b }, emit) => emit([a.n, b.n]),
    });
    const of = (n: number) => ({ id: "x", day: null, n });
    const { records: rows } = await runInline(join, { a: [of(2), of(1)], b: [of(5), of(4)] });
    expect(rows).toEqual([
      [2, 5],
      [1, 5],
      [2, 4],
      [1, 4],
    ]);
  });

  it("have the records as their formats read them: dates, infinities, arrays of cells", async () => {
    const join = defineJoin({
      name: "join",
      left: { a: csv({ columns: { id: utf8, x: float64 } }) },
      right: { b: csv() },
      key: utf8,
      on: { a: "id", b: (cells) => cells[0]! },
      how: "inner",
      map: ({ a, b }, emit) => emit([a.id, a.x, b[1]!]),
    });
    const files = { "a/1": "id,x\nk,Infinity\nk,-1.5\n", "b/1": 'k,"1,2"\nother,3\n' };
    const { files: written } = await runTasks(join, { files, spec: { partitions: 1 } });
    expect(Object.values(written)).toEqual(["k\tInfinity\t1,2\nk\t-1.5\t1,2\n"]);
  });
});

const skewed = (how: How) =>
  defineJoin({
    name: "skewed",
    left: { a: ndjson<{ id: string; text: string }>() },
    right: { b: ndjson<{ id: string }>() },
    key: utf8,
    on: { a: "id", b: "id" },
    how,
    map: (row, emit) => emit([(row as { a: { text: string } | null }).a?.text ?? ""]),
  });

describe("a key with many left records", () => {
  const many = 3000;
  const texts = Array.from({ length: many }, (_, i) => `${i}${"x".repeat((i * 37) % 1000)}`);
  const lefts = texts.map((text) => `${JSON.stringify({ id: "hot", text })}\n`).join("");
  const files = (rights: number) => ({
    "a/1": `${lefts}{"id":"cold","text":"c"}\n`,
    "b/1": '{"id":"hot"}\n'.repeat(rights),
  });
  const kept = (run: TaskRun) => run.runFiles.paths.filter((path) => path.includes("kept"));

  it("keeps them in a file, reads it for each right record, and removes it", async () => {
    const job = skewed("inner");
    const run = new TaskRun(job, { files: files(3), spec: { partitions: 1 } });
    const begun: string[] = [];
    const { create } = run.runFiles;
    Object.assign(run.runFiles, {
      create: (name: string) => {
        begun.push(name);
        return create(name);
      },
    });
    const plan = await run.plan();
    const runs = [];
    for (const index of plan.splits.keys()) runs.push(succeeded(await run.map(plan, index)).run!);
    const done = succeeded(await run.reduce(plan, 0, runs));
    expect(begun.filter((name) => name.includes("kept"))).toHaveLength(1);
    expect(run.storage.staged.get(done.staged[0]!.token)!.toString()).toBe(`${texts.join("\n")}\n`.repeat(3));
    expect(kept(run)).toEqual([]);
    expect(run.runFiles.opened).toBe(0);
    expect(run.runFiles.unfinished).toBe(0);
  });

  it("writes them with null where there is no right one, and keeps nothing for semi and anti", async () => {
    expect(Object.values((await runTasks(skewed("left"), { files: files(0), spec: { partitions: 1 } })).files)).toEqual(
      [`c\n${texts.join("\n")}\n`],
    );
    for (const [how, expected] of [
      ["semi", `${texts.join("\n")}\n`],
      ["anti", "c\n"],
    ] as const) {
      const run = new TaskRun(skewed(how), { files: files(2), spec: { partitions: 1 } });
      Object.assign(run.runFiles, {
        create: ((create) => (name: string) => {
          expect(name).not.toContain("kept");
          return create(name);
        })(run.runFiles.create),
      });
      const plan = await run.plan();
      const runs = [];
      for (const index of plan.splits.keys()) runs.push(succeeded(await run.map(plan, index)).run!);
      const done = succeeded(await run.reduce(plan, 0, runs));
      expect(run.storage.staged.get(done.staged[0]!.token)!.toString()).toBe(expected);
    }
  });

  it("keeps them again where reduce returns its first promise for a later key", async () => {
    const job = defineJoin({
      name: "skewed",
      left: { a: ndjson<{ id: string; text: string }>() },
      right: { b: ndjson<{ id: string }>() },
      key: utf8,
      on: { a: "id", b: "id" },
      how: "inner",
      reduce(key, rows, emit) {
        let count = 0;
        for (const _ of rows) count++;
        return key === "later" ? Promise.resolve().then(() => emit([key, count])) : emit([key, count]);
      },
    });
    const { "a/1": a, "b/1": b } = files(2);
    const later = '{"id":"later","text":""}\n';
    const run = new TaskRun(job, { files: { "a/1": a + later, "b/1": b + later }, spec: { partitions: 1 } });
    const plan = await run.plan();
    const runs = [];
    for (const index of plan.splits.keys()) runs.push(succeeded(await run.map(plan, index)).run!);
    const done = succeeded(await run.reduce(plan, 0, runs));
    expect(run.storage.staged.get(done.staged[0]!.token)!.toString()).toBe(`hot\t${2 * many}\nlater\t1\n`);
    expect(kept(run)).toEqual([]);
    expect(run.runFiles.unfinished).toBe(0);
  });

  it("removes the file when map throws, which is the error", async () => {
    const job = defineJoin({
      name: "throws",
      left: { a: ndjson<{ id: string; text: string }>() },
      right: { b: ndjson<{ id: string }>() },
      key: utf8,
      on: { a: "id", b: "id" },
      how: "inner",
      map({ a }) {
        if (a.text.startsWith("2999")) throw new Error("no");
      },
    });
    const run = new TaskRun(job, { files: files(1), spec: { partitions: 1 } });
    const plan = await run.plan();
    const runs = [];
    for (const index of plan.splits.keys()) runs.push(succeeded(await run.map(plan, index)).run!);
    expect(failed(await run.reduce(plan, 0, runs))).toMatchObject({ kind: "user-error", error: { message: "no" } });
    expect(kept(run)).toEqual([]);
    expect(run.runFiles.opened).toBe(0);
  });

  const swallowing = defineJoin({
    name: "swallowing",
    left: { a: ndjson<{ id: string; text: string }>() },
    right: { b: ndjson<{ id: string }>() },
    key: utf8,
    on: { a: "id", b: "id" },
    how: "inner",
    reduce(_key, rows) {
      try {
        for (const _ of rows);
      } catch {}
    },
  });

  it.each<[string, unknown]>([
    ["map", skewed("inner")],
    ["a reduce that swallows the error", swallowing],
  ])("is the machine's failure when the kept file was damaged, with %s", async (_, job) => {
    const run = new TaskRun(job, { files: files(1), spec: { partitions: 1 } });
    let damaged = 0;
    const { open } = run.runFiles;
    Object.assign(run.runFiles, {
      open: (path: string) => {
        if (path.includes("kept")) run.runFiles.bytesOf(path)[5000 + damaged++]! ^= 1;
        return open(path);
      },
    });
    const plan = await run.plan();
    const runs = [];
    for (const index of plan.splits.keys()) runs.push(succeeded(await run.map(plan, index)).run!);
    expect(failed(await run.reduce(plan, 0, runs))).toMatchObject({
      kind: "infrastructure",
      error: { message: expect.stringMatching(/kept.*checksum/s) },
    });
    expect(damaged).toBe(1);
  });
});

describe("the reduce of a join", () => {
  const sides = {
    name: "join",
    left: { a: records() },
    right: { b: records() },
    key: nullable(utf8),
    on: { a: "id", b: "id" },
    how: "inner",
  } as const;
  const of = (id: string, n: number) => ({ id, day: null, n });
  const input = { a: [of("x", 1), of("x", 2), of("y", 3)], b: [of("x", 4), of("y", 5)] };

  it("may be async", async () => {
    const join = defineJoin({
      ...sides,
      async reduce(key, rows, emit) {
        await null;
        let sum = 0;
        for (const { a, b } of rows) {
          await null;
          sum += a.n * b.n;
        }
        emit([key, sum]);
      },
    });
    expect((await runInline(join, input)).records).toEqual([
      ["x", 12],
      ["y", 15],
    ]);
  });

  it("need not read rows, and is not called for keys that have none", async () => {
    const keys: unknown[] = [];
    const join = defineJoin({
      ...sides,
      reduce(key, rows, _emit, ctx) {
        expect(ctx.key).toBe(key);
        keys.push(key);
        if (key === "x") for (const _ of rows) break;
      },
    });
    await runInline(join, { a: [...input.a, of("z", 1)], b: [of("w", 1), ...input.b] });
    expect(keys).toEqual(["x", "y"]);
  });

  it("can read the rows once, and not after its call", async () => {
    const twice = defineJoin({ ...sides, reduce: (_key, rows) => void [...rows, ...rows] });
    await expect(runInline(twice, input)).rejects.toThrow(/rows of a key can be read only once/);
    let kept: Iterator<unknown> | undefined;
    const late = defineJoin({
      ...sides,
      reduce(_key, rows) {
        kept?.next();
        kept = rows[Symbol.iterator]();
      },
    });
    await expect(runInline(late, input)).rejects.toThrow(/after its call of reduce/);
  });

  it("is needed where rows have to be waited for: a promise from map is refused", async () => {
    const join = defineJoin({ ...sides, map: (() => Promise.resolve()) as never });
    await expect(runInline(join, input)).rejects.toThrow(/map of a join returned a promise/);
  });

  it("has the ctx of the task, with the key", async () => {
    const join = defineJoin({
      ...sides,
      params: { add: { type: "number", default: 1 } },
      map({ a }, emit, { key, params, count, startedAt }) {
        count("rows");
        expect(startedAt).toBeInstanceOf(Date);
        emit([key, a.n + params.add]);
      },
    });
    const { records: rows, counters } = await runInline(join, input, { params: { add: 10 } });
    expect(rows).toEqual([
      ["x", 11],
      ["x", 12],
      ["y", 13],
    ]);
    expect(counters).toEqual({ rows: 3 });
  });
});

describe("the aggregate of a join", () => {
  const users = csv({ columns: { id: utf8, name: utf8 } });
  const orders = ndjson({ fields: { user: utf8, cents: float64 } });
  const join = defineJoin({
    name: "spent-by-user",
    left: { users },
    right: { orders },
    how: "left",
    key: fields({ id: utf8 }),
    on: { users: { id: "id" }, orders: { id: "user" } },
    map(row, emit) {
      if (row.users.name === "nobody") return;
      emit({ name: row.users.name, cents: row.orders?.cents ?? 0, bought: row.orders !== null });
    },
    aggregate: stats({ name: first("name", utf8), orders: countIf("bought"), cents: sum("cents") }),
    output: csv({ header: true }),
  });

  it("folds what map emits, per key, and its names are the header", async () => {
    const files = {
      "users/1": "id,name\nb,Bea\na,Ann\nx,nobody\n",
      "orders/1": [0.1, 0.2, 0.3].map((cents) => `{"user":"a","cents":${cents}}\n`).join(""),
    };
    const { files: written } = await runTasks(join, { files, spec: { partitions: 1 } });
    expect(Object.values(written)).toEqual(["id,name,orders,cents\na,Ann,3,0.6\nb,Bea,0,0\n"]);
  });

  it("is what reduce gets, where that is given too", async () => {
    const counted = defineJoin({
      name: "counted",
      left: { users },
      right: { orders },
      how: "inner",
      key: utf8,
      on: { users: "id", orders: "user" },
      map: (_row, emit) => emit(),
      aggregate: count(),
      reduce: (id, n, emit) => emit([id, n]),
    });
    const { records: rows } = await runInline(counted, {
      users: [{ id: "a", name: "Ann" }],
      orders: [1, 2].map((cents) => ({ user: "a", cents })),
    });
    expect(rows).toEqual([["a", 2]]);
  });

  it("needs map, and an output that can write it", () => {
    expect(() => defineJoin({ ...right, map: undefined, aggregate: count() } as never)).toThrow(
      /join "join": aggregate folds what map/,
    );
    expect(() => defineJoin({ ...right, aggregate: 3 } as never)).toThrow(/join "join": aggregate is an aggregate/);
    expect(() => defineJoin({ ...right, aggregate: count(), output: text() } as never)).toThrow(/^join "join": /);
  });
});

const right = {
  name: "join",
  left: { a: records() },
  right: { b: records() },
  key: utf8,
  on: { a: "id", b: "id" },
  how: "inner",
  map: () => {},
};

describe("defineJoin", () => {
  it.each<[string, object, RegExp]>([
    ["a misspelt property", { lefft: 1 }, /no property "lefft".*did you mean.*left/is],
    ["an unknown kind", { how: "full" }, /how is "inner", .* or "anti", not "full"/],
    ["a format in place of a side", { left: records() }, /left is one input by its name/],
    ["a side of two inputs", { left: { a: records(), c: records() } }, /left has 2 inputs/],
    ["a format that is not called", { right: { b: ndjson } }, /call it/],
    ["one name twice", { right: { a: records() } }, /both sides are named "a"/],
    ["no key", { key: undefined }, /key is a codec/],
    ["a key without an order", { key: { ordered: false, write() {}, read() {} } }, /no order/],
    ["on without a side", { on: { a: "id" } }, /on lacks b/],
    ["on with a name that is no input", { on: { a: "id", b: "id", c: "id" } }, /on names "c"/],
    ["on with something else", { on: { a: 3, b: "id" } }, /on\.a is a field's name/],
    ["neither map nor reduce", { map: undefined }, /needs map.*or reduce/],
    ["both map and reduce", { reduce() {} }, /give one of them/],
    ["an async map", { map: async () => {} }, /map is async/],
    ["no reducers", { reducers: 0 }, /at least 1/],
  ])("refuses %s", (_, wrong, message) => {
    const define = () => defineJoin({ ...right, ...wrong } as never);
    expect(define).toThrow(message);
    expect(define).toThrow(/^join "join": /);
  });

  it("refuses null where the key's codec does, whatever the kind of join", async () => {
    for (const how of hows) {
      const join = defineJoin({ ...right, how, map: () => {} } as never);
      const run = runInline(join, { a: [{ id: null }], b: [{ id: null }] } as never);
      await expect(run, how).rejects.toThrow(/utf8 takes .*not null/);
    }
  });

  it("is named where it was forgotten", () => {
    expect(() => jobDefinition(right)).toThrow(/not a job made by defineJoin, but what defineJoin takes: wrap it/);
  });

  it("makes a job with two named inputs", () => {
    const { inputs, keeps } = jobDefinition(defineJoin(right as never));
    expect(inputs.map(({ name }) => name)).toEqual(["a", "b"]);
    expect(keeps).toBe(true);
  });
});
