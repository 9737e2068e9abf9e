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
    /** A file that is there once the fault has happened: then it does not happen again. */
    once: { type: "string", default: "" },
  },
  map(line, emit, ctx) {
    const { fault, trigger, once } = ctx.params;
    if (line.includes(trigger) && !(once !== "" && existsSync(once))) {
      if (once !== "") appendFileSync(once, "");
      faults[fault]?.();
    }
    for (const word of line.match(/\p{L}+/gu) ?? []) emit(word, 1);
  },
  combine: sum,
});

const kept: unknown[] = [];

const faults: Readonly<Record<string, () => void>> = {
  kill: () => process.kill(process.pid, "SIGKILL"),
  exit: () => process.exit(3),
  abort: () => process.abort(),
  heap: () => {
    for (;;) kept.push(Array.from({ length: 1000 }, (_, i) => ({ i })));
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
