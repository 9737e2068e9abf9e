import { defineJob, max, text, tsv, uint, utf8 } from "millrace";

/** Counts lines, and says how much memory the process has had at most. */
export default defineJob({
  name: "resident",
  input: text(),
  key: utf8,
  value: uint,
  setup: () => ({ lines: 0 }),
  map(_line, emit, ctx) {
    ctx.state.lines++;
    if (ctx.state.lines % 100_000 === 0) emit("resident MiB", Math.ceil(process.resourceUsage().maxRSS / 1024));
    emit("lines", ctx.state.lines);
  },
  combine: max,
  reducers: 1,
  output: tsv(),
});
