// What breaks engines: all values of one key, keys that never repeat, very many files, very many partitions; with
// --large also data twenty times the memory.
import { budgeted, duckdb, gnuSort, millrace } from "../contestants.mjs";
import { dataFile } from "../data.mjs";
import { rounds } from "../rounds.mjs";
import { figureRow, timeRow } from "../rows.mjs";

const MiB = 2 ** 20;
const budget = 512;
const allowed = (budget + 2 * 150) * MiB;

/** MB of each, at the usual size of 500: 4 GB of one key, 50 M keys, 100,000 files. */
const oneKeySize = (size) => size * 8;
const keysSize = (size) => Math.ceil(size * 1.7);
const filesSize = (size) => Math.ceil(size * 0.4);
const partitions = (size) => size * 4;
/** 10 GB. */
const largeSize = (size) => size * 20;

export const limits = {
  inputs: ({ size, large }) => [
    ["tera", oneKeySize(size)],
    ["keys", keysSize(size)],
    ["files", filesSize(size)],
    ["text", filesSize(size)],
    ["text", size],
    ...(large ? ["tera", "text"].map((kind) => [kind, largeSize(size)]) : []),
  ],
  async run(bench) {
    const rows = [];
    const parts = [oneKey, distinctKeys, manyFiles, manyPartitions, ...(bench.large ? [largeSort, largeCount] : [])];
    for (const part of parts) rows.push(...(await part(bench)));
    return rows;
  },
};

async function oneKey(bench) {
  const size = oneKeySize(bench.size);
  const results = await rounds([millrace("one-key", dataFile("tera", size), { flags: budgeted(budget) })], bench);
  return [peakRow({ key: "limits/one-key", what: `${size} MB of values of one key`, size }, results)];
}

async function distinctKeys(bench) {
  const size = keysSize(bench.size);
  const input = dataFile("keys", size);
  const all = [millrace("word-count", input, { flags: budgeted(budget) }), duckdb("word-count", input)];
  const results = await rounds(all, bench);
  const what = `${Math.round((size * 1e6) / 17e6)} M distinct keys`;
  return [
    timeRow({ key: "limits/keys", what: `${what} / DuckDB`, size }, results, "millrace", "duckdb"),
    peakRow({ key: "limits/keys-memory", what, size }, results),
  ];
}

async function manyFiles(bench) {
  const size = filesSize(bench.size);
  const one = millrace("word-count", dataFile("text", size), { name: "one file", compared: false });
  const many = millrace("word-count", dataFile("files", size), { name: "many files", compared: false });
  const results = await rounds([many, one], bench);
  const what = `${Math.round((size * 1e6) / 2000)} files of 2 kB / one file of ${size} MB`;
  return [timeRow({ key: "limits/files", what, size }, results, "many files", "one file")];
}

async function manyPartitions(bench) {
  const input = dataFile("text", bench.size);
  const count = partitions(bench.size);
  const flags = ["--slots", "2", "--reducers", String(count)];
  const results = await rounds(
    [millrace("word-count", input, { flags, name: "many" }), millrace("word-count", input)],
    bench,
  );
  const what = `word count ${bench.size} MB, ${count} partitions / as many as usual`;
  return [timeRow({ key: "limits/partitions", what, size: bench.size }, results, "many", "millrace")];
}

async function largeSort(bench) {
  const size = largeSize(bench.size);
  const input = dataFile("tera", size);
  const all = [millrace("sort", input, { flags: budgeted(budget) }), gnuSort(input, `${budget}M`)];
  const results = await rounds(all, bench);
  const what = `sort ${size} MB`;
  const timed = { key: "limits/large-sort", what: `${what} within ${budget} MB / GNU sort`, size };
  return [
    timeRow(timed, results, "millrace", "gnu sort"),
    peakRow({ key: "limits/large-sort-memory", what, size }, results),
  ];
}

async function largeCount(bench) {
  const size = largeSize(bench.size);
  const input = dataFile("text", size);
  const all = [millrace("word-count", input, { flags: budgeted(budget) }), duckdb("word-count", input)];
  const results = await rounds(all, bench);
  const what = `word count ${size} MB`;
  const timed = { key: "limits/large-count", what: `${what} within ${budget} MB / DuckDB`, size };
  return [
    timeRow(timed, results, "millrace", "duckdb"),
    peakRow({ key: "limits/large-count-memory", what, size }, results),
  ];
}

function peakRow({ key, what, size }, results) {
  const row = {
    key,
    what: `${what} at --memory ${budget}MB: peak / (budget + 150 MB a slot)`,
    size,
    goal: { atMost: 1 },
  };
  return figureRow(row, results, ["millrace"], ({ peakBytes }) => peakBytes / allowed);
}
