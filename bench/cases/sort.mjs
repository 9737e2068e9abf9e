// P3: sort, in memory and spilling.
import { budgeted, duckdb, gnuSort, limit, memoryMin, millrace } from "../contestants.mjs";
import { dataFile, tenfold } from "../data.mjs";
import { hadoop, spark } from "../jvm.mjs";
import { rounds } from "../rounds.mjs";
import { figureRow, timeRow } from "../rows.mjs";

const MiB = 2 ** 20;

/** P3, in memory */
export const sort = {
  inputs: ({ size }) => [["tera", size]],
  async run(bench) {
    const { size } = bench;
    const input = dataFile("tera", size);
    const more = bench.peers === "all" ? [spark("sort", input), hadoop("sort", input)] : [];
    const results = await rounds(
      [
        millrace("sort", input),
        millrace("sort-builtin", input, { name: "built-ins" }),
        gnuSort(input, `${Math.max(1024, size * 2)}M`),
        duckdb("sort", input),
        limit("sort", input),
        ...more,
      ],
      bench,
    );
    const what = `sort ${size} MB of 100-byte lines`;
    const builtIn = `sort ${size} MB by recordAsKey and eachKey`;
    return [
      timeRow(
        { key: "sort-builtin/gnu", what: `${builtIn} / GNU sort`, size, goal: { atMost: 0.35 } },
        results,
        "built-ins",
        "gnu sort",
      ),
      timeRow(
        { key: "sort-builtin/duckdb", what: `${builtIn} / DuckDB`, size, goal: { atMost: 0.35 } },
        results,
        "built-ins",
        "duckdb",
      ),
      timeRow(
        { key: "sort/gnu", what: `${what} / GNU sort`, size, goal: { atMost: 0.35 } },
        results,
        "millrace",
        "gnu sort",
      ),
      timeRow(
        { key: "sort/duckdb", what: `${what} / DuckDB`, size, goal: { atMost: 0.35 } },
        results,
        "millrace",
        "duckdb",
      ),
      timeRow(
        { key: "sort/c++", what: `${what} / C++ limit`, size, goal: { atMost: 1 } },
        results,
        "millrace",
        "c++ limit",
      ),
      ...more.map(({ name }) =>
        timeRow({ key: `${name}/sort`, what: `${name} / ${what}`, size, better: "larger" }, results, name, "millrace"),
      ),
      writesRow({ key: "sort/writes", what: `${what}: disk writes / (published + 4 MiB)`, size }, results),
    ];
  },
};

/** P3, spilling; two slots need 128 MiB, so that the data are larger. */
export const spill = {
  inputs: ({ size }) => [["tera", tenfold(size)]],
  async run(bench) {
    const size = tenfold(bench.size);
    const budget = Math.max(memoryMin, Math.floor(size / 8));
    const input = dataFile("tera", size);
    const results = await rounds(
      [millrace("sort", input, { flags: budgeted(budget) }), gnuSort(input, `${budget}M`)],
      bench,
    );
    const what = `sort ${size} MB within ${budget} MiB / GNU sort -S${budget}M`;
    return [timeRow({ key: "spill/gnu", what, size, goal: { atMost: 0.6 } }, results, "millrace", "gnu sort")];
  },
};

/** Where intermediate data fit in memory, only the result is written to the disk (measure.mjs says what is counted). */
function writesRow(row, results) {
  const share = ({ diskBytes, publishedBytes }) => diskBytes / (publishedBytes + 4 * MiB);
  return figureRow({ ...row, goal: { atMost: 1 } }, results, ["millrace"], share);
}
