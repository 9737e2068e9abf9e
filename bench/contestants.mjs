// The contestants that are measured: each is a command to run, or the reason why it can't be run (`absent`).
//
//   output, order   what it writes, and how that is compared with the others' (compare.mjs)
//   temporary       removed before and after
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { ownFolder, work } from "./data.mjs";

const here = dirname(fileURLToPath(import.meta.url));
export const peer = (name) => join(here, "peers", name);
export const program = join(dirname(here), "bin/millrace.js");
/**
 * In this run's own folder, so that two runs at the same time don't disturb each other's results (they do disturb their
 * times).
 */
export const output = (name) => join(ownFolder, name.replaceAll(" ", "-"));
/** A sort's output is compared byte by byte; other outputs may differ in their order. */
export const orderOf = (job) => (job.startsWith("sort") ? "exact" : "lines");

/** MiB that two slots need at least. */
export const memoryMin = 128;
/** Flags for two slots with this many MiB. */
export const budgeted = (mebibytes) => ["--slots", "2", "--memory", `${mebibytes}MB`];

/** The command's file in the first folder of the PATH that has it. */
export function findOnPath(name) {
  const folders = (process.env.PATH ?? "").split(delimiter);
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

/** `job`: a file of bench/jobs; `flags` go to `millrace run`; not `compared` where contestants read different data. */
export function millrace(job, input, { flags = ["--slots", "2"], name = "millrace", env, compared = true } = {}) {
  const file = join(here, "jobs", `${job}.ts`);
  return {
    name,
    command: process.execPath,
    args: [program, "run", file, input, "-o", output(name), "--quiet", ...flags],
    env,
    output: output(name),
    order: compared ? orderOf(job) : undefined,
    memoryDirectories: ["/dev/shm"],
  };
}

export function duckdb(job, input) {
  const to = output("duckdb");
  const hello = job === "hello";
  return {
    name: "duckdb",
    command: process.execPath,
    args: [peer("duck.cjs"), job, input, to],
    output: hello ? undefined : to,
    order: hello ? undefined : orderOf(job),
    temporary: [`${to}.tmp`],
    absent: existsSync(peer("node_modules/@duckdb/node-api"))
      ? undefined
      : "DuckDB is not installed (npm ci in bench/peers)",
  };
}

export const naive = (job, input) => ({
  name: "naive",
  command: process.execPath,
  args: [peer("naive.cjs"), job, input, output("naive")],
  output: output("naive"),
  order: orderOf(job),
});

/** Whole lines in the order of their bytes, with this much memory. */
export const gnuSort = (input, memory) => ({
  name: "gnu sort",
  command: "sort",
  args: [`-S${memory}`, "--parallel=2", "-T", ownFolder, "-o", output("gnu sort"), input],
  output: output("gnu sort"),
  order: "exact",
  env: { LC_ALL: "C" },
  absent: findOnPath("sort") === undefined ? "no sort on the PATH" : undefined,
});

/** The C++ program of peers/ for this job, compiled when its sources or this machine's compiler are new. */
export function limit(job, input) {
  const name = "c++ limit";
  const compiler = findOnPath("g++");
  if (compiler === undefined) return { name, absent: "no g++" };
  const source = peer(`${job}.cpp`);
  const flags = ["-std=c++17", "-O3", "-march=native", "-pthread"];
  const hash = createHash("sha256").update(spawnSync(compiler, ["--version"]).stdout);
  for (const file of [source, peer("count-table.hpp")]) hash.update(readFileSync(file));
  const binary = join(work, `limit-${job}-${hash.digest("hex").slice(0, 12)}`);
  if (!existsSync(binary)) {
    const compiled = spawnSync(compiler, [...flags, "-o", binary, source], { encoding: "utf8" });
    if (compiled.status !== 0) return { name, absent: `g++ refused ${job}.cpp: ${compiled.stderr.split("\n")[0]}` };
  }
  return { name, command: binary, args: [input, output(name)], output: output(name), order: orderOf(job) };
}

const shell = (name, script, input, absent) => ({
  name,
  command: "sh",
  args: ["-c", script, "sh", input, output(name)],
  output: output(name),
  order: "lines",
  env: { LC_ALL: "C", TMPDIR: ownFolder },
  absent,
});

export const mawk = (input) =>
  shell(
    "mawk",
    'mawk \'{ for (i = 1; i <= NF; i++) n[$i]++ } END { for (w in n) printf "%s\\t%d\\n", w, n[w] }\' "$1" > "$2"',
    input,
    findOnPath("mawk") === undefined ? "no mawk on the PATH" : undefined,
  );

export const tools = (input) =>
  shell(
    "tr|sort|uniq",
    "tr -s ' ' '\\n' < \"$1\" | sort -S1G --parallel=2 | uniq -c | awk '{ print $2 \"\\t\" $1 }' > \"$2\"",
    input,
    undefined,
  );
