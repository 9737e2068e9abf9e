// P5 to P7: what the least job takes, how much memory data larger than it needs, what more data cost.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { budgeted, duckdb, memoryMin, millrace } from "../contestants.mjs";
import { dataFile, ownFolder, tenfold } from "../data.mjs";
import { rounds } from "../rounds.mjs";
import { figureRow, timeRow } from "../rows.mjs";

const MiB = 2 ** 20;

/** P5 */
export const hello = {
  inputs: () => [],
  async run(bench) {
    const input = join(ownFolder, "hello.txt");
    writeFileSync(input, "hello world\n");
    const node = { name: "node -e 0", command: process.execPath, args: ["-e", "0"] };
    const results = await rounds(
      [millrace("word-count", input), node, duckdb("hello", input)],
      bench,
      bench.rounds * 3,
    );
    return [
      timeRow(
        { key: "hello/duckdb", what: "hello world / DuckDB", goal: { atMost: 2 } },
        results,
        "millrace",
        "duckdb",
      ),
      timeRow(
        { key: "hello/node", what: "hello world / node -e 0", goal: { atMost: 4 } },
        results,
        "millrace",
        "node -e 0",
      ),
    ];
  },
};

/** P6 */
export const memory = {
  inputs: ({ size }) => [
    ["tera", tenfold(size)],
    ["text", tenfold(size)],
  ],
  async run(bench) {
    const size = tenfold(bench.size);
    const allowed = (memoryMin + 2 * 150) * MiB;
    const rows = [];
    for (const [job, kind] of [
      ["sort", "tera"],
      ["word-count", "text"],
    ]) {
      const results = await rounds([millrace(job, dataFile(kind, size), { flags: budgeted(memoryMin) })], bench);
      const what = `${job} ${size} MB at --memory ${memoryMin}MB: peak / (budget + 150 MB a slot)`;
      rows.push(
        figureRow(
          { key: `memory/${job}`, what, size, goal: { atMost: 1 } },
          results,
          ["millrace"],
          ({ peakBytes }) => peakBytes / allowed,
        ),
      );
    }
    return rows;
  },
};

/** P7; its scheduler is measured by micro/scheduler.bench.ts. */
export const scale = {
  inputs: (bench) => scaleSizes(bench).map((size) => ["text", size]),
  async run(bench) {
    const sizes = scaleSizes(bench);
    const name = (size) => `millrace ${size} MB`;
    const results = await rounds(
      sizes.map((size) => millrace("word-count", dataFile("text", size), { name: name(size), compared: false })),
      bench,
    );
    const seconds = (size, round) => results.get(name(size)).results[round].seconds;
    const cost = (a, b, round) => (seconds(b, round) - seconds(a, round)) / (b - a);
    return sizes.slice(2).map((to, i) => {
      const from = sizes[i + 1];
      const what = `cost per MB from ${from} to ${to} MB / from ${sizes[0]} to ${sizes[1]} MB`;
      return figureRow(
        { key: `scale/${i}`, what, size: to, goal: { atMost: 1.2 } },
        results,
        sizes.map(name),
        (_, round) => cost(from, to, round) / cost(sizes[0], sizes[1], round),
      );
    });
  },
};

function scaleSizes({ size, large }) {
  return [Math.ceil(size / 5), size, size * 4, ...(large ? [size * 20] : [])];
}
