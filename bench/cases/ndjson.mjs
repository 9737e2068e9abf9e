// P4: sum of a field by another, of JSON objects; and of csv.
import { duckdb, limit, millrace, naive } from "../contestants.mjs";
import { dataFile } from "../data.mjs";
import { spark } from "../jvm.mjs";
import { rounds } from "../rounds.mjs";
import { timeRow } from "../rows.mjs";

/** P4 */
export const ndjson = {
  inputs: ({ size }) => [["ndjson", size]],
  async run(bench) {
    const { size } = bench;
    const input = dataFile("ndjson", size);
    const more = bench.peers === "all" ? [spark("ndjson", input)] : [];
    const parse = millrace("ndjson-parse", input, { name: "millrace parse" });
    const results = await rounds(
      [
        millrace("ndjson", input),
        parse,
        duckdb("ndjson", input),
        naive("ndjson", input),
        limit("ndjson", input),
        ...more,
      ],
      bench,
    );
    const what = `NDJSON sum ${size} MB, declared fields`;
    return [
      timeRow(
        { key: "ndjson/duckdb", what: `${what} / DuckDB`, size, goal: { atMost: 1.2 } },
        results,
        "millrace",
        "duckdb",
      ),
      timeRow(
        {
          key: "ndjson-parse/duckdb",
          what: `NDJSON sum ${size} MB, whole records / DuckDB`,
          size,
          goal: { atMost: 2 },
        },
        results,
        "millrace parse",
        "duckdb",
      ),
      timeRow({ key: "ndjson/c++", what: `${what} / C++ limit`, size }, results, "millrace", "c++ limit"),
      ...["naive", ...more.map(({ name }) => name)].map((name) =>
        timeRow(
          { key: `${name}/ndjson`, what: `${name} / ${what}`, size, better: "larger" },
          results,
          name,
          "millrace",
        ),
      ),
    ];
  },
};

/** The same with declared columns of csv; no goal was set for it. */
export const csv = {
  inputs: ({ size }) => [["csv", size]],
  async run(bench) {
    const { size } = bench;
    const input = dataFile("csv", size);
    const results = await rounds([millrace("csv", input), duckdb("csv", input)], bench);
    const row = { key: "csv/duckdb", what: `csv sum ${size} MB, declared columns / DuckDB`, size };
    return [timeRow(row, results, "millrace", "duckdb")];
  },
};
