import { pbkdf2, randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { gzip } from "node:zlib";
import { describe, expect, it } from "vitest";
import { text } from "../../format/lines/text.ts";
import { tsv } from "../../format/table/tsv.ts";
import { uint } from "../../job/codecs/numbers.ts";
import { utf8 } from "../../job/codecs/utf8.ts";
import { defineJob } from "../../job/define-job.ts";
import type { Emit } from "../../job/types.ts";
import { runInline } from "../../testing.ts";

/** Ways to call `done` later. */
const sources: Readonly<Record<string, (done: () => void) => unknown>> = {
  "a timer": (done) => setTimeout(done, 40),
  setImmediate: setImmediate,
  queueMicrotask: queueMicrotask,
  "a promise": (done) => Promise.resolve().then(done),
  gzip: (done) => gzip(Buffer.alloc(2_000_000, "abc"), done),
  randomBytes: (done) => randomBytes(64, done),
  pbkdf2: (done) => pbkdf2("a", "b", 100_000, 32, "sha256", done),
  "a file": (done) => readFile(import.meta.filename).then(done),
};

const jobLeaving = (leave: (done: () => void) => unknown) => {
  const told: unknown[] = [];
  const job = defineJob({
    name: "leaving",
    input: text(),
    reducers: 0,
    output: text(),
    map(line, emit) {
      leave(() => {
        try {
          emit(line);
        } catch (thrown) {
          told.push(thrown);
        }
      });
    },
  });
  return { job, told };
};

describe("runInline", () => {
  it.each(Object.entries(sources))("rejects with what a map does late that leaves %s going", async (_, leave) => {
    const { job, told } = jobLeaving(leave);
    const rejected = await runInline(job, ["a", "b"]).catch((thrown: unknown) => thrown);
    expect(rejected).toMatchObject({
      code: "user-error",
      message: expect.stringMatching(/^emit was called after its call of map/),
    });
    expect(told).toContain(rejected); // and was thrown where it happened
    expect((rejected as Error).stack).toContain("left-going.test.ts");
  });

  it("rejects with what reduce, setup and teardown do late, whatever timers were there before", async () => {
    const base = { name: "late", input: text(), key: utf8, value: uint, output: tsv() } as const;
    const map = (line: string, emit: Emit<string, number>) => emit(line, 1);
    /** An error in a callback is the test's own, unless it is caught. */
    const later = (call: () => void) =>
      void setTimeout(() => {
        try {
          call();
        } catch {}
      }, 40);
    const late = [
      defineJob({ ...base, map, reduce: (key, _, emit) => later(() => emit([key, 1])) }),
      defineJob({ ...base, map, setup: (ctx) => later(() => ctx.count("late")) }),
      defineJob({ ...base, map, teardown: (ctx) => later(() => ctx.count("late")) }),
    ];
    for (const job of late) {
      setTimeout(() => {}, 10); // which is over before the job's own
      const rejected = await runInline(job, ["a"]).catch((thrown: unknown) => thrown);
      expect(rejected).toMatchObject({ code: "user-error", message: expect.stringMatching(/ was called after /) });
      expect((rejected as Error).stack).toContain("left-going.test.ts");
    }
  });

  it("fails nothing by what was there before, nor by what is over when a call returns", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const interval = setInterval(() => {}, 1_000_000);
    try {
      const { job, told } = jobLeaving((done) => done());
      expect((await runInline(job, ["a", "b"])).records).toEqual(["a", "b"]);
      expect(told).toEqual([]);
    } finally {
      clearInterval(interval);
      server.close();
    }
  });

  it("fails nothing where a timer is given up", async () => {
    const job = defineJob({
      name: "race",
      input: text(),
      reducers: 0,
      output: text(),
      async map(line, emit) {
        await Promise.race([Promise.resolve(), new Promise((resolve) => setTimeout(resolve, 60_000).unref())]);
        emit(line);
      },
    });
    expect((await runInline(job, ["a"])).records).toEqual(["a"]);
  });
});
