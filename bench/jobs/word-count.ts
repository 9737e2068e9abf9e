// The word count of the benchmark: words between single spaces, as DuckDB's string_split and the naive script see them.
import { defineJob, sum, text, uint, utf8 } from "millrace";

export default defineJob({
  name: "bench-word-count",
  input: text(),
  key: utf8,
  value: uint,
  map(line, emit) {
    for (const word of line.split(" ")) if (word !== "") emit(word, 1);
  },
  combine: sum,
});
