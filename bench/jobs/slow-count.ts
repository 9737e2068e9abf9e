// A word count that takes its time over each line: a job of a minute or more whose length hardly depends on the
// machine, so that the cost of losing a worker can be seen.
import { defineJob, sum, text, uint, utf8 } from "millrace";

export default defineJob({
  name: "bench-slow-count",
  input: text(),
  key: utf8,
  value: uint,
  params: { lineMicros: { type: "number", default: 50 } },
  map(line, emit, ctx) {
    const until = performance.now() + ctx.params.lineMicros / 1000;
    for (const word of line.split(" ")) if (word !== "") emit(word, 1);
    while (performance.now() < until);
  },
  combine: sum,
});
