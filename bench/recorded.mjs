// bench/recorded.json: the ratios that the next runs are compared with, row by row, each with where and when it was
// measured.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, totalmem } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const file = join(dirname(fileURLToPath(import.meta.url)), "recorded.json");

/** Recorded rows by key; empty where nothing was recorded. */
export function readRecorded() {
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : {};
}

/** Replaces the rows that were measured now; the others stay. */
export function record(rows, rounds) {
  const recorded = readRecorded();
  for (const { key, what, size, goal, better, median, min, max, measured, absent } of rows) {
    if (absent !== undefined) continue;
    recorded[key] = { what, size, goal, better, ...rounded({ median, min, max }), measured, rounds, ...machine() };
  }
  const sorted = Object.fromEntries(Object.entries(recorded).sort(([a], [b]) => (a < b ? -1 : 1)));
  writeFileSync(file, `${JSON.stringify(sorted, null, 2)}\n`);
  return file;
}

export function machine() {
  return {
    at: new Date().toISOString(),
    node: process.version,
    machine: `${cpus()[0]?.model ?? "?"}, ${availableParallelism()} cores, ${Math.round(totalmem() / 2 ** 30)} GiB`,
  };
}

function rounded(figures) {
  return Object.fromEntries(Object.entries(figures).map(([name, value]) => [name, Number(value.toPrecision(4))]));
}
