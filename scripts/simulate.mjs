// `npm run simulate -- --seeds 5000 [--from N[,N…]] [--processes 2]`: that many simulated worlds (test/simulation) from
// each first seed on, each decided by its seed, checked after every event. `npm run simulate -- --seed N [--trace]`:
// one of them again, with what happened last. Fails at a violation, at worlds in which too little goes wrong, and where
// something that must happen somewhere, or a kind of fault, never did.
import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { bundleSimulation } from "./simulate/bundle.mjs";
import { forkSeeds } from "./simulate/fork-seeds.mjs";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "1000" },
    from: { type: "string", default: "1" },
    seed: { type: "string" },
    trace: { type: "boolean", default: false },
    processes: { type: "string", default: String(Math.min(8, availableParallelism())) },
  },
});

/** How many seeds a process gets at once, at most. */
const portionMax = 10;
/** One of this many seeds is run twice. */
const repeatedEvery = 50;
/** Means that must be reached, per seed. */
const faultsMin = 50;
const masterChangesMin = 2;

const scratch = mkdtempSync(join(tmpdir(), "millrace-simulate-"));
process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));
const bundle = await bundleSimulation(join(scratch, "simulation.mjs"));
process.exitCode = values.seed === undefined ? await runMany() : await runOne(Number(values.seed));

async function runOne(seed) {
  const { runSeed } = await import(pathToFileURL(bundle).href);
  const result = await runSeed(seed, undefined, values.trace ? (line) => console.log(line) : undefined);
  console.log(`options ${result.options}`);
  report(result);
  const again = await runSeed(seed);
  console.log(`trace ${result.hash}, again ${again.hash}; ${result.events} events`);
  return result.violation === undefined && again.hash === result.hash ? 0 : 1;
}

async function runMany() {
  const started = performance.now();
  const [seeds, processes] = [Number(values.seeds), Number(values.processes)];
  // Seeds are given out in small portions: no process waits for another at the end.
  const portions = values.from.split(",").flatMap((from) =>
    Array.from({ length: Math.ceil(seeds / portionMax) }, (_, i) => ({
      from: Number(from) + i * portionMax,
      count: Math.min(portionMax, seeds - i * portionMax),
    })),
  );
  const totals = { seeds: 0, events: 0, masterChanges: 0, faults: {}, seen: {} };
  const failures = [];
  let different = 0;
  const take = (result) => {
    totals.seeds++;
    totals.events += result.events;
    totals.masterChanges += result.masterChanges;
    for (const [kind, count] of Object.entries(result.faults)) totals.faults[kind] = (totals.faults[kind] ?? 0) + count;
    for (const [what, count] of Object.entries(result.seen)) totals.seen[what] = (totals.seen[what] ?? 0) + count;
    if (result.violation !== undefined) failures.push(result);
    if (result.again !== undefined && result.again !== result.hash) {
      different++;
      console.log(`seed ${result.seed} is not the same twice: ${result.hash}, ${result.again}`);
    }
  };
  await Promise.all(
    Array.from({ length: processes }, () => {
      const child = forkSeeds(bundle);
      return new Promise((resolve, reject) => {
        const give = () => {
          const portion = portions.shift();
          if (portion === undefined || failures.length >= 20) return child.disconnect();
          child.send({ ...portion, repeatedEvery });
        };
        child.on("message", (message) => {
          if (message === "more") give();
          else take(message);
        });
        child.on("exit", (code) => (code === 0 ? resolve() : reject(new Error(`a simulation ended with ${code}`))));
        child.on("error", reject);
      });
    }),
  );
  const seconds = (performance.now() - started) / 1000;
  failures.sort((a, b) => a.seed - b.seed);
  for (const failure of failures.slice(1)) console.log(line(failure));
  if (failures[0] !== undefined) report(failures[0]);
  return summary(totals, failures, different, seconds);
}

async function summary(totals, failures, different, seconds) {
  const { sometimes, faultNames } = await import(pathToFileURL(bundle).href);
  const perSeed = (count) => count / totals.seeds;
  const faults = Object.values(totals.faults).reduce((sum, count) => sum + count, 0);
  console.log(`faults: ${listed(totals.faults)}`);
  console.log(`sometimes: ${listed(Object.fromEntries(sometimes.map((what) => [what, totals.seen[what] ?? 0])))}`);
  const never = [
    ...sometimes.filter((what) => !(totals.seen[what] > 0)),
    ...faultNames.filter((name) => !(totals.faults[name] > 0)),
  ];
  const complaints = [
    ...(failures.length > 0 ? [`${failures.length} seeds violate an invariant`] : []),
    ...(different > 0 ? [`${different} seeds are not the same twice`] : []),
    ...(perSeed(faults) < faultsMin ? [`fewer than ${faultsMin} faults per seed`] : []),
    ...(perSeed(totals.masterChanges) < masterChangesMin
      ? [`fewer than ${masterChangesMin} master changes per seed`]
      : []),
    ...(never.length > 0 && totals.seeds >= 1000 ? [`never seen: ${never.join(", ")}`] : []),
  ];
  console.log(
    `${totals.seeds} seeds in ${seconds.toFixed(1)} s, per seed ${perSeed(faults).toFixed(1)} faults, ` +
      `${perSeed(totals.masterChanges).toFixed(2)} master changes, ${perSeed(totals.events).toFixed(0)} events: ` +
      (complaints.length === 0 ? "every invariant held" : `FAILED: ${complaints.join("; ")}`),
  );
  return complaints.length === 0 ? 0 : 1;
}

function report(result) {
  if (result.violation === undefined) return;
  for (const happened of result.last) console.log(`  ${happened}`);
  console.log(line(result));
  console.log(`again: npm run simulate -- --seed ${result.seed}    (trace ${result.hash})`);
}

function line({ seed, violation }) {
  return `seed ${seed}: ${violation.invariant} at ${violation.at.toFixed(1)} ms: ${violation.message}`;
}

function listed(counts) {
  return Object.entries(counts)
    .map(([name, count]) => `${name} ${count}`)
    .join(", ");
}
