// Sorts whole lines by the built-in mapper and reducer, which run on whole blocks.
import { byRange, bytes, defineJob, eachKey, lines, recordAsKey } from "millrace";

export default defineJob({
  name: "bench-sort-builtin",
  input: lines(),
  key: bytes,
  partition: byRange(),
  map: recordAsKey,
  reduce: eachKey,
  output: lines(),
});
