// The messages between master and worker, as plain data. `convert.ts` turns them into protobuf and back, on the
// in-memory transport too. Durations cross the wire, never instants.
import type { AttemptId, Counters, JobId, Position, WorkerId } from "../base/ids.ts";
import type { Plan, Split } from "../input/plan.ts";
import type { JobSpec } from "../job/spec.ts";
import type { RunRef } from "../sort/run.ts";
import type { StagedFile } from "../storage/storage.ts";
import type { LargestGroups } from "./largest-groups.ts";
import type { AttemptStats } from "./stats.ts";

/**
 * Everything that a worker needs to run one attempt, except for the holders of map outputs, which come separately, once
 * per version.
 */
export interface Assignment {
  readonly attempt: AttemptId;
  readonly spec: JobSpec;
  /** True: the slot writes the status page before each record, so that its death names the record. */
  readonly careful: boolean;
  readonly work: PlanWork | MapWork | ReduceWork;
}

export interface PlanWork {
  readonly phase: "plan";
}

export interface MapWork {
  readonly phase: "map";
  readonly split: Split;
  /** The planned files that the split refers to, by their index in the plan. */
  readonly files: Readonly<Record<number, Plan["files"][number]>>;
  readonly partitions: number;
  readonly boundaries: readonly Uint8Array[];
  /** Records on which earlier attempts died or hung: they are put aside as dead letters instead of given to `map`. */
  readonly skip: readonly SkippedRecord[];
  /** How many dead letters this attempt may still put aside. */
  readonly skipBad: number;
}

/** A record that no attempt may read again, and why. */
export interface SkippedRecord extends Position {
  /** True: attempts made no progress on it; false: their slots died. */
  readonly hung: boolean;
}

export interface ReduceWork {
  readonly phase: "reduce";
  readonly partitions: number;
  readonly mapVersion: number;
}

export type AttemptResult = AttemptDone | AttemptFailed;

export interface AttemptDone {
  readonly attempt: AttemptId;
  readonly ok: true;
  /** The plan; only from a plan attempt. */
  readonly plan?: Plan;
  /** The run that was written; only from a map attempt of a job that is not map-only. */
  readonly run?: RunRef;
  readonly emissionDigest?: bigint;
  /** The version of the map outputs that were read; only from a reduce attempt. */
  readonly mapVersion?: number;
  readonly staged: readonly StagedFile[];
  readonly deadLetters: readonly Position[];
  /** Why the last dead letter was put aside. It is the job's failure if the job has too many of them. */
  readonly lastAside?: FailureText;
  /** The largest groups, where it knows of them. */
  readonly largestGroups?: LargestGroups;
  readonly counters: Counters;
  readonly stats: AttemptStats;
}

export interface AttemptFailed {
  readonly attempt: AttemptId;
  readonly ok: false;
  readonly reason: Failure;
}

/** Why an attempt failed, which decides what to do: fail the job, run a map again, or try elsewhere. */
export type Failure =
  /** The job's own code failed. `final`: it has failed twice on the same record within this attempt. */
  | {
      readonly kind: "user-error";
      readonly error: FailureText;
      readonly at: Position | undefined;
      readonly final: boolean;
    }
  /** A file or record can't be read. Never retried. */
  | { readonly kind: "bad-input"; readonly error: FailureText; readonly at: Position | undefined }
  /**
   * A limit is exceeded, an option is wrong, a file has changed, or there are too many dead letters. Retrying can't
   * help.
   */
  | { readonly kind: "fatal"; readonly error: FailureText }
  /**
   * A map output can't be read. `how`: "missing" (its holder says that it isn't there), "corrupt" (its checks fail), or
   * "unreachable" (its holder does not answer: the fault may be on either side).
   */
  | {
      readonly kind: "segment-lost";
      readonly map: AttemptId;
      readonly how: "missing" | "corrupt" | "unreachable";
      /** Other map outputs that were found missing or corrupt on the way. */
      readonly others?: readonly AttemptId[] | undefined;
      readonly error: FailureText;
    }
  /** The slot's process ended. `at` is the record that it was working on, exact if the attempt was careful. */
  | {
      readonly kind: "slot-died";
      readonly error: FailureText;
      readonly at: Position | undefined;
      readonly careful: boolean;
    }
  | { readonly kind: "infrastructure"; readonly error: FailureText };

/** An error in words, ready to be printed without looking anything up. */
export interface FailureText {
  readonly code: string;
  readonly message: string;
  /** The stack with the user's frames only, mapped to their sources. */
  readonly stack: string | undefined;
  /** The record's place, such as "books/a.txt:1234". */
  readonly where: string | undefined;
  readonly excerpt: string | undefined;
  /**
   * How much the record would count against `--skip-bad`. Only for a record that map can be called for again, or that
   * can be put aside.
   */
  readonly aside?: number;
}

