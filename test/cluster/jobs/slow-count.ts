import { defineJob, sum, text, uint, utf8 } from "millrace";

/** Word count that takes its time over each line, so that there is something to be killed. */
export default defineJob({
  name: "slow-count",
  input: text(),
  key: utf8,
  value: uint,
  params: { lineMicros: { type: "number", default: 40 } },
  map(line, emit, ctx) {
    const until = performance.now() + ctx.params.lineMicros / 1000;
    for (const word of line.match(/\p{L}+/gu) ?? []) emit(word, 1);
    while (performance.now() < until);
  },
  combine: sum,
  reduce(word, counts, emit) {
    let sum = 0;
    for (const count of counts) sum += count;
    emit([word, sum]);
    const until = performance.now() + 0.02;
    while (performance.now() < until);
  },
});
