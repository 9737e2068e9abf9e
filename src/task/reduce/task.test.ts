import { describe, expect, it } from "vitest";
import { failed, partsOf, runTasks, succeeded, TaskRun, type TaskRunOptions } from "../../../test/support/run-tasks.ts";
import { MillraceError } from "../../base/error.ts";
import { ndjson } from "../../format/json/ndjson.ts";
import { text } from "../../format/lines/text.ts";
import { csv } from "../../format/table/csv.ts";
import { tsv } from "../../format/table/tsv.ts";
import { bigint } from "../../job/codecs/bigint.ts";
import { bytes } from "../../job/codecs/bytes.ts";
import { json } from "../../job/codecs/json.ts";
import { int, uint } from "../../job/codecs/numbers.ts";
import { tuple } from "../../job/codecs/tuple.ts";
import { utf8 } from "../../job/codecs/utf8.ts";
import { max, sum } from "../../job/combine.ts";
import { defineJob } from "../../job/define-job.ts";
import { prefix } from "../../job/partition.ts";
import type { RunRef } from "../../sort/run.ts";

const base = { name: "test", input: text(), key: utf8, value: uint } as const;
const emitOne = (line: string, emit: (key: string, value: number) => void): void => emit(line, 1);

/** A run whose map is done. */
async function mapped(job: unknown, content: string, options: Partial<TaskRunOptions> = {}) {
  const run = new TaskRun(job, { files: { in: content }, ...options, spec: { partitions: 1, ...options.spec } });
  const plan = await run.plan();
  const runs: RunRef[] = [];
  for (const index of plan.splits.keys()) runs.push(succeeded(await run.map(plan, index)).run!);
  return { run, plan, runs, reduce: () => run.reduce(plan, 0, runs) };
}

describe("values", () => {
  it("fault 79: can be read once: a second loop over them throws and says so", async () => {
    const job = defineJob({
      ...base,
      map: emitOne,
      reduce(key, values, emit) {
        for (const _ of values) break;
        expect(() => [...values]).toThrow(/can be read only once/);
        emit([key]);
      },
    });
    expect(partsOf((await runTasks(job, { files: { a: "x\nx\ny\n" } })).files)).toEqual(["x\ny\n"]);
    const failing = defineJob({ ...base, map: emitOne, reduce: (_key, values) => void [...values, ...values] });
    const { reduce } = await mapped(failing, "x\n");
    expect(failed(await reduce())).toMatchObject({ kind: "user-error", error: { where: 'reduce of the key "x"' } });
  });

  it("can't be read after the call of reduce that they belong to, and who does has failed the attempt", async () => {
    let kept: Iterator<number> | undefined;
    let refused = 0;
    const job = defineJob({
      ...base,
      map: emitOne,
      reduce(key, values, emit) {
        try {
          kept?.next();
        } catch (thrown) {
          expect((thrown as Error).message).toMatch(/after its call of reduce/);
          refused++;
        }
        kept = values[Symbol.iterator]();
        emit([key]);
      },
    });
    await expect(runTasks(job, { files: { a: "x\nx\ny\n" } })).rejects.toThrow(/were read after its call of reduce/);
    expect(refused).toBe(1);
  });

  it("may be read while a promise of reduce is under way, and come in input order", async () => {
    const job = defineJob({
      ...base,
      map(line, emit, ctx) {
        emit(line, ctx.offset);
      },
      async reduce(key, values, emit) {
        const seen: number[] = [];
        for (const value of values) {
          await Promise.resolve();
          seen.push(value);
        }
        emit([key, seen.join()]);
      },
    });
    const { files } = await runTasks(job, { files: { a: "x\ny\nx\nx\n" }, spec: { splitBytes: 1 } });
    expect(partsOf(files)).toEqual(["x\t0,4,6\ny\t2\n"]);
  });

  it("are counted for the largest group, and the status page names a key that has very many", async () => {
    const job = defineJob({
      ...base,
      map: (line, emit) => {
        for (let i = 0; i < (line === "hot" ? 140_000 : 3); i++) emit(line, i);
      },
      reduce(key, values, emit) {
        let count = 0;
        for (const _ of values) count++;
        emit([key, count]);
      },
    });
    const { run, reduce } = await mapped(job, "a\nhot\nz\n");
    const done = succeeded(await reduce());
    expect(done.largestGroups).toMatchObject({ groups: [{ key: '"hot"', pairs: 140_000 }], isEstimate: false });
    const keys = run.statuses.filter(({ phase }) => phase === "reduce").map(({ key }) => key);
    expect(keys).toContain('"hot"');
    expect(keys.filter((key) => key !== '"hot"' && key !== undefined)).toEqual([]);
    // What comes after it is not that key.
    expect(keys.at(-1)).toBeUndefined();
    expect(run.statuses.at(-1)).not.toHaveProperty("key");
  });

  it("I8: that are not read are verified all the same", async () => {
    const job = defineJob({
      ...base,
      map: (line, emit) => {
        for (let i = 0; i < 2000; i++) emit(line, i);
      },
      reduce(key, _values, emit) {
        emit([key]);
      },
    });
    const { run, runs, reduce } = await mapped(job, "x\ny\n");
    expect(succeeded(await reduce()).stats).toMatchObject({ groups: 2, groupMax: 2000, pairs: 4000, recordsOut: 2 });
    const stored = run.runFiles.bytesOf(runs[0]!.path);
    stored[Math.floor(stored.length / 2)]! ^= 1;
    expect(failed(await reduce())).toMatchObject({ kind: "segment-lost", map: runs[0]!.writtenBy });
    expect(run.storage.unfinished).toBe(0);
    run.runFiles.remove(runs[0]!.path);
    expect(failed(await reduce())).toMatchObject({ kind: "segment-lost", map: runs[0]!.writtenBy });
    expect(run.runFiles.opened).toBe(0);
  });

  it("I8: whose segment is lost fail the attempt as lost, though reduce swallows the error", async () => {
    const job = defineJob({
      ...base,
      map: (line, emit) => {
        for (let i = 0; i < 5000; i++) emit(line, i);
      },
      reduce(key, values, emit) {
        let count = 0;
        try {
          for (const _ of values) count++;
        } catch {
          // swallowed
        }
        emit([key, count]);
      },
    });
    const { run, runs, reduce } = await mapped(job, "x\n");
    const stored = run.runFiles.bytesOf(runs[0]!.path);
    stored[Math.floor(stored.length / 2)]! ^= 1;
    expect(failed(await reduce())).toMatchObject({ kind: "segment-lost", map: runs[0]!.writtenBy });
  });
});

