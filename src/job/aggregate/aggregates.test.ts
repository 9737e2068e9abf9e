// Jobs with aggregates, in this process.
import { describe, expect, it } from "vitest";
import { count, csv, defineJob, fields, float64, max, mean, ndjson, stats, sum, uint, utf8 } from "../../index.ts";
import { runInline } from "../../testing.ts";

const requests = ndjson({ fields: { host: utf8, status: uint, bytes: uint, ms: float64 } });

describe("GROUP BY two columns with three aggregates", () => {
  const traffic = defineJob({
    name: "traffic",
    input: requests,
    key: fields({ host: utf8, status: uint }),
    map: (request, emit) => emit(request, request),
    aggregate: stats({ n: count(), total: sum("bytes"), slowest: max("ms"), avg: mean("ms") }),
    output: csv({ header: true }),
  });

  it("gives one record of key and results for each key", async () => {
    const { records } = await runInline(traffic, [
      { host: "b", status: 200, bytes: 1, ms: 0.1 },
      { host: "a", status: 500, bytes: 2, ms: 3 },
      { host: "b", status: 200, bytes: 5, ms: 0.2 },
      { host: "a", status: 200, bytes: 7, ms: 4 },
    ]);
    expect(records).toEqual([
      { host: "a", status: 200, n: 1, total: 7, slowest: 4, avg: 4 },
      { host: "a", status: 500, n: 1, total: 2, slowest: 3, avg: 3 },
      { host: "b", status: 200, n: 2, total: 6, slowest: 0.2, avg: (0.1 + 0.2) / 2 },
    ]);
  });
});
