// A reduce attempt that makes a checkpoint whenever it can, and attempts that go on from each of them.
import { describe, expect, it } from "vitest";
import { MemoryCheckpoints } from "../../../test/support/memory-checkpoints.ts";
import { failed, succeeded, TaskRun, type TaskRunOptions } from "../../../test/support/run-tasks.ts";
import { MillraceError } from "../../base/error.ts";
import { checkpointBytes, checkpointOf } from "../../checkpoint/bytes.ts";
import type { ReduceCheckpoint } from "../../checkpoint/checkpoint.ts";
import { ndjson } from "../../format/json/ndjson.ts";
import { text } from "../../format/lines/text.ts";
import { csv } from "../../format/table/csv.ts";
import { tsv } from "../../format/table/tsv.ts";
import { count } from "../../job/aggregate/numbers.ts";
import { stats } from "../../job/aggregate/stats.ts";
import { uint } from "../../job/codecs/numbers.ts";
import { tuple } from "../../job/codecs/tuple.ts";
import { utf8 } from "../../job/codecs/utf8.ts";
import { sum } from "../../job/combine.ts";
import { defineJob } from "../../job/define-job.ts";
import { eachKey, recordAsKey } from "../../job/mappers.ts";
import { prefix } from "../../job/partition.ts";
import type { AttemptDone } from "../../protocol/messages.ts";
import type { RunRef } from "../../sort/run.ts";

const base = { name: "test", input: text(), key: utf8, value: uint } as const;
const lines = Array.from({ length: 1_200 }, (_, i) => `w${i % 700}`);
const content = `${lines.join("\n")}\n`;
const emitOne = (line: string, emit: (key: string, value: number) => void): void => emit(line, line.length);
const countValues = (key: string, values: Iterable<number>, emit: (record: [string, number]) => void): void =>
  emit([key, [...values].length]);

const jobs = {
  "a reduce of the job's own": defineJob({
    ...base,
    map: emitOne,
    reduce(key, values, emit, ctx) {
      ctx.count("keys");
      if (key.length === 3) ctx.count("of three letters", 2);
      emit([key, [...values].length, ctx.random()]);
    },
  }),
  "a reduce that takes no values, or not all of them": defineJob({
    ...base,
    map: emitOne,
    reduce(key, values, emit) {
      if (key.endsWith("1")) for (const _ of values) break;
      emit([key]);
    },
  }),
  "an async reduce": defineJob({
    ...base,
    map: emitOne,
    async reduce(key, values, emit, ctx) {
      await null;
      ctx.count("keys");
      emit([key, [...values].length, ctx.random()]);
    },
  }),
  "a reduce that emits nothing for most keys, and many records for some": defineJob({
    ...base,
    map: emitOne,
    reduce(key, _values, emit) {
      if (key.endsWith("7")) for (let i = 0; i < 50; i++) emit([key, i]);
    },
  }),
  "groups of keys": defineJob({
    ...base,
    key: tuple(utf8, utf8),
    group: prefix(1),
    map: (line, emit) => emit([line, line], 1),
    reduce: (key, values, emit) => emit([key[0], [...values].length]),
  }),
  "a fold without a reduce": defineJob({ ...base, map: emitOne, combine: sum }),
  "sorted pairs without a reduce": defineJob({ ...base, map: emitOne }),
  "few keys with many values, without a reduce": defineJob({
    ...base,
    map: (line, emit) => emit(line.slice(-1), line.length),
  }),
  aggregates: defineJob({
    name: "test",
    input: text(),
    key: utf8,
    aggregate: stats({ n: count(), total: sum("length") }),
    map: (line, emit) => emit(line, { length: line.length / 7 }),
  }),
  "lines that are keys, as whole blocks": defineJob({
    name: "test",
    input: text(),
    key: utf8,
    output: text(),
    map: recordAsKey,
    reduce: eachKey,
  }),
  "csv with a header": defineJob({
    ...base,
    output: csv({ header: true, columns: { "a,b": utf8, n: uint } }),
    map: emitOne,
    reduce: (key, values, emit) => emit({ "a,b": key, n: [...values].length }),
  }),
  "lines of JSON": defineJob({
    ...base,
    output: ndjson(),
    map: emitOne,
    reduce: (key, values, emit) => emit({ key, n: [...values].length }),
  }),
  gzip: defineJob({ ...base, compress: "gzip", map: emitOne, reduce: countValues }),
  zstd: defineJob({ ...base, compress: "zstd", map: emitOne, reduce: countValues }),
  "several outputs, one of which is written late": defineJob({
    ...base,
    output: { main: tsv(), late: ndjson(), never: text() },
    map: emitOne,
    reduce(key, values, emit) {
      emit([key, [...values].length]);
      if (key > "w5") emit.to("late", { key });
    },
  }),
};

