// What a seed decides before anything happens: how large the cluster is, how the job is cut, which kinds of faults
// there are. All kinds at once would hide some, so a seed knows most of them and not all (swarm testing: Groce et
// al., ISSTA 2012).

import { limits } from "../../base/limits.ts";
import type { Combining } from "../../kernel/kernel.ts";
import { Chance } from "../chance.ts";
import { faultKinds, faultOf } from "../faults.ts";
import type { ClusterOptions } from "../scene.ts";

export interface SimOptions extends ClusterOptions {
  /** Per worker. */
  readonly slots: number;
  /** Map tasks, as far as the formats can cut the input. */
  readonly splits: number;
  readonly combining: Combining;
}

/** What no job ends otherwise by. */
const kinds = faultKinds.filter((kind) => faultOf(kind).sparesJobs === true);

/** The cluster of a seed, with its faults. */
export function optionsOf(seed: number): SimOptions {
  const chance = new Chance(seed, 1);
  const leaseMs = 10_000;
  const workers = chance.one([1, 2, 3, 4]);
  const slots = chance.one([1, 2, 2]);
  return {
    seed,
    masters: chance.one([1, 2, 2, 3]),
    workers,
    slots,
    slotsAhead: slots,
    backupSlowdown: limits.backupSlowdown,
    failuresPerWorkerMax: limits.failuresPerWorkerMax,
    keepFailed: false,
    samePorts: false,
    healed: "all",
    leaseMs,
    heartbeatMs: leaseMs * chance.one([0.2, 0.3]),
    timerMs: leaseMs / chance.one([6, 12]),
    callMs: leaseMs * chance.one([0.6, 1]),
    chaosMs: leaseMs * 40,
    // Of one machine: about two leases between two of them.
    faultEveryMs: (leaseMs * chance.one([1, 2, 3])) / workers,
    faults: new Set(kinds.filter(() => chance.happens(0.7))),
    attemptFaultsWeight: 4,
    messageRate: chance.one([0.01, 0.03, 0.1]),
    attemptRate: chance.one([0.1, 0.2, 0.3]),
    attemptLeases: chance.one([0.1, 0.2, 0.4]),
    adoptMs: chance.happens(0.5) ? leaseMs : 0,
    store: "session",
    transactionMax: chance.one([1, 3, 1000]),
    stepsDownByClock: chance.happens(0.5),
    splits: 6 + chance.below(19),
    combining: chance.one(["auto", "auto", "always", "never"]),
  };
}

/** The same cluster, in which nothing goes wrong. */
export function calm(options: SimOptions): SimOptions {
  return { ...options, faults: new Set(), messageRate: 0, attemptRate: 0 };
}

/** One task after the other, in one process: what every other run must come to. */
export function sequential(): SimOptions {
  return { ...calm(optionsOf(0)), masters: 1, workers: 1, slots: 1, splits: 4, combining: "auto" };
}
