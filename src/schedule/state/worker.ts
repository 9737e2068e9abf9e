// A worker as the scheduler knows it: from its reports, and from the winners that lie on it.
import type { AttemptId, Instant, JobId, WorkerId } from "../../base/ids.ts";
import type { WorkerReport } from "../../protocol/messages.ts";
import type { WorkerView } from "../../protocol/view.ts";
import type { Penalty } from "./standing.ts";
import type { Attempt, Task } from "./task.ts";

export type Offer = WorkerReport["offered"][number];

export interface Worker {
  readonly id: WorkerId;
  incarnation: number;
  /** Of the newest report heard; -1: none yet, known from stored winners only. */
  sequence: number;
  address: string;
  /** Of its address: what files' `hosts` are compared with. */
  host: string;
  slots: number;
  slotsFree: number;
  slotsAhead: number;
  /** It says that it drains. */
  isDraining: boolean;
  /** An administrator wants it to; stored, until it is started anew. */
  isToDrain: boolean;
  /** Unheard for a lease: it has no attempts, and what lies on it counts as lost. */
  isSilent: boolean;
  heardAt: Instant;
  /** When its lease is looked at next. */
  leaseAt: Instant;
  failuresInRow: number;
  /** Tasks that were charged for its failures in a row, and those whose slots died here since its last success. */
  readonly charged: Task[];
  readonly died: Set<Task>;
  /** When it was started anew or came back, lately. */
  flaps: Instant[];
  /** The latest; served when its time is over, and remembered for a while. */
  penalty: Penalty | undefined;
  penaltyLevel: number;
  /** That its penalty is over was said. */
  isReadmitted: boolean;
  /** Workers that could not fetch from it, and until when that counts; and the other way round. */
  readonly complaints: Map<Worker, Instant>;
  readonly cutOffFrom: Set<Worker>;
  placesHeld: WorkerReport["placesHeld"];
  /** Runs that this incarnation found when it started, by `attemptKey`; a job that is resumed later asks for them. */
  readonly offered: Map<string, Offer>;
  /** By `attemptKey`, those being stopped included. */
  readonly attempts: Map<string, Attempt>;
  /** Attempts that its newest report lists and that nobody waits for. */
  strays: AttemptId[];
  /** Map tasks whose winning run lies here. */
  readonly runs: Set<Task>;
  /** Jobs to be removed, and until when it is told so. */
  readonly discards: Map<JobId, Instant>;
  /** Jobs that are over and of which it may still have attempts that stage something. */
  readonly stragglersOf: Set<JobId>;
  /** It has not been told all yet: its next report is answered at once. */
  hasNews: boolean;
  /** How it looks from outside; undefined: to be made anew. */
  view: { readonly madeAt: Instant; readonly seen: WorkerView } | undefined;
}

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
    isSilent: false,
    heardAt: now,
    leaseAt: now,
    failuresInRow: 0,
    charged: [],
    died: new Set(),
    flaps: [],
    penalty: undefined,
    penaltyLevel: 0,
    isReadmitted: false,
    complaints: new Map(),
    cutOffFrom: new Set(),
    placesHeld: {},
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

/** It gets nothing new; what lies on it is served until nobody needs it. */
export function isLeaving(worker: Worker): boolean {
  return worker.isDraining || worker.isToDrain;
}

/** It is heard. */
export function isLive(worker: Worker): boolean {
  return !worker.isSilent && worker.sequence >= 0;
}

/** Attempts that it takes now beyond those that its slots have room for. */
export function capacityAhead(worker: Worker): number {
  if (!isLive(worker) || isLeaving(worker)) return 0;
  return worker.slots + worker.slotsAhead - worker.attempts.size - worker.strays.length;
}

/** Attempts that may be given to it now: never more than it has slots, nor than it said are free. */
export function capacity(worker: Worker): number {
  if (!isLive(worker) || isLeaving(worker)) return 0;
  let unlisted = 0;
  for (const attempt of worker.attempts.values()) if (attempt.state === "assigned") unlisted++;
  return Math.min(worker.slots - worker.attempts.size - worker.strays.length, worker.slotsFree - unlisted);
}
