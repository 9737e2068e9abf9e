// What master and worker tell each other, as plain data. `convert.ts` turns it into protobuf and back, on the in-memory
// transport too. Durations, never instants, cross the wire.
import type { AttemptId, Counters, JobId, Position, WorkerId } from "../base/ids.ts";
import type { Plan, Split } from "../input/plan.ts";
import type { JobSpec } from "../job/spec.ts";
import type { RunRef } from "../sort/run.ts";
import type { StagedFile } from "../storage/storage.ts";
import type { AttemptStats } from "./stats.ts";

/** All a worker needs to run one attempt; places of map outputs come separately, once per version. */
export interface Assignment {
  readonly attempt: AttemptId;
  readonly spec: JobSpec;
  /** Write the status page before each record, so that a death names the record. */
  readonly careful: boolean;
  readonly work: PlanWork | MapWork | ReduceWork;
}

export interface PlanWork {
  readonly phase: "plan";
}

export interface MapWork {
  readonly phase: "map";
  readonly split: Split;
  /** The planned files that the split names, by their index in the plan. */
  readonly files: Readonly<Record<number, Plan["files"][number]>>;
  readonly partitions: number;
  readonly boundaries: readonly Uint8Array[];
  /** Records that earlier attempts died on, or hung on: not given to `map`, put aside as dead letters. */
  readonly skip: readonly SkippedRecord[];
  /** How many dead letters this attempt may still put aside. */
  readonly deadLettersMax: number;
  /** Reserved for checkpoints: where an earlier attempt left off. Always undefined today; no attempt looks at it. */
  readonly from: Progress | undefined;
}

/** A record that no attempt may touch again, and why. */
export interface SkippedRecord extends Position {
  /** Attempts made no progress on it; otherwise they died. */
  readonly hung: boolean;
}

export interface ReduceWork {
  readonly phase: "reduce";
  readonly partitions: number;
  readonly mapVersion: number;
}

/**
 * Reserved for checkpoints, by which a map attempt will go on where one that died has left off, instead of at the beginning of its split.
 * It crosses the wire already, so that workers and masters of one protocol can be mixed then; nothing makes or reads one today.
 * True at every flush at a record boundary: all before `position` is in `runs`, nothing after.
 */
export interface Progress {
  readonly position: Position;
  readonly runs: readonly RunRef[];
  readonly emissionIndex: number;
  readonly emissionDigest: bigint;
  readonly counters: Counters;
  readonly deadLetters: number;
  readonly staged: readonly { readonly name: string; readonly bytes: number }[];
}

export type AttemptResult = AttemptDone | AttemptFailed;

export interface AttemptDone {
  readonly attempt: AttemptId;
  readonly ok: true;
  /** Of a plan attempt. */
  readonly plan?: Plan;
  /** Of a map attempt, unless map-only. */
  readonly run?: RunRef;
  readonly emissionDigest?: bigint;
  /** Of a reduce attempt: the version its inputs were of. */
  readonly mapVersion?: number;
  readonly staged: readonly StagedFile[];
  readonly deadLetters: readonly Position[];
  /** Why the last of them was put aside: the job's reason, where they are too many all together. */
  readonly lastAside?: FailureText;
  readonly counters: Counters;
  readonly stats: AttemptStats;
}

export interface AttemptFailed {
  readonly attempt: AttemptId;
  readonly ok: false;
  readonly reason: Failure;
}

/** Why an attempt failed, and so what to do: give up, fix the input, rerun a map, or retry elsewhere. */
export type Failure =
  /** The job's own code. `final`: it failed twice on the same record in this attempt already. */
  | {
      readonly kind: "user-error";
      readonly error: FailureText;
      readonly at: Position | undefined;
      readonly final: boolean;
    }
  /** A file or record that can't be read; never retried. */
  | { readonly kind: "bad-input"; readonly error: FailureText; readonly at: Position | undefined }
  /** A limit, an option, a changed file, too many dead letters: retrying can't help. */
  | { readonly kind: "fatal"; readonly error: FailureText }
  /**
   * `how`: "missing" (whoever holds it says that it isn't there), "corrupt" (its checks fail), "unreachable" (nobody answers:
   * the fault may be on either side).
   */
  | {
      readonly kind: "segment-lost";
      readonly map: AttemptId;
      readonly how: "missing" | "corrupt" | "unreachable";
      /** Others that were found missing or corrupt on the way. */
      readonly others?: readonly AttemptId[] | undefined;
      readonly error: FailureText;
    }
  /** The slot's process ended. `at`: the record it was working on, exact if the attempt was careful. */
  | {
      readonly kind: "slot-died";
      readonly error: FailureText;
      readonly at: Position | undefined;
      readonly careful: boolean;
    }
  | { readonly kind: "infrastructure"; readonly error: FailureText };

