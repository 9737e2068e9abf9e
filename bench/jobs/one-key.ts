// Every line is a value of one key, and reduce goes through them all.
import { bytes, defineJob, lines, utf8 } from "millrace";

export default defineJob({
  name: "bench-one-key",
  input: lines(),
  key: utf8,
  value: bytes,
  map(line, emit) {
    emit("all", line);
  },
  reduce(key, values, emit) {
    let count = 0;
    let size = 0;
    for (const value of values) {
      count++;
      size += value.length;
    }
    emit([key, count, size]);
  },
});
