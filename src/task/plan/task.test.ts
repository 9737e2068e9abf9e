import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { failed, partsOf, runTasks, TaskRun } from "../../../test/support/run-tasks.ts";
import { compareBytes } from "../../base/bytes/bytes.ts";
import { text } from "../../format/lines/text.ts";
import { uint } from "../../job/codecs/numbers.ts";
import { tuple } from "../../job/codecs/tuple.ts";
import { utf8 } from "../../job/codecs/utf8.ts";
import { defineJob } from "../../job/define-job.ts";
import { byRange, prefix } from "../../job/partition.ts";
import { KeySample } from "./key-sample.ts";

const base = { name: "test", input: text(), key: utf8, value: uint } as const;
const sorted = defineJob({
  ...base,
  partition: byRange(),
  map: (line, emit) => emit(line, 0),
  reduce(line, zeros, emit) {
    for (const _ of zeros) emit(line);
  },
  output: text(),
});

describe("the plan", () => {
  it("takes partitions from the command, then from the job, then from the input's size", async () => {
    const map = (line: string, emit: (key: string, value: number) => void) => emit(line, 1);
    const partitions = async (job: unknown, given: number | undefined) =>
      (await new TaskRun(job, { files: { a: "x\n" }, spec: { partitions: given } }).plan()).partitions;
    expect(await partitions(defineJob({ ...base, map, reducers: 3 }), 5)).toBe(5);
    expect(await partitions(defineJob({ ...base, map, reducers: 3 }), undefined)).toBe(3);
    expect(await partitions(defineJob({ ...base, map }), undefined)).toBe(1);
    const mapOnly = defineJob({
      name: "m",
      input: text(),
      reducers: 0,
      output: text(),
      map: (line, emit) => emit(line),
    });
    expect(await partitions(mapOnly, undefined)).toBe(0);
  });

  it("has inputs in the order of the job, and splits of one input each", async () => {
    const map = (line: string, emit: (key: string, value: number) => void) => emit(line, 1);
    const job = defineJob({ ...base, input: { users: text(), orders: text() }, map: { users: map, orders: map } });
    const run = new TaskRun(job, { files: { "orders/1": "a\n", "users/2": "b\n", "users/1": "c\n" } });
    const plan = await run.plan();
    expect(plan.files.map(({ source, input }) => [source, input])).toEqual([
      ["users/2", 0],
      ["users/1", 0],
      ["orders/1", 1],
    ]);
    expect(plan.splits.map((split) => split.map(({ file }) => file))).toEqual([[0, 1], [2]]);
  });

  it("fault 69: fails where an argument names no file", async () => {
    const run = new TaskRun(sorted, { files: { a: "x\n" }, spec: { inputs: [{ name: "", paths: ["b"] }] } });
    expect(failed(await run.attempt("plan", 0, { phase: "plan" }))).toMatchObject({
      kind: "fatal",
      error: { code: "no-input" },
    });
  });
});

