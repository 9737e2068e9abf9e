// A map attempt that makes a checkpoint whenever it can, and attempts that go on from each of them.
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { MemoryCheckpoints } from "../../../test/support/memory-checkpoints.ts";
import { openRef, readRun } from "../../../test/support/pairs.ts";
import { succeeded, TaskRun } from "../../../test/support/run-tasks.ts";
import { ndjson } from "../../format/json/ndjson.ts";
import { text } from "../../format/lines/text.ts";
import { csv } from "../../format/table/csv.ts";
import { tsv } from "../../format/table/tsv.ts";
import { count } from "../../job/aggregate/numbers.ts";
import { stats } from "../../job/aggregate/stats.ts";
import { uint } from "../../job/codecs/numbers.ts";
import { utf8 } from "../../job/codecs/utf8.ts";
import { sum } from "../../job/combine.ts";
import { defineJob, jobDefinition } from "../../job/define-job.ts";
import { eachKey, recordAsKey, words } from "../../job/mappers.ts";
import type { AttemptDone } from "../../protocol/messages.ts";

const base = { name: "test", input: text(), key: utf8, value: uint } as const;
const lines = Array.from({ length: 300 }, (_, i) => `${"ab cd é ".slice(0, i % 8)}w${i % 17} w${i % 5} n${i}`);
const content = `${lines.join("\n")}\n`;

const splitWords = (line: string, emit: (key: string, value: number) => void) => {
  for (const word of line.split(" ")) emit(word, 1);
};

const jobs = {
  "a map of the job's own": defineJob({
    ...base,
    map(line, emit, ctx) {
      ctx.count("lines");
      if (line.length % 2 === 0) ctx.count("even");
      splitWords(line, emit);
    },
  }),
  "a map that is combined": defineJob({ ...base, map: splitWords, combine: sum }),
  "an async map": defineJob({
    ...base,
    concurrency: 5,
    async map(line, emit, ctx) {
      for (let i = 0; i < line.length % 3; i++) await null;
      ctx.count("lines");
      splitWords(line, emit);
    },
  }),
  "a map that returns a promise now and then, from the first record on": defineJob({
    ...base,
    map(line, emit) {
      splitWords(line, emit);
      return line.endsWith("0") ? Promise.resolve() : undefined;
    },
  }),
  "words that the kernel counts": defineJob({ ...base, map: words(), combine: sum }),
  "lines that are keys": defineJob({
    name: "test",
    input: text(),
    key: utf8,
    output: text(),
    map: recordAsKey,
    reduce: eachKey,
  }),
  "fractions that are summed exactly": defineJob({
    name: "test",
    input: text(),
    key: utf8,
    aggregate: stats({ n: count(), total: sum("length") }),
    map: (line, emit) => emit(line.slice(-1), { length: line.length / 7 }),
  }),
  "a map-only job": defineJob({
    name: "test",
    input: text(),
    reducers: 0,
    output: tsv(),
    map: (line, emit, ctx) => emit([ctx.offset, line]),
  }),
  "a map-only job that compresses its outputs, one of which is written late": defineJob({
    name: "test",
    input: text(),
    reducers: 0,
    output: { main: tsv(), long: text() },
    compress: "gzip",
    map(line, emit) {
      emit([line]);
      if (line.endsWith("00")) emit.to("long", line);
    },
  }),
  "pairs, and another output beside them": defineJob({
    ...base,
    output: { main: tsv(), long: text() },
    map(line, emit) {
      if (line.length > 15) emit.to("long", line);
      splitWords(line, emit);
    },
  }),
  "a partition of the job's own": defineJob({
    ...base,
    map: splitWords,
    partition: (key, partitions) => key.length % partitions,
  }),
};

/** What an attempt made: everything by which one differs from another, except for times and where files lie. */
function madeBy(run: TaskRun, done: AttemptDone) {
  const { recordsIn, pairs, bytesIn } = done.stats;
  return {
    pairs: done.run && readRun(openRef(run.runFiles, done.run)),
    files: done.staged.map(({ token, ...file }) => ({
      ...file,
      content: run.storage.staged.get(token)!.toString("latin1"),
    })),
    emissionDigest: done.emissionDigest,
    counters: { ...done.counters },
    stats: { recordsIn, pairs, bytesIn },
  };
}

/** Runs the task without checkpoints, then with as many as there can be, then from each of those. */
async function expectSame(job: unknown, files: Readonly<Record<string, string | Uint8Array>>, chunkBytes = 512) {
  const partitions = jobDefinition(job).reducers === 0 ? 0 : 3;
  const plain = new TaskRun(job, { files, spec: { partitions }, chunkBytes });
  const plan = await plain.plan();
  const wanted = madeBy(plain, succeeded(await plain.map(plan, 0)));
  const run = new TaskRun(job, { files, spec: { partitions }, chunkBytes });
  const checkpoints = new MemoryCheckpoints(run.runFiles);
  run.checkpoints = checkpoints;
  const first = succeeded(await run.map(await run.plan(), 0));
  expect(madeBy(run, first)).toEqual(wanted);
  const written = [...checkpoints.written];
  expect(first.stats).toMatchObject({ resumed: 0, checkpoints: written.length });
  for (const [i, found] of written.entries()) {
    checkpoints.found = found;
    const done = succeeded(await run.map(plan, 0));
    expect(madeBy(run, done), `from checkpoint ${i}`).toEqual(wanted);
    expect(done.stats).toMatchObject({ resumed: 1, resumedRecords: found.records });
    for (const { path } of found.runs) expect(run.runFiles.paths).toContain(path);
  }
  return written;
}

