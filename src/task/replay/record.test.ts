import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { TaskRun } from "../../../test/support/run-tasks.ts";
import { ndjson } from "../../format/json/ndjson.ts";
import { text } from "../../format/lines/text.ts";
import { tsv } from "../../format/table/tsv.ts";
import { countDistinct } from "../../job/aggregate/distinct.ts";
import { count } from "../../job/aggregate/numbers.ts";
import { stats } from "../../job/aggregate/stats.ts";
import { uint } from "../../job/codecs/numbers.ts";
import { utf8 } from "../../job/codecs/utf8.ts";
import { max } from "../../job/combine.ts";
import { defineJob } from "../../job/define-job.ts";
import { replayRecord } from "./record.ts";

const job = defineJob({
  name: "replayed",
  input: text(),
  key: utf8,
  value: uint,
  output: { main: tsv(), seen: text() },
  setup: () => ({ prefix: ">" }),
  async map(line, emit, ctx) {
    ctx.count("lines");
    await Promise.resolve();
    emit.to("seen", `${ctx.source}:${ctx.offset}`);
    emit(ctx.state.prefix + line, line.length);
    if (line === "bad") throw new TypeError("mine");
    emit(line, 0);
  },
  partition: () => 0,
  reduce: (key, _values, emit) => emit([key]),
});

const content = "first\nbad\nthird\n";
const run = new TaskRun(job, { files: { plain: content, packed: gzipSync(content) } });
const replay = (path: string, offset: number) =>
  replayRecord({ env: run.environment(), spec: run.spec, input: "", path: `/${path}`, source: path, offset });

test.each(["plain", "packed"])("one record of a %s file is mapped, and what it emits is listed", async (path) => {
  expect(await replay(path, 10)).toEqual({
    record: "third",
    pairs: [
      { key: ">third", value: 5 },
      { key: "third", value: 0 },
    ],
    pairCount: 2,
    records: [{ output: "seen", record: `${path}:10` }],
    recordCounts: new Map([["seen", 1]]),
    counters: { lines: 1 },
    failed: undefined,
  });
});

test("a value of an aggregate is what it would come to alone, and no state of the engine's", async () => {
  const aggregated = defineJob({
    name: "aggregated",
    input: text(),
    key: utf8,
    aggregate: stats({ n: count(), longest: max("length"), words: countDistinct("line", utf8) }),
    map: (line, emit) => emit("all", { line, length: line.length }),
    output: ndjson(),
  });
  const own = new TaskRun(aggregated, { files: { plain: content } });
  const options = { spec: own.spec, input: "", path: "/plain", source: "plain", offset: 6 };
  expect(await replayRecord({ ...options, env: own.environment() })).toMatchObject({
    pairs: [{ key: "all", value: { n: 1, longest: 3, words: 1 } }],
  });
});

test("what map throws comes back as it is, with what was emitted before", async () => {
  expect(await replay("plain", 6)).toMatchObject({
    record: "bad",
    pairs: [{ key: ">bad", value: 3 }],
    failed: { thrown: expect.any(TypeError) },
  });
});

test("an offset at which no record begins is refused", async () => {
  await expect(replay("packed", 3)).rejects.toMatchObject({
    code: "bad-input",
    message: "no record begins at offset 3 of /packed",
  });
  await expect(replay("plain", 1000)).rejects.toMatchObject({ code: "bad-input" });
  await expect(replay("missing", 0)).rejects.toMatchObject({ code: "bad-input" });
});
