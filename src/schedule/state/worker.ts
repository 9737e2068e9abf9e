// A worker as the scheduler knows it (state.ts): a new one, and what it may be given now.
import type { Instant, WorkerId } from "../../base/ids.ts";
import type { Worker } from "./state.ts";

export function newWorker(id: WorkerId, incarnation: number, now: Instant): Worker {
  return {
    id,
    incarnation,
    sequence: -1,
    address: "",
    host: "",
    slots: 0,
    slotsFree: 0,
    slotsAhead: 0,
    isDraining: false,
    isToDrain: false,
    drainWithinMs: undefined,
    handover: undefined,
    readBefore: new Map(),
    copying: new Map(),
    isSilent: false,
    heardAt: now,
    leaseAt: now,
    cameAt: now,
    failuresInRow: 0,
    charged: [],
    died: new Set(),
    flaps: [],
    penalty: undefined,
    penaltyLevel: 0,
    isReadmitted: false,
    complaints: new Map(),
    cutOffFrom: new Set(),
    holdersKnown: {},
    offered: new Map(),
    attempts: new Map(),
    strays: [],
    runs: new Set(),
    discards: new Map(),
    stragglersOf: new Set(),
    hasNews: false,
    view: undefined,
  };
}

/** Whether the worker leaves: it gets nothing new, and serves its map outputs as long as they are needed. */
export function isLeaving(worker: Worker): boolean {
  return worker.isDraining || worker.isToDrain;
}

/** Whether the worker is heard. */
export function isLive(worker: Worker): boolean {
  return !worker.isSilent && worker.sequence >= 0;
}

/** How many attempts it takes now beyond its free slots. */
export function capacityAhead(worker: Worker): number {
  if (!isLive(worker) || isLeaving(worker)) return 0;
  return worker.slots + worker.slotsAhead - worker.attempts.size - worker.strays.length;
}

/** How many attempts may be given to it now: never more than it has slots, nor than it said are free. */
export function capacity(worker: Worker): number {
  if (!isLive(worker) || isLeaving(worker)) return 0;
  let unlisted = 0;
  for (const attempt of worker.attempts.values()) if (attempt.state === "assigned") unlisted++;
  return Math.min(worker.slots - worker.attempts.size - worker.strays.length, worker.slotsFree - unlisted);
}
