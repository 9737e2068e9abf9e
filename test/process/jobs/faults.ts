import { spawn } from "node:child_process";
import { appendFileSync, existsSync } from "node:fs";
import { defineJob, sum, text, uint, utf8 } from "millrace";

/** Word count that misbehaves as `fault` says, at each record that holds the word `trigger`. */
export default defineJob({
  name: "faults",
  input: text(),
  key: utf8,
  value: uint,
  params: {
    fault: { type: "string", default: "none" },
    trigger: { type: "string", default: "TRIGGER" },
    /** A file that is made when the fault happens; it does not happen where the file is there already. */
    once: { type: "string", default: "" },
    /** A file that, as long as it is there, keeps the fault from happening. */
    unless: { type: "string", default: "" },
    /** A file that each attempt adds its name to. */
    trace: { type: "string", default: "" },
  },
  setup(ctx) {
    const { phase, index } = ctx.attempt;
    if (ctx.params.trace !== "") appendFileSync(ctx.params.trace, `${phase}-${index}\n`);
  },
  map(line, emit, ctx) {
    const { fault, trigger, once, unless } = ctx.params;
    if (line.includes(trigger) && !isThere(once) && !isThere(unless)) {
      if (once !== "") appendFileSync(once, "");
      faults[fault]?.();
    }
    for (const word of line.match(/\p{L}+/gu) ?? []) emit(word, 1);
  },
  combine: sum,
});

function isThere(path: string): boolean {
  return path !== "" && existsSync(path);
}

const kept: unknown[] = [];

const faults: Readonly<Record<string, () => void>> = {
  kill: () => process.kill(process.pid, "SIGKILL"),
  exit: () => process.exit(3),
  abort: () => process.abort(),
  heap: () => {
    for (;;) kept.push(new Array(1 << 20).fill(kept));
  },
  buffers: () => {
    for (;;) kept.push(Buffer.alloc(16 << 20, 1));
  },
  loop: () => {
    for (;;);
  },
  wait: () => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0),
  // A child that would outlive a slot which only ends itself.
  child: () => {
    spawn("sleep", ["1000"], { stdio: "inherit" });
    for (;;);
  },
  throw: () => {
    throw new TypeError("the record is not to my liking");
  },
  "throw-null": () => {
    throw null;
  },
  timer: () => {
    setTimeout(() => {
      throw new Error("thrown by a timer");
    });
  },
  rejection: () => void Promise.reject(new Error("a promise that nobody waits for")),
  flood: () => {
    for (let i = 0; i < 4000; i++) console.log("x".repeat(1000));
  },
};
