// Sorts lines: the part files, one after the other, are in order.
//   millrace run examples/total-sort.ts 'examples/data/books/*.txt' -o sorted --reducers 4
import { byRange, bytes, defineJob, lines, uint } from "millrace";

export default defineJob({
  name: "total-sort",
  input: lines(),
  key: bytes,
  value: uint,
  partition: byRange(),
  map(line, emit) {
    emit(line, 1);
  },
  reduce(line, copies, emit) {
    for (const _ of copies) emit(line);
  },
  output: lines(),
});
