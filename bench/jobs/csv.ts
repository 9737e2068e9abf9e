// Bytes served per URL from web log entries as csv, of which two columns are read.
import { csv, defineJob, sum, uint, utf8 } from "millrace";

export default defineJob({
  name: "bench-csv",
  input: csv({ columns: { url: utf8, bytes: uint } }),
  key: utf8,
  value: uint,
  map(row, emit) {
    emit(row.url, row.bytes);
  },
  combine: sum,
});
