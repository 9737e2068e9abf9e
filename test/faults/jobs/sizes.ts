import { defineJob, text, utf8 } from "millrace";

/** Each line emits `pairs` pairs with values of `bytes` bytes; their keys are one, all distinct, or the line. */
export default defineJob({
  name: "sizes",
  input: text(),
  key: utf8,
  value: utf8,
  params: {
    pairs: { type: "number", default: 1 },
    bytes: { type: "number", default: 1 },
    keys: { type: "string", default: "one" },
  },
  map(line, emit, ctx) {
    const { pairs, bytes, keys } = ctx.params;
    if (keys === "line") ctx.count(line);
    const value = "x".repeat(bytes);
    for (let i = 0; i < pairs; i++) emit(keys === "one" ? "k" : keys === "line" ? line : `${ctx.offset}.${i}`, value);
  },
  reduce(key, values, emit) {
    let count = 0;
    let bytes = 0;
    for (const value of values) {
      count++;
      bytes += value.length;
    }
    emit([key, count, bytes]);
  },
});
