// P1, P2: word count, by a built-in mapper and by the user's own map, and its texts of other alphabets.
import { statSync } from "node:fs";
import { duckdb, limit, mawk, millrace, naive, tools } from "../contestants.mjs";
import { dataFile } from "../data.mjs";
import { hadoop, spark } from "../jvm.mjs";
import { rounds } from "../rounds.mjs";
import { figureRow, timeRow } from "../rows.mjs";

const all = (bench) => bench.peers === "all";

/** P1 */
export const words = {
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
};

/** P2 */
export const wordCount = {
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
      ...["naive", ...(all(bench) ? more : []).map(({ name }) => name)].map((name) =>
        timeRow(
          { key: `${name}/word-count`, what: `${name} / ${what}`, size, goal: goals[name], better: "larger" },
          results,
          name,
          "millrace",
        ),
      ),
    ];
  },
};

/** The texts of the world: time per byte against ASCII. */
export const letters = {
  inputs: ({ size }) => ["text", "cyrillic", "curly"].map((kind) => [kind, size]),
  async run(bench) {
    const { size } = bench;
    const kinds = ["text", "cyrillic", "curly"];
    const bytes = Object.fromEntries(kinds.map((kind) => [kind, statSync(dataFile(kind, size)).size]));
    const results = await rounds(
      kinds.map((kind) => millrace("word-count", dataFile(kind, size), { name: `millrace ${kind}`, compared: false })),
      bench,
    );
    const perByte = (kind, round) => results.get(`millrace ${kind}`).results[round].seconds / bytes[kind];
    return kinds.slice(1).map((kind) =>
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
};
