// `npm test`: the checks, then all tests, then 5,000 simulated clusters and the bugs seeded into them, then one closing line that
// counts all: "N passed, N failed[, N skipped]". `npm test -- PATTERN…` hands the patterns to vitest and leaves the rest out. With the path
// of another Node in MILLRACE_OTHER_NODE the suites that touch Node itself run on that one too.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

// Thousands of processes are started, each of which would parse these certificates, and none speaks to anyone beyond this machine.
delete process.env.NODE_EXTRA_CA_CERTS;

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const patterns = process.argv.slice(2);
const scratch = mkdtempSync(join(tmpdir(), "millrace-test-"));
const report = join(scratch, "report.json");
let passed = 0;
let failed = 0;
let skipped = 0;
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
  console.log(`\nthe conformance, process and fault suites on Node ${stdout?.trim() ?? "that can't be started"}`);
  runTests(otherNode, ["test/process", "test/faults", ...conformanceTests()]);
}

/** The files that run a suite of `test/conformance`. */
function conformanceTests() {
  return readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".test.ts"))
    .map((name) => join("src", name))
    .filter((path) => readFileSync(join(root, path), "utf8").includes("test/conformance/"));
}

/** A failed test of a report: its file, its name, and the first lines of what it said. */
function named(file, { fullName, failureMessages }) {
  const why = failureMessages.join("\n").split("\n").slice(0, 12).join("\n      ");
  return `FAIL  ${relative(root, file.name)} > ${fullName}\n      ${why}`;
}

/** Runs test files with this Node, which their child processes get too, and counts. */
function runTests(node, files) {
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
  const before = failed;
  try {
    const counts = JSON.parse(readFileSync(report, "utf8"));
    passed += counts.numPassedTests;
    failed += counts.numFailedTests;
    skipped += counts.numPendingTests + counts.numTodoTests;
    // A file that does not load has no tests to count, yet it has failed.
    const empty = counts.testResults.filter((file) => file.status === "failed" && file.assertionResults.length === 0);
    failed += empty.length;
    failures.push(...empty.map((file) => `FAIL  ${relative(root, file.name)}\n      ${file.message}`));
    for (const file of counts.testResults) {
      const tests = file.assertionResults.filter((test) => test.status === "failed");
      failures.push(...tests.map((test) => named(file, test)));
    }
  } catch (error) {
    failures.push(`FAIL  no test report: ${error.message}`);
    failed++;
  }
  if (status !== 0 && failed === before) {
    failed++;
    failures.push(`FAIL  vitest ended with ${status}, though every test passed`);
  }
}

// By themselves: they take all cores, and their times are promises.
const simulations = [
  ["5,000 simulated clusters", ["scripts/simulate.mjs", "--seeds", "5000"]],
  ["seeded bugs are caught", ["scripts/mutants.mjs"]],
];
for (const [name, command] of patterns.length === 0 ? simulations : []) {
  const { status } = spawnSync(process.execPath, command, { cwd: root, stdio: "inherit" });
  console.log(`${status === 0 ? "ok  " : "FAIL"}  ${name}`);
  if (status === 0) passed++;
  else {
    failed++;
    failures.push(`FAIL  ${name}`);
  }
}
rmSync(scratch, { recursive: true, force: true });
if (failures.length > 0) console.log(`\n${failures.join("\n")}\n`);
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
process.exit(failed === 0 ? 0 : 1);