describe("an attempt that goes on from a checkpoint makes what one in one piece makes", () => {
  for (const [name, job] of Object.entries(jobs))
    it(name, async () => {
      expect((await expectSame(job, { "in.txt": content })).length).toBeGreaterThan(3);
    });

  it("in a compressed file, which is inflated from its beginning again", async () => {
    const written = await expectSame(jobs["a map of the job's own"], { "in.txt.gz": gzipSync(content) });
    expect(written.length).toBeGreaterThan(3);
    expect(written.at(-1)!.position.offset).toBeGreaterThan(gzipSync(content).length);
  });

  it("in the second of several files, at its beginning and in the middle", async () => {
    const files = { "a.txt": content, "b.txt": content.slice(0, 3_000), "c.txt": "last\n" };
    const written = await expectSame(jobs["a map of the job's own"], files);
    expect(new Set(written.map(({ position }) => position.file))).toEqual(new Set([0, 1, 2]));
  });

  it("in a table with a header", async () => {
    const job = defineJob({ ...base, input: csv({ header: true }), map: (row, emit) => emit(row["b"]!, 1) });
    const rows = Array.from({ length: 200 }, (_, i) => `${i},"x ""${i % 7}"`);
    expect((await expectSame(job, { "in.csv": `a,b\n${rows.join("\n")}\n` })).length).toBeGreaterThan(3);
  });

  it("in lines of JSON", async () => {
    const json = defineJob({ ...base, input: ndjson(), map: (row, emit) => emit((row as { a: string }).a, 1) });
    const rows = lines.map((a) => JSON.stringify({ a }));
    expect((await expectSame(json, { "in.ndjson": `${rows.join("\n")}\n` })).length).toBeGreaterThan(3);
  });

  it("counts of the ctx of setup too, and what setup itself counts once", async () => {
    const job = defineJob({
      ...base,
      setup(ctx) {
        ctx.count("setups");
        return ctx;
      },
      map(line, emit, { state }) {
        state.count("lines");
        emit(line, 1);
      },
    });
    const written = await expectSame(job, { "in.txt": content });
    expect({ ...written.at(-1)!.counters }).toMatchObject({ setups: 0, lines: lines.length });
  });
});

describe("checkpoints", () => {
  it("that an attempt has made count for nothing once it begins again, as its map returns promises late", async () => {
    const job = defineJob({
      ...base,
      map(line, emit) {
        emit(line, 1);
        return line.endsWith("n150") ? Promise.resolve() : undefined;
      },
    });
    const run = new TaskRun(job, { files: { "in.txt": content }, spec: { partitions: 1 }, chunkBytes: 512 });
    const checkpoints = new MemoryCheckpoints(run.runFiles);
    run.checkpoints = checkpoints;
    const done = succeeded(await run.map(await run.plan(), 0));
    expect(checkpoints.discards).toBe(1);
    expect(done.stats).toMatchObject({ recordsIn: lines.length, pairs: lines.length });
  });

  it("after which the job's code fails are given up: the task begins again at its beginning, in the same attempt", async () => {
    const job = defineJob({
      ...base,
      setup: () => ({ isBegun: false }),
      map(line, emit, { state }) {
        if (line === lines[0]) state.isBegun = true;
        if (!state.isBegun) throw new Error("the first line was not seen");
        emit(line, 1);
      },
    });
    const run = new TaskRun(job, { files: { "in.txt": content }, spec: { partitions: 1 }, chunkBytes: 512 });
    const checkpoints = new MemoryCheckpoints(run.runFiles);
    run.checkpoints = checkpoints;
    const plan = await run.plan();
    succeeded(await run.map(plan, 0));
    checkpoints.found = checkpoints.written[2];
    const done = succeeded(await run.map(plan, 0));
    expect(checkpoints.discards).toBe(1);
    expect(done.stats).toMatchObject({ resumed: 0, recordsIn: lines.length, pairs: lines.length });
    expect(run.logs.map(([message]) => message)).toContainEqual(expect.stringContaining("begins again"));
  });

  it("are not made behind a dead letter, with which no one could go on", async () => {
    const job = defineJob({
      ...base,
      map(line, emit) {
        if (line.endsWith("n100")) throw new Error("a bad line");
        emit(line, 1);
      },
    });
    const files = { "in.txt": content };
    const run = new TaskRun(job, { files, spec: { partitions: 1 }, chunkBytes: 512, work: { skipBad: 1 } });
    const checkpoints = new MemoryCheckpoints(run.runFiles);
    run.checkpoints = checkpoints;
    const done = succeeded(await run.map(await run.plan(), 0));
    expect(done.deadLetters).toHaveLength(1);
    expect(checkpoints.written.length).toBeGreaterThan(1);
    expect(checkpoints.written.at(-1)!.records).toBeLessThanOrEqual(100);
    expect(done.stats.recordsIn).toBe(lines.length);
  });

  it("whose staged file is gone or altered are given up: the task begins at its beginning, in the same attempt", async () => {
    const run = new TaskRun(jobs["a map-only job"], {
      files: { "in.txt": content },
      spec: { partitions: 0 },
      chunkBytes: 512,
    });
    const plan = await run.plan();
    const wanted = madeBy(run, succeeded(await run.map(plan, 0)));
    const checkpoints = new MemoryCheckpoints(run.runFiles);
    run.checkpoints = checkpoints;
    for (const damage of ["altered", "gone"]) {
      succeeded(await run.map(plan, 0));
      checkpoints.found = checkpoints.written.at(-1);
      if (damage === "gone") run.storage.saved.clear();
      else for (const bytes of run.storage.saved.values()) bytes[0]! ^= 1;
      const done = succeeded(await run.map(plan, 0));
      expect(done.stats).toMatchObject({ resumed: 0 });
      expect(madeBy(run, done)).toEqual(wanted);
      expect(run.storage.unfinished).toBe(0);
    }
    expect(checkpoints.discards).toBe(2);
  });
});
