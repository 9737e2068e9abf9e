// `npm run mutants`: each seeded bug (simulate/mutants.mjs) must be caught by one of its invariants, within 300 seeds
// (or as many as it says) of its own swarm profile. `npm run mutants -- --only WORD`: some of them. `--all`: they are
// looked for without profiles too, and the table of docs/mutants.md is written.
import { fork } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { bundleSimulation } from "./simulate/bundle.mjs";
import { forkSeeds } from "./simulate/fork-seeds.mjs";
import { mutants } from "./simulate/mutants.mjs";
import { testMutants } from "./simulate/test-mutants.mjs";

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    all: { type: "boolean", default: false },
    general: { type: "string", default: "1000" },
  },
});
const seedsMax = 300;
const scratch = mkdtempSync(join(tmpdir(), "millrace-mutants-"));
process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));

const started = performance.now();
const isChosen = ({ name }) => values.only === undefined || name.includes(values.only);
const rows = [];
const tested = [];
const tasks = [
  ...mutants.filter(isChosen).map((mutant) => async () => {
    const found = { mutant, ...(await tryOut(mutant)) };
    rows.push(found);
    const { caught, general } = found;
    console.log(
      `${caught.invariant === undefined ? "FAIL" : "ok  "}  ${mutant.name}: ${caught.text}` +
        (general === undefined ? "" : `; without a profile: ${general.text}`),
    );
  }),
  ...testMutants.filter(isChosen).map((mutant) => async () => {
    const caught = await failsBy(mutant);
    tested.push({ mutant, caught });
    console.log(`${caught.isCaught ? "ok  " : "FAIL"}  ${mutant.name}: ${caught.text}`);
  }),
];
await Promise.all(
  Array.from({ length: Math.min(8, availableParallelism()) }, async () => {
    for (let task = tasks.shift(); task !== undefined; task = tasks.shift()) await task();
  }),
);
tested.sort((a, b) => testMutants.indexOf(a.mutant) - testMutants.indexOf(b.mutant));
const missed = rows.filter(({ caught }) => caught.invariant === undefined);
const seconds = (performance.now() - started) / 1000;
if (values.all && values.only === undefined) writeTable();
const all = rows.length + tested.length;
const uncaught = missed.length + tested.filter(({ caught }) => !caught.isCaught).length;
console.log(`${all - uncaught} of ${all} seeded bugs caught in ${seconds.toFixed(1)} s`);
process.exitCode = uncaught === 0 && all > 0 ? 0 : 1;

/** The test file must fail, by tests of its own and not because the patch does not fit. */
async function failsBy(mutant) {
  const { test, patches } = mutant;
  const report = join(scratch, `report-${testMutants.indexOf(mutant)}.json`);
  const words = ["run", "--reporter=json", `--outputFile.json=${report}`, "--maxWorkers=1", test];
  const child = fork(fileURLToPath(new URL("../node_modules/vitest/vitest.mjs", import.meta.url)), words, {
    cwd: fileURLToPath(new URL("..", import.meta.url)),
    env: { ...process.env, MILLRACE_NO_BUILD: "1", MILLRACE_SEEDED_BUG: JSON.stringify(patches) },
    silent: true,
  });
  await new Promise((resolve) => child.on("exit", resolve));
  const { numFailedTests, testResults } = JSON.parse(readFileSync(report, "utf8"));
  const broken = testResults.find(
    ({ status, assertionResults }) => status === "failed" && assertionResults.length === 0,
  );
  if (broken !== undefined) return { isCaught: false, text: `${test} does not load: ${broken.message.split("\n")[0]}` };
  return { isCaught: numFailedTests > 0, text: numFailedTests > 0 ? test : `${test} passes with it` };
}

async function tryOut(mutant) {
  let bundle;
  try {
    const name = `mutant-${mutants.indexOf(mutant)}.mjs`;
    bundle = await bundleSimulation(join(scratch, name), mutant.patches);
  } catch (error) {
    return {
      caught: {
        text: `the patch does not fit: ${error.message.split("\n").find((line) => line.includes("times")) ?? error.message}`,
      },
    };
  }
  const caught = await hunt(bundle, mutant, mutant.profile, mutant.seedsMax ?? seedsMax);
  const general = values.all ? await hunt(bundle, mutant, undefined, Number(values.general)) : undefined;
  return { caught, general };
}

/** Resolves with the first seed at which one of its invariants noticed the bug. */
function hunt(bundle, { invariants }, profile, seeds) {
  const child = forkSeeds(bundle);
  return new Promise((resolve) => {
    let from = 1;
    const others = new Map();
    const end = (result) => {
      child.kill("SIGKILL");
      resolve(result);
    };
    child.on("message", (message) => {
      if (message === "more") {
        if (from > seeds) {
          const noticed = [...others].map(([invariant, count]) => `${invariant} ${count}`).join(", ");
          return end({ text: `not caught in ${seeds} seeds${noticed === "" ? "" : ` (but: ${noticed})`}` });
        }
        const count = Math.min(5, seeds - from + 1);
        child.send({ from, count, repeatedEvery: Infinity, profile });
        from += count;
        return;
      }
      const { seed, violation } = message;
      if (violation === undefined) return;
      if (invariants.includes(violation.invariant))
        return end({ invariant: violation.invariant, seed, text: `${violation.invariant} at seed ${seed}` });
      others.set(violation.invariant, (others.get(violation.invariant) ?? 0) + 1);
    });
    child.on("exit", (code) => end({ text: `the simulation ended with ${code}` }));
  });
}

function writeTable() {
  const ordered = mutants.map((mutant) => rows.find((row) => row.mutant === mutant));
  const cell = (found) => (found.invariant === undefined ? found.text : `${found.invariant}, ${found.seed}`);
  const lines = ordered.map(
    ({ mutant, caught, general }) => `| ${mutant.name} | ${mutant.source} | ${cell(caught)} | ${cell(general)} |`,
  );
  const text = `# Seeded bugs

A check counts for nothing until it has caught a bug. Each row is a bug that is patched into the sources when the simulation is
bundled (\`scripts/simulate/mutants.mjs\`; what ships has no switches), with the invariant (docs/simulation.md) that noticed it
first and the number of seeds that took: within the swarm profile in which it shows soonest, as every \`npm test\` repeats it, and
among worlds of any kind. Those that the simulation can't reach are seeded into the sources of a test file, which has to fail
(\`scripts/simulate/test-mutants.mjs\`). Written by \`npm run mutants -- --all\`.

| bug | where it comes from | caught by, at seed | in general |
|---|---|---|---|
${[...lines, ...tested.map(({ mutant, caught }) => `| ${mutant.name} | ${mutant.source} | ${caught.text} | - |`)].join("\n")}
`;
  writeFileSync(fileURLToPath(new URL("../docs/mutants.md", import.meta.url)), text);
}
