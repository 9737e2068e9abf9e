import { appendFileSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { defineJob, text, uint, utf8 } from "millrace";

const pause = (ms: number) => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

/** Says that it is here, and waits until `others` are here at the same time, or until none can be expected any more. */
function meet(folder: string, name: string, others: number): number {
  mkdirSync(folder, { recursive: true });
  const own = join(folder, name);
  writeFileSync(own, "");
  let most = 0;
  for (let tries = 0; tries < 500 && most < others; tries++) {
    most = Math.max(most, readdirSync(folder).length);
    pause(20);
  }
  pause(200); // so that the others see it too
  rmSync(own);
  return most;
}

/**
 * What a lab on MapReduce asks of an implementation, as a job: it writes down each attempt, meets others, and on its
 * first attempt at a task may exit or stall. One file is one map task.
 */
export default defineJob({
  name: "lab",
  input: text(),
  key: utf8,
  value: uint,
  params: {
    folder: { type: "string" },
    /** Attempts of a phase that shall be seen at the same time. */
    meetMaps: { type: "number", default: 0 },
    meetReduces: { type: "number", default: 0 },
    /** First attempts: of every three tasks one exits, one stalls. */
    crash: { type: "boolean", default: false },
  },
  setup(ctx) {
    const { phase, index, epoch, attempt } = ctx.attempt;
    if (phase === "plan") return;
    const { folder, crash, meetMaps, meetReduces } = ctx.params;
    const task = `${phase}-${index}`;
    const isFirst = !existsSync(join(folder, `began-${task}`));
    appendFileSync(join(folder, `began-${task}`), `${epoch}.${attempt}\n`);
    appendFileSync(join(folder, "attempts"), `${task}\n`);
    const others = phase === "map" ? meetMaps : meetReduces;
    if (others > 0) ctx.count(`most ${phase}s at once`, meet(join(folder, phase), `${index}.${attempt}`, others));
    if (!crash || !isFirst) return;
    if (index % 3 === 0) {
      appendFileSync(join(folder, "crashed"), `${task}\n`);
      process.exit(1);
    }
    if (index % 3 === 1) {
      appendFileSync(join(folder, "stalled"), `${task}\n`);
      pause(3_600_000);
    }
  },
  map(line, emit) {
    for (const word of line.match(/\p{L}+/gu) ?? []) emit(word, 1);
  },
  reduce(word, counts, emit) {
    let sum = 0;
    for (const count of counts) sum += count;
    emit([word, sum]);
  },
});
