import { defineJob, sum, text, uint, utf8 } from "millrace";

const cell = new Int32Array(new SharedArrayBuffer(4));
let owedMs = 0;

/** Keeps its thread from all else, as work would, but leaves the cores to others: several portions at once. */
function block(ms: number): void {
  owedMs += ms;
  if (owedMs < 10) return;
  const from = performance.now();
  Atomics.wait(cell, 0, 0, owedMs);
  owedMs -= performance.now() - from;
}

/** Word count that takes its time over each line, so that there is something to be killed. */
export default defineJob({
  name: "slow-count",
  input: text(),
  key: utf8,
  value: uint,
  params: { lineMicros: { type: "number", default: 40 } },
  map(line, emit, ctx) {
    for (const word of line.match(/\p{L}+/gu) ?? []) emit(word, 1);
    block(ctx.params.lineMicros / 1000);
  },
  combine: sum,
  reduce(word, counts, emit) {
    let sum = 0;
    for (const count of counts) sum += count;
    emit([word, sum]);
    block(0.02);
  },
});
