// `npm run bench [-- CASE…] [-- --rounds N]`: Millrace as a user runs it (whole process, published output, checks on) beside
// what a user would pick instead, in rotation. bench/README.md says how to read the table.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { killedAtHalf, openCluster } from "./cluster.mjs";
import { generate } from "./generate.mjs";
import { median, ratio, rounds } from "./measure.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(here);
const work = join(here, ".work");
const MB = 1_000_000;
mkdirSync(work, { recursive: true });
execFileSync(process.execPath, [join(root, "scripts/build.mjs"), "--if-stale"], { stdio: "inherit" });

function data(kind, megabytes) {
  const file = join(work, `${kind}-${megabytes}.dat`);
  if (!existsSync(file) || statSync(file).size < megabytes * MB) generate(kind, megabytes * MB, file);
  return file;
}

const output = (name) => join(work, `out-${name}`);
const millrace = (job, input, flags = [], name = "millrace") => ({
  name,
  command: process.execPath,
  args: [
    join(root, "bin/millrace.js"),
    "run",
    join(here, "jobs", `${job}.ts`),
    input,
    "-o",
    output(name),
    "--slots",
    "2",
    "--quiet",
    ...flags,
  ],
  outputs: [output(name)],
  memoryDirectories: ["/dev/shm"],
});
const duckdb = (job, input) => ({
  name: "duckdb",
  command: process.execPath,
  args: [join(here, "peers/duck.cjs"), job, input, output("duckdb")],
  outputs: [output("duckdb")],
});
const naive = (job, input) => ({
  name: "naive",
  command: process.execPath,
  args: [join(here, "peers/naive.cjs"), job, input, output("naive")],
  outputs: [output("naive")],
});
const gnuSort = (input, memory) => ({
  name: "gnu-sort",
  command: "sort",
  args: [`-S${memory}`, "--parallel=2", "-T", work, "-o", output("gnu-sort"), input],
  outputs: [output("gnu-sort")],
  env: { LC_ALL: "C" },
});

const cases = {
  async "word-count"({ rounds: n }) {
    const input = data("text", 200);
    const results = await rounds(
      [millrace("word-count", input), duckdb("word-count", input), naive("word-count", input)],
      n,
      log,
    );
    return [
      row("word count 200 MB / DuckDB", results, "millrace", "duckdb", "<= 2"),
      row("naive script / word count", results, "naive", "millrace", ">= 4"),
    ];
  },
  async words({ rounds: n }) {
    const input = data("text", 500);
    const results = await rounds([millrace("word-count-builtin", input), duckdb("word-count", input)], n, log);
    return [row("word count 500 MB by words() / DuckDB", results, "millrace", "duckdb", "<= 0.5")];
  },
  async sort({ rounds: n }) {
    const input = data("tera", 200);
    const results = await rounds([millrace("sort", input), gnuSort(input, "1G"), duckdb("sort", input)], n, log);
    return [
      row("sort 2 M x 100 B / GNU sort", results, "millrace", "gnu-sort", "<= 0.8"),
      row("sort 2 M x 100 B / DuckDB", results, "millrace", "duckdb", ""),
    ];
  },
  async ndjson({ rounds: n }) {
    const input = data("ndjson", 200);
    const results = await rounds([millrace("ndjson", input), duckdb("ndjson", input), naive("ndjson", input)], n, log);
    return [
      row("NDJSON sum 200 MB / DuckDB", results, "millrace", "duckdb", ""),
      row("naive script / NDJSON sum", results, "naive", "millrace", ""),
    ];
  },
  async cluster({ rounds: n }) {
    const cluster = await openCluster();
    try {
      const rows = [];
      for (const [job, kind] of [
        ["word-count", "text"],
        ["sort", "tera"],
      ]) {
        const input = data(kind, 200);
        const remote = { ...millrace(job, input, [], "cluster"), env: cluster.env };
        remote.args = [
          ...remote.args.filter((word, i, all) => word !== "--slots" && all[i - 1] !== "--slots"),
          ...["--master", cluster.address],
        ];
        const results = await rounds([remote, millrace(job, input)], n, log);
        rows.push(row(`${job} 200 MB: master + 2 workers x 1 slot / one process x 2 slots`, results, "cluster", "millrace", "<= 1.15")); // biome-ignore format: a row
      }
      return rows;
    } finally {
      await cluster.close();
    }
  },
  async kill({ rounds: n }) {
    const results = await killedAtHalf({
      job: join(here, "jobs/slow-count.ts"),
      input: data("text", 200),
      output: output("kill"),
      words: ["--split-size", "2MB"],
      rounds: Math.min(n, 3),
      log,
    });
    return [
      { what: "one of two workers killed at half time and restarted", ...ratio(results.get("restarted"), results.get("undisturbed")), goal: "<= 1.15" }, // biome-ignore format: a row
      {
        what: "the same, its disk lost",
        ...ratio(results.get("disk lost"), results.get("undisturbed")),
        goal: "<= 1.4",
      },
    ];
  },
  async hello({ rounds: n }) {
    const input = join(work, "hello.txt");
    writeFileSync(input, "hello world\n");
    const node = { name: "node -e 0", command: process.execPath, args: ["-e", "0"] };
    const results = await rounds(
      [millrace("word-count", input), node, { ...duckdb("hello", input) }],
      Math.max(n, 9),
      log,
    );
    return [
      row("hello world / node -e 0", results, "millrace", "node -e 0", "<= 6"),
      row("hello world / DuckDB", results, "millrace", "duckdb", ""),
    ];
  },
  async memory({ rounds: n }) {
    const budget = 128;
    const rows = [];
    for (const [job, kind] of [
      ["sort", "tera"],
      ["word-count", "text"],
    ]) {
      const results = await rounds(
        [millrace(job, data(kind, budget * 10), ["--memory", `${budget}MB`])],
        Math.min(n, 3),
        log,
      );
      const allowed = (budget + 2 * 150) * 2 ** 20;
      const peak = Math.max(...results.get("millrace").map((result) => result.peakBytes));
      rows.push({
        what: `${job} ${budget * 10} MB at --memory ${budget}MB: peak / (budget + 150 MB a slot)`,
        median: peak / allowed,
        min: peak / allowed,
        max: peak / allowed,
        goal: "<= 1",
      });
    }
    return rows;
  },
  async scale({ rounds: n }) {
    const sizes = [100, 500, 2000];
    const results = await rounds(
      sizes.map((size) => millrace("word-count", data("text", size), [], `millrace-${size}`)),
      Math.min(n, 5),
      log,
    );
    const seconds = (size) => median(results.get(`millrace-${size}`).map((result) => result.seconds));
    const small = (seconds(500) - seconds(100)) / 400;
    const large = (seconds(2000) - seconds(500)) / 1500;
    return [
      {
        what: "cost per MB from 0.5 to 2 GB / from 0.1 to 0.5 GB",
        median: large / small,
        min: large / small,
        max: large / small,
        goal: "<= 1.2",
      },
    ];
  },
};

