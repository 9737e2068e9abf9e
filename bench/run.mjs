// `npm run bench [-- CASE…] [-- OPTIONS]`: Millrace as a user runs it (whole process, published output, checks on)
// beside what a user would pick instead, in rotation. bench/README.md says how to read the table.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { cases } from "./cases.mjs";
import { checkDisk, generateMissing, work } from "./data.mjs";
import { parseOptions, usage } from "./options.mjs";
import { comparedWithRecorded } from "./ratios.mjs";
import { machine, readRecorded, record } from "./recorded.mjs";
import { tableText } from "./table.mjs";

const here = dirname(fileURLToPath(import.meta.url));

let options;
try {
  options = parseOptions(process.argv.slice(2), Object.keys(cases));
} catch (error) {
  console.error(`${error.message}\n\n${usage}`);
  process.exit(2);
}
if (options.help) {
  console.log(usage);
  process.exit(0);
}
const interrupted = new AbortController();
for (const name of ["SIGINT", "SIGTERM"]) process.on(name, () => interrupted.abort(new Error("interrupted")));
const bench = {
  ...options,
  signal: interrupted.signal,
  log: (line) => console.error(`  ${line}`),
  /** Reasons that make the whole run a failure: Millrace failed, or results differ. */
  mistakes: [],
};

execFileSync(process.execPath, [join(dirname(here), "scripts/build.mjs"), "--if-stale"], { stdio: "inherit" });
if (!existsSync(join(here, "peers/node_modules"))) {
  const npm = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
  spawnSync("npm", npm, { cwd: join(here, "peers"), stdio: "inherit" });
}
const rows = [];
try {
  const inputs = options.chosen.flatMap((name) => cases[name].inputs(bench));
  checkDisk(inputs);
  for (const name of options.chosen) {
    await generateMissing(cases[name].inputs(bench), bench);
    bench.log(`${name}:`);
    await runCase(name);
  }
} catch (error) {
  console.error(error.message);
  process.exitCode = interrupted.signal.aborted ? 130 : 1;
}
if (rows.length > 0) report();

/** A case that fails as a whole (its cluster does not start) is a mistake; the others go on. */
async function runCase(name) {
  try {
    rows.push(...(await cases[name].run(bench)));
  } catch (error) {
    interrupted.signal.throwIfAborted();
    bench.log(error.stack);
    bench.mistakes.push(`${name}: ${error.message.split("\n")[0]}`);
  }
}

function report() {
  const recorded = readRecorded();
  const { machine: where, node } = machine();
  console.log(`\n${where}, Node ${node}, ${options.rounds} rounds; ratios are medians of within-round ratios\n`);
  console.log(tableText(rows, recorded));
  for (const mistake of bench.mistakes) console.log(`WRONG  ${mistake}`);
  const last = { ...machine(), rounds: options.rounds, size: options.size, mistakes: bench.mistakes, rows };
  writeFileSync(join(work, "last.json"), JSON.stringify(last, null, 2));
  const worse = rows.filter(
    (row) => row.absent === undefined && comparedWithRecorded(row, recorded[row.key])?.regressed,
  );
  if (worse.length > 0) console.log(`${worse.length} ratios are worse than recorded`);
  if (bench.mistakes.length > 0 || (options.check && worse.length > 0)) process.exitCode ||= 1;
  if (options.record && bench.mistakes.length === 0 && !interrupted.signal.aborted)
    console.log(`recorded in ${record(rows, options.rounds)}`);
}