describe("a codec of the job's own", () => {
  it("may keep what `slice` gives it: it reads plain bytes, no Buffer, which would not copy", async () => {
    const raw = {
      ordered: true as const,
      write: (value: Uint8Array, out: { writeBytes(bytes: Uint8Array): void }) => out.writeBytes(value),
      read: (encoded: Uint8Array) => encoded.slice(),
    };
    const kept: Uint8Array[] = [];
    const job = defineJob({
      name: "raw",
      input: text(),
      key: raw,
      value: raw,
      map: (line, emit) => emit(Buffer.from(line), Buffer.from(line)),
      combine(a, b) {
        kept.push(a, b);
        return a;
      },
      reduce(key, values, emit) {
        kept.push(key, ...values);
        emit([key.length]);
      },
    });
    await runTasks(job, { files: { a: "b\na\nb\n" }, spec: { partitions: 1, splitBytes: 2 } });
    expect(kept.map((one) => Buffer.from(one).toString()).sort()).toEqual(["a", "a", "b", "b", "b", "b"]);
  });
});

describe("reduce", () => {
  it("that fails fails the attempt with the key, is never skipped, and leaves nothing", async () => {
    const fail = (): never => {
      throw new RangeError("can't");
    };
    for (const reduce of [fail, async () => fail()]) {
      const job = defineJob({ ...base, map: emitOne, reduce });
      const { run, reduce: attempt } = await mapped(job, "x\n", { work: { skipBad: 9 } });
      expect(failed(await attempt())).toMatchObject({
        kind: "user-error",
        final: false,
        error: { message: "RangeError: can't", excerpt: '"x"', where: 'reduce of the key "x"' },
      });
      expect(run.storage.unfinished).toBe(0);
      expect(run.runFiles.opened).toBe(0);
    }
  });

  it("writes a part for every partition, also an empty one", async () => {
    const { files, reduces } = await runTasks(defineJob({ ...base, map: emitOne, combine: sum }), {
      files: { a: "x\n" },
      spec: { partitions: 4 },
    });
    expect(Object.keys(files).sort()).toEqual(["part-00000.tsv", "part-00001.tsv", "part-00002.tsv", "part-00003.tsv"]);
    expect(partsOf(files).join("")).toBe("x\t1\n");
    expect(reduces.map(({ mapVersion }) => mapVersion)).toEqual([1, 1, 1, 1]);
  });

  it("fault 69: has part files where there is no record at all", async () => {
    const { files, plan } = await runTasks(
      defineJob({ ...base, map: emitOne, output: csv({ columns: { word: utf8 } }), reduce: () => {} }),
      { files: { a: "" }, spec: { partitions: 2 } },
    );
    expect(plan.splits).toEqual([]);
    expect(files).toEqual({ "part-00000.csv": "word\n", "part-00001.csv": "word\n" });
  });

  it("writes to other outputs, each a folder, and counts what it wrote", async () => {
    const job = defineJob({
      ...base,
      map: emitOne,
      output: { main: tsv(), odd: ndjson<string>() },
      reduce(key, values, emit, ctx) {
        let n = 0;
        for (const one of values) n += one;
        if (n % 2 === 0) emit([key, n]);
        else emit.to("odd", key);
        ctx.count("keys");
        expect(() => emit.to("main" as never, key as never)).toThrow(/no other output of that name \(odd\)/);
      },
    });
    const { files, counters } = await runTasks(job, { files: { a: "x\ny\nx\n" }, spec: { partitions: 1 } });
    expect(files).toEqual({ "main/part-00000.tsv": "x\t2\n", "odd/part-00000.ndjson": '"y"\n' });
    expect(counters).toEqual({ keys: 2 });
  });

  it("fault 26: can't emit after its call has ended", async () => {
    let late: Promise<unknown> = Promise.resolve();
    const job = defineJob({
      ...base,
      map: emitOne,
      reduce(key, _values, emit) {
        late = Promise.resolve().then(() => emit([key]));
        late.catch(() => {});
      },
    });
    const { reduce } = await mapped(job, "x\n");
    const result = await reduce();
    await expect(late).rejects.toThrow(/emit was called after/);
    // Nothing of the attempt was awaited in between, so it may have ended before; then the call simply has not counted.
    if (!result.ok) expect(result.reason.kind).toBe("user-error");
  });

  it("fails for what its output's format refuses, and for no space though it swallows the error", async () => {
    const job = defineJob({
      ...base,
      map: emitOne,
      reduce(key, _values, emit) {
        try {
          for (let i = 0; i < 30; i++) emit([key, "x".repeat(100_000)]);
        } catch {
          // swallowed
        }
      },
    });
    const { run, reduce } = await mapped(job, "x\n");
    run.storage.beforeWrite = () => {
      throw new MillraceError("no-space", "the disk is full");
    };
    expect(failed(await reduce())).toMatchObject({ kind: "infrastructure", error: { code: "no-space" } });
    expect(run.storage.unfinished).toBe(0);
    const refused = defineJob({
      ...base,
      map: emitOne,
      output: text(),
      reduce: (key, _values, emit) => emit(`${key}\n`),
    });
    expect(failed(await (await mapped(refused, "x\n")).reduce())).toMatchObject({
      kind: "user-error",
      error: { code: "bad-output", excerpt: '"x"' },
    });
  });

  it("groups by a prefix, whose key it gets, and sees values sorted by the rest", async () => {
    const job = defineJob({
      name: "grouped",
      input: text(),
      key: tuple(utf8, int),
      value: utf8,
      group: prefix(1),
      map(line, emit) {
        const [key, at] = line.split(" ");
        emit([key!, Number(at)], line);
      },
      reduce(key, values, emit) {
        expect(key).toHaveLength(1);
        emit([key[0], [...values].join()]);
      },
    });
    const { files } = await runTasks(job, {
      files: { a: "b 2\na 1\nb -1\na 0\nab 5\n" },
      spec: { partitions: 1, splitBytes: 1 },
    });
    expect(partsOf(files)).toEqual(["a\ta 0,a 1\nab\tab 5\nb\tb -1,b 2\n"]);
  });

  it("ends when its attempt is revoked", async () => {
    const job = defineJob({
      ...base,
      map: (line, emit) => {
        for (let i = 0; i < 3000; i++) emit(`${line}${i}`, i);
      },
      reduce: () => run.stop.abort(),
    });
    const { run, reduce } = await mapped(job, "x\n");
    expect(failed(await reduce())).toMatchObject({ kind: "infrastructure", error: { code: "cancelled" } });
  });
});

