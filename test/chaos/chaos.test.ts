// A cluster of real processes in which something fails every few seconds, as a seed has it, while jobs run. Then
// faults stop, and every job has to end, with the bytes and counts of a run on one machine and nothing left behind.
// No time is asserted. `npm run chaos` runs it for longer; see scripts/chaos.mjs for what it takes.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openStateStore } from "../../src/state/open.ts";
import { memoryDirectoriesOf, processesBelow, until } from "../process/support.ts";
import { startChaosCluster } from "./cluster.ts";
import { Chaos } from "./faults.ts";
import { Jobs } from "./jobs.ts";
import { filesLeft, recordsLeft } from "./left.ts";
import { pause } from "./machine.ts";
import { leaseMs, settingsOf } from "./settings.ts";

const settings = settingsOf(process.env);
/** Bounds of a hang: what takes longer will not end. */
const endMs = 300_000;

test(
  "fault 1, 4, 6, 31, 46, 53, 65, 66: processes die and stall and ways are cut at random; every job ends with the bytes of one machine, and nothing is left",
  async () => {
    const cluster = await startChaosCluster();
    const jobs = new Jobs(cluster, settings.seed);
    const chaos = new Chaos(cluster, jobs, settings);
    const checks: Record<string, unknown> = {};
    try {
      await jobs.expect();
      const working = Promise.all([jobs.run(), jobs.watch()]);
      await chaos.run();
      jobs.stop();
      await working;
      checks["jobs that ended with the bytes and counts of one machine"] = jobs.done;
      expect(jobs.wrong).toEqual([]);
      checks["looks at outputs, each of which was whole"] = jobs.looks;
      expect(jobs.looks).toBeGreaterThan(0);

      // Workers are told to discard what they have for three leases, then the records go.
      await untilNone("files", () => filesLeft(cluster));
      checks["files left"] = 0;
      await pause(4 * leaseMs);
      const [master] = cluster.masters;
      master!.signal("SIGTERM");
      expect(await master!.ended(), "a master that is told to end").toBe(0);
      const store = await openStateStore(`leveldb:${join(cluster.folder, "state", "store")}`);
      try {
        expect(await recordsLeft(store), "records left").toEqual([]);
      } finally {
        await store.close();
      }
      checks["records left"] = 0;
    } finally {
      jobs.close();
      await cluster.close();
      const { fired } = chaos;
      const { done, retries, wrong } = jobs;
      const report = {
        settings,
        faults: fired,
        notOffered: notOffered(cluster.smallDiskMissing),
        jobs: { done, retries, wrong },
        checks,
        log: chaos.log,
      };
      if (settings.report !== undefined) writeFileSync(settings.report, `${JSON.stringify(report, undefined, 2)}\n`);
      console.log(`chaos, seed ${settings.seed}: ${JSON.stringify(fired)}; jobs: ${JSON.stringify(done)}`);
    }
    await untilNone("processes", () => processesBelow(cluster.folder));
    await untilNone("directories in memory", () => memoryDirectoriesOf(cluster.folder));
    const total = Object.values(chaos.fired).reduce((sum, count) => sum + count, 0);
    expect(total, "faults that fired").toBeGreaterThanOrEqual(
      Math.floor(settings.seconds / ((2 * settings.everyMs[1]) / 1000)),
    );
    expect(Object.keys(jobs.done).length, "kinds of jobs that ended").toBeGreaterThan(0);
  },
  settings.seconds * 1000 + endMs,
);

function notOffered(smallDiskMissing: string | undefined): Readonly<Record<string, string>> {
  return smallDiskMissing === undefined ? {} : { "disk full": smallDiskMissing };
}

/** The last that were there are told when the test's time is over. */
async function untilNone(what: string, left: () => readonly unknown[]): Promise<void> {
  const end = performance.now() + endMs / 5;
  await until(() => left().length === 0 || performance.now() > end);
  expect(left(), `${what} left`).toEqual([]);
}
