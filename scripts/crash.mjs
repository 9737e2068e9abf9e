// `npm run crash`: processes of Millrace are killed at their system calls, one after the other, started again, killed
// while they recover, and given errors of the disk (test/crash); what was acknowledged must be there each time.
// `--only SCENE`: scenes whose names have this word. `--all`: every call instead of every `--stride`-th (10), of which
// `--seed N` says which. `--json FILE`: the report as JSON. Needs strace.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { build } from "esbuild";

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    all: { type: "boolean", default: false },
    stride: { type: "string", default: "10" },
    seed: { type: "string", default: String(Date.now() % 1000) },
    processes: { type: "string", default: "2" },
    json: { type: "string" },
  },
});
const root = dirname(dirname(fileURLToPath(import.meta.url)));
mkdirSync(join(root, "node_modules/.cache"), { recursive: true });
const scratch = mkdtempSync(join(root, "node_modules/.cache/millrace-crash-main-"));
try {
  const outfile = join(scratch, "main.mjs");
  await build({
    entryPoints: [join(root, "test/crash/main.ts")],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    sourcemap: "inline",
    logLevel: "silent",
    external: ["classic-level", "esbuild"],
  });
  const { canTrace, exploreAll } = await import(pathToFileURL(outfile).href);
  if (!canTrace) throw new Error("strace is not here, or may not trace: install it, and run this as a user who may");
  const seed = Number(values.seed);
  console.log(`seed ${seed}`);
  const reports = await exploreAll(root, {
    only: values.only,
    stride: values.all ? 1 : Number(values.stride),
    seed,
    processes: Number(values.processes),
    onReport: (report, seconds) => console.log(textOf(report, seconds)),
  });
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify({ seed, reports }, undefined, 2)}\n`);
  const isIdle = reports.length === 0 || reports.some(({ kills }) => kills === 0);
  if (isIdle) console.log("FAILED: nothing was killed in a scene, or no scene has this name");
  process.exitCode = isIdle || reports.some(({ found }) => found.length > 0) ? 1 : 0;
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

function textOf(report, seconds) {
  const codes = Object.entries(report.codes).map(([code, count]) => `${code} ${count}`);
  return [
    `${report.scene}: ${report.points} system calls, ${report.kills} kills, ${report.recoveriesKilled} kills of recoveries, ` +
      `${report.failures} failed calls (${codes.join(", ")}), ${report.restarts} restarts, ${report.notReached} not reached, ` +
      `${seconds.toFixed(1)} s: ${report.found.length === 0 ? "all held" : `${report.found.length} FAILED`}`,
    ...report.found.map((found) => `  ${found}`),
  ].join("\n");
}
