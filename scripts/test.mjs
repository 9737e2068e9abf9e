// `npm test`: the checks, then all tests, then 5,000 simulated clusters and the bugs seeded into them, then one closing
// line that counts all: "N passed, N failed[, N skipped]". `npm test -- PATTERN…` hands the patterns to vitest and
// leaves the rest out. With the path of another Node in MILLRACE_OTHER_NODE the suites that touch Node itself run on
// that one too.
//
// Some tests run real processes against real clocks, two files beside each other on what may be two slow cores. Where
// at most `againMax` files fail, they run once more by themselves. What passes then counts as passed, and is named at
// the end all the same: it is a test that wants to be mended. A property that was refuted is never tried again: another
// seed would hide it.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

// Thousands of processes are started, each of which would parse these certificates, and none but the installers of
// test/package speaks to anyone beyond this machine.
if (process.env.NODE_EXTRA_CA_CERTS) process.env.MILLRACE_EXTRA_CA_CERTS = process.env.NODE_EXTRA_CA_CERTS;
delete process.env.NODE_EXTRA_CA_CERTS;

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const patterns = process.argv.slice(2);
const scratch = mkdtempSync(join(tmpdir(), "millrace-test-"));
const report = join(scratch, "report.json");
let passed = 0;
let failed = 0;
let skipped = 0;
const againMax = 3;
/**
 * Processes, signals, files, sockets, compression and WebAssembly; the rest is JavaScript, which engines agree about.
 */
const nearNode = [
  "test/process",
  "test/faults/signals",
  "test/faults/slots",
  "test/faults/disk",
  "test/faults/input",
  "test/cluster/rpc",
  "src/format/compression",
  "src/kernel/wasm",
  "src/rpc",
  "src/state",
  "src/storage/local",
  "src/worker/slots",
];
/** What passed only when it ran by itself. */
const flaky = [];
/** What failed, for the end of the output: in the middle of thousands of lines no one finds it. */
const failures = [];

if (patterns.length === 0) {
  const checks = spawnSync(process.execPath, ["scripts/check.mjs"], {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 64 << 20,
  });
  process.stdout.write(checks.stdout);
  process.stderr.write(checks.stderr);
  passed += (checks.stdout.match(/^ok {4}/gm) ?? []).length;
  failed += (checks.stdout.match(/^FAIL {2}/gm) ?? []).length;
  if (checks.status !== 0 && failed === 0) failed++;
  failures.push(...(checks.stdout.match(/^FAIL {2}.*/gm) ?? []));
}

runTests(process.execPath, patterns);

// Once more on another Node, where its path is given: what stands between the product and Node itself.
const otherNode = process.env.MILLRACE_OTHER_NODE;
if (otherNode !== undefined && patterns.length === 0) {
  const { stdout } = spawnSync(otherNode, ["--version"], { encoding: "utf8" });
  console.log(`\nthe suites that touch Node itself on Node ${stdout?.trim() ?? "that can't be started"}`);
  runTests(otherNode, nearNode);
}

/** Runs test files with this Node, which their child processes get too, and counts. */
function runTests(node, files) {
  const first = vitest(node, files);
  const again = first.failures.filter(({ canPass }) => canPass);
  const paths = [...new Set(again.map(({ path }) => path))];
  const isWorthIt = again.length === first.failures.length && paths.length > 0 && paths.length <= againMax;
  const second = isWorthIt ? vitest(node, ["--maxWorkers=1", ...paths]) : undefined;
  const hasRun = second?.failures.every(({ path }) => path !== undefined);
  const still = hasRun ? second.failures : first.failures;
  const mended = first.failures.filter(({ name }) => !still.some((one) => one.name === name));
  passed += first.passed + mended.length;
  failed += first.failures.length - mended.length;
  // Another test of those files, which had passed.
  const others = still.filter(({ name }) => !first.failures.some((one) => one.name === name));
  passed -= others.length;
  failed += others.length;
  skipped += first.skipped;
  failures.push(...still.map(({ name, why }) => `FAIL  ${name}\n      ${why}`));
  flaky.push(...mended.map(({ name, why }) => `AGAIN ${name}\n      passed by itself; beside others: ${why}`));
}

/**
 * One run of test files: how many passed and were skipped, and what failed. A file that does not load has failed, too.
 */
function vitest(node, files) {
  rmSync(report, { force: true });
  const { status } = spawnSync(
    node,
    [
      join(root, "node_modules/vitest/vitest.mjs"),
      "run",
      "--reporter=default",
      "--reporter=json",
      `--outputFile.json=${report}`,
      ...files,
    ],
    { cwd: root, stdio: "inherit" },
  );
  try {
    const counts = JSON.parse(readFileSync(report, "utf8"));
    const failures = counts.testResults.flatMap(failuresOf);
    console.log(slowest(counts.testResults));
    if (status !== 0 && failures.length === 0)
      failures.push({ name: "vitest", why: `ended with ${status}, though every test passed`, canPass: false });
    return { passed: counts.numPassedTests, skipped: counts.numPendingTests + counts.numTodoTests, failures };
  } catch (error) {
    return {
      passed: 0,
      skipped: 0,
      failures: [{ name: "vitest", why: `no report: ${error.message}`, canPass: false }],
    };
  }
}

/** Where the time goes: files by seconds, those of at least 10. */
function slowest(files) {
  const seconds = files.map(({ name, startTime, endTime }) => [relative(root, name), (endTime - startTime) / 1000]);
  const slow = seconds.filter(([, time]) => time >= 10).toSorted(([, a], [, b]) => b - a);
  return slow.map(([name, time]) => `${time.toFixed(0).padStart(5)} s  ${name}`).join("\n");
}

function failuresOf({ name, status, message, assertionResults }) {
  const path = relative(root, name);
  if (status === "failed" && assertionResults.length === 0) return [{ path, name: path, why: message, canPass: false }];
  return assertionResults
    .filter((test) => test.status === "failed")
    .map(({ fullName, failureMessages }) => {
      const said = failureMessages.join("\n");
      const lines = said.split("\n").filter((line) => !line.includes("/node_modules/"));
      const why = lines.slice(0, 12).join("\n      ");
      return { path, name: `${path} > ${fullName}`, why, canPass: !/Property failed|\{ seed: -?\d+/.test(said) };
    });
}

// By themselves: they take all cores, and their times are promises. A seed is the same world on every Node, and a newer
// one takes 40 % less time for it: this one has a tenth of them then.
const here = process.execPath;
const worlds = (count, from = 1) => ["scripts/simulate.mjs", "--seeds", String(count), "--from", String(from)];
const simulations = [
  ...(otherNode === undefined
    ? [["5,000 simulated clusters", here, worlds(5000)]]
    : [
        ["4,500 simulated clusters on that Node", otherNode, worlds(4500)],
        ["500 more on this Node", here, worlds(500, 4501)],
      ]),
  ["seeded bugs are caught", otherNode ?? here, ["scripts/mutants.mjs"]],
];
for (const [name, node, command] of patterns.length === 0 ? simulations : []) {
  const { status } = spawnSync(node, command, { cwd: root, stdio: "inherit" });
  console.log(`${status === 0 ? "ok  " : "FAIL"}  ${name}`);
  if (status === 0) passed++;
  else {
    failed++;
    failures.push(`FAIL  ${name}`);
  }
}
rmSync(scratch, { recursive: true, force: true });
if (flaky.length > 0) console.log(`\n${flaky.join("\n")}\n`);
if (failures.length > 0) console.log(`\n${failures.join("\n")}\n`);
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
process.exit(failed === 0 ? 0 : 1);
