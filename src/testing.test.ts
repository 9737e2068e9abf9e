import { describe, expect, it } from "vitest";
import { ndjson } from "./format/json/ndjson.ts";
import { text } from "./format/lines/text.ts";
import { csv } from "./format/table/csv.ts";
import { tsv } from "./format/table/tsv.ts";
import { desc } from "./job/codecs/desc.ts";
import { json } from "./job/codecs/json.ts";
import { uint } from "./job/codecs/numbers.ts";
import { tuple } from "./job/codecs/tuple.ts";
import { utf8 } from "./job/codecs/utf8.ts";
import { sum } from "./job/combine.ts";
import { defineJob } from "./job/define-job.ts";
import { byRange, prefix } from "./job/partition.ts";
import { runInline } from "./testing.ts";

const wordCount = defineJob({
  name: "word-count",
  input: text(),
  key: utf8,
  value: uint,
  map(line, emit) {
    for (const word of line.split(" ")) if (word !== "") emit(word, 1);
  },
  combine: sum,
});

describe("runInline", () => {
  it("gives the records that a job emits, in key order", async () => {
    const { records, counters } = await runInline(wordCount, ["b a b", "", "c b"]);
    expect(records).toEqual([
      ["a", 1],
      ["b", 3],
      ["c", 1],
    ]);
    expect(counters).toEqual({});
  });

  it("fault 84: orders keys by code point, not by UTF-16 unit", async () => {
    const { records } = await runInline(wordCount, ["\u{1f600} \uff5e z"]);
    expect(records.map(([word]) => word)).toEqual(["z", "\uff5e", "\u{1f600}"]);
  });

  it("fault 81: takes any text as a key and as a counter", async () => {
    const job = defineJob({
      name: "names",
      input: text(),
      key: utf8,
      value: uint,
      map(line, emit, ctx) {
        emit(line, 1);
        ctx.count(line);
      },
      combine: sum,
    });
    const names = ["__proto__", "constructor", "toString", "hasOwnProperty", "10", "9"];
    const { records, counters } = await runInline(job, [...names, "__proto__"]);
    expect(new Map(records).get("__proto__")).toBe(2);
    expect(records.map(([name]) => name)).toEqual([...names].sort());
    expect(Object.entries(counters).find(([name]) => name === "__proto__")).toEqual(["__proto__", 2]);
  });

  it("groups by the first parts of a tuple and sorts by all", async () => {
    const job = defineJob({
      name: "latest",
      input: ndjson<{ user: string; at: number }>(),
      key: tuple(utf8, desc(uint)),
      value: uint,
      group: prefix(1),
      map(visit, emit) {
        emit([visit.user, visit.at], visit.at);
      },
      reduce([user], times, emit) {
        const [first] = times;
        emit([user, first ?? null]);
      },
    });
    const { records } = await runInline(
      job,
      [
        { user: "b", at: 1 },
        { user: "a", at: 2 },
        { user: "b", at: 3 },
      ],
      { reducers: 3 },
    );
    expect(new Map(records.map(([user, at]) => [user, at]))).toEqual(
      new Map([
        ["a", 2],
        ["b", 3],
      ]),
    );
  });

  it("takes several inputs by name, parameters, and gives the other outputs", async () => {
    const job = defineJob({
      name: "join",
      input: { users: csv({ columns: { id: utf8, name: utf8 } }), orders: ndjson<{ user: string; cents: number }>() },
      key: utf8,
      value: json<{ name: string } | { cents: number }>(),
      params: { least: { type: "number", default: 10 } },
      map: {
        users: (user, emit) => emit(user.id, { name: user.name }),
        async orders(order, emit, ctx) {
          await Promise.resolve();
          if (order.cents < ctx.params.least) emit.to("small", JSON.stringify(order));
          else emit(order.user, { cents: order.cents });
        },
      },
      reduce(_id, parts, emit) {
        let name = "?";
        for (const part of parts) {
          if ("name" in part) name = part.name;
          else emit([name, part.cents]);
        }
      },
      output: { main: tsv(), small: text() },
    });
    const inputs = {
      users: [{ id: "1", name: "Ada" }],
      orders: [
        { user: "1", cents: 20 },
        { user: "1", cents: 5 },
        { user: "1", cents: 30 },
      ],
    };
    const { records, others } = await runInline(job, inputs);
    expect(records).toEqual([
      ["Ada", 20],
      ["Ada", 30],
    ]);
    expect(others).toEqual({ small: ['{"user":"1","cents":5}'] });
    expect((await runInline(job, inputs, { params: { least: 25 } })).records).toEqual([["Ada", 30]]);
    await expect(runInline(job, { users: [] } as never)).rejects.toThrow(/an array of records for the input orders/);
  });

  it("gives what user code throws as it is, also from combine and reduce", async () => {
    const thrown = new TypeError("mine");
    const fail = (): never => {
      throw thrown;
    };
    const base = { name: "fails", input: text(), key: utf8, value: uint } as const;
    const map = (line: string, emit: (key: string, value: number) => void) => emit(line, 1);
    const jobs = [
      defineJob({ ...base, map: fail }),
      defineJob({ ...base, map: async () => fail() }),
      defineJob({ ...base, map, combine: fail }),
      defineJob({ ...base, map, reduce: fail }),
      defineJob({ ...base, map, reduce: async () => fail() }),
      defineJob({ ...base, setup: fail, map }),
      defineJob({ ...base, map, teardown: fail }),
      defineJob({ ...base, map, partition: fail }),
    ];
    for (const job of jobs) {
      const caught = await runInline(job, ["a", "a"], { reducers: 2 }).catch((error: unknown) => error);
      expect(caught).toBe(thrown);
    }
  });

  it("partitions by ranges, so that records are in order over all partitions", async () => {
    const job = defineJob({
      name: "sort",
      input: text(),
      key: utf8,
      value: uint,
      partition: byRange(),
      map: (line, emit) => emit(line, 0),
      reduce(line, _zeros, emit) {
        emit(line);
      },
      output: text(),
    });
    const lines = Array.from({ length: 100 }, (_, i) => String((i * 37) % 100).padStart(3, "0"));
    expect((await runInline(job, lines, { reducers: 7 })).records).toEqual([...lines].sort());
  });

  it("runs map-only jobs; fault 25: a record changed after it was emitted stays as it was", async () => {
    const job = defineJob({
      name: "copy",
      input: text(),
      reducers: 0,
      output: ndjson<string[]>(),
      map(line, emit) {
        const row = [line];
        emit(row);
        row.push("changed");
      },
    });
    expect((await runInline(job, ["a", "b"])).records).toEqual([["a"], ["b"]]);
  });

  it("refuses records that the output's format does not write", async () => {
    const job = defineJob({
      name: "lines",
      input: text(),
      reducers: 0,
      output: text(),
      map: (line, emit) => emit(`${line}\n`),
    });
    await expect(runInline(job, ["a"])).rejects.toMatchObject({ code: "bad-output" });
  });
});
