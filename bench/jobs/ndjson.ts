// Bytes served per URL from web log entries, of which two fields are read.
import { defineJob, ndjson, sum, uint, utf8 } from "millrace";

export default defineJob({
  name: "bench-ndjson",
  input: ndjson({ fields: { url: utf8, bytes: uint } }),
  key: utf8,
  value: uint,
  map(entry, emit) {
    emit(entry.url, entry.bytes);
  },
  combine: sum,
});
