import { appendFileSync, existsSync, readdirSync, readFileSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { defineJob, sum, text, uint, utf8 } from "millrace";

/** Word count whose first reduce damages what the maps have left, as a failing disk would. */
export default defineJob({
  name: "vandal",
  input: text(),
  key: utf8,
  value: uint,
  params: { how: { type: "string", default: "none" }, once: { type: "string", default: "" } },
  setup(ctx) {
    const { how, once } = ctx.params;
    const { phase, index } = ctx.attempt;
    if (once !== "") appendFileSync(`${once}.trace`, `${phase}-${index}\n`);
    if (phase !== "reduce" || how === "none" || existsSync(once)) return;
    appendFileSync(once, "");
    const work = join(process.cwd(), "../..");
    const { memory } = JSON.parse(readFileSync(join(work, "work.json"), "utf8"));
    for (const runs of [join(work, "runs"), join(memory ?? work, "runs")]) {
      for (const name of readdirSync(runs, { recursive: true }).map(String)) {
        if (/map-0000[01]\./.test(name)) damage(how, join(runs, name));
      }
    }
  },
  map(line, emit) {
    for (const word of line.match(/\p{L}+/gu) ?? []) emit(word, 1);
  },
  combine: sum,
});

function damage(how: string, path: string): void {
  if (how === "remove") {
    unlinkSync(path);
    return;
  }
  const bytes = readFileSync(path);
  const at = how === "cut" ? bytes.length : Math.floor(bytes.length / 3);
  bytes[Math.min(at, bytes.length - 1)]! ^= 0x10;
  writeFileSync(path, how === "cut" ? bytes.subarray(0, bytes.length - 5) : bytes);
}