async function mapped(job: unknown, options: Partial<TaskRunOptions> = {}) {
  const run = new TaskRun(job, { files: { "in.txt": content }, spec: { partitions: 1 }, ...options });
  const plan = await run.plan();
  const runs: RunRef[] = [];
  for (const index of plan.splits.keys()) runs.push(succeeded(await run.map(plan, index)).run!);
  const checkpoints = new MemoryCheckpoints<ReduceCheckpoint>(run.runFiles);
  return { run, plan, runs, checkpoints, reduce: () => run.reduce(plan, 0, runs) };
}

/** Everything by which what one attempt made differs from what another made, except for times. */
function madeBy({ storage }: TaskRun, done: AttemptDone) {
  const { recordsIn, bytesIn, pairs, groups, groupMax, recordsOut, bytesOut } = done.stats;
  return {
    files: done.staged.map(({ token, ...file }) => ({
      ...file,
      content: storage.staged.get(token)!.toString("latin1"),
    })),
    counters: { ...done.counters },
    largestGroups: done.largestGroups,
    stats: { recordsIn, bytesIn, pairs, groups, groupMax, recordsOut, bytesOut },
  };
}

const work = Buffer.alloc(32, 7);
/** A checkpoint as it comes back from its file. */
const reread = (checkpoint: ReduceCheckpoint) =>
  checkpointOf(work, checkpointBytes(work, checkpoint)) as ReduceCheckpoint;

async function expectSame(job: unknown): Promise<ReduceCheckpoint[]> {
  const { run, checkpoints, reduce } = await mapped(job);
  const wanted = madeBy(run, succeeded(await reduce()));
  run.checkpoints = checkpoints;
  const first = succeeded(await reduce());
  expect(madeBy(run, first)).toEqual(wanted);
  const written = [...checkpoints.written];
  expect(first.stats).toMatchObject({ resumed: 0, checkpoints: written.length });
  for (const [i, found] of written.entries()) {
    checkpoints.found = reread(found);
    expect(checkpointBytes(work, checkpoints.found)).toEqual(checkpointBytes(work, found));
    const done = succeeded(await reduce());
    expect(madeBy(run, done), `from checkpoint ${i}`).toEqual(wanted);
    expect(done.stats).toMatchObject({ resumed: 1, resumedRecords: found.groups });
  }
  expect(checkpoints.discards).toBe(0);
  expect(run.storage.unfinished).toBe(0);
  return written;
}

describe("a reduce that goes on from a checkpoint writes what one in one piece writes", () => {
  for (const [name, job] of Object.entries(jobs))
    it(name, async () => {
      expect((await expectSame(job)).length).toBeGreaterThan(3);
    });

  it("within a key, where there is no reduce", async () => {
    const written = await expectSame(jobs["few keys with many values, without a reduce"]);
    expect(written.length).toBeGreaterThan(new Set(written.map(({ groups }) => groups)).size);
  });

  it("counts of the ctx of setup too, and what setup itself counts once", async () => {
    const job = defineJob({
      ...base,
      setup(ctx) {
        ctx.count("setups");
        return ctx;
      },
      map: emitOne,
      reduce(key, _values, emit, { state }) {
        state.count("keys");
        emit([key]);
      },
    });
    const written = await expectSame(job);
    expect({ ...written.at(-1)!.counters }).toMatchObject({ setups: 0, keys: written.at(-1)!.groups });
  });
});

/** Counts the keys that reduce is called for. */
function counting() {
  const keys: string[] = [];
  const job = defineJob({
    ...base,
    map: emitOne,
    reduce(key, _values, emit) {
      keys.push(key);
      emit([key]);
    },
  });
  return { job, keys };
}

/** An attempt whose disk fails in the middle, behind checkpoints. */
async function interrupted(job: unknown) {
  const all = await mapped(job);
  const { run, checkpoints, reduce } = all;
  run.checkpoints = checkpoints;
  run.storage.beforeWrite = () => {
    if (checkpoints.written.length < 3) return;
    throw new MillraceError("io-error", "the disk fails", { retry: "elsewhere" });
  };
  expect(failed(await reduce())).toMatchObject({ error: { code: "io-error" } });
  run.storage.beforeWrite = undefined;
  checkpoints.found = reread(checkpoints.written.at(-1)!);
  return all;
}

