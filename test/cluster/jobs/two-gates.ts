import { spawn } from "node:child_process";
import { appendFileSync, existsSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { defineJob, text, uint, utf8 } from "millrace";

/** Blocks this thread: nothing that somebody sends is heard. */
const pause = (ms: number) => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

/**
 * Word count whose maps and reduces each wait until a file is there, and that writes down every attempt: "map-3 w1". A
 * file's name may hold "{index}": each task has one of its own then.
 */
export default defineJob({
  name: "two-gates",
  input: text(),
  key: utf8,
  value: uint,
  concurrency: 1,
  params: {
    trace: { type: "string" },
    mapGate: { type: "string", default: "" },
    reduceGate: { type: "string", default: "" },
    /** "loop": never ends. "child": waits for a program that never ends. "hog": keeps buffers. "lines": prints many. */
    mode: { type: "string", default: "" },
  },
  async setup(ctx) {
    const { phase, index } = ctx.attempt;
    const { trace, mapGate, reduceGate } = ctx.params;
    if (phase === "plan") return;
    appendFileSync(trace, `${phase}-${index} ${process.ppid}\n`);
    const gate = (phase === "map" ? mapGate : reduceGate).replace("{index}", String(index));
    while (gate !== "" && !existsSync(gate)) await setTimeout(20);
  },
  async map(line, emit, ctx) {
    const { mode } = ctx.params;
    if (mode === "child") await new Promise((resolve) => spawn("sleep", ["3600"]).once("close", resolve));
    if (mode === "loop") for (;;) pause(1000);
    if (mode === "hog") {
      const kept: Buffer[] = [];
      for (;;) kept.push(Buffer.alloc(32 << 20, 1));
    }
    if (mode === "lines") console.log(`\u001b[31mprinted ${line}`);
    for (const word of line.match(/\p{L}+/gu) ?? []) emit(word, 1);
  },
  reduce(word, counts, emit) {
    let sum = 0;
    for (const count of counts) sum += count;
    emit([word, sum]);
  },
});
