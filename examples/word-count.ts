// How often does each word occur?
//   millrace run examples/word-count.ts 'examples/data/books/*.txt' -o counts
import { defineJob, sum, text, tsv, uint, utf8 } from "millrace";

export default defineJob({
  name: "word-count",
  input: text(),
  key: utf8,
  value: uint,
  map(line, emit) {
    for (const word of line.match(/\p{L}+/gu) ?? []) emit(word, 1);
  },
  combine: sum,
  output: tsv(),
});
