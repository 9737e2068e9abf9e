import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { MiB } from "../../src/base/limits.ts";
import { text } from "../../src/format/lines/text.ts";
import { uint } from "../../src/job/codecs/numbers.ts";
import { utf8 } from "../../src/job/codecs/utf8.ts";
import { sum } from "../../src/job/combine.ts";
import { defineJob } from "../../src/job/define-job.ts";
import { createKernel } from "../../src/kernel/create-kernel.ts";
import { partsOf, runTasks } from "../support/run-tasks.ts";

const books = fileURLToPath(new URL("../../examples/data/books/", import.meta.url));

const wordCount = defineJob({
  name: "word-count",
  input: text(),
  key: utf8,
  value: uint,
  map(line, emit) {
    for (const word of line.match(/\p{L}+/gu) ?? []) emit(word, 1);
  },
  combine: sum,
});

test("the words of the books are counted, whatever the splits and partitions", async () => {
  const files = Object.fromEntries(readdirSync(books).map((name) => [name, readFileSync(books + name)]));
  const counts = new Map<string, number>();
  for (const bytes of Object.values(files)) {
    for (const word of bytes.toString().match(/\p{L}+/gu) ?? []) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  for (const [partitions, splitBytes] of [
    [1, undefined],
    [5, 100_000],
  ] as const) {
    const kernel = createKernel({ arenaBytes: 1 * MiB });
    const { files: output, maps } = await runTasks(wordCount, { files, kernel, spec: { partitions, splitBytes } });
    const lines = partsOf(output).flatMap((part) => part.split("\n").slice(0, -1));
    expect(partsOf(output)).toHaveLength(partitions);
    expect(Object.fromEntries(lines.map((line) => line.split("\t")))).toEqual(
      Object.fromEntries([...counts].map(([word, n]) => [word, String(n)])),
    );
    expect(maps.reduce((pairs, map) => pairs + map.stats.pairs, 0)).toBe(
      [...counts.values()].reduce((a, b) => a + b, 0),
    );
  }
});
