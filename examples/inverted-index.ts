// For each word the files it occurs in, with how often.
//   millrace run examples/inverted-index.ts 'examples/data/books/*.txt' -o index
import { basename } from "node:path";
import { defineJob, ndjson, prefix, sum, text, tuple, uint, utf8 } from "millrace";

export default defineJob({
  name: "inverted-index",
  input: text(),
  // Sorted by word, then file; grouped by word: the files of a word arrive in order.
  key: tuple(utf8, utf8),
  value: tuple(utf8, uint),
  group: prefix(1),
  map(line, emit, ctx) {
    const file = basename(ctx.source);
    for (const word of line.match(/\p{L}+/gu) ?? []) emit([word, file], [file, 1]);
  },
  combine: ([file, a], [, b]) => [file, sum(a, b)] as const,
  reduce([word], counts, emit) {
    const files: Record<string, number> = {};
    for (const [file, n] of counts) files[file] = (files[file] ?? 0) + n;
    emit({ word, files });
  },
  output: ndjson<{ word: string; files: Record<string, number> }>(),
});
