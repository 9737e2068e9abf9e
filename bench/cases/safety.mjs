// P10: what checksums and digests cost, by all tasks of a job in one process, with them and without.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { dataFile, ownFolder } from "../data.mjs";
import { buildBench } from "../micro/build.mjs";
import { rounds } from "../rounds.mjs";
import { timeRow } from "../rows.mjs";
import { kernelWithoutDigests, withoutChecksums } from "../unchecked.mjs";

export const safety = {
  inputs: ({ size }) => [
    ["tera", size],
    ["text", size],
    ["ndjson", size],
  ],
  async run(bench) {
    const { size } = bench;
    const folder = join(ownFolder, "unchecked");
    mkdirSync(folder);
    const checked = await buildBench("tasks", { folder: join(ownFolder, "checked") });
    const wasm = await kernelWithoutDigests(folder);
    const unchecked = await buildBench("tasks", { folder, wasm, plugins: [withoutChecksums] });
    const rows = [];
    for (const [job, kind] of [
      ["sort", "tera"],
      ["word-count", "text"],
      ["ndjson", "ndjson"],
    ]) {
      const env = { JOB: job, INPUT: dataFile(kind, size), PARTITIONS: "1" };
      const tasks = (name, file) => ({ name, command: process.execPath, args: [file], env });
      const results = await rounds([tasks("checked", checked), tasks("unchecked", unchecked)], bench);
      const what = `${job} ${size} MB: all tasks in one process with checksums and digests / without`;
      const row = { key: `safety/${job}`, what, size, goal: { atMost: 1.1 } };
      rows.push(timeRow(row, results, "checked", "unchecked"));
    }
    return rows;
  },
};