describe("byRange", () => {
  it("puts all records in order over the part files, and cuts them into about equal parts", async () => {
    const lines = Array.from({ length: 3000 }, (_, i) => `${(i * 7919) % 3000}`.padStart(5, "0"));
    const { files, plan } = await runTasks(sorted, {
      files: { a: `${lines.join("\n")}\n` },
      spec: { partitions: 6, splitBytes: 1000 },
    });
    expect(partsOf(files).join("").trimEnd().split("\n")).toEqual([...lines].sort());
    expect(plan.boundaries).toHaveLength(5);
    for (const part of partsOf(files)) expect(part.length).toBeGreaterThan(0.7 * (18_000 / 6));
  });

  it("merges equal boundaries: later partitions are empty", async () => {
    const { files, plan } = await runTasks(sorted, { files: { a: "a\na\na\na\nb\n" }, spec: { partitions: 4 } });
    expect(plan.boundaries.map((boundary) => Buffer.from(boundary).toString())).toEqual(["a"]);
    expect(partsOf(files)).toEqual(["", "a\na\na\na\nb\n", "", ""]);
  });

  it("samples with promises, without counters and logs, and passes over records that fail", async () => {
    const job = defineJob({
      ...base,
      partition: byRange(),
      async map(line, emit, ctx) {
        ctx.count("seen");
        ctx.log("seen");
        await Promise.resolve();
        if (line === "5") throw new Error("five");
        emit(line, 1);
      },
    });
    const run = new TaskRun(job, { files: { a: "1\n5\n3\n9\n7\n" }, spec: { partitions: 2 } });
    const plan = await run.plan();
    expect(plan.boundaries.map((boundary) => Buffer.from(boundary).toString())).toEqual(["7"]);
    expect(run.logs).toEqual([]);
  });

  it("fails with what setup throws", async () => {
    const setup = (): never => {
      throw new Error("no");
    };
    const job = defineJob({ ...base, partition: byRange(), setup, map: () => {} });
    const run = new TaskRun(job, { files: { a: "1\n" }, spec: { partitions: 2 } });
    expect(failed(await run.attempt("plan", 0, { phase: "plan" }))).toMatchObject({
      kind: "user-error",
      error: { where: "setup" },
    });
  });

  it("sees only the grouping prefix: a group is never cut", async () => {
    const job = defineJob({
      name: "grouped",
      input: text(),
      key: tuple(utf8, uint),
      value: uint,
      group: prefix(1),
      partition: byRange(),
      map(line, emit, ctx) {
        emit([line, ctx.offset], 1);
      },
      reduce([line], ones, emit) {
        emit([line, [...ones].length]);
      },
    });
    const content = Array.from({ length: 500 }, (_, i) => `${i % 5}`).join("\n");
    const { files } = await runTasks(job, { files: { a: content }, spec: { partitions: 4 } });
    expect(partsOf(files).join("")).toBe("0\t100\n1\t100\n2\t100\n3\t100\n4\t100\n");
  });
});

describe("a sample of keys", () => {
  it("has at most partitions - 1 boundaries, sorted, distinct, and none that cuts off more than the quantiles do", () => {
    const key = fc.uint8Array({ maxLength: 6, max: 3 });
    fc.assert(
      fc.property(fc.array(key, { maxLength: 200 }), fc.integer({ min: 1, max: 20 }), (keys, partitions) => {
        const sample = new KeySample(undefined);
        for (const one of keys) sample.takeLarge(one);
        const boundaries = sample.boundaries(partitions);
        expect(boundaries.length).toBeLessThan(Math.max(partitions, 1));
        for (let i = 1; i < boundaries.length; i++)
          expect(compareBytes(boundaries[i - 1]!, boundaries[i]!)).toBeLessThan(0);
        const ordered = [...keys].sort(compareBytes);
        for (let partition = 1; partition < partitions && keys.length > 0; partition++) {
          const quantile = ordered[Math.floor((partition * keys.length) / partitions)]!;
          // Some boundary separates the quantile from all lesser keys.
          const lesser = ordered.filter((one) => compareBytes(one, quantile) < 0).at(-1);
          const cut = (boundary: Uint8Array) =>
            compareBytes(boundary, quantile) <= 0 && (lesser === undefined || compareBytes(boundary, lesser) > 0);
          expect(boundaries.some(cut)).toBe(true);
        }
      }),
    );
  });

  it("holds a bounded number of bytes, spread over all that it saw", () => {
    const sample = new KeySample(undefined, 64 * 1024);
    for (let i = 0; i < 100_000; i++) sample.takeLarge(Buffer.from(String(i).padStart(6, "0")));
    const [median] = sample.boundaries(2);
    expect(Number(Buffer.from(median!).toString().padEnd(6, "0"))).toBeCloseTo(50_000, -4);
  });

  it("cuts boundaries to what tells them from the key before", () => {
    const sample = new KeySample(undefined);
    sample.takeLarge(Buffer.from("aaa"));
    sample.takeLarge(Buffer.from(`ab${"x".repeat(1_000_000)}`));
    expect(sample.boundaries(2).map((boundary) => Buffer.from(boundary).toString())).toEqual(["ab"]);
  });
});
