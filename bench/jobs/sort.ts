// Sorts whole lines, bytes in and bytes out; the part files one after the other are in order.
import { byRange, bytes, defineJob, lines } from "millrace";

const nothing = new Uint8Array(0);

export default defineJob({
  name: "bench-sort",
  input: lines(),
  key: bytes,
  value: bytes,
  partition: byRange(),
  map(line, emit) {
    emit(line, nothing);
  },
  reduce(line, copies, emit) {
    for (const _ of copies) emit(line);
  },
  output: lines(),
});
