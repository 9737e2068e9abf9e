// Runs seeds, one after the other, and says what came of them: what `scripts/simulate.mjs` bundles and starts.
import type { Profile } from "./options.ts";
import type { FaultCounts, Sighting } from "./sightings.ts";
import { type Violation, World } from "./world.ts";

export { sometimes } from "./sightings.ts";

export interface SeedResult {
  readonly seed: number;
  readonly hash: string;
  readonly events: number;
  readonly faults: FaultCounts;
  readonly masterChanges: number;
  readonly seen: Partial<Record<Sighting, number>>;
  readonly violation: Violation | undefined;
  /** What happened last, where there is a violation. */
  readonly last: readonly string[];
  readonly options: string;
}

export async function runSeed(seed: number, profile?: Profile, onLine?: (line: string) => void): Promise<SeedResult> {
  const world = new World(seed, profile, onLine);
  try {
    await world.run();
  } catch (error) {
    world.violate("assert", error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
  const { trace, sightings, timeline, violation, options } = world;
  return {
    seed,
    hash: trace.hash,
    events: timeline.steps,
    faults: sightings.faults,
    masterChanges: sightings.masterChanges,
    seen: sightings.seen,
    violation,
    last: violation === undefined ? [] : trace.last(),
    options: JSON.stringify({ ...options, faults: [...options.faults] }),
  };
}
