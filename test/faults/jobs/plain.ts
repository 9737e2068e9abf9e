import { defineJob, text, utf8 } from "millrace";

/** Its result is as large as its input: each line, sorted. */
export default defineJob({
  name: "plain",
  input: text(),
  key: utf8,
  value: utf8,
  map: (line, emit) => emit(line, ""),
});
