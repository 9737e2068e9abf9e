import { appendFileSync, existsSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { defineJob, sum, text, uint, utf8 } from "millrace";

/**
 * Word count that waits before its first record until the file `gate` is there, and fails at "BOOM" until the file
 * `mended` is.
 */
export default defineJob({
  name: "gate",
  input: text(),
  key: utf8,
  value: uint,
  concurrency: 1,
  params: {
    gate: { type: "string", default: "" },
    mended: { type: "string", default: "" },
    /** A file that each attempt adds its name to. */
    trace: { type: "string", default: "" },
  },
  setup(ctx) {
    const { phase, index } = ctx.attempt;
    if (ctx.params.trace !== "") appendFileSync(ctx.params.trace, `${phase}-${index}\n`);
    return { isFirst: true };
  },
  async map(line, emit, ctx) {
    const { gate, mended } = ctx.params;
    if (ctx.state.isFirst) {
      ctx.state.isFirst = false;
      console.log(`waiting for the gate \u001b[31m${ctx.source}`);
      while (gate !== "" && !existsSync(gate)) await setTimeout(20);
    }
    if (line.includes("BOOM") && !existsSync(mended)) throw new Error("this line is broken");
    for (const word of line.match(/\p{L}+/gu) ?? []) emit(word, 1);
  },
  combine: sum,
});
