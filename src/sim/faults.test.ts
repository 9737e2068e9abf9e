// Each kind of fault, alone in worlds in which nothing else goes wrong: it comes, is counted and traced, every
// invariant holds, and it is over when all is healed.
import { expect, test } from "vitest";
import { OracleWorld } from "../../test/simulation/world.ts";
import { type FaultKind, faultKinds, faultOf } from "./faults.ts";
import type { SimEvent } from "./world.ts";

const seedsMax = 20;

/** The first world of a seed in which it comes. */
async function worldWith(kind: FaultKind) {
  const without = faultKinds.filter((other) => other !== kind);
  for (let seed = 1; seed <= seedsMax; seed++) {
    const told: SimEvent[] = [];
    const { store = "session" } = faultOf(kind);
    const profile = { faults: [kind], without, change: { healed: "all", attemptRate: 0.15, store } } as const;
    const world = new OracleWorld(seed, profile, (event) => told.push(event));
    await world.run();
    expect(world.violation).toBeUndefined();
    if (Object.keys(world.faults).length > 0) return { world, told };
  }
  throw new Error(`${kind} never came in ${seedsMax} worlds`);
}

test.each(faultKinds)("%s comes, is counted and told, and is over when all is healed", async (kind) => {
  const { world, told } = await worldWith(kind);
  const name = faultOf(kind).says ?? kind;
  expect(Object.keys(world.faults)).toEqual([name]);
  const lines = told.filter(({ isFault }) => isFault);
  expect(lines).toHaveLength(world.faults[name]!);
  for (const { what } of lines) expect(what).toMatch(new RegExp(`^${name}: .`));
  const { hosts, network, server, outputs, masters, workers } = world;
  for (const from of hosts) for (const to of hosts) expect(network.isCut(from, to)).toBe(false);
  const now = world.timeline.now;
  for (const service of [server, outputs]) {
    expect(service.slowUntil).toBeLessThan(now);
    expect(service.failsUntil).toBeLessThan(now);
  }
  for (const { life } of masters) expect(life === undefined || life.process.isRunning).toBe(true);
  for (const { life, isBad, disk } of workers) {
    expect(life?.process.isRunning && life.machine.isRunning).toBe(true);
    expect([isBad, disk.isFull, life?.isDraining]).toEqual([false, false, false]);
  }
});

test("what millrace sim draws is what no job ends otherwise by, and the rest says nothing of it", () => {
  const spared = faultKinds.filter((kind) => faultOf(kind).sparesJobs === true);
  expect(spared).toContain("cut-links");
  expect(spared).not.toContain("cancel-jobs");
  for (const kind of spared) expect(faultOf(kind).comes).not.toBe("with jobs");
});
