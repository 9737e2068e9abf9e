// Bytes served per URL from web log entries that are parsed whole, as a user does who declares no fields.
import { defineJob, ndjson, sum, uint, utf8 } from "millrace";

interface Entry {
  readonly url: string;
  readonly bytes: number;
}

export default defineJob({
  name: "bench-ndjson-parse",
  input: ndjson<Entry>(),
  key: utf8,
  value: uint,
  map(entry, emit) {
    emit(entry.url, entry.bytes);
  },
  combine: sum,
});
