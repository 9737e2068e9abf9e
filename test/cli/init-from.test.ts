// `millrace head` and `millrace init --from` for files that other programs have made (test/data/foreign): the format is
// recognised, the first record is shown; what is written type-checks, its test passes, its job reads the whole file.
import { spawn } from "node:child_process";
import { copyFileSync, symlinkSync, writeFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { initCommand } from "../../src/cli/commands/init.ts";
import { millrace, repository, scratchFolder } from "../support/cli.ts";

interface Kind {
  readonly file: string;
  /** How many records it has. */
  readonly records: number;
  /** What it is taken for. */
  readonly said: string;
  /** The first record, behind its offset. */
  readonly first: string;
  /** What is said of it besides. */
  readonly note?: string;
}

const requests = {
  records: 50,
  said: "csv with a header: id uint, host utf8, ms float64, method utf8, day day",
  first: "22  { id: 1, host: 'host1', ms: 0.5, method: 'GET', day: 2024-05-11T00:00:00.000Z }",
};
const unnamed = "{ c1: 1, c2: 'host1', c3: 0.5, c4: 'GET', c5: 2024-05-11T00:00:00.000Z }";
const at = "at: 2024-02-28T22:00:00.000Z }";
const duck =
  "id: 1, city: 'Rome', price: 1.37, X at: 2024-02-28T23:59:59.000Z, day: 2024-01-02T00:00:00.000Z, paid: false, zip: '00001', comment: '' }";

const kinds: readonly Kind[] = [
  // Text of other programs.
  {
    file: "awk.tsv",
    records: 50,
    said: "tsv: c1 uint, c2 utf8, c3 float64, c4 utf8, c5 day",
    first: `0  ${unnamed}`,
  },
  { file: "uniq.txt", records: 7, said: "lines of text", first: '0  "      7 host0"' },
  {
    file: "sqlite.csv",
    records: 4,
    said: "csv with a header: id uint, name utf8, price float64?, seen day",
    first: "19  { id: 1, name: 'Ann', price: 1.5, seen: 2024-01-01T00:00:00.000Z }",
  },
  {
    file: "sqlite.txt",
    records: 4,
    said: 'csv by "|" with a header: id uint, name utf8, price float64?, seen day',
    first: "19  { id: 1, name: 'Ann', price: 1.5, seen: 2024-01-01T00:00:00.000Z }",
  },
  // gzip, pigz and zstd.
  { file: "gzip.csv.gz", ...requests },
  {
    file: "pigz.tsv.gz",
    records: 60,
    said: "tsv: c1 date, c2 utf8, c3 utf8, c4 uint, c5 uint",
    first: "0  { c1: 2024-06-02T10:00:01.000Z, c2: 'GET', c3: '/p/1', c4: 200, c5: 37 }",
  },
  {
    file: "pigz-joined.log.gz",
    records: 50,
    said: 'csv by " ": c1 uint, c2 utf8, c3 float64, c4 utf8, c5 day',
    first: `0  ${unnamed}`,
  },
  {
    file: "zstd.ndjson.zst",
    records: 40,
    said: "ndjson: id uint, name utf8, at day, ok bool, ms float64, who utf8?",
    first: "0  { id: 0, name: 'n0', at: 2024-01-01T00:00:00.000Z, ok: true, ms: 0, who: null }",
    note: 'left out, because a field has one type: "tags" (objects or arrays)',
  },
  { file: "zstd-long.psv.zst", ...requests, said: requests.said.replace("csv", 'csv by "|"') },
  { file: "zstd-joined.csv.zst", ...requests },
  // Python.
  {
    file: "python-excel.csv",
    records: 30,
    said: "csv with a header: id uint, note utf8, price float64?, big bigint",
    first: `19  { id: 0, note: 'say "0",\\nthen go', price: null, big: 9007199254740992n }`,
  },
  {
    file: "python-excel-tab.txt",
    records: 30,
    said: 'csv by "\\t" with a header: id uint, note utf8',
    first: `9  { id: 0, note: 'say "0"\\tnow' }`,
  },
  {
    file: "python-unix.csv",
    records: 30,
    said: 'csv by ";" with a header: plz utf8, ok utf8',
    first: "11  { plz: '00000', ok: 'True' }",
  },
  {
    file: "python-names.csv",
    records: 3,
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a name that would be one, were it not escaped
    said: 'csv with a header: __proto__ uint, "a b" uint, "" uint, "*/ ${x} `" uint, "q\\"" uint, "line\\nend" uint, "\\u2028\\u202e" uint, constructor uint, "日本" uint, 0 uint, "//" uint',
    first:
      // biome-ignore lint/suspicious/noTemplateCurlyInString: the same name
      "86  { '0': 11, ['__proto__']: 0, 'a b': 1, '': 2, '*/ ${x} `': 5, 'q\"': 6, 'line\\nend': 7, '\\u2028\\u202e': 8, constructor: 9, '日本': 10, '//': 12 }",
    note: 'the header has more than one column "twice", so it can\'t be read by its name',
  },
  {
    file: "python.jsonl",
    records: 30,
    said: 'ndjson: "né" utf8, n int, f float64, flag bool, none utf8?',
    first: "0  { 'né': 'é\\u20280', n: -9, f: 0, flag: false, none: null }",
    note: 'left out, because a field has one type: "in" (objects or arrays)',
  },
  {
    file: "python-snowflakes.jsonl.gz",
    records: 20,
    said: "ndjson: id bigint, who utf8",
    first: "0  { id: 1152921504606846976n, who: 'u0' }",
  },
  {
    file: "python-logging.log",
    records: 20,
    said: "lines of text",
    first: '0  "2024-05-01 12:00:00,000 INFO app: request 0 done"',
  },
  // pandas.
  {
    file: "pandas-index.csv",
    records: 10,
    said: 'csv with a header: "" uint, city utf8, n float64?, at date',
    first: `11  { '': 0, city: 'Rome', n: 0, ${at}`,
  },
  {
    file: "pandas-decimal.csv.gz",
    records: 10,
    said: 'csv by ";" with a header: city utf8, n utf8, at date',
    first: `10  { city: 'Rome', n: '0,0', ${at}`,
  },
  {
    file: "pandas.jsonl",
    records: 10,
    said: "ndjson: city utf8, n float64?, at date",
    first: `0  { city: 'Rome', n: 0, ${at}`,
  },
  // DuckDB.
  {
    file: "duckdb.csv",
    records: 40,
    said: "csv with a header: id uint, city utf8, price float64?, snowflake bigint, at date, day day, paid bool, zip utf8, comment utf8",
    first: `48  { ${duck.replace("X", "snowflake: 9007199254740993n,")}`,
  },
  {
    file: "duckdb-pipe.csv.gz",
    records: 40,
    said: 'csv by "|": c1 uint, c2 utf8, c3 float64?, c4 bigint, c5 date, c6 day, c7 bool, c8 utf8, c9 utf8',
    first:
      "0  { c1: 1, c2: 'Rome', c3: 1.37, c4: 9007199254740993n, c5: 2024-02-28T23:59:59.000Z, c6: 2024-01-02T00:00:00.000Z, c7: false, c8: '00001', c9: '' }",
  },
  {
    file: "duckdb.tsv",
    records: 40,
    said: 'csv by "\\t" with a header: id uint, city utf8, price float64?, day day',
    first: "18  { id: 1, city: 'Rome', price: 1.37, day: 2024-01-02T00:00:00.000Z }",
  },
  {
    file: "duckdb.ndjson.zst",
    records: 40,
    said: "ndjson: id uint, city utf8, price float64?, at date, day day, paid bool, zip utf8, comment utf8",
    first: `0  { ${duck.replace("X ", "")}`,
  },
];

const foreign = join(repository, "test/data/foreign");
const folder = scratchFolder();
/** By name of the file: the job's name, and what the command said. */
const made = new Map<string, { readonly job: string; readonly said: readonly string[] }>();

beforeAll(async () => {
  symlinkSync(join(repository, "node_modules"), join(folder.path, "node_modules"));
  for (const [i, { file }] of kinds.entries()) {
    copyFileSync(join(foreign, file), join(folder.path, file));
    const job = `job${i}`;
    made.set(file, { job, said: await initCommand(job, { from: [file] }, folder.path) });
  }
}, 60_000);
afterAll(() => folder.remove());

test("each file of other programs is tried", async () => {
  const others = ["README.md", "make.sh", "make.py", ".gitattributes"];
  const files = (await readdir(foreign)).filter((name) => !others.includes(name));
  expect(kinds.map(({ file }) => file).toSorted()).toEqual(files.toSorted());
});

test("head says of each what it is, and shows its first record", async () => {
  const files = kinds.map(({ file }) => file);
  const { code, stdout, stderr } = await millrace(["head", "-n", "1", ...files], { cwd: folder.path });
  expect(code, stderr).toBe(0);
  const shown = stdout
    .toString()
    .trimEnd()
    .split("\n\n")
    .map((one) => one.split("\n"));
  expect(shown.map(([title, ...others]) => [title, others.at(-1)!.trimStart()])).toEqual(
    kinds.map(({ file, said, first }) => [`${file}  ${said}`, first]),
  );
  const notes = (lines: readonly string[]) => lines.slice(1, -1).map((line) => line.trimStart());
  expect(shown.map(notes)).toEqual(
    kinds.map(({ note }) => (note === undefined ? [] : [expect.stringContaining(note)])),
  );
}, 60_000);

describe.each(kinds)("$file", ({ file, records, said, note }) => {
  test("is recognised, and its job counts all its records", async () => {
    const one = made.get(file)!;
    expect(one.said).toContain(said);
    if (note !== undefined) expect(one.said.join("\n")).toContain(note);
    const run = await millrace(["run", `${one.job}.ts`, file, "--quiet", "--slots", "1"], { cwd: folder.path });
    expect(run.code, run.stderr).toBe(0);
    const counts = run.stdout.toString().trimEnd().split("\n");
    expect(counts.reduce((sum, line) => sum + Number(line.split("\t").at(-1)), 0)).toBe(records);
  }, 60_000);
});

test("all that was written type-checks", async () => {
  const types = (name: string) => [join(repository, `dist/${name}.d.ts`)];
  const paths = { millrace: types("index"), "millrace/testing": types("testing") };
  const own = { extends: "./tsconfig.json", files: [...made.values()].map(({ job }) => `${job}.test.ts`) };
  writeFileSync(join(folder.path, "with-sources.json"), JSON.stringify({ ...own, compilerOptions: { paths } }));
  const compiler = spawn(
    process.execPath,
    [join(repository, "node_modules/typescript/bin/tsc"), "-p", "with-sources.json"],
    { cwd: folder.path },
  );
  let said = "";
  compiler.stdout.on("data", (part: Buffer) => (said += part.toString()));
  const code = await new Promise((resolve) => compiler.on("close", resolve));
  expect({ code, said }).toEqual({ code: 0, said: "" });
}, 180_000);

test("all tests that were written pass", async () => {
  const tests = [...made.values()].map(({ job }) => `${job}.test.ts`);
  const { code, stdout, stderr } = await millrace(["test", ...tests], { cwd: folder.path });
  expect(code, stdout.toString() + stderr).toBe(0);
  for (const name of tests) expect(stdout.toString()).toContain(`passed ${name}`);
}, 180_000);
