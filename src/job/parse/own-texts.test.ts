// What the main output writes of keys, values and results: the text of their codecs.
import { describe, expect, it } from "vitest";
import { ByteBuffer } from "../../base/bytes/byte-buffer.ts";
import {
  bucket,
  bytes,
  count,
  csv,
  date,
  day,
  defineJob,
  defineJoin,
  desc,
  eachKey,
  fields,
  first,
  ifPresent,
  json,
  max,
  min,
  ndjson,
  nullable,
  stats,
  sum,
  text,
  tsv,
  tuple,
  uint,
  utf8,
} from "../../index.ts";
import { jobDefinition } from "../define-job.ts";
import type { JobDefinition } from "../definition.ts";

const define = (options: object) =>
  jobDefinition(
    (defineJob as unknown as (options: object) => unknown)({ name: "t", input: text(), map() {}, ...options }),
  );

/** What the job's main output writes of these records, its header before them. */
function written(job: JobDefinition, ...records: readonly unknown[]): string {
  const { format } = job.outputs[0]!;
  const out = new ByteBuffer();
  format.header?.(out);
  for (const record of records) format.write(record, out);
  return Buffer.from(out.view()).toString("utf8");
}

const perDay = bucket("day", "Europe/Berlin");
const perHour = bucket("hour", "Europe/Berlin");
const summer = perDay.parse("2024-07-01");
const hex = {
  ...uint,
  parse: (cell: string) => Number.parseInt(cell, 16),
  format: (value: number) => `0x${value.toString(16)}`,
};

describe.each([
  ["tsv()", tsv(), "\t"],
  ["csv()", csv(), ","],
])("cells of %s", (_, output, between) => {
  const row = (...cells: readonly string[]) => `${cells.join(between)}\n`;

  it.each<[string, object, unknown, readonly string[]]>([
    ["a key", { key: perDay, value: uint }, [summer, 1], ["2024-07-01", "1"]],
    ["a value", { key: utf8, value: perDay }, ["a", summer], ["a", "2024-07-01"]],
    ["a part of a tuple", { key: tuple(utf8, perDay), value: uint }, [["a", summer], 1], ["a", "2024-07-01", "1"]],
    [
      "a part from the end",
      { key: tuple(desc(perHour), utf8), value: uint },
      [[summer, "a"], 1],
      ["2024-07-01T00:00+02:00", "a", "1"],
    ],
    ["a reversed tuple", { key: desc(tuple(perDay, utf8)), value: uint }, [[summer, "a"], 1], ["2024-07-01", "a", "1"]],
    [
      "a field of a key",
      { key: fields({ host: utf8, day: perDay }), value: uint },
      [{ host: "a", day: summer }, 1],
      ["a", "2024-07-01", "1"],
    ],
    [
      "a part that may be null",
      { key: tuple(nullable(perDay), nullable(day)), value: uint },
      [[summer, null], 1],
      ["2024-07-01", "", "1"],
    ],
    ["a key that may be null", { key: nullable(perDay), value: uint }, [null, 1], ["", "1"]],
    ["a codec of the job's own", { key: tuple(hex, uint), value: hex }, [[255, 255], 16], ["0xff", "255", "0x10"]],
    [
      "an ordinary date",
      { key: tuple(date, utf8), value: uint },
      [[summer, "a"], 1],
      ["2024-06-30T22:00:00.000Z", "a", "1"],
    ],
  ])("%s", (_name, options, record, cells) => {
    expect(written(define({ ...options, output }), record)).toBe(row(...cells));
  });

  it("of keys alone", () => {
    const job = define({ key: tuple(perDay, utf8), value: uint, reduce: eachKey, output });
    expect(written(job, [summer, "a"])).toBe(row("2024-07-01", "a"));
  });

  it("of a result beside a key without names", () => {
    const ends = stats({
      n: count(),
      from: min("at", perHour),
      day: first("day", perDay),
      last: ifPresent(max("at", perHour)),
    });
    const result = { n: 1, from: summer, day: summer, last: null };
    const job = define({ key: tuple(utf8, perDay), aggregate: ends, output });
    expect(written(job, [["a", summer], result])).toBe(
      row("a", "2024-07-01", "1", "2024-07-01T00:00+02:00", "2024-07-01", ""),
    );
    expect(written(define({ key: utf8, aggregate: min("at", perDay), output }), ["a", summer])).toBe(
      row("a", "2024-07-01"),
    );
  });

  it("are what reduce emits, where there is one: it knows which text it wants", () => {
    const job = define({ key: perDay, value: uint, reduce() {}, output });
    expect(written(job, [summer, 1])).toBe(row("2024-06-30T22:00:00.000Z", "1"));
  });

  it("are refused by their place where the codec refuses them, or makes no text", () => {
    const job = define({ key: tuple(utf8, perDay), value: uint, output });
    const refused = expect.objectContaining({
      code: "bad-output",
      message: expect.stringMatching(/part 2 of cell 1 is .*; bucket\("day", "Europe\/Berlin"\) takes the beginning/),
    });
    expect(() => written(job, [["a", new Date(1)], 1])).toThrow(refused);
    const none = define({ key: { ...utf8, format: () => 5 as unknown as string }, value: uint, output });
    expect(() => written(none, ["a", 1])).toThrow(/cell 1 is "a"; `format` of its codec returned 5, which is no text/);
  });
});

