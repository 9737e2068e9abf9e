import { createServer } from "node:net";
import { defineJob, max, text, uint, utf8 } from "millrace";

/** State of the module, which attempts of one slot share. */
let records = 0;

/** Leaves a timer, a server and a growing number behind, and says how large the number is. */
export default defineJob({
  name: "leaky",
  input: text(),
  key: utf8,
  value: uint,
  setup() {
    setInterval(() => {}, 5);
    createServer().listen(0, "127.0.0.1");
  },
  map(_line, emit) {
    emit("records", ++records);
  },
  combine: max,
});
