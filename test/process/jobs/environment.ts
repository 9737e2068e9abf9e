import { defineJob, min, text } from "millrace";

/** What the environment of a slot holds, and the hour that it has at the beginning of 1970. */
export default defineJob({
  name: "environment",
  input: text(),
  map(_line, emit) {
    for (const [name, value] of Object.entries(process.env)) emit(name, value ?? "");
    emit("hour", String(new Date(0).getHours()));
  },
  combine: min,
});
