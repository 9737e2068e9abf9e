// Lines that match a pattern, with where they stand: a map-only job.
//   millrace run examples/grep.ts examples/data/books --param pattern='\bwhale' -o matches
import { defineJob, text } from "millrace";

export default defineJob({
  name: "grep",
  input: text(),
  params: { pattern: { type: "string", about: "a JavaScript regular expression" } },
  reducers: 0,
  output: text(),
  setup: (ctx) => new RegExp(ctx.params.pattern, "u"),
  map(line, emit, ctx) {
    if (ctx.state.test(line)) emit(`${ctx.source}:${ctx.offset}: ${line}`);
  },
});
