import { count, csv, defineJob, fields, float64, max, mean, ndjson, stats, sum, uint, utf8 } from "millrace";

export default defineJob({
  name: "traffic",
  input: ndjson({ fields: { host: utf8, status: uint, bytes: uint, ms: float64 } }),
  key: fields({ host: utf8, status: uint }),
  map: (request, emit) => emit(request, request),
  aggregate: stats({ n: count(), total: sum("bytes"), time: sum("ms"), slowest: max("ms"), avg: mean("ms") }),
  output: csv({ header: true }),
});