describe("an attempt that was interrupted", () => {
  it("leaves what it has saved, and the next one calls reduce only for the keys behind it", async () => {
    const { job, keys } = counting();
    const { run, checkpoints, reduce } = await interrupted(job);
    expect(run.storage.unfinished).toBe(0);
    const { groups } = checkpoints.found!;
    keys.length = 0;
    const done = succeeded(await reduce());
    expect(done.stats).toMatchObject({ resumed: 1, resumedRecords: groups, groups: 700, recordsOut: 700 });
    expect(run.statuses.at(-1)).toMatchObject({ hasCheckpoint: true });
    expect(keys).toHaveLength(700 - groups);
    const { token } = done.staged[0]!;
    expect(run.storage.staged.get(token)!.toString().split("\n").slice(groups, -1)).toEqual(keys);
  });

  it("without a checkpoint leaves nothing", async () => {
    const { job } = counting();
    const { run, reduce } = await mapped(job);
    run.storage.beforeWrite = () => {
      throw new MillraceError("io-error", "the disk fails", { retry: "elsewhere" });
    };
    failed(await reduce());
    expect(run.storage.unfinished).toBe(0);
    expect(run.storage.saved.size).toBe(0);
  });

  const damages: Readonly<Record<string, (found: ReduceCheckpoint, run: TaskRun) => ReduceCheckpoint>> = {
    "its staged file is gone": (found, run) => {
      run.storage.saved.clear();
      return found;
    },
    "its staged file was altered": (found, run) => {
      for (const bytes of run.storage.saved.values()) bytes[0]! ^= 1;
      return found;
    },
    "its staged file is shorter": (found, run) => {
      for (const [token, bytes] of run.storage.saved) run.storage.saved.set(token, bytes.subarray(1));
      return found;
    },
    "it has merged other map outputs": (found) => ({ ...found, inputs: Buffer.alloc(32) }),
    "another key lies where it says": (found) => ({ ...found, key: Buffer.from("other") }),
    "it says fewer pairs than those keys have": (found) => ({ ...found, pairs: found.pairs - 1 }),
    "it says more keys than there are": (found) => ({ ...found, groups: 10_000 }),
  };
  for (const [what, damage] of Object.entries(damages))
    it(`is not gone on from where ${what}: the next begins at the beginning, and writes all`, async () => {
      const { job, keys } = counting();
      const { run, checkpoints, reduce } = await interrupted(job);
      checkpoints.found = damage(checkpoints.found!, run);
      keys.length = 0;
      const done = succeeded(await reduce());
      expect(done.stats).toMatchObject({ resumed: 0, resumedRecords: 0, groups: 700, recordsOut: 700 });
      expect(keys).toHaveLength(700);
      expect(checkpoints.discards).toBe(1);
      expect(run.logs.map(([message]) => message)).toContainEqual(expect.stringContaining("begins at the beginning"));
      expect(run.storage.unfinished).toBe(0);
    });

  it.each(["sorted pairs without a reduce", "lines that are keys, as whole blocks"] as const)(
    "is not gone on from where another pair lies where it says: %s",
    async (name) => {
      const { run, checkpoints, reduce } = await mapped(jobs[name]);
      const wanted = madeBy(run, succeeded(await reduce()));
      run.checkpoints = checkpoints;
      succeeded(await reduce());
      const [, found] = checkpoints.written;
      for (const damaged of [{ key: Buffer.from("other") }, { groups: found!.groups + 1 }, { pairs: 1_000_000 }]) {
        checkpoints.found = { ...found!, ...damaged };
        const done = succeeded(await reduce());
        expect(done.stats).toMatchObject({ resumed: 0 });
        expect(madeBy(run, done)).toEqual(wanted);
      }
      expect(checkpoints.discards).toBe(3);
    },
  );

  it("is gone on from with what it skips verified: a damaged map output is named, and the checkpoint stays", async () => {
    const { job } = counting();
    const { run, runs, checkpoints, reduce } = await interrupted(job);
    const bytes = run.runFiles.bytesOf(runs[0]!.path);
    bytes[200]! ^= 1;
    expect(failed(await reduce())).toMatchObject({ kind: "segment-lost" });
    expect(checkpoints.discards).toBe(0);
    bytes[200]! ^= 1;
    expect(succeeded(await reduce()).stats).toMatchObject({ resumed: 1, recordsOut: 700 });
  });

  it("is not gone on from where the job's code fails only then: it begins at the beginning, in the same attempt", async () => {
    const job = defineJob({
      ...base,
      setup: () => ({ isBegun: false }),
      map: emitOne,
      reduce(key, _values, emit, { state }) {
        if (key === "w0") state.isBegun = true;
        if (!state.isBegun) throw new Error("the first key was not seen");
        emit([key]);
      },
    });
    const { run, checkpoints, reduce } = await mapped(job);
    run.checkpoints = checkpoints;
    succeeded(await reduce());
    checkpoints.found = checkpoints.written[2];
    expect(succeeded(await reduce()).stats).toMatchObject({ resumed: 0, recordsOut: 700 });
    expect(checkpoints.discards).toBe(1);
  });
});
