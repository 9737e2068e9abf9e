import { appendFileSync, existsSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { defineJob, sum, text, uint, utf8 } from "millrace";

/**
 * Word count that notes the task of each attempt that starts, waits before its first record for a gate, and then a
 * while.
 */
export default defineJob({
  name: "trace",
  input: text(),
  key: utf8,
  value: uint,
  concurrency: 1,
  params: {
    trace: { type: "string", default: "" },
    /** A file to wait for; "": none. */
    gate: { type: "string", default: "" },
    pauseMs: { type: "number", default: 0 },
  },
  setup(ctx) {
    const { phase, index } = ctx.attempt;
    appendFileSync(ctx.params.trace, `${phase}-${index}\n`);
  },
  async map(line, emit, ctx) {
    const { gate, pauseMs } = ctx.params;
    while (gate !== "" && !existsSync(gate)) await setTimeout(20);
    await setTimeout(pauseMs);
    for (const word of line.match(/\p{L}+/gu) ?? []) emit(word, 1);
  },
  combine: sum,
});
