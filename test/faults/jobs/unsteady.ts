import { appendFileSync, readdirSync, readFileSync, statSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { defineJob, text, utf8 } from "millrace";

/**
 * Its map gives another result each time: the attempt's number with every word. The last reduce task removes the first
 * map's run, as a failing disk would, so that this map runs again when another reduce task has used what it had said
 * before.
 */
export default defineJob({
  name: "unsteady",
  input: text(),
  key: utf8,
  value: utf8,
  params: { trace: { type: "string" }, last: { type: "number" } },
  setup(ctx) {
    const { phase, index, attempt } = ctx.attempt;
    appendFileSync(ctx.params.trace, `${phase}-${index}\n`);
    const isSecond = readFileSync(ctx.params.trace, "utf8").split(`${phase}-${index}\n`).length > 2;
    if (phase !== "reduce" || index !== ctx.params.last || isSecond) return attempt;
    const work = join(process.cwd(), "../..");
    const { memory } = JSON.parse(readFileSync(join(work, "work.json"), "utf8")) as { memory?: string };
    for (const folder of [join(work, "runs"), join(memory ?? work, "runs")]) {
      for (const name of readdirSync(folder, { recursive: true }).map(String)) {
        if (name.includes("map-00000.") && statSync(join(folder, name)).isFile()) unlinkSync(join(folder, name));
      }
    }
    return attempt;
  },
  map(line, emit, ctx) {
    const { index, attempt } = ctx.attempt;
    for (const word of line.match(/\p{L}+/gu) ?? []) emit(word, `map-${index} by ${attempt}`);
  },
  reduce(word, values, emit) {
    for (const value of values) emit([word, value]);
  },
});
