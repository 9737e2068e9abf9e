import { expect, test } from "vitest";
import { type Sightings, World } from "../../test/schedule/world.ts";

const seeds = Number(process.env["MILLRACE_SEEDS"] ?? 60);
const first = Number(process.env["MILLRACE_SEED"] ?? 1);

test("faults 1 to 9, 21, 22, 27, 31, 43 to 46, 51: whatever fails, recovery equals the live state and every job ends rightly", () => {
  const sightings: Sightings = new Map();
  for (let seed = first; seed < first + seeds; seed++) {
    const world = new World(seed, sightings);
    try {
      for (let round = 0; round < 1500; round++) {
        if (round % 300 === 0) world.submit();
        world.act();
      }
      world.heal();
    } catch (error) {
      throw new Error(`seed ${seed} (MILLRACE_SEED=${seed} MILLRACE_SEEDS=1)`, { cause: error });
    }
    for (const job of world.jobs) {
      const outcome = world.ends.get(job);
      world.saw(`job ${outcome}`);
      expect(world.published.has(job), `seed ${seed}`).toBe(outcome === "succeeded");
    }
  }
  if (process.env["MILLRACE_SEEDS"] !== undefined) console.log([...sightings].sort());
  // "No failures" must not mean "nothing happened".
  if (seeds < 60) return;
  for (const what of [
    "commit cut",
    "failover",
    "segment missing",
    "segment corrupt",
    "segment unreachable",
    "fact holder-unreachable",
    "fact worker-quarantined",
    "fact worker-excluded",
    "fact job-closing",
    "fact late-call",
    "drain wished",
    "fact map-output-moved",
    "fact copy-failed",
    "worker left",
    "fact job-forgotten",
    "resumed: working",
    "decision after a rollback",
    "decision with a skipped record",
    "cancel: cancelled",
    "job failed",
    "job succeeded",
  ]) {
    expect(sightings.get(what) ?? 0, what).toBeGreaterThan(0);
  }
});