function row(what, results, a, b, goal) {
  const peak = median((results.get("millrace") ?? []).map((result) => result.peakBytes));
  return {
    what,
    ...ratio(results.get(a), results.get(b)),
    goal,
    seconds: median(results.get("millrace").map((r) => r.seconds)),
    peakMiB: Math.round(peak / 2 ** 20),
  };
}

function log(line) {
  console.error(`  ${line}`);
}

const words = process.argv.slice(2);
const at = words.indexOf("--rounds");
const options = { rounds: at < 0 ? 5 : Number(words[at + 1]) };
const chosen = words.filter((word, i) => !word.startsWith("--") && (at < 0 || i !== at + 1));
for (const name of chosen) {
  if (Object.hasOwn(cases, name)) continue;
  console.error(`no such case: ${name}; there are ${Object.keys(cases).join(", ")}`);
  process.exit(2);
}
if (!existsSync(join(here, "peers/node_modules"))) {
  spawnSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], {
    cwd: join(here, "peers"),
    stdio: "inherit",
  });
}

const table = [];
for (const name of chosen.length > 0 ? chosen : Object.keys(cases)) {
  log(`${name}:`);
  table.push(...(await cases[name](options)));
}
console.log(
  `\n${cpus()[0]?.model ?? "?"}, ${availableParallelism()} cores, Node ${process.version}, ${options.rounds} rounds; ratios are medians of within-round ratios\n`,
);
console.log(`${"".padEnd(64)} ${"median".padStart(8)} ${"min".padStart(8)} ${"max".padStart(8)}  goal`);
for (const { what, median: middle, min, max, goal } of table) {
  console.log(
    `${what.padEnd(64)} ${middle.toFixed(2).padStart(8)} ${min.toFixed(2).padStart(8)} ${max.toFixed(2).padStart(8)}  ${goal}`,
  );
}
writeFileSync(
  join(work, "last.json"),
  JSON.stringify({ at: new Date().toISOString(), node: process.version, table }, null, 2),
);
for (const name of Object.keys(cases)) rmSync(output(name), { recursive: true, force: true });