/** One heartbeat: everything that a worker knows. It may arrive again, late or out of order, without harm. */
export interface WorkerReport {
  readonly worker: WorkerId;
  /** The number of this life of the worker, which grows with each start of its process. Older lives are dead. */
  readonly incarnation: number;
  /** Grows with each report. Of a report that is older than the newest one heard, only `finished` is used. */
  readonly sequence: number;
  /** For how many runs the worker knows the holder, by job. The master sends the missing ones. */
  readonly holdersKnown: Readonly<Record<JobId, HoldersKnown>>;
  readonly address: string;
  readonly slots: number;
  readonly slotsFree: number;
  /** How many attempts it takes beyond its slots, to begin each as soon as a slot is free; 0 while it takes nothing. */
  readonly slotsAhead: number;
  readonly draining: boolean;
  readonly running: readonly RunningAttempt[];
  readonly finished: readonly AttemptResult[];
  /**
   * Verified runs that lie here and that the master does not know of: those that an earlier life has left, and copies
   * that were made here (`copy`). With the digest in their footer.
   */
  readonly offered: readonly Offer[];
  /**
   * Jobs that it was asked about (`settle`) and has nothing more to report about: no attempt of theirs runs here, and
   * each of their slots has reported what calls did after they had ended. Those reports are in `late`, of this message
   * or of an earlier one.
   */
  readonly settled: readonly JobId[];
  /** Late calls, repeated until they are acknowledged. Attempts that this worker was told to stop are not in it. */
  readonly late: readonly LateCall[];
  /** While it drains: how long it stays, at most, if its time is bounded. */
  readonly leavesInMs?: number;
  /** Runs that it was ordered to copy and can't, repeated until that is acknowledged. Absent: there are none. */
  readonly copiesFailed?: readonly CopyFailed[];
}

/** A run, with the emission digest in its footer. */
export interface Offer {
  readonly run: RunRef;
  readonly emissionDigest: bigint;
}

export interface CopyFailed {
  /** The map attempt that wrote the run. */
  readonly attempt: AttemptId;
  readonly why: string;
}

/** Something that the job's code did after its call had ended: the job's own error, ready to be shown. */
export interface LateCall {
  readonly attempt: AttemptId;
  readonly error: FailureText;
}

export interface RunningAttempt {
  readonly attempt: AttemptId;
  readonly records: number;
  readonly bytes: number;
  /** For how long the attempt has made no progress. */
  readonly idleMs: number;
  readonly runningMs: number;
  readonly at: Position | undefined;
  /** An excerpt of the key whose values it has been reading for long. */
  readonly key?: string;
  /** Its worker has a checkpoint of the task, from where another attempt there can go on. */
  readonly hasCheckpoint?: true;
}

/** The newest version of a job's holders that a worker knows, and how many of its runs have come so far. */
export interface HoldersKnown {
  readonly mapVersion: number;
  readonly runs: number;
}

/** The reply to a report. It is sent once the report is durable, so it also acknowledges `finished` and `late`. */
export interface WorkerOrders {
  readonly epoch: number;
  /** Attempts to start, repeated under the same ids until a report lists them as running or finished. */
  readonly start: readonly Assignment[];
  readonly stop: readonly StopOrder[];
  readonly holders: readonly Holders[];
  /** Jobs that are over, whose runs, slots and secrets are to be removed. */
  readonly discard: readonly JobId[];
  /**
   * Jobs that end. As soon as nothing of them runs here, the worker asks their slots what calls still do, and answers
   * by `settled`. Repeated until it is answered, and while the job's last tasks run.
   */
  readonly settle: readonly JobId[];
  /** A worker that gets no answer for this long stops its attempts by itself. */
  readonly leaseMs: number;
  /**
   * True: the worker is to drain, which is to finish what runs, take nothing new, and end when its runs are no longer
   * needed.
   */
  readonly drain: boolean;
  /** With `drain`: how long the worker may stay, if that is bounded. */
  readonly drainWithinMs?: number;
  /**
   * Runs of which the worker is to hold copies, as their holders leave: all as of now, so one that is under way and not
   * named is given up. Each is repeated until the worker offers it, or reports that it can't. Absent: there are none.
   */
  readonly copy?: readonly CopyOrder[];
  /** True: the worker has said that it drains, and nothing that lies on it is needed or being read. */
  readonly mayLeave?: boolean;
}

/** A run as it lies on a worker that leaves. */
export interface CopyOrder extends Offer {
  readonly from: WorkerId;
  readonly address: string;
}

export interface StopOrder {
  readonly attempt: AttemptId;
  /** The reason of `ctx.signal`, for people. */
  readonly why: string;
}

/** Where the map outputs of a job lie, by worker. This is one page of them, because a job may have a million. */
export interface Holders {
  readonly job: JobId;
  readonly mapVersion: number;
  /**
   * How many runs are on the pages before, and on all pages. A worker that has fewer than `total` of a version waits
   * for more.
   */
  readonly from: number;
  readonly total: number;
  readonly workers: readonly Holder[];
}

/** The runs that lie on one worker. */
export interface Holder {
  readonly worker: WorkerId;
  readonly address: string;
  readonly runs: readonly RunRef[];
}
