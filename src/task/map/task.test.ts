import { describe, expect, it } from "vitest";
import { failed, partsOf, runTasks, succeeded, TaskRun, type TaskRunOptions } from "../../../test/support/run-tasks.ts";
import { MillraceError } from "../../base/error.ts";
import { MiB } from "../../base/limits.ts";
import { ndjson } from "../../format/json/ndjson.ts";
import { text } from "../../format/lines/text.ts";
import { tsv } from "../../format/table/tsv.ts";
import { uint } from "../../job/codecs/numbers.ts";
import { utf8 } from "../../job/codecs/utf8.ts";
import { sum } from "../../job/combine.ts";
import { defineJob } from "../../job/define-job.ts";
import { createKernel } from "../../kernel/create-kernel.ts";
import type { MapWork } from "../../protocol/messages.ts";

const base = { name: "test", input: text(), key: utf8, value: uint } as const;

/** The result of mapping the one split of one file. */
async function mapOnce(
  job: unknown,
  content: string | Uint8Array,
  work: Partial<MapWork> = {},
  options: Partial<TaskRunOptions> = {},
) {
  const run = new TaskRun(job, { files: { "in.txt": content }, ...options, spec: { partitions: 1, ...options.spec } });
  const plan = await run.plan();
  const result = await run.map(plan, 0, work);
  return { run, plan, result, letters: () => lettersOf(run) };
}

