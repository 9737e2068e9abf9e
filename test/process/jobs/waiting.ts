import { existsSync, writeFileSync } from "node:fs";
import { defineJob, text } from "millrace";

/** Waits until its attempt is revoked, and writes down why; an attempt after that does not wait. */
export default defineJob({
  name: "waiting",
  input: text(),
  reducers: 0,
  output: text(),
  params: { why: { type: "string" } },
  async map(line, emit, ctx) {
    const { why } = ctx.params;
    if (!existsSync(why)) {
      await new Promise((resolve) => ctx.signal.addEventListener("abort", resolve, { once: true }));
      writeFileSync(why, `${ctx.signal.reason}`);
    }
    emit(line);
  },
});
