// `npm run chaos -- --minutes 10`: real processes of a cluster die, stall and are cut off while jobs run, as a seed has
// it (test/chaos); then every job must end with the bytes of one machine and nothing may be left. `--seed N`: which
// faults, and roughly when. `--every 1-10`: seconds between two faults. `--report FILE`: what happened and what was
// checked, as JSON (default: chaos-report.json).
import { spawnSync } from "node:child_process";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    seed: { type: "string", default: String(1 + Math.floor(Math.random() * 1e6)) },
    every: { type: "string", default: "1-10" },
    report: { type: "string", default: "chaos-report.json" },
  },
});
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const report = resolve(values.report);
console.log(`chaos of ${values.minutes} minutes, seed ${values.seed}; again: npm run chaos -- --seed ${values.seed}`);
const { status } = spawnSync(
  process.execPath,
  [join(root, "node_modules/vitest/vitest.mjs"), "run", "--maxWorkers=1", "test/chaos"],
  {
    cwd: root,
    stdio: "inherit",
    env: {
      ...process.env,
      CHAOS_SECONDS: String(Number(values.minutes) * 60),
      CHAOS_SEED: values.seed,
      CHAOS_EVERY: values.every,
      CHAOS_REPORT: report,
    },
  },
);
console.log(`report: ${report}`);
process.exitCode = status ?? 1;
