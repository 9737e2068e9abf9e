// The cases: what is run on which data, and the goals of the ratios. Each has `inputs`, the data it reads ([kind, MB]), and `run`,
// which resolves to rows. `bench`: { size, rounds, peers, large, signal, log, mistakes }.
import { statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cluster, kill } from "./cluster-cases.mjs";
import { duckdb, gnuSort, limit, mawk, millrace, naive, tools } from "./contestants.mjs";
import { dataFile, work } from "./data.mjs";
import { hadoop, spark } from "./jvm.mjs";
import { rounds } from "./rounds.mjs";
import { figureRow, timeRow } from "./rows.mjs";

const MiB = 2 ** 20;
/** What two slots need at least. */
const memoryMin = 128;
const all = (bench) => bench.peers === "all";
const budgeted = (megabytes) => ["--slots", "2", "--memory", `${megabytes}MB`];

export const cases = {
  /** P1 */
  words: {
    inputs: ({ size }) => [["text", size]],
    async run(bench) {
      const { size } = bench;
      const input = dataFile("text", size);
      const results = await rounds(
        [millrace("word-count-builtin", input), duckdb("word-count", input), limit("word-count", input)],
        bench,
      );
      const what = `word count ${size} MB by words()`;
      return [
        timeRow(
          { key: "words/duckdb", what: `${what} / DuckDB`, size, goal: { atMost: 0.5 } },
          results,
          "millrace",
          "duckdb",
        ),
        timeRow(
          { key: "words/c++", what: `${what} / C++ limit`, size, goal: { atMost: 1.6 } },
          results,
          "millrace",
          "c++ limit",
        ),
      ];
    },
  },
  /** P2 */
  "word-count": {
    inputs: ({ size }) => [["text", size]],
    async run(bench) {
      const { size } = bench;
      const input = dataFile("text", size);
      const more = [mawk(input), tools(input), spark("word-count", input), hadoop("word-count", input)];
      const peers = [duckdb("word-count", input), naive("word-count", input), limit("word-count", input)];
      const results = await rounds([millrace("word-count", input), ...peers, ...(all(bench) ? more : [])], bench);
      const what = `word count ${size} MB, the user's map`;
      const goals = { naive: { atLeast: 8 }, spark: { atLeast: 6 } };
      return [
        timeRow(
          { key: "word-count/duckdb", what: `${what} / DuckDB`, size, goal: { atMost: 1 } },
          results,
          "millrace",
          "duckdb",
        ),
        timeRow({ key: "word-count/c++", what: `${what} / C++ limit`, size }, results, "millrace", "c++ limit"),
        ...[naive(), ...(all(bench) ? more : [])].map(({ name }) =>
          timeRow(
            { key: `${name}/word-count`, what: `${name} / ${what}`, size, goal: goals[name] ?? { atLeast: 1 } },
            results,
            name,
            "millrace",
          ),
        ),
      ];
    },
  },
  /** P3, in memory */
  sort: {
    inputs: ({ size }) => [["tera", size]],
    async run(bench) {
      const { size } = bench;
      const input = dataFile("tera", size);
      const more = all(bench) ? [spark("sort", input), hadoop("sort", input)] : [];
      const results = await rounds(
        [
          millrace("sort", input),
          gnuSort(input, `${Math.max(1024, size * 2)}M`),
          duckdb("sort", input),
          limit("sort", input),
          ...more,
        ],
        bench,
      );
      const what = `sort ${size} MB of 100-byte lines`;
      return [
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
          timeRow(
            { key: `${name}/sort`, what: `${name} / ${what}`, size, goal: { atLeast: 1 } },
            results,
            name,
            "millrace",
          ),
        ),
        writesRow({ key: "sort/writes", what: `${what}: disk writes / (published + 4 MiB)`, size }, results),
      ];
    },
  },
  /** P3, spilling; two slots need 128 MiB, so that the data are larger. */
  spill: {
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
  },
  /** P4 */
  ndjson: {
    inputs: ({ size }) => [["ndjson", size]],
    async run(bench) {
      const { size } = bench;
      const input = dataFile("ndjson", size);
      const more = all(bench) ? [spark("ndjson", input)] : [];
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
          { key: "ndjson-parse/duckdb", what: `NDJSON sum ${size} MB, JSON.parse / DuckDB`, size, goal: { atMost: 2 } },
          results,
          "millrace parse",
          "duckdb",
        ),
        timeRow({ key: "ndjson/c++", what: `${what} / C++ limit`, size }, results, "millrace", "c++ limit"),
        ...[naive(), ...more].map(({ name }) =>
          timeRow(
            { key: `${name}/ndjson`, what: `${name} / ${what}`, size, goal: { atLeast: 1 } },
            results,
            name,
            "millrace",
          ),
        ),
      ];
    },
  },
  /** P5 */
  hello: {
    inputs: () => [],
    async run(bench) {
      const input = join(work, "hello.txt");
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
  },
  /** P6 */
  memory: {
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
  },
  /** P7; its scheduler is measured by micro/scheduler.bench.ts. */
  scale: {
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
  },
  /** The texts of the world: time per byte against ASCII. */
  letters: {
    inputs: ({ size }) => ["text", "cyrillic", "curly"].map((kind) => [kind, size]),
    async run(bench) {
      const { size } = bench;
      const kinds = ["text", "cyrillic", "curly"];
      const bytes = Object.fromEntries(kinds.map((kind) => [kind, statSync(dataFile(kind, size)).size]));
      const results = await rounds(
        kinds.map((kind) =>
          millrace("word-count", dataFile(kind, size), { name: `millrace ${kind}`, compared: false }),
        ),
        bench,
      );
      const perByte = (kind, round) => results.get(`millrace ${kind}`).results[round].seconds / bytes[kind];
      return kinds
        .slice(1)
        .map((kind) =>
          figureRow(
            {
              key: `letters/${kind}`,
              what: `word count ${size} MB: ${kind} / plain text, per byte`,
              size,
              goal: { atMost: 2 },
            },
            results,
            [`millrace ${kind}`, "millrace text"],
            (_, round) => perByte(kind, round) / perByte("text", round),
          ),
        );
    },
  },
  /** P8 */
  cluster,
  /** P9 */
  kill,
};

/** Data of about ten times the least budget at the usual size of 500 MB. */
function tenfold(size) {
  return Math.round((size * 1280) / 500);
}

function scaleSizes({ size, large }) {
  return [size / 5, size, size * 4, ...(large ? [size * 20] : [])];
}

/** Where intermediate data fit in memory, only the result is written to the disk (measure.mjs says what is counted). */
function writesRow(row, results) {
  const share = ({ diskBytes, publishedBytes }) => diskBytes / (publishedBytes + 4 * MiB);
  return figureRow({ ...row, goal: { atMost: 1 } }, results, ["millrace"], share);
}
