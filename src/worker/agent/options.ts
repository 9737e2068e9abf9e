// The options of an agent, which a local run, a worker node or a simulation gives, and its interface.

import type { AttemptId, JobId, WorkerId } from "../../base/ids.ts";
import type { Clock } from "../../base/system/clock.ts";
import type { JobDescription } from "../../job/load/describe.ts";
import type { JobSpec } from "../../job/spec.ts";
import type { Assignment, AttemptResult, FailureText, WorkerReport } from "../../protocol/messages.ts";
import type { Heartbeats } from "../../protocol/services.ts";
import type { RunStore } from "../disk/run-store.ts";
import type { Budget } from "../slots/budget.ts";
import type { Bundle, TaskSlot } from "../slots/task-slot.ts";
import type { CopyRun } from "./copies.ts";

/** Called when a call of the job's code did something after it had returned. `attempt` made the call. */
export type OnLate = (attempt: AttemptId, error: FailureText) => void;

export interface AgentOptions {
  readonly worker: WorkerId;
  /** The number of this life of the worker, which grows with each start. */
  readonly incarnation: number;
  readonly address: string;
  readonly master: Heartbeats;
  readonly clock: Clock;
  readonly budget: Budget;
  readonly runs: RunStore;
  /** Returns 0 <= x < 1, for jitter: workers that lost the same master must not come back in step. */
  readonly random: () => number;
  /** Starts a process; `name` is unique within this agent's life. */
  readonly openSlot: (name: string, onLate: OnLate) => TaskSlot;
  /** False: each attempt gets a process of its own. Default true. */
  readonly reuseSlots?: boolean | undefined;
  /** True: slots of a job that is over are replaced immediately. Default: when they are needed. */
  readonly spareSlots?: boolean | undefined;
  /**
   * How many attempts it takes beyond its slots, which begin when a slot is free, without asking the master first.
   * Default 0.
   */
  readonly slotsAhead?: number | undefined;
  /** Bytes of one attempt's result, and of all results in one report. Default: no bound. */
  readonly resultBytesMax?: number | undefined;
  /** Gets the code of a job. A rejection is an infrastructure failure of the attempt. */
  readonly bundle: (spec: JobSpec, job: JobId) => Promise<Bundle>;
  /**
   * Prepares this machine for a job's attempts: checks that the storage is in reach, and fetches side files. Resolves
   * with the spec as slots get it. Default: the spec is used unchanged.
   */
  readonly prepare?: (job: JobId, spec: JobSpec) => Promise<JobSpec>;
  /** What slots need to fetch runs from other workers. Left out: there are no other workers. */
  readonly access?: {
    /** The key that signs requests for a job's runs (rpc/access/signature.ts). */
    readonly shuffleKey: (job: JobId) => string;
    /** PEM file of the authority that signed the workers' certificates. */
    readonly ca: string | undefined;
    /** How far the master's clock is ahead of this machine's, as far as it is known now. Default 0. */
    readonly clockAheadMs?: () => number;
  };
  /**
   * For how long nothing new is taken after `failures` infrastructure failures in a row: a worker that fails
   * immediately (a full disk) would use up a job's tries before another worker has a turn. Default: no pause.
   */
  readonly coolDownMs?: (failures: number) => number;
  /** Called for each assignment that is begun. */
  readonly onStart?: (assignment: Assignment) => void;
  /** Called for each attempt that is over. `result` undefined: it was revoked, and no result is wanted. */
  readonly onEnd?: (attempt: AttemptId, result: AttemptResult | undefined) => void;
  /**
   * Called when this worker is to drain, again when it is to leave sooner. `withinMs`: how long it may stay, if that is
   * bounded.
   */
  readonly onDrain?: (withinMs: number | undefined) => void;
  /** Called for each call to the master that failed. The call is repeated. */
  readonly onCallFailed?: (error: unknown) => void;
  /** Called when the job's code did something after its call had returned. */
  readonly onLate?: OnLate;
  /** Called when a job's files, slots and secrets are removed. May be called again for the same job. */
  readonly onDiscard?: (job: JobId) => void;
  /**
   * This worker's name for errors of unreadable files, which others may be able to read: "worker w2 (on m2)". Default:
   * not named.
   */
  readonly who?: string;
  /** Makes a copy of a run of a worker that leaves. Default: it makes none, and says so. */
  readonly copyRun?: CopyRun;
  /** Verified runs that an earlier life has left. Default: none. */
  readonly offered?: WorkerReport["offered"];
  /** Jobs of which an earlier life has left something else: the master says which of them are over. Default: none. */
  readonly leftJobs?: readonly JobId[];
  /** Bytes of memory that a process holds, for tests. Default: asks the system. */
  readonly residentBytes?: (pid: number) => number | undefined;
}

export interface Agent {
  /** Starts slots and loads the bundle into them ahead of the first attempts. May be called again. */
  prestart(slots: number, bundle?: Bundle): void;
  /**
   * Asks a bundle for its job's description. The slot that answers goes on to run the job's first attempt. At most
   * `triesMax` slots are tried where they are killed from outside; default 1.
   */
  describe(bundle: Bundle, triesMax?: number): Promise<JobDescription>;
  /** Asks the bundle's job for the value of parameters, in the slot that described it. */
  validate(bundle: Bundle, params: string, triesMax?: number): Promise<Uint8Array | undefined>;
  /**
   * Finishes what runs and takes nothing new; the master has runs that are needed copied to other workers. Resolves
   * when the last result is acknowledged. `withinMs`: when the caller closes it at the latest, which the master is
   * told. May be called again, also with a shorter time.
   */
  drain(withinMs?: number): Promise<void>;
  /** Ends running attempts without results, so that the master gives them to others. */
  handBack(): void;
  /**
   * Resolves when no job has runs here any more, or no run here is needed. Call `drain` first, as a new attempt makes
   * new runs.
   */
  released(): Promise<void>;
  status(): AgentStatus;
  /** Kills all slots and ends the calls. Files stay; the owner of the directories removes them. May be called again. */
  close(): Promise<void>;
}

export interface AgentStatus {
  readonly running: number;
  readonly isDraining: boolean;
  /** Time since the newest answered report was sent. */
  readonly unheardMs: number;
  readonly leaseMs: number;
  /** True until a call was answered. */
  readonly isNew: boolean;
}