describe("combine", () => {
  it("folds values of any codec, from the left, and its result is written where there is no reduce", async () => {
    const join = {
      name: "join",
      input: text(),
      key: utf8,
      map: (line: string, emit: (key: string, value: never) => void) => emit("k", line as never),
    };
    const jobs = [
      defineJob({ ...join, value: utf8, combine: (a: string, b: string) => a + b } as never),
      defineJob({ ...join, value: json<string>(), combine: (a: string, b: string) => a + b } as never),
      defineJob({ ...join, combine: (a: string, b: string) => a + b } as never),
    ];
    for (const job of jobs) {
      const { files } = await runTasks(job, {
        files: { a: "x\ny\n", b: "z\n" },
        spec: { partitions: 1, splitBytes: 2 },
      });
      expect(partsOf(files)).toEqual(["k\txyz\n"]);
    }
    const big = defineJob({ ...base, value: bigint, map: (line, emit) => emit("k", BigInt(line)), combine: sum });
    expect(partsOf((await runTasks(big, { files: { a: "9007199254740993\n1\n" } })).files)).toEqual([
      "k\t9007199254740994\n",
    ]);
    const dates = defineJob({ ...base, value: utf8, map: (line, emit) => emit("k", line), combine: max });
    expect(partsOf((await runTasks(dates, { files: { a: "\uff5e\n\u{1f600}\n" } })).files)).toEqual(["k\t\u{1f600}\n"]);
  });

  it("gets values that it may keep: bytes are copies", async () => {
    const kept: Uint8Array[] = [];
    const job = defineJob({
      ...base,
      value: bytes,
      map: (line, emit) => emit("k", Buffer.from(line)),
      combine(a, b) {
        kept.push(a, b);
        return Buffer.concat([a, b]);
      },
      reduce: (key, values, emit) => emit([key, [...values].map((value) => Buffer.from(value).toString()).join("|")]),
    });
    const { files } = await runTasks(job, { files: { a: "x\ny\nz\n" }, spec: { partitions: 1 } });
    expect(partsOf(files)).toEqual(["k\txyz\n"]);
    expect(kept.map((value) => Buffer.from(value).toString())).toEqual(["x", "y", "xy", "z"]);
  });

  it("that fails, or makes what its codec can't hold, fails the attempt as the user's error", async () => {
    const fail = (): never => {
      throw new TypeError("mine");
    };
    for (const [job, message] of [
      [defineJob({ ...base, map: emitOne, combine: fail }), "TypeError: mine"],
      [defineJob({ ...base, value: utf8, map: (line, emit) => emit(line, line), combine: fail }), "TypeError: mine"],
      [defineJob({ ...base, map: emitOne, combine: () => -1 }), "combine of 1 and 1 is -1"],
      [defineJob({ ...base, map: emitOne, combine: () => "1" as never }), "can't hold"],
      [
        defineJob({ ...base, value: utf8, map: (line, emit) => emit(line, line), combine: () => 7 as never }),
        "utf8 takes a string",
      ],
    ] as const) {
      const run = new TaskRun(job, { files: { a: "x\nx\n" }, spec: { partitions: 1 } });
      const plan = await run.plan();
      const reason = failed(await run.map(plan, 0));
      expect(reason).toMatchObject({ kind: "user-error" });
      expect(reason.error.message).toContain(message);
      expect(run.runFiles.paths).toEqual([]);
    }
  });

  it("fault 82: does not lose digits of integers in silence", async () => {
    const job = defineJob({ ...base, map: (_line, emit) => emit("k", 2 ** 53 - 1), combine: sum });
    const run = new TaskRun(job, { files: { a: "x\nx\n" }, spec: { partitions: 1 } });
    const plan = await run.plan();
    expect(failed(await run.map(plan, 0))).toMatchObject({
      kind: "fatal",
      error: { code: "over-limit", message: expect.stringContaining('"k"') },
    });
  });
});
