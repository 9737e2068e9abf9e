import { appendFileSync, existsSync } from "node:fs";
import { defineJob, sum, text, uint, utf8 } from "millrace";

const clock = new Int32Array(new SharedArrayBuffer(4));

/** Word count whose map takes a while for each line, and which misbehaves once, at the line that holds `trigger`. */
export default defineJob({
  name: "long-task",
  input: text(),
  key: utf8,
  value: uint,
  params: {
    fault: { type: "string", default: "none" },
    trigger: { type: "string", default: "TRIGGER" },
    /** A file that is made when the fault happens; it does not happen where the file is there already. */
    once: { type: "string", default: "" },
    /** A file that gets the attempt's number and the offset of each line that map is called for. */
    calls: { type: "string" },
    ms: { type: "number", default: 1 },
  },
  setup(ctx) {
    ctx.count("setups");
  },
  map(line, emit, ctx) {
    const { fault, trigger, once, calls, ms } = ctx.params;
    appendFileSync(calls, `${ctx.attempt.attempt} ${ctx.offset}\n`);
    Atomics.wait(clock, 0, 0, ms);
    if (line.includes(trigger) && !existsSync(once)) {
      appendFileSync(once, "");
      faults[fault]?.();
    }
    ctx.count("lines");
    for (const word of line.match(/\p{L}+/gu) ?? []) emit(word, 1);
  },
  combine: sum,
});

const faults: Readonly<Record<string, () => void>> = {
  kill: () => process.kill(process.pid, "SIGKILL"),
  // The agent, and the whole of a local run with it.
  killAgent: () => {
    process.kill(process.ppid, "SIGKILL");
    Atomics.wait(clock, 0, 0);
  },
  hang: () => void Atomics.wait(clock, 0, 0),
};
