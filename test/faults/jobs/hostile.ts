import { spawnSync } from "node:child_process";
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { defineJob, sum, text, uint, utf8 } from "millrace";

/**
 * Word count that misbehaves as `fault` says at each line with TRIGGER, at most `times` times; each time it first adds
 * a line to the file `mark`: the attempt's name.
 */
export default defineJob({
  name: "hostile",
  input: text(),
  key: utf8,
  value: uint,
  params: {
    fault: { type: "string", default: "none" },
    mark: { type: "string" },
    times: { type: "number", default: 1_000_000 },
    /** A file or folder that some faults need. */
    path: { type: "string", default: "" },
  },
  map(line, emit, ctx) {
    const { fault, mark, times, path } = ctx.params;
    ctx.count("lines");
    if (line.includes("TRIGGER") && timesOf(mark) < times) {
      const { phase, index, epoch, attempt } = ctx.attempt;
      appendFileSync(mark, `${phase}-${index} ${epoch}.${attempt}\n`);
      const misbehave = faults[fault];
      if (misbehave === undefined) throw new Error(`there is no fault ${fault}`);
      misbehave(path);
    }
    for (const word of line.match(/\p{L}+/gu) ?? []) emit(word, 1);
  },
  combine: sum,
});

function timesOf(mark: string): number {
  return existsSync(mark) ? readFileSync(mark, "utf8").split("\n").length - 1 : 0;
}

const faults: Readonly<Record<string, (path: string) => void>> = {
  none: () => {},
  kill: () => signal("SIGKILL"),
  segv: () => signal("SIGSEGV"),
  term: () => signal("SIGTERM"),
  abort: () => process.abort(),
  exit: () => process.exit(0),
  loop: () => {
    for (;;);
  },
  // 2^40 ways to match, none of which does.
  regex: () => void /^(a+)+$/.test(`${"a".repeat(40)}b`),
  wait: () => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0),
  "spawn-sync": () => void spawnSync("sleep", ["1000"]),
  // Keeps the thread until a file is there.
  busy: (path) => {
    while (!existsSync(path));
  },
  "throw-controls": () => {
    process.stdout.write("printed \x1b]0;title\x07\x1b[2J\n");
    throw new Error("thrown \x1b]0;title\x07\x1b[2J\r");
  },
  "giant-line": () => {
    const chunk = Buffer.alloc(1 << 20, "x");
    for (let left = 1 << 30; left > 0; ) {
      try {
        left -= writeSync(1, chunk);
      } catch (error) {
        // The pipe is full, and Node has made it one that does not wait.
        if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
      }
    }
    throw new Error("after a line of 1 GiB");
  },
  // Somebody else takes the output's name while the job runs.
  "take-output": (path) => {
    mkdirSync(path);
    writeFileSync(`${path}/theirs.txt`, "theirs");
  },
  rewrite: (path) => writeFileSync(path, "other words here\n".repeat(2000)),
  cut: (path) => writeFileSync(path, ""),
  remove: (path) => rmSync(path),
  "remove-runs": () => {
    const { memory } = JSON.parse(readFileSync("../../work.json", "utf8")) as { memory?: string };
    for (const folder of ["../../runs", `${memory ?? "../.."}/runs`]) rmSync(folder, { recursive: true });
  },
  // The next slot that loads it must notice.
  "change-bundle": () => {
    appendFileSync("../../bundle.mjs", "\n// changed\n");
    signal("SIGKILL");
  },
  "print-environment": () => console.log(JSON.stringify(process.env)),
};

function signal(name: NodeJS.Signals): void {
  process.kill(process.pid, name);
  for (;;); // until it comes
}
