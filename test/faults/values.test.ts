// What a slot makes of single values (faults 11 and 25), task by task in this process.
import { describe, expect, test } from "vitest";
import { text } from "../../src/format/lines/text.ts";
import { bytes } from "../../src/job/codecs/bytes.ts";
import { json } from "../../src/job/codecs/json.ts";
import { uint } from "../../src/job/codecs/numbers.ts";
import { utf8 } from "../../src/job/codecs/utf8.ts";
import { defineJob } from "../../src/job/define-job.ts";
import { encodeFromSlot } from "../../src/slot/messages.ts";
import { runInline } from "../../src/testing.ts";
import { TaskRun } from "../support/run-tasks.ts";

test("fault 11: what a slot says of a large result is small: places and sums, no pairs", async () => {
  const pairs = 200_000;
  const job = defineJob({
    name: "large",
    input: text(),
    key: uint,
    value: utf8,
    map(_line, emit) {
      for (let i = 0; i < pairs; i++) emit(i, "some value");
    },
    reduce: (key, _values, emit) => emit([key]),
  });
  const run = new TaskRun(job, { files: { a: "x\n" }, spec: { partitions: 4 } });
  const result = await run.map(await run.plan(), 0);
  expect(result).toMatchObject({ ok: true, stats: { pairs } });
  expect(encodeFromSlot({ kind: "finished", result }).length).toBeLessThan(4096);
});

describe("fault 25: what is changed after it was emitted, or while it is read, stays as it was", () => {
  test("objects and bytes that map emitted", async () => {
    const job = defineJob({
      name: "reused",
      input: text(),
      key: bytes,
      value: json<{ n: number[] }>(),
      map(line, emit) {
        const key = Buffer.from(line);
        const value = { n: [line.length] };
        emit(key, value);
        key.fill(0);
        value.n.push(-1);
      },
      reduce(key, values, emit) {
        emit([Buffer.from(key).toString(), ...[...values].map(({ n }) => n.join("+"))]);
      },
    });
    expect((await runInline(job, ["a", "bb", "a"])).records).toEqual([
      ["a", "1", "1"],
      ["bb", "2"],
    ]);
  });

  test("values that reduce was given and changed, and keys", async () => {
    const job = defineJob({
      name: "scribbler",
      input: text(),
      key: bytes,
      value: bytes,
      map: (line, emit) => emit(Buffer.from(line), Buffer.from(`value of ${line}`)),
      reduce(key, values, emit) {
        const seen: string[] = [];
        for (const value of values) {
          seen.push(Buffer.from(value).toString());
          value.fill(0);
          key.fill(0);
        }
        emit(seen);
      },
    });
    expect((await runInline(job, ["a", "a", "b"])).records).toEqual([["value of a", "value of a"], ["value of b"]]);
  });
});
