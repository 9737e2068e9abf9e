import { appendFileSync, existsSync } from "node:fs";
import { defineJob, ndjson, text, tsv, uint, utf8 } from "millrace";

const clock = new Int32Array(new SharedArrayBuffer(4));

/** Counts the words of lines, for which reduce takes a while; it kills its slot once, at the key that is `trigger`. */
export default defineJob({
  name: "long-reduce",
  input: text(),
  key: utf8,
  value: uint,
  output: { main: tsv(), odd: ndjson() },
  compress: "gzip",
  params: {
    trigger: { type: "string", default: "" },
    /** A file that is made when the slot is killed; that does not happen where the file is there already. */
    once: { type: "string", default: "" },
    /** A file that gets the attempt's number and the key of each call of reduce. */
    calls: { type: "string" },
    ms: { type: "number", default: 1 },
  },
  setup(ctx) {
    ctx.count("setups");
  },
  map(line, emit) {
    for (const word of line.split(" ")) emit(word, 1);
  },
  reduce(key, values, emit, ctx) {
    const { trigger, once, calls, ms } = ctx.params;
    appendFileSync(calls, `${ctx.attempt.attempt} ${key}\n`);
    Atomics.wait(clock, 0, 0, ms);
    if (key === trigger && !existsSync(once)) {
      appendFileSync(once, "");
      process.kill(process.pid, "SIGKILL");
    }
    ctx.count("keys");
    const n = [...values].length;
    emit([key, n, ctx.random()]);
    if (key.endsWith("3")) emit.to("odd", { key, n });
  },
});
