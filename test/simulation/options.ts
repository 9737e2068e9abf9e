// What a seed decides before anything happens: how large the world is, how it is tuned, which kinds of faults it
// knows. A world with all of them never gets far, so each has a random half (swarm testing: Groce et al., ISSTA
// 2012).
import { Chance } from "../../src/sim/chance.ts";
import { type FaultKind, faultKinds, faultOf } from "../../src/sim/faults.ts";
import type { ClusterOptions } from "../../src/sim/scene.ts";

export interface SimOptions extends ClusterOptions {
  /** A worker's, at most. */
  readonly maxSlots: number;
  readonly jobs: number;
  /** Outputs appear by one rename, or file by file with `_SUCCESS` last. */
  readonly storage: "rename" | "copy";
  readonly mapsMax: number;
  readonly partitionsMax: number;
}

/** Fixed by whoever asks: the swarm profile of a seeded bug. */
export interface Profile {
  readonly faults?: readonly FaultKind[];
  readonly without?: readonly FaultKind[];
  readonly change?: Partial<SimOptions>;
}

export function optionsOf(seed: number, profile: Profile = {}): SimOptions {
  const chance = new Chance(seed, 1);
  const leaseMs = chance.one([3_000, 5_000, 10_000]);
  const intensity = chance.one([0.1, 0.15, 0.25, 0.5]);
  const ofAnyStore = (kind: FaultKind) => faultOf(kind).store === undefined;
  const faults = new Set(faultKinds.filter(ofAnyStore).filter(() => chance.happens(0.5)));
  // By dice of their own, so that worlds with another store stay as they are.
  const storeChance = new Chance(seed, 11);
  const store = storeChance.one(["session", "session", "etcd"] as const);
  for (const kind of faultKinds) {
    if (faultOf(kind).store === store && storeChance.happens(0.7)) faults.add(kind);
  }
  for (const kind of profile.without ?? []) faults.delete(kind);
  for (const kind of profile.faults ?? []) faults.add(kind);
  const thrown: SimOptions = {
    seed,
    masters: chance.one([1, 2, 2, 3]),
    workers: chance.one([2, 3, 3, 4]),
    maxSlots: 1 + chance.below(3),
    jobs: 1 + chance.below(3),
    leaseMs,
    heartbeatMs: leaseMs * chance.one([0.2, 0.3]),
    timerMs: leaseMs / chance.one([4, 6, 12]),
    callMs: leaseMs * chance.one([0.6, 1, 1, 12]),
    chaosMs: leaseMs * (6 + chance.below(6)),
    faultEveryMs: leaseMs * intensity,
    faults,
    attemptFaultsWeight: 1,
    messageRate: chance.one([0.01, 0.03, 0.1]),
    attemptRate: chance.one([0.02, 0.05, 0.15]),
    attemptLeases: chance.one([0.1, 0.3, 0.8]),
    backupSlowdown: chance.one([1.2, 2, 3]),
    failuresPerWorkerMax: chance.one([2, 5]),
    keepFailed: chance.happens(0.5),
    adoptMs: chance.happens(0.5) ? leaseMs : 0,
    stepsDownByClock: chance.happens(0.5),
    samePorts: chance.happens(0.5),
    storage: chance.one(["rename", "copy"]),
    store,
    transactionMax: chance.one([1, 3, 1000]),
    mapsMax: chance.one([1, 4, 8]),
    partitionsMax: chance.one([1, 3, 5]),
    slotsAhead: chance.one([0, 1, 3]),
    healed: "core",
  };
  checkNames(profile, thrown);
  return { ...thrown, ...profile.change };
}

/**
 * Profiles come from a script that no compiler reads: a name that is none would change nothing, and no one would
 * notice.
 */
function checkNames({ faults = [], without = [], change = {} }: Profile, options: SimOptions): void {
  const wrong = [
    ...[...faults, ...without].filter((kind) => !faultKinds.includes(kind)),
    ...Object.keys(change).filter((name) => !(name in options)),
  ];
  if (wrong.length > 0) throw new Error(`a profile names what there is not: ${wrong.join(", ")}`);
}
