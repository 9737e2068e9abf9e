// What an agent needs of whatever runs it (a local run, a worker node, a simulation), and what it offers.

import type { AttemptId, JobId, WorkerId } from "../../base/ids.ts";
import type { Clock } from "../../base/system/clock.ts";
import type { JobDescription } from "../../job/load/describe.ts";
import type { JobSpec } from "../../job/spec.ts";
import type { Assignment, AttemptResult, FailureText, WorkerReport } from "../../protocol/messages.ts";
import type { Heartbeats } from "../../protocol/services.ts";
import type { RunStore } from "../disk/run-store.ts";
import type { Budget } from "../slots/budget.ts";
import type { Bundle, TaskSlot } from "../slots/slot.ts";

/** A call of the job's code did something after it had returned; `attempt` made the call. */
export type OnLate = (attempt: AttemptId, error: FailureText) => void;

export interface AgentOptions {
  readonly worker: WorkerId;
  /** Grows with each start of this worker. */
  readonly incarnation: number;
  readonly address: string;
  readonly master: Heartbeats;
  readonly clock: Clock;
  readonly budget: Budget;
  readonly runs: RunStore;
  /** 0 <= x < 1: jitter, so that workers that lost the same master don't come back in step. */
  readonly random: () => number;
  /** Starts a process; `name` is unique within this agent's life. */
  readonly openSlot: (name: string, onLate: OnLate) => TaskSlot;
  /** False: each attempt gets a process of its own, which nothing of an earlier one is left in. Default true. */
  readonly reuseSlots?: boolean | undefined;
  /** True: slots of a job that is over are replaced at once. Default: when they are needed. */
  readonly spareSlots?: boolean | undefined;
  /** So many attempts it takes beyond its slots, which begin when a slot is free, without asking the master first. Default 0. */
  readonly slotsAhead?: number | undefined;
  /** Of one attempt's result, and of those in one report, where messages have a bound. Default: none. */
  readonly resultBytesMax?: number | undefined;
  /** The code of a job, fetched or built already. A rejection is an infrastructure failure of the attempt. */
  readonly bundle: (spec: JobSpec, job: JobId) => Promise<Bundle>;
  /**
   * What else a job's attempts need on this machine: probes that the storage is in reach, fetches side files; resolves with the
   * spec as slots get it. Default: the spec as it is.
   */
  readonly prepare?: (job: JobId, spec: JobSpec) => Promise<JobSpec>;
  /** What slots need to fetch runs of other workers; undefined where there are none. */
  readonly access?: {
    /** The key that signs requests for a job's runs (rpc/access/signature.ts). */
    readonly shuffleKey: (job: JobId) => string;
    /** PEM file of the authority that signed the workers' certificates. */
    readonly ca: string | undefined;
    /** Of the master's clock before this machine's, as far as it is known now. Default 0. */
    readonly clockAheadMs?: () => number;
  };
  /**
   * For how long nothing new is taken after so many infrastructure failures in a row: a worker that fails at once (a full disk)
   * would use up a job's tries before anybody else has a turn. Default: not at all.
   */
  readonly coolDownMs?: (failures: number) => number;
  /** Told of each assignment that is begun. */
  readonly onStart?: (assignment: Assignment) => void;
  /** Told of each attempt that is over; `result` undefined: it was revoked, and nobody waits for one. */
  readonly onEnd?: (attempt: AttemptId, result: AttemptResult | undefined) => void;
  /** The master wants this worker to drain; told once. */
  readonly onDrain?: () => void;
  /** Told of each call that failed; it is made again. */
  readonly onCallFailed?: (error: unknown) => void;
  /** Told of what the job's code did after its call had returned. */
  readonly onLate?: OnLate;
  /** Told when a job's files, slots and secrets go; may be told again. */
  readonly onDiscard?: (job: JobId) => void;
  /** Who it is, for messages of unreadable files, which others may be able to read: "worker w2 (on m2)". Default: not said. */
  readonly who?: string;
  /** Verified runs left by an earlier incarnation. */
  readonly offered?: WorkerReport["offered"];
  /** Memory that a process holds; for tests. */
  readonly residentBytes?: (pid: number) => number | undefined;
}

export interface Agent {
  /** Starts slots, and loads the bundle into them, before there is anything to do, so that it is over when there is. */
  prestart(slots: number, bundle?: Bundle): void;
  /**
   * What a bundle says of its job. The slot that answered goes on to run the job's first attempt. `triesMax`: so many slots may
   * be killed (by the system, by somebody) meanwhile; default 1.
   */
  describe(bundle: Bundle, triesMax?: number): Promise<JobDescription>;
  /** What the bundle's job makes of parameters, in the slot that described it. */
  validate(bundle: Bundle, params: string, triesMax?: number): Promise<Uint8Array | undefined>;
  /** Finishes what runs and takes nothing new; resolves when the last result is acknowledged. */
  drain(): Promise<void>;
  /** Ends what runs without a result, so that the master gives it to others. */
  handBack(): void;
  /** Resolves when no job has runs here any more (`drain` first: a new attempt makes new ones). */
  released(): Promise<void>;
  status(): AgentStatus;
  /** Kills all slots and ends the calls. Files stay: who owns the directories removes them. */
  close(): Promise<void>;
}

export interface AgentStatus {
  readonly running: number;
  readonly isDraining: boolean;
  /** Since the newest report that the master has answered was sent. */
  readonly unheardMs: number;
  readonly leaseMs: number;
  /** No call was answered yet. */
  readonly isNew: boolean;
}
