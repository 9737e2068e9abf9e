// `millrace init --from` for files that other programs make: what it writes type-checks, its test passes, and the job
// runs over the file. Files of programs that are seldom installed are in test/data/foreign.
import { spawn, spawnSync } from "node:child_process";
import { copyFileSync, existsSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { initCommand } from "../../src/cli/commands/init.ts";
import { millrace, repository, scratchFolder } from "../support/cli.ts";

interface Kind {
  readonly name: string;
  readonly file: string;
  /** How many records it has. */
  readonly records: number;
  /** What the command says of it. */
  readonly said: string | RegExp;
  /** Its content; undefined where the program is not installed. */
  readonly make: () => Buffer | undefined;
}

function output(program: string, words: readonly string[], input?: Buffer | string): Buffer | undefined {
  const { status, stdout, error } = spawnSync(program, words, { input, env: { ...process.env, LC_ALL: "C.UTF-8" } });
  if (error !== undefined) return undefined;
  if (status !== 0) throw new Error(`${program} ended with ${status}`);
  return stdout;
}
const then = (input: Buffer | undefined, program: string, words: readonly string[]) =>
  input && output(program, words, input);
const python = (code: string) =>
  output("python3", ["-c", `import csv, json, sys, datetime\nout = sys.stdout\n${code}`]);
const foreign = (file: string, records: number, said: Kind["said"]): Kind => ({
  name: file,
  file,
  records,
  said,
  make: () => Buffer.alloc(0),
});
const sql = `create table t(id integer, name text, price real, seen text);
insert into t values (1,'Ann',1.5,'2024-01-01'),(2,'Bo, "the" 2nd',null,'2024-01-02'),(3,'Ann',-3,'2024-01-03'),(4,'','0.25','2024-01-04');
select * from t;`;
const awk = (separator: string, header: string) =>
  output("awk", [
    `BEGIN { OFS = "${separator}"; ${header} for (i = 1; i <= 50; i++) print i, "host" i % 7, i * 0.5, (i % 3 ? "GET" : "POST"), "2024-05-" 10 + i % 20 }`,
  ]);

const kinds: readonly Kind[] = [
  {
    name: "awk, tabs",
    file: "awk.tsv",
    records: 50,
    said: "tsv: c1 uint, c2 utf8, c3 float64, c4 utf8, c5 day",
    make: () => awk("\\t", ""),
  },
  {
    name: "awk and gzip",
    file: "requests.csv.gz",
    records: 50,
    said: "csv with a header: id uint, host utf8, ms float64, method utf8, day day",
    make: () => then(awk(",", 'print "id", "host", "ms", "method", "day";'), "gzip", ["-c"]),
  },
  {
    name: "jq and zstd",
    file: "jq.ndjson.zst",
    records: 40,
    said: /^ndjson: id uint, name utf8, at day, ok bool, ms float64, who utf8\?$/m,
    make: () =>
      then(
        output("jq", [
          "-nc",
          'range(40) | {id: ., name: "n\\(. % 3)", at: "2024-01-0\\(1 + . % 9)", ok: (. % 2 == 0), ms: (. / 8), tags: [], who: (if . > 5 then "x" else null end)}',
        ]),
        "zstd",
        ["-qc"],
      ),
  },
  {
    name: "Python's csv, Excel's dialect",
    file: "excel.csv",
    records: 30,
    said: "csv with a header: id uint, note utf8, price float64?, big bigint",
    make: () =>
      python(
        `w = csv.writer(out)\nw.writerow(["id", "note", "price", "big"])\nfor i in range(30): w.writerow([i, 'say "%d",\\nthen go' % i, None if i % 4 == 0 else i / 4, 2**53 + i])`,
      ),
  },
  {
    name: "Python's csv, tabs",
    file: "excel-tab.txt",
    records: 30,
    said: 'csv by "\\t" with a header: id uint, note utf8',
    make: () =>
      python(
        `w = csv.writer(out, dialect="excel-tab")\nw.writerow(["id", "note"])\nfor i in range(30): w.writerow([i, 'say "%d"\\tnow' % i])`,
      ),
  },
  {
    name: "Python's csv, all in quotes",
    file: "unix.csv",
    records: 30,
    said: 'csv by ";" with a header: plz utf8, ok utf8',
    make: () =>
      python(
        `w = csv.writer(out, dialect="unix", delimiter=";")\nw.writerow(["plz", "ok"])\nfor i in range(30): w.writerow(["%05d" % i, i % 2 == 0])`,
      ),
  },
  {
    name: "Python's csv, names of any kind",
    file: "names.csv",
    records: 3,
    said: /__proto__ uint, "a b" uint.*constructor uint/,
    make: () =>
      python(
        `w = csv.writer(out)\nw.writerow(["__proto__", "a b", "", "twice", "twice", "*/ \${x} \`", 'q"', "line\\nend", "\\u2028\\u202e", "constructor", "日本", "0", "//"])\nfor i in range(3): w.writerow([i * 13 + j for j in range(13)])`,
      ),
  },
  {
    name: "Python's json",
    file: "python.jsonl",
    records: 30,
    said: /^ndjson: né utf8, n int, f float64, flag bool, none utf8\?$|^ndjson: "né" utf8, n int, f float64, flag bool, none utf8\?$/m,
    make: () =>
      python(
        `for i in range(30): print(json.dumps({"né": "é\\u2028%d" % (i % 3), "n": i - 9, "f": i / 3, "flag": i > 4, "none": None, "in": {"a": [1, {}]}}))`,
      ),
  },
  {
    name: "Python's json, integers beyond 2^53",
    file: "snowflakes.jsonl",
    records: 20,
    said: "ndjson: id bigint, who utf8",
    make: () => python(`for i in range(20): print(json.dumps({"id": 2**60 + i, "who": "u%d" % (i % 4)}))`),
  },
  {
    name: "Python's logging",
    file: "app.log",
    records: 20,
    said: "lines of text",
    make: () =>
      python(
        `for i in range(20): print("%s,%03d INFO request %d done" % (datetime.datetime(2024, 5, 1, 12, 0, i), i, i))`,
      ),
  },
  {
    name: "a table with an index, as pandas writes it",
    file: "index.csv",
    records: 10,
    said: 'csv with a header: "" uint, city utf8, n float64?',
    make: () =>
      python(
        `print(",city,n")\nfor i in range(10): print("%d,%s,%s" % (i, ["Rome", "Bonn"][i % 2], "" if i == 3 else float(i)))`,
      ),
  },
  {
    name: "sqlite3, csv",
    file: "sqlite.csv",
    records: 4,
    said: "csv with a header: id uint, name utf8, price float64?, seen day",
    make: () => output("sqlite3", ["-header", "-csv"], sql),
  },
  {
    name: "sqlite3, lists",
    file: "sqlite.txt",
    records: 4,
    said: 'csv by "|" with a header: id uint, name utf8, price float64?, seen day',
    make: () => output("sqlite3", ["-header"], sql.replace('"the"', "the")),
  },
  {
    name: "uniq",
    file: "uniq.txt",
    records: 7,
    said: "lines of text",
    make: () => then(then(awk(" ", ""), "cut", ["-d ", "-f2"]), "sh", ["-c", "sort | uniq -c"]),
  },
  foreign(
    "duckdb.csv",
    40,
    "csv with a header: id uint, city utf8, price float64?, snowflake bigint, at date, day day, paid bool, zip utf8, comment utf8",
  ),
  foreign("duckdb-pipe.csv.gz", 40, 'csv by "|": c1 uint, c2 utf8, c3 float64?, c4 bigint, c5 date'),
  foreign(
    "duckdb.ndjson.zst",
    40,
    "ndjson: id uint, city utf8, price float64?, at date, day day, paid bool, zip utf8, comment utf8",
  ),
  foreign("duckdb.tsv", 40, 'csv by "\\t" with a header: id uint, city utf8, price float64?, day day'),
  foreign("pigz.tsv.gz", 60, "tsv: c1 date, c2 utf8, c3 utf8, c4 uint, c5 uint"),
];

const folder = scratchFolder();
/** By name of the kind: the job's name, and what the command said. */
const made = new Map<string, { readonly job: string; readonly said: string }>();

beforeAll(async () => {
  symlinkSync(join(repository, "node_modules"), join(folder.path, "node_modules"));
  for (const [i, { name, file, make }] of kinds.entries()) {
    const path = join(folder.path, file);
    const kept = join(repository, "test/data/foreign", file);
    if (existsSync(kept)) copyFileSync(kept, path);
    else {
      const content = make();
      if (content === undefined) continue;
      writeFileSync(path, content);
    }
    const job = `job${i}`;
    made.set(name, { job, said: (await initCommand(job, { from: [file] }, folder.path)).join("\n") });
  }
}, 60_000);
afterAll(() => folder.remove());

describe.each(kinds)("$name", ({ name, file, records, said }) => {
  test("is recognised, and its job counts all its records", async (context) => {
    const one = made.get(name);
    if (one === undefined) return context.skip("the program that makes it is not installed");
    if (typeof said === "string") expect(one.said).toContain(`\n${said}`);
    else expect(one.said).toMatch(said);
    const run = await millrace(["run", `${one.job}.ts`, file, "--quiet", "--slots", "1"], { cwd: folder.path });
    expect(run.code, run.stderr).toBe(0);
    const counts = run.stdout.toString().trimEnd().split("\n");
    expect(counts.reduce((sum, line) => sum + Number(line.split("\t").at(-1)), 0)).toBe(records);
  }, 60_000);
});

test("all that was written type-checks", async () => {
  expect(made.size).toBeGreaterThanOrEqual(5);
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
