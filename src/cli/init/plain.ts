// The job that `millrace init` writes where it is given no files: commented, and it runs as it is.
import { testText } from "./test-text.ts";

export function plainJob(name: string): { readonly job: string; readonly test: string } {
  return { job: jobText(name), test: wordsTest(name) };
}

function jobText(name: string): string {
  return `import { defineJob, sum, text, tsv, uint, utf8 } from "millrace";

export default defineJob({
  name: "${name}",

  // How input files are read, and so what a record is: text(), ndjson(), csv({ header: true }), lines(), …
  input: text(),

  // The types that emit takes, and the order of keys: utf8, uint, int, float64, date, tuple(a, b), desc(a), …
  key: utf8,
  value: uint,

  // Called once per record. ctx has params, counters, the record's file and offset, and more.
  map(line, emit, ctx) {
    const words = line.match(/\\p{L}+/gu) ?? [];
    if (words.length === 0) ctx.count("lines without words");
    for (const word of words) emit(word.toLowerCase(), 1);
  },

  // Folds two values of one key into one, early and often. It must be associative. Without reduce, the folded value is
  // the result.
  combine: sum,

  // For more than a fold, write reduce(key, values, emit) {…}. Values can be read once, in input order, and need not
  // fit in memory.

  // How the result is written: tsv(), ndjson(), csv({ columns }), text(), …
  output: tsv(),
});
`;
}

function wordsTest(name: string): string {
  return testText(
    name,
    `  const { records, counters } = await runInline(job, ["To be, or not to be", "..."]);
  assert.deepEqual(records, [
    ["be", 2],
    ["not", 1],
    ["or", 1],
    ["to", 2],
  ]);
  assert.equal(counters["lines without words"], 1);
`,
  );
}
