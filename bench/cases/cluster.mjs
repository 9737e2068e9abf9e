// P8 and P9: a cluster against one process, and a cluster of which a worker is killed.
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { killedAtHalf, openCluster } from "../cluster.mjs";
import { millrace, output } from "../contestants.mjs";
import { dataFile } from "../data.mjs";
import { rounds } from "../rounds.mjs";
import { timeRow, valuesRow } from "../rows.mjs";

/** A master and two workers with one slot each against one process with two slots. */
export const cluster = {
  inputs: ({ size }) => [
    ["text", size],
    ["tera", size],
  ],
  async run(bench) {
    const { size } = bench;
    const own = await openCluster();
    try {
      const rows = [];
      for (const [job, kind] of [
        ["word-count", "text"],
        ["sort", "tera"],
      ]) {
        const input = dataFile(kind, size);
        const remote = millrace(job, input, { name: "cluster", env: own.env, flags: ["--master", own.address] });
        const results = await rounds([millrace(job, input), remote], bench);
        const what = `${job} ${size} MB: master + 2 workers x 1 slot / one process x 2 slots`;
        rows.push(
          timeRow({ key: `cluster/${job}`, what, size, goal: { atMost: 1.15 } }, results, "cluster", "millrace"),
        );
      }
      return rows;
    } finally {
      await own.close();
    }
  },
};

/** A job of a minute or more, one of the two workers killed at half time. */
export const kill = {
  inputs: () => [["text", 200]],
  async run(bench) {
    const results = await killedAtHalf({
      job: join(dirname(fileURLToPath(import.meta.url)), "../jobs/slow-count.ts"),
      input: dataFile("text", 200),
      output: output("kill"),
      words: ["--split-size", "2MB"],
      rounds: Math.min(bench.rounds, 3),
      bench,
    });
    const against = (name) =>
      results.get(name).map(({ seconds }, i) => seconds / results.get("undisturbed")[i].seconds);
    const row = (key, what, atMost) => ({ key, what, size: 200, goal: { atMost } });
    return [
      valuesRow(
        row("kill/restarted", "one of two workers killed at half time and restarted", 1.15),
        against("restarted"),
      ),
      valuesRow(row("kill/disk-lost", "the same, its disk lost", 1.4), against("disk lost")),
    ];
  },
};
