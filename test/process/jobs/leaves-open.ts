import { setTimeout as sleep } from "node:timers/promises";
import { defineJob, sum, text, uint, utf8 } from "millrace";

const open: NodeJS.Timeout[] = [];

/** Its first map leaves an interval open; each line takes `ms`. */
export default defineJob({
  name: "leaves-open",
  input: text(),
  key: utf8,
  value: uint,
  params: { ms: { type: "number", default: 0 } },
  async map(line, emit, ctx) {
    if (open.length === 0) open.push(setInterval(() => {}, 60_000));
    await sleep(ctx.params.ms);
    emit(line, 1);
  },
  combine: sum,
});
