// The cases by name: what is run on which data, and the goals of the ratios. Each has `inputs`, the data that it reads
// ([kind, MB]), and `run`, which resolves to rows (rows.mjs). `bench` is { size, rounds, peers, large, signal, log,
// mistakes }.
import { cluster, kill } from "./cases/cluster.mjs";
import { limits } from "./cases/limits.mjs";
import { csv, ndjson } from "./cases/ndjson.mjs";
import { safety } from "./cases/safety.mjs";
import { hello, memory, scale } from "./cases/small-and-large.mjs";
import { sort, spill } from "./cases/sort.mjs";
import { letters, wordCount, words } from "./cases/word-count.mjs";

export const cases = {
  words,
  "word-count": wordCount,
  sort,
  spill,
  ndjson,
  csv,
  hello,
  memory,
  scale,
  limits,
  safety,
  letters,
  cluster,
  kill,
};