function lettersOf(run: TaskRun): Record<string, unknown>[] {
  const name = [...run.storage.staged.keys()].find((token) => token.includes("_dead-letters"));
  if (name === undefined) return [];
  return run.storage.staged
    .get(name)!
    .toString()
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe("a record that the code of its schema throws at", () => {
  const schema = {
    "~standard": {
      version: 1 as const,
      vendor: "own",
      validate: (value: unknown) => {
        if ((value as { id: number }).id === 2) return Promise.reject(new TypeError("boom in transform"));
        return { value };
      },
    },
  };
  const job = defineJob({ name: "schema", input: ndjson(schema), reducers: 0, output: ndjson(), map() {} });
  const lines = '{"id":1}\n{"id":2}\n{"id":3}\n';

  it("fails the attempt as if map had thrown, with the user's line", async () => {
    expect(failed((await mapOnce(job, lines)).result)).toMatchObject({
      kind: "user-error",
      final: true,
      at: { file: 0, offset: 9 },
      error: {
        code: "user-error",
        message: "TypeError: boom in transform",
        where: "in.txt:9",
        excerpt: expect.stringContaining("id"),
      },
    });
  });

  it("is put aside as one that map throws at", async () => {
    const { result, letters } = await mapOnce(job, lines, { skipBad: 1 });
    expect(succeeded(result)).toMatchObject({ deadLetters: [{ file: 0, offset: 9 }], stats: { recordsIn: 3 } });
    expect(letters()).toMatchObject([{ offset: 9, code: "user-error", error: "TypeError: boom in transform" }]);
  });

  it("an asynchronous one ends the job, and no record is put aside", async () => {
    const slow = { "~standard": { ...schema["~standard"], validate: async (value: unknown) => ({ value }) } };
    const asynchronous = defineJob({ name: "slow", input: ndjson(slow), reducers: 0, output: ndjson(), map() {} });
    const { result } = await mapOnce(asynchronous, lines, { skipBad: 9 });
    expect(failed(result)).toMatchObject({ kind: "fatal", error: { code: "wrong-job" } });
  });
});

describe("a record that fails", () => {
  const bad = defineJob({
    ...base,
    map(line, emit, ctx) {
      emit(line, 1);
      ctx.count("lines");
      if (line.startsWith("bad")) throw new TypeError(`can't take ${line}`);
    },
    combine: sum,
  });

  it("is mapped again at once, and then fails the attempt for good with file, offset, excerpt and the user's stack", async () => {
    const { run, result } = await mapOnce(bad, "good\nbad one\n");
    const reason = failed(result);
    expect(reason).toMatchObject({
      kind: "user-error",
      final: true,
      at: { file: 0, offset: 5 },
      error: { message: "TypeError: can't take bad one", where: "in.txt:5", excerpt: '"bad one"' },
    });
    expect(run.runFiles.paths).toEqual([]);
    expect(run.storage.unfinished).toBe(0);
  });

  it("is put aside where dead letters are left, and has emitted and counted nothing", async () => {
    const { run, plan, result, letters } = await mapOnce(bad, "good\nbad one\ngood\nbad two\n", { skipBad: 2 });
    const done = succeeded(result);
    expect(done.deadLetters).toEqual([
      { file: 0, offset: 5 },
      { file: 0, offset: 18 },
    ]);
    expect(done.counters).toEqual({ lines: 2 });
    expect(done.stats).toMatchObject({ recordsIn: 4, pairs: 2 });
    expect(done.staged).toMatchObject([
      { output: "_dead-letters", name: "_dead-letters/part-m-00000.ndjson", records: 2 },
    ]);
    expect(letters()).toMatchObject([
      { source: "in.txt", offset: 5, text: "bad one", code: "user-error", error: "TypeError: can't take bad one" },
      { source: "in.txt", offset: 18, text: "bad two" },
    ]);
    const reduced = succeeded(await run.reduce(plan, 0, [done.run!]));
    expect(run.storage.staged.get(reduced.staged[0]!.token)!.toString()).toBe("good\t2\n");
  });

  it("fails the attempt when there are more than may be put aside", async () => {
    const { result } = await mapOnce(bad, "bad one\nbad two\n", { skipBad: 1 });
    expect(failed(result)).toMatchObject({ kind: "user-error", final: true, at: { offset: 8 } });
  });

  it("counts once when the second try succeeds", async () => {
    let calls = 0;
    const flaky = defineJob({
      ...base,
      map(line, emit, ctx) {
        emit(line, 1);
        ctx.count("lines");
        if (calls++ === 0) throw new Error("not yet");
      },
    });
    const done = succeeded((await mapOnce(flaky, "a\nb\n")).result);
    expect(done.stats.pairs).toBe(2);
    expect(done.counters).toEqual({ lines: 2 });
  });

  it("is not final when it fails in another way the second time", async () => {
    let calls = 0;
    const job = defineJob({
      ...base,
      map() {
        throw new Error(`failure ${calls++}`);
      },
    });
    const { result } = await mapOnce(job, "a\n", { skipBad: 5 });
    expect(failed(result)).toMatchObject({ kind: "user-error", final: false });
  });

  it.each(["sync", "async"] as const)(
    "can be put aside though its %s map emitted more than a batch holds",
    async (kind) => {
      const long = "k".repeat(1000);
      const emitMany = (line: string, emit: (key: string, value: number) => void): void => {
        for (let i = 0; i < (line === "bad" ? 2000 : 1); i++) emit(line === "bad" ? long : line, i);
        if (line === "bad") throw new Error("too much");
      };
      const job = defineJob({
        ...base,
        map: kind === "sync" ? emitMany : async (line, emit) => emitMany(line, emit),
      });
      const { result, run } = await mapOnce(job, "a\nbad\nb\n", { skipBad: 1 });
      const done = succeeded(result);
      expect(done.stats.pairs).toBe(2);
      expect(done.deadLetters).toEqual([{ file: 0, offset: 2 }]);
      expect(lettersOf(run)).toHaveLength(1);
      expect(run.runFiles.paths).toEqual([done.run!.path]);
      const refused = await mapOnce(job, "a\nbad\nb\n");
      expect(failed(refused.result)).toMatchObject({ kind: "user-error", final: true, at: { file: 0, offset: 2 } });
      expect(refused.run.runFiles.paths).toEqual([]);
    },
  );

  it("fault 21: that slots died on is put aside without a call of map", async () => {
    const seen: string[] = [];
    const job = defineJob({ ...base, map: (line) => void seen.push(line) });
    const { result, letters } = await mapOnce(job, "a\nkills\nb\n", { skip: [{ file: 0, offset: 2, hung: false }] });
    expect(succeeded(result).deadLetters).toEqual([{ file: 0, offset: 2 }]);
    expect(seen).toEqual(["a", "b"]);
    expect(letters()).toMatchObject([{ text: "kills", code: "slot-died" }]);
  });

  it("fault 22: that attempts hung on says that there was no progress, not that a process died", async () => {
    const job = defineJob({ ...base, map: () => {} });
    const { letters } = await mapOnce(job, "a\nhangs\nb\n", { skip: [{ file: 0, offset: 2, hung: true }] });
    expect(letters()).toMatchObject([
      { text: "hangs", code: "task-timeout", error: expect.stringMatching(/no progress/) },
    ]);
    expect(JSON.stringify(letters())).not.toContain("died");
  });

  it("fault 72: that is no UTF-8 is bad input, or mended and counted where the format was told so", async () => {
    const content = Buffer.from("a\n\xff\nb\n", "latin1");
    const map = (line: string, emit: (key: string, value: number) => void) => emit(line, 1);
    const strict = defineJob({ ...base, map });
    expect(failed((await mapOnce(strict, content)).result)).toMatchObject({
      kind: "bad-input",
      at: { file: 0, offset: 2 },
      error: { excerpt: "0xff0a" },
    });
    const mending = defineJob({ ...base, input: text({ invalid: "replace" }), map });
    const done = succeeded((await mapOnce(mending, content)).result);
    expect(done.counters).toEqual({ "records with invalid UTF-8": 1 });
    expect(done.stats.pairs).toBe(3);
  });

  it("that no record can be made of is put aside or fails the attempt as bad input", async () => {
    const job = defineJob({ ...base, input: ndjson<string>(), map: (word, emit) => emit(word, 1), combine: sum });
    const content = Buffer.concat([
      Buffer.from('"a"\n{nope\n"b"\n'),
      Buffer.from([0x22, 0xff, 0x22, 0x0a]),
      Buffer.from('"a"'),
    ]);
    const done = await mapOnce(job, content, { skipBad: 2 });
    expect(succeeded(done.result)).toMatchObject({ stats: { recordsIn: 5, pairs: 3 } });
    expect(done.letters()).toMatchObject([
      { offset: 4, text: "{nope\n", code: "bad-input" },
      { offset: 14, base64: expect.stringMatching(/^Iv8i/), code: "bad-input" },
    ]);
    expect(failed((await mapOnce(job, content, { skipBad: 1 })).result)).toMatchObject({
      kind: "bad-input",
      at: { file: 0, offset: 14 },
    });
  });
});

describe("what user code throws", () => {
  const hostile: readonly (readonly [string, () => unknown])[] = [
    ["null", () => null],
    ["undefined", () => undefined],
    ["a string", () => "text"],
    ["a symbol", () => Symbol("s")],
    [
      "a proxy that throws",
      () =>
        new Proxy(
          {},
          {
            get: () => {
              throw new Error("trap");
            },
            getPrototypeOf: () => {
              throw new Error("trap");
            },
          },
        ),
    ],
    [
      "an error with a throwing message",
      () =>
        Object.defineProperty(new Error("x"), "message", {
          get: () => {
            throw new Error("getter");
          },
        }),
    ],
    [
      "an error whose cause is itself",
      () => {
        const error = new Error("loop");
        error.cause = error;
        return error;
      },
    ],
    ["a function", () => () => 1],
    [
      "an object with a throwing toString",
      () => ({
        toString: () => {
          throw new Error("toString");
        },
      }),
    ],
  ];
  it.each(hostile)("fault 17: %s fails the attempt as the user's error", async (_, make) => {
    for (const map of [
      () => {
        throw make();
      },
      async () => {
        throw make();
      },
    ]) {
      const { result } = await mapOnce(defineJob({ ...base, map }), "a\n");
      const reason = failed(result);
      expect(reason).toMatchObject({ kind: "user-error", at: { file: 0, offset: 0 } });
      expect(typeof reason.error.message).toBe("string");
    }
  });

  it("in setup and teardown fails the attempt, and teardown never hides what came first", async () => {
    const fails = (what: string) => (): never => {
      throw new Error(what);
    };
    const map = (line: string, emit: (key: string, value: number) => void) => emit(line, 1);
    expect(failed((await mapOnce(defineJob({ ...base, setup: fails("set"), map }), "a\n")).result).error).toMatchObject(
      { message: "set", where: "setup" },
    );
    expect(
      failed((await mapOnce(defineJob({ ...base, teardown: fails("tear"), map }), "a\n")).result).error,
    ).toMatchObject({ message: "tear", where: "teardown" });
    const both = await mapOnce(defineJob({ ...base, teardown: fails("tear"), map: fails("map") }), "a\n");
    expect(failed(both.result).error).toMatchObject({ message: "map" });
    expect(both.run.logs).toEqual([["teardown failed too: tear", undefined]]);
    expect(both.run.runFiles.paths).toEqual([]);
  });
});

describe("emit", () => {
  it("fault 26: throws in user code that emits after its map has ended, and fails the attempt", async () => {
    const caught: unknown[] = [];
    const late = (action: () => void): void => {
      try {
        action();
      } catch (thrown) {
        caught.push(thrown);
      }
    };
    const jobs = [
      defineJob({
        ...base,
        map(_line, emit) {
          void Promise.resolve().then(() => late(() => emit("late", 1)));
        },
      }),
      defineJob({
        ...base,
        async map(line, emit) {
          if (line === "a")
            void Promise.resolve()
              .then(() => Promise.resolve())
              .then(() => Promise.resolve())
              .then(() => late(() => emit("late", 1)));
          else for (let i = 0; i < 20; i++) await Promise.resolve();
        },
      }),
      defineJob({
        name: "map-only",
        input: text(),
        reducers: 0,
        output: { main: text(), other: text() },
        map(_line, emit) {
          void Promise.resolve().then(() => late(() => emit.to("other", "late")));
        },
      }),
    ];
    for (const job of jobs) {
      caught.length = 0;
      const partitions = job === jobs[2] ? 0 : 1;
      const { result } = await mapOnce(job, "a\nb\nc\n", {}, { spec: { partitions } });
      expect(caught[0]).toMatchObject({
        message: expect.stringMatching(/^emit(\.to)? was called after its call of map/),
      });
      expect(failed(result)).toMatchObject({
        kind: "user-error",
        final: true,
        error: { message: (caught[0] as Error).message },
      });
    }
  });

  it("fault 26: of an ended attempt throws too", async () => {
    let kept: ((key: string, value: number) => void) | undefined;
    const job = defineJob({
      ...base,
      map(line, emit) {
        kept = emit;
        emit(line, 1);
      },
    });
    succeeded((await mapOnce(job, "a\n")).result);
    expect(() => kept!("b", 1)).toThrow(/emit was called after/);
  });

  it("fault 24, 82: names the key and the record of a value that can't be encoded, and does not try again and again", async () => {
    for (const [value, message] of [
      [-1, /uint takes an integer from 0/],
      [1.5, /uint takes/],
      [Number.NaN, /uint takes/],
      [2 ** 53, /uint takes/],
      ["1", /uint takes/],
      [undefined, /uint takes/],
    ] as const) {
      const job = defineJob({ ...base, map: (line, emit) => emit(line, value as never) });
      const reason = failed((await mapOnce(job, "x\n")).result);
      expect(reason).toMatchObject({
        kind: "user-error",
        final: true,
        error: { code: "wrong-value", where: "in.txt:0" },
      });
      expect(reason.error.message).toMatch(message);
      expect(reason.error.message).toMatch(/key "x"/);
    }
  });

  it("fault 83: refuses lone surrogates in keys, short and long", async () => {
    for (const key of ["\ud800", `a${"b".repeat(200)}\udc00`, "\ud83dx"]) {
      const job = defineJob({ ...base, map: (_line, emit) => emit(key, 1) });
      expect(failed((await mapOnce(job, "x\n")).result).error).toMatchObject({
        code: "wrong-value",
        message: expect.stringMatching(/surrogate/),
      });
    }
  });

  it("fault 78: refuses keys over the limit with the record's place", async () => {
    const job = defineJob({ ...base, map: (_line, emit) => emit("k".repeat(2 ** 20 + 1), 1) });
    expect(failed((await mapOnce(job, "x\n")).result)).toMatchObject({
      kind: "user-error",
      final: true,
      error: { code: "over-limit", where: "in.txt:0", message: expect.stringMatching(/1,048,577 bytes/) },
    });
  });

  it("lets user code go on after an error of its own that it caught", async () => {
    const job = defineJob({
      ...base,
      map(line, emit) {
        try {
          emit(line, -1);
        } catch {
          emit(line, 1);
        }
      },
      combine: sum,
    });
    expect(partsOf((await runTasks(job, { files: { a: "x\ny\nx\n" } })).files)).toEqual(["x\t2\ny\t1\n"]);
  });

  it("can't be used to hide that there is no space left", async () => {
    const job = defineJob({
      ...base,
      map(line, emit) {
        try {
          for (let i = 0; i < 100_000; i++) emit(line + i, 1);
        } catch {
          // swallowed
        }
      },
    });
    const run = new TaskRun(job, { files: { a: "x\n" }, spec: { partitions: 1 } });
    const create = run.runFiles.create;
    Object.assign(run.runFiles, {
      create(name: string) {
        if (name.includes("spill")) throw new MillraceError("no-space", "the disk is full", { retry: "elsewhere" });
        return create(name);
      },
    });
    const plan = await run.plan();
    expect(failed(await run.map(plan, 0))).toMatchObject({ kind: "infrastructure", error: { code: "no-space" } });
  });

  it("checks what the job's own partition function returns", async () => {
    for (const partition of [-1, 3, 0.5, "0", undefined, Number.NaN]) {
      const job = defineJob({ ...base, partition: () => partition as never, map: (line, emit) => emit(line, 1) });
      const reason = failed((await mapOnce(job, "x\n", {}, { spec: { partitions: 3 } })).result);
      expect(reason.error).toMatchObject({
        code: "wrong-value",
        message: expect.stringMatching(/integer from 0 to 2/),
      });
    }
  });
});

describe("ctx", () => {
  it("says the same in every attempt: parameters, source, offset, start, random numbers", async () => {
    const job = defineJob({
      ...base,
      params: { least: { type: "number", default: 3 } },
      output: tsv(),
      map(line, emit, ctx) {
        const { random, source, offset, params, startedAt } = ctx;
        emit(`${line} ${source} ${offset} ${params.least} ${startedAt.toISOString()} ${random()} ${random()}`, 1);
        startedAt.setTime(0);
      },
    });
    const files = { a: "x\ny\n", b: "x\n" };
    const one = partsOf((await runTasks(job, { files, spec: { partitions: 1, splitBytes: 1 } })).files)[0]!;
    expect(partsOf((await runTasks(job, { files, spec: { partitions: 1 } })).files)[0]).toBe(one);
    const lines = one.trimEnd().split("\n");
    expect(lines.map((line) => line.split(" ").slice(0, 5).join(" "))).toEqual([
      "x a 0 3 2020-01-02T03:04:05.678Z",
      "x b 0 3 2020-01-02T03:04:05.678Z",
      "y a 2 3 2020-01-02T03:04:05.678Z",
    ]);
    expect(new Set(lines.flatMap((line) => line.split(/[ \t]/).slice(5, 7))).size).toBe(6);
    const other = await runTasks(job, { files, spec: { partitions: 1, bundle: "1".repeat(64) } });
    expect(partsOf(other.files)[0]).not.toBe(one);
  });

  it("draws the same numbers in a second try and with promises", async () => {
    const drawn: number[] = [];
    const sync = defineJob({
      ...base,
      map(_line, _emit, ctx) {
        drawn.push(ctx.random());
        throw new Error("no");
      },
    });
    await mapOnce(sync, "a\n");
    expect(drawn).toHaveLength(2);
    expect(drawn[0]).toBe(drawn[1]);
    const first = drawn[0];
    drawn.length = 0;
    const async = defineJob({
      ...base,
      async map(_line, _emit, ctx) {
        await Promise.resolve();
        drawn.push(ctx.random());
      },
    });
    await mapOnce(async, "a\nb\nc\n");
    expect(drawn[0]).toBe(first);
    expect(new Set(drawn).size).toBe(3);
  });

  it("fault 87: refuses counts that are no safe integers, and too long names", async () => {
    for (const [count, message] of [
      [(ctx: Counting) => ctx.count("a", 1.5), /takes an integer .*, not 1\.5/],
      [(ctx: Counting) => ctx.count("a", Number.NaN), /takes an integer .*, not NaN/],
      [(ctx: Counting) => ctx.count("é".repeat(129)), /more than 256 bytes/],
    ] as const) {
      const job = defineJob({ ...base, map: (_line, _emit, ctx) => count(ctx) });
      expect(failed((await mapOnce(job, "x\n")).result).error.message).toMatch(message);
    }
    const fine = defineJob({
      ...base,
      map: (_line, _emit, ctx) => {
        ctx.count("a", 5);
        ctx.count("a", -7);
      },
    });
    expect(succeeded((await mapOnce(fine, "x\ny\n")).result).counters).toEqual({ a: -4 });
  });

  it.each<[string, (ctx: Counting, line: string) => void | Promise<void>]>([
    [
      "one call",
      (ctx) => {
        for (let i = 0; i <= 1000; i++) ctx.count(`c${i}`);
      },
    ],
    ["many calls", (ctx, line) => ctx.count(`c${line}`)],
    ["many calls with promises", async (ctx, line) => ctx.count(`c${line}`)],
    ["a total beyond 2^53", (ctx) => ctx.count("a", Number.MAX_SAFE_INTEGER)],
  ])(
    "fault 87: counters over the job's limits, by %s, end the job: no record is put aside for them",
    async (_, count) => {
      const lines = Array.from({ length: 1001 }, (_, i) => `${i}\n`).join("");
      const job = defineJob({ ...base, map: (line, _emit, ctx) => count(ctx, line) });
      const { result } = await mapOnce(job, lines, { skipBad: 100 });
      expect(failed(result)).toMatchObject({ kind: "fatal", error: { code: "over-limit" } });
    },
  );

  it("counts what is within the limits whatever it was on the way, and takes back what a record that failed counted", async () => {
    const lines = Array.from({ length: 1500 }, (_, i) => `${i}\n`).join("");
    const job = defineJob({
      ...base,
      map(line, _emit, ctx) {
        ctx.count("up and down", Number.MAX_SAFE_INTEGER * (Number(line) % 2 === 0 ? 1 : -1));
        ctx.count(`c${Number(line)}`);
        if (Number(line) >= 999) throw new Error("bad");
      },
    });
    const { result } = await mapOnce(job, lines, { skipBad: 501 });
    const { counters } = succeeded(result);
    expect(counters["up and down"]).toBe(Number.MAX_SAFE_INTEGER);
    expect(Object.keys(counters)).toHaveLength(1000);
  });

  it("counts in setup and teardown too, and calls each once per attempt", async () => {
    const job = defineJob({
      ...base,
      setup(ctx) {
        ctx.count("setup");
        return { count: ctx.count };
      },
      map: (_line, _emit, ctx) => ctx.state.count("kept"),
      teardown: (ctx) => ctx.count("teardown"),
    });
    const done = succeeded((await mapOnce(job, "x\ny\n")).result);
    expect(done.counters).toEqual({ setup: 1, kept: 2, teardown: 1 });
  });

  it("logs, finds side files, and says that it is alive", async () => {
    const job = defineJob({
      ...base,
      files: { stop: "stop.txt" },
      map(line, emit, ctx) {
        ctx.log("seen", { line });
        ctx.progress();
        emit(ctx.file("stop"), 1);
        expect(() => ctx.file("stops" as never)).toThrow(/no such side file, it has stop/);
      },
    });
    const { run, result } = await mapOnce(job, "x\n");
    succeeded(result);
    expect(run.logs).toEqual([["seen", { line: "x" }]]);
    expect(run.statuses.filter(({ phase }) => phase === "map").length).toBeGreaterThan(2);
  });
});

interface Counting {
  count(name: string, n?: number): void;
}

describe("a map with promises", () => {
  it("takes pairs in record order, with at most `concurrency` records under way", async () => {
    let underWay = 0;
    let most = 0;
    const job = defineJob({
      ...base,
      concurrency: 3,
      async map(line, emit) {
        most = Math.max(most, ++underWay);
        for (let wait = 10 - (Number(line) % 10); wait > 0; wait--) await Promise.resolve();
        emit("k", Number(line));
        underWay--;
      },
      reduce(_key, values, emit) {
        emit([[...values].join(" ")]);
      },
    });
    const numbers = Array.from({ length: 50 }, (_, i) => i);
    const { files } = await runTasks(job, { files: { a: numbers.join("\n") }, spec: { partitions: 1 } });
    expect(partsOf(files)).toEqual([`${numbers.join(" ")}\n`]);
    expect(most).toBe(3);
  });

  it("never gives a call's emit or ctx to another record", async () => {
    const seen = new Set<unknown>();
    const job = defineJob({
      ...base,
      map(line, emit, ctx) {
        if (line === "sync") return;
        expect(seen.has(emit) || seen.has(ctx)).toBe(false);
        seen.add(emit).add(ctx);
        const { offset } = ctx;
        return Promise.resolve().then(() => {
          expect(ctx.offset).toBe(offset);
          emit(line, ctx.offset);
        });
      },
    });
    const { files } = await runTasks(job, { files: { a: "sync\na\nsync\nb\nc\n" }, spec: { partitions: 1 } });
    expect(partsOf(files)).toEqual(["a\t5\nb\t12\nc\t14\n"]);
  });

  it("is mapped again where it returns its first promise after pairs were spilled", async () => {
    const job = defineJob({
      ...base,
      map(line, emit) {
        for (let i = 0; i < 4_000; i++) emit(`${line} ${i}`, 1);
        return line === "n30" ? Promise.resolve().then(() => emit("late", 1)) : undefined;
      },
    });
    const lines = Array.from({ length: 36 }, (_, i) => `n${i}\n`);
    const { run, result } = await mapOnce(job, lines.join(""));
    const done = succeeded(result);
    expect(done.stats.spills).toBeGreaterThan(1);
    expect(done.stats.pairs).toBe(36 * 4_000 + 1);
    expect(run.runFiles.paths).toEqual([done.run!.path]);
  });

  it("is mapped again without a record that fails, also where pairs before it were spilled", async () => {
    const job = defineJob({
      ...base,
      map(line, emit) {
        for (let i = 0; i < 4_000; i++) emit(`${line} ${i}`, 1);
        if (line === "n31") throw new TypeError("too long");
      },
    });
    const lines = Array.from({ length: 36 }, (_, i) => `n${i}\n`);
    const { run, result } = await mapOnce(job, lines.join(""), { skipBad: 1 });
    const done = succeeded(result);
    expect(done.deadLetters).toHaveLength(1);
    expect(done.stats.spills).toBeGreaterThan(1);
    expect(done.stats.pairs).toBe(35 * 4_000);
    expect(run.runFiles.paths).toEqual([done.run!.path]);
  });

  it("ends when its attempt is revoked, though the promise never settles", async () => {
    const job = defineJob({ ...base, map: () => new Promise<void>(() => {}) });
    const run = new TaskRun(job, { files: { a: "x\n" }, spec: { partitions: 1 } });
    const plan = await run.plan();
    const result = run.map(plan, 0);
    run.stop.abort();
    expect(failed(await result)).toMatchObject({ kind: "infrastructure", error: { code: "cancelled" } });
  });

  it("is bounded in what calls may hold whose turn has not come", async () => {
    let release = (): void => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const refused: unknown[] = [];
    const job = defineJob({
      ...base,
      async map(line, emit) {
        if (line === "first") return released;
        try {
          for (let i = 0; i < 70; i++) emit("k".repeat(1_000_000), i);
        } catch (thrown) {
          refused.push(thrown);
          release();
          throw thrown;
        }
      },
    });
    const kernel = createKernel({ arenaBytes: 16 * MiB });
    const { result } = await mapOnce(job, "first\nsecond\n", {}, { kernel });
    expect(refused).toMatchObject([
      { code: "over-limit", message: expect.stringMatching(/Lower the job's concurrency/) },
    ]);
    // The second try came when it was the record's turn, and so need not hold anything.
    expect(succeeded(result).stats.pairs).toBe(70);
  });
});

describe("a map-only job", () => {
  it("writes one part per split, and counts and writes nothing for a record that fails", async () => {
    const job = defineJob({
      name: "map-only",
      input: text(),
      reducers: 0,
      output: { main: text(), rejects: text() },
      map(line, emit) {
        emit.to("rejects", `maybe ${line}`);
        emit(line);
        emit(line.toUpperCase());
        if (line === "bad") throw new Error("no");
      },
    });
    const { files, maps } = await runTasks(job, {
      files: { a: "x\nbad\n", b: "y\n" },
      spec: { splitBytes: 6 },
      work: { skipBad: 1 },
    });
    expect(maps).toHaveLength(2);
    expect(files).toMatchObject({
      "main/part-m-00000.txt": "x\nX\n",
      "main/part-m-00001.txt": "y\nY\n",
      "rejects/part-m-00000.txt": "maybe x\n",
      "rejects/part-m-00001.txt": "maybe y\n",
    });
    expect(maps[0]!.run).toBeUndefined();
    expect(maps[0]!.stats).toMatchObject({ recordsIn: 2, recordsOut: 3 });
  });

  it("fails on a record that its format refuses, and names it", async () => {
    const job = defineJob({
      name: "m",
      input: text(),
      reducers: 0,
      output: text(),
      map: (line, emit) => emit(`${line}\n`),
    });
    expect(failed((await mapOnce(job, "x\n", {}, { spec: { partitions: 0 } })).result)).toMatchObject({
      kind: "user-error",
      final: true,
      error: { code: "bad-output", where: "in.txt:0" },
    });
  });

  it("removes staged files after a failure", async () => {
    const job = defineJob({ name: "m", input: text(), reducers: 0, output: text(), map: (line, emit) => emit(line) });
    const run = new TaskRun(job, { files: { a: "x\n" }, spec: { partitions: 0 } });
    const plan = await run.plan();
    run.storage.beforeWrite = () => {
      throw new MillraceError("no-space", "the disk is full");
    };
    expect(failed(await run.map(plan, 0))).toMatchObject({ kind: "infrastructure", error: { code: "no-space" } });
    expect(run.storage.unfinished).toBe(0);
  });
});

describe("the status page", () => {
  it("is written before each record in careful mode, once per batch otherwise", async () => {
    const job = defineJob({ ...base, map: (line, emit) => emit(line, 1) });
    const careful = await mapOnce(job, "a\nb\nc\n", {}, { careful: true });
    const offsets = careful.run.statuses
      .filter(({ phase, at }) => phase === "map" && at !== undefined)
      .map(({ at }) => at!.offset);
    expect([...new Set(offsets)]).toEqual([0, 2, 4]);
    const quick = await mapOnce(job, "a\nb\nc\n");
    expect(quick.run.statuses.filter(({ at }) => at !== undefined)).toHaveLength(1);
  });
});

describe("dead letters and mapping again", () => {
  it("a record waiting to be put aside fails the attempt when no letter is left for it", async () => {
    let flaky = 0;
    const long = "k".repeat(1000);
    const job = defineJob({
      ...base,
      map(line, emit) {
        // Fails from the second pass on, and so takes the letter for which the pass was repeated.
        if (line === "flaky" && flaky++ > 0) throw new Error("flaky");
        for (let i = 0; i < (line === "large" ? 2000 : 1); i++) emit(long, i);
        if (line === "large") throw new Error("large");
      },
    });
    const { result, run } = await mapOnce(job, "flaky\nlarge\n", { skipBad: 1 });
    expect(failed(result)).toMatchObject({
      kind: "user-error",
      final: true,
      at: { offset: 6 },
      error: { message: "large" },
    });
    expect(run.runFiles.paths).toEqual([]);
    expect(run.storage.unfinished).toBe(0);
  });
});
