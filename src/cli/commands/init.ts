// `millrace init`: writes a commented job file and a test for it, which run as they are.
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { MillraceError } from "../../base/error.ts";

/** Writes NAME.ts and NAME.test.ts into `folder`; existing files are never touched. Returns their paths. */
export function initJob(name: string, folder: string): readonly string[] {
  if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name)) {
    throw new MillraceError(
      "wrong-usage",
      `a job's name is lower-case words joined by hyphens, such as "page-views", not ${JSON.stringify(name)}`,
    );
  }
  const files = [
    [join(folder, `${name}.ts`), jobText(name)],
    [join(folder, `${name}.test.ts`), testText(name)],
  ] as const;
  for (const [path] of files) {
    if (existsSync(path))
      throw new MillraceError("wrong-usage", `${path} exists already; choose another name or remove it`);
  }
  for (const [path, content] of files) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content, { flag: "wx" });
  }
  return files.map(([path]) => path);
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

function testText(name: string): string {
  return `import assert from "node:assert/strict";
import { runInline } from "millrace/testing";
import job from "./${name}.ts";

// Runs the whole job in this process, on these records: breakpoints work.
const { records, counters } = await runInline(job, ["To be, or not to be", "..."]);

assert.deepEqual(records, [
  ["be", 2],
  ["not", 1],
  ["or", 1],
  ["to", 2],
]);
assert.equal(counters["lines without words"], 1);
console.log("${name}: as expected");
`;
}