describe("named results", () => {
  const key = fields({ day: perDay, host: utf8 });
  const aggregate = stats({ n: count(), from: min("at", perHour) });
  const record = { day: summer, host: "a", n: 2, from: summer };

  it("have the texts of their codecs, under a header", () => {
    const job = define({ key, aggregate, output: csv({ header: true }) });
    expect(written(job, record)).toBe("day,host,n,from\n2024-07-01,a,2,2024-07-01T00:00+02:00\n");
    expect(written(define({ key, aggregate }), record)).toBe("2024-07-01\ta\t2\t2024-07-01T00:00+02:00\n");
  });

  it("of a join too", () => {
    const orders = csv({ columns: { user: utf8, day: perDay } });
    const join = defineJoin({
      name: "j",
      left: { users: csv({ columns: { id: utf8 } }) },
      right: { orders },
      key: fields({ user: utf8 }),
      on: { users: { user: "id" }, orders: { user: "user" } } as never,
      how: "inner",
      map: ((both: { orders: { day: Date } }, emit: (value: unknown) => void) => emit(both.orders)) as never,
      aggregate: stats({ last: max("day", perDay) }) as never,
      output: csv({ header: true }) as never,
    } as never);
    expect(written(jobDefinition(join), { user: "a", last: summer })).toBe("user,last\na,2024-07-01\n");
  });

  it("are refused before the first map where no cell can hold them", () => {
    expect(() => define({ key: fields({ a: utf8, b: bytes }), aggregate })).toThrow(
      /tsv\(\) can't write a record: of its "b", it is a Uint8Array/,
    );
    expect(() => define({ key, aggregate: stats({ b: first("b", bytes) }) })).toThrow(/of its "b", it is a Uint8Array/);
    expect(() => define({ key, aggregate: stats({ b: first("b", json()) }) })).not.toThrow();
  });

  it("are refused by ndjson(), which has no dates, and written by its fields", () => {
    expect(() => define({ key, aggregate, output: ndjson() })).toThrow(
      /"day" of a record is a Date, which ndjson\(\{ fields: \{ … \} \}\) writes by its codec/,
    );
    const output = ndjson({ fields: { day: perDay, host: utf8, n: uint, from: perHour } });
    const line = '{"day":"2024-07-01","host":"a","n":2,"from":"2024-07-01T00:00+02:00"}\n';
    expect(written(define({ key, aggregate, output }), record)).toBe(line);
  });
});

it("an output that is written as before is the same object, by which lines are copied and refusals found", () => {
  for (const output of [tsv(), csv(), text(), ndjson()]) {
    const job = define({ key: tuple(utf8, date), value: uint, reduce() {}, output });
    expect(job.outputs[0]!.format).toBe(output);
  }
  const output = tsv();
  expect(define({ key: tuple(utf8, date), value: uint, combine: sum, output }).outputs[0]!.format).toBe(output);
});