/** An error in words, ready to be shown: nothing has to be looked up to print it. */
export interface FailureText {
  readonly code: string;
  readonly message: string;
  /** Source-mapped, the user's frames only. */
  readonly stack: string | undefined;
  /** "books/a.txt:1234" and an excerpt of the record. */
  readonly where: string | undefined;
  readonly excerpt: string | undefined;
  /** Of a record that map can be called for again, or that can be put aside: what it would count as against `--skip-bad`. */
  readonly aside?: number;
}

/** One heartbeat: all a worker knows. Repeating it changes nothing. */
export interface WorkerReport {
  readonly worker: WorkerId;
  /** Grows with each start of the process; an older one is dead. */
  readonly incarnation: number;
  /** Grows with each report; of one older than the newest heard only `finished` is used. */
  readonly sequence: number;
  /** What it knows of where map outputs lie, by job; what is missing is sent. */
  readonly placesHeld: Readonly<Record<JobId, PlacesHeld>>;
  readonly address: string;
  readonly slots: number;
  readonly slotsFree: number;
  /** So many attempts it takes beyond its slots, to begin each the moment that a slot is free; 0 while it takes nothing. */
  readonly slotsAhead: number;
  readonly draining: boolean;
  readonly running: readonly RunningAttempt[];
  readonly finished: readonly AttemptResult[];
  /** Verified runs left by an earlier incarnation, with the digest in their footer. */
  readonly offered: readonly { readonly run: RunRef; readonly emissionDigest: bigint }[];
  /**
   * Jobs that it was asked about (`settle`) and has nothing more to say of: no attempt of theirs runs here, and each of their
   * slots has said all that calls did after they had ended. What they said is in `late`, of this report or of one before.
   */
  readonly settled: readonly JobId[];
  /** Repeated until it is acknowledged. Attempts that this worker was told to stop are not in it. */
  readonly late: readonly LateCall[];
}

/** What the job's code did after an attempt of its had ended, or while it runs: the job's own error, ready to be shown. */
export interface LateCall {
  readonly attempt: AttemptId;
  readonly error: FailureText;
}

export interface RunningAttempt {
  readonly attempt: AttemptId;
  readonly records: number;
  readonly bytes: number;
  /** Since the attempt last moved: a duration. */
  readonly idleMs: number;
  readonly runningMs: number;
  readonly at: Position | undefined;
}

/** The newest version of a job's places, and how many of its runs have come so far. */
export interface PlacesHeld {
  readonly mapVersion: number;
  readonly runs: number;
}

/** The reply: sent once the report is durable, so it also acknowledges `finished` and `late`. */
export interface WorkerOrders {
  readonly epoch: number;
  /** Repeated, under the same ids, until a report lists them as running or finished. */
  readonly start: readonly Assignment[];
  readonly stop: readonly StopOrder[];
  readonly places: readonly Places[];
  /** Jobs that are over: remove their runs, slots, secrets. */
  readonly discard: readonly JobId[];
  /**
   * Jobs that end: as soon as nothing of them runs here, let their slots say what calls still do, and answer by `settled`.
   * Repeated until it is answered, and while the job's last tasks run.
   */
  readonly settle: readonly JobId[];
  /** Unheard for this long, the worker stops its attempts by itself. */
  readonly leaseMs: number;
  /** Somebody wants this worker to drain: finish what runs, take nothing new, end when nobody needs its runs. */
  readonly drain: boolean;
}

export interface StopOrder {
  readonly attempt: AttemptId;
  /** For people: the reason of `ctx.signal`. */
  readonly why: string;
}

/** Where the map outputs of a job lie, by worker: a page of them, because a job may have a million. */
export interface Places {
  readonly job: JobId;
  readonly mapVersion: number;
  /** Runs on the pages before, and on all pages; a worker that holds fewer than `total` of the version waits for more. */
  readonly from: number;
  readonly total: number;
  readonly runs: readonly RunPlaces[];
}

/** Runs that lie on one worker. */
export interface RunPlaces {
  readonly worker: WorkerId;
  readonly address: string;
  readonly runs: readonly RunRef[];
}
