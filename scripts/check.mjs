// Everything that needs no test run: format, lint, types, import directions, unused code, package contents, generated
// files. Prints one line per check and the output of those that fail.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const bin = (path) => [process.execPath, join(root, "node_modules", path)];
const checks = [
  ["format and lint", [...bin("@biomejs/biome/bin/biome"), "ci", "--error-on-warnings", "."]],
  ["types", [...bin("typescript/bin/tsc"), "-p", "."]],
  [
    "import directions",
    [...bin("dependency-cruiser/bin/dependency-cruise.mjs"), "--config", ".dependency-cruiser.cjs", "src"],
  ],
  ["unused code", [...bin("knip/bin/knip.js"), "--no-progress"]],
  ["kernel.wasm and json.wasm are their sources'", [process.execPath, "scripts/wasm.mjs", "--check"]],
  ["src/wire/gen is what proto/ says", [process.execPath, "scripts/proto-check.mjs"]],
  ["docs/api.md has what is exported, and its comments", [process.execPath, "scripts/api-page.mjs", "--check"]],
  ["docs/errors.md is its table's", [process.execPath, "scripts/errors-page.mjs", "--check"]],
  ["faults, S and I numbers are defined and tested", [process.execPath, "scripts/faults-page.mjs", "--check"]],
  ["comments are plain English within 120 columns", [process.execPath, "scripts/comments-check.mjs"]],
  ["THIRD-PARTY-NOTICES has what is bundled", [process.execPath, "scripts/notices.mjs", "--check"]],
  ["package contents", [process.execPath, "scripts/package-check.mjs"]],
].filter(([, command]) => existsSync(join(root, command[1])) || existsSync(command[1]));

/** Runs one check; resolves with whether it passed and what it printed. */
function run([name, [command, ...args]]) {
  const started = performance.now();
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, FORCE_COLOR: "0" },
    });
    let output = "";
    child.stdout.on("data", (chunk) => (output += chunk));
    child.stderr.on("data", (chunk) => (output += chunk));
    child.on("close", (code) => {
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      console.log(`${code === 0 ? "ok  " : "FAIL"}  ${name} (${seconds} s)`);
      if (code !== 0) console.log(output.trimEnd());
      resolve(code === 0);
    });
  });
}

let failed = 0;
// Two beside each other, the longest by itself; those that build `dist/` stay one after the other.
const isLong = ([name]) => name === "types";
const lanes = [checks.filter(isLong), checks.filter((check) => !isLong(check))];
await Promise.all(
  lanes.map(async (lane) => {
    for (const check of lane) if (!(await run(check))) failed++;
  }),
);
console.log(failed === 0 ? "all checks passed" : `${failed} of ${checks.length} checks failed`);
process.exit(failed === 0 ? 0 : 1);
