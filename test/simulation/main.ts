// Runs seeds, one after the other, and says what came of them: what `scripts/simulate.mjs` bundles and starts.
import { faultKinds, faultOf } from "../../src/sim/faults.ts";
import type { Profile } from "./options.ts";
import type { Sighting } from "./sightings.ts";
import { OracleWorld, type Violation } from "./world.ts";

export { sometimes } from "./sightings.ts";

/** What each kind of fault is counted as. */
export const faultNames: readonly string[] = faultKinds.map((kind) => faultOf(kind).says ?? kind);

export interface SeedResult {
  readonly seed: number;
  readonly hash: string;
  readonly events: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly masterChanges: number;
  readonly seen: Partial<Record<Sighting, number>>;
  readonly violation: Violation | undefined;
  /** What happened last, where there is a violation. */
  readonly last: readonly string[];
  readonly options: string;
}

export async function runSeed(seed: number, profile?: Profile, onLine?: (line: string) => void): Promise<SeedResult> {
  const world = new OracleWorld(seed, profile, ({ at, what, isFault }) =>
    onLine?.(`${at.toFixed(1)} ${isFault ? "FAULT " : ""}${what}`),
  );
  try {
    await world.run();
  } catch (error) {
    world.violate("assert", error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
  const { trace, sightings, timeline, violation, options, faults, masterChanges } = world;
  return {
    seed,
    hash: trace.hash,
    events: timeline.steps,
    faults,
    masterChanges,
    seen: sightings.seen,
    violation,
    last: violation === undefined ? [] : trace.last(),
    options: JSON.stringify({ ...options, faults: [...options.faults] }),
  };
}
