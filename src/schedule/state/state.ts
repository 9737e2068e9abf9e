// The scheduler's state: all that it knows, as one page of types. Each field says which file changes it and what
// follows from what; where no file is named, the fields above share one. What is stored of it is in
// protocol/records.ts: a master that takes over makes the rest again, from the records and from what workers report
// (recover.ts).
//
//   Cluster ── jobs ───► Job ── planTask, maps, reduces ──► Task ── attempts (at most two) ──► Attempt
//      │                  ▲                                 │ ▲ ▲                               │ │ ▲
//      │                  └────────────── job ──────────────┘ │ └───────────── task ────────────┘ │ │
//      │                                                      │ runs: map outputs that lie there  │ │ attempts
//      └── workers ─────────────────────────────────────────► Worker ◄───────── worker ───────────┘ │
//                                                               └───────────────────────────────────┘
//
// All of it is changed within `stepCluster` (scheduler.ts) and nowhere else, so between two steps these hold: an
// attempt is in its worker's `attempts` until a report no longer lists it, and in its task's and its job's until it is
// revoked (attempt.ts changes all three); a job's counts are those of its tasks (`update` in job.ts changes both); a
// task that waits is in its job's queue.
import type { AttemptId, Instant, JobId, Phase, WorkerId } from "../../base/ids.ts";
import type { Plan } from "../../input/plan.ts";
import type { JobSpec } from "../../job/spec.ts";
import type { Assignment, Holders, Offer, RunningAttempt, WorkerReport } from "../../protocol/messages.ts";
import type { AttemptNumber, EndedRecord, FailureRecord, PlanRecord, TaskRecord } from "../../protocol/records.ts";
import type { JobView, WorkerView } from "../../protocol/view.ts";
import type { Change } from "../../state/store.ts";
import type { CommitDecision } from "../../storage/storage.ts";
import type { Fact } from "../facts.ts";
import type { SchedulerCommand, SchedulerOptions } from "../step.ts";
import type { Heap } from "./heap.ts";
import type { TotalsSum } from "./totals.ts";

/** Everything. Made by cluster.ts for a new leadership; `epoch` and `options` stay for all of it. */
export interface Cluster {
  readonly epoch: number;
  readonly options: SchedulerOptions;
  /** The time of the step under way; only scheduler.ts moves it. */
  now: Instant;
  /** What the last step asked for. A step that comes much later tells that this master stood still (lease.ts). */
  wakeAt: Instant | undefined;
  /** When running attempts are looked at next for slow ones (assign/backup.ts). */
  backupsAt: Instant;
  /** The next number of an attempt (assign/), a job (scheduler.ts), an end (commit.ts), a look (closing.ts). */
  attemptNumber: number;
  jobNumber: number;
  endNumber: number;
  lookNumber: number;
  /** By order of submission. Jobs that are over stay, to be shown, until ended.ts forgets them. */
  readonly jobs: Map<JobId, Job>;
  /** Jobs that may have tasks to give out, the next to be served first (assign/assign.ts); not those that close. */
  readonly turns: Map<JobId, Job>;
  /** Heard of, or named by a winner that is stored; lease.ts forgets those that stay silent. */
  readonly workers: Map<WorkerId, Worker>;
  /** Jobs between their last winner and the decision: those whose `closing` is set (closing.ts). */
  readonly closing: Set<Job>;
  /** Workers that may have room, the next to be served first: hear.ts adds them, assign/ takes full ones out. */
  readonly idle: Set<Worker>;
  /** Workers that leave and are heard (handover.ts; hear.ts adds them). */
  readonly leaving: Set<Worker>;
  /** When leases end; of a worker only the entry counts that its `leaseAt` names (`watch` in cluster.ts). */
  readonly leases: Heap<{ readonly at: Instant; readonly worker: Worker }>;
  /** Keys of jobs that are over, by their times: ended.ts deletes them in small portions from that time on. */
  readonly sweeps: Map<JobId, { readonly at: Instant; readonly keys: Iterator<string> }>;
  /** Failed jobs that can be resumed; an entry counts while `at` is the job's `keptUntil` (ended.ts). */
  readonly kept: Heap<{ readonly at: Instant; readonly job: Job }>;
  /** Jobs that an earlier master ended and did not clear away: workers are told of them until they are swept. */
  readonly leftBehind: Set<JobId>;
  /** What the step under way has led to so far, by any file; scheduler.ts takes it out at the step's end. */
  changes: Change[];
  commands: SchedulerCommand[];
  facts: Fact[];
  /** Workers whose waiting call is answered in this step (`tell` in cluster.ts); empty between steps. */
  readonly toAnswer: Set<Worker>;
  /** Jobs that something happened to, which may have become complete; empty between steps. */
  readonly toAdvance: Set<Job>;
}

/**
 * A job. Made by job.ts, when it is submitted or read from the store.
 *
 *   planning ─► working (maps, then reduces) ─► closing ─► publishing ─► over
 *   planning, working, closing ─► over (failed, cancelled)        closing ─► working (a task has lost its winner)
 */
export interface Job {
  readonly id: JobId;
  readonly spec: JobSpec;
  /** Order of submission. */
  readonly number: number;
  /** Moved on by job.ts (the plan is there), closing.ts and commit.ts (all else). */
  stage: "planning" | "working" | "closing" | "publishing" | "over";
  /** The plan, and what follows from it: set once, with the tasks, by `setPlan` in job.ts. */
  plan: Plan | undefined;
  plannedBy: PlanRecord | undefined;
  planChunks: number;
  inputBytes: number;
  readonly planTask: Task;
  /** Empty before the plan is there, and again when the job was cleared away (ended.ts). */
  maps: readonly Task[];
  reduces: readonly Task[];
  /** Tasks that wait, by index (attempt.ts); assign/assign.ts passes over those that have won or run since. */
  readonly queues: Readonly<Record<Phase, Heap<Task>>>;
  /** The map tasks of that queue once more, by the host that has their file (assign/locality.ts). */
  readonly near: Map<string, Heap<Task>>;
  /** The plan names hosts: otherwise `near` stays empty. */
  hasHosts: boolean;
  /** The order of the queues. */
  readonly isBefore: (a: Task, b: Task) => boolean;
  /** Counts of tasks, kept by `update` in job.ts: maps with a winner, maps whose run is there, reduces that won. */
  mapsWon: number;
  mapsLive: number;
  reducesWon: number;
  /** Map tasks whose winner's output files are gone: they have to win again. */
  mapsWithoutFiles: number;
  /** 1, and one more each time a map output gets another holder: one version is one list of runs and their holders. */
  mapVersion: number;
  /** The oldest version whose reduces count: what older ones read, no winner stands for any more (complete.ts). */
  mapVersionMin: number;
  /** The sums of its tasks' `digestRollbacks`, dead letters, and line ends inside of those. */
  digestRollbacks: number;
  deadLetters: number;
  deadLetterLines: number;
  /** The latest, for people, and the number of the next (failure.ts). */
  readonly failures: FailureRecord[];
  failureNumber: number;
  /** What it publishes or did, set with `stage` (commit.ts); taken back only when a failed job is resumed. */
  decision: CommitDecision | undefined;
  /**
   * Winners of a decision that was not published, which have made late calls: they are done again if it is taken back
   * (late.ts). Not stored: a new master knows of them only from the history.
   */
  readonly lateWinners: Map<string, AttemptId>;
  /** How it ended: set exactly while its stage is "over" (commit.ts). */
  ended: EndedRecord | undefined;
  /** Until when a failed job can be resumed (ended.ts). */
  keptUntil: Instant;
  /** Attempts of all its tasks that may win (attempt.ts alone changes it, and the three counts below). */
  readonly attempts: ReadonlySet<Attempt>;
  /** How many of these there are, by phase. */
  readonly running: Record<Phase, number>;
  /** Attempts that were told to stop and have not: they take slots still. */
  stopping: number;
  /** Tasks that have attempts which may win. */
  underway: number;
  /** Workers that may have files of it: they are told to remove them when it is over (attempt.ts, closing.ts). */
  readonly workers: Set<WorkerId>;
  /** Those of them that have said that they have something of it, and in which life last (closing.ts). */
  readonly ran: Map<WorkerId, number>;
  /** Those that have said, in which life, that nothing of it goes on there; a new attempt takes that back. */
  readonly answered: Map<WorkerId, number>;
  /** Set exactly while its stage is "closing". */
  closing: Closing | undefined;
  /** The winners' sums (totals.ts). Undefined: a winner was replaced or taken back, so they are to be summed again. */
  sum: TotalsSum | undefined;
  /** Where its map outputs lie in the version that it names; made again when that has changed (assign/orders.ts). */
  holders: Holders | undefined;
  /** Bytes per millisecond of its latest winners, and how long the latest of all took (assign/backup.ts). */
  readonly rates: Record<"map" | "reduce", number[]>;
  readonly lastMs: { map: number | undefined; reduce: number | undefined };
  /** How it looks from outside (view.ts); whoever changes what is shown sets it to undefined. */
  view: JobView | undefined;
}

/** What is known of a job that closes (closing.ts). */
export interface Closing {
  /** Workers that ran attempts of it and have not answered; those count that are heard, in that life. */
  readonly unanswered: Set<WorkerId>;
  /** The number of the question to the storage whether all staged files are there; undefined: not asked. */
  look: number | undefined;
  /** It was asked and they are: forgotten when a worker comes back that has to answer. */
  areFilesThere: boolean;
}

/**
 * A task. The first part is what `TaskRecord` says, where each field is explained: whoever changes it stores it in the
 * same step (`saveTask` in cluster.ts). The second part is forgotten with the process.
 *
 *   waiting ─► running (one attempt; two with a backup) ─► won ─► (map: run lost; reduce: rolled back) ─► waiting …
 */
export interface Task {
  readonly job: Job;
  readonly phase: Phase;
  readonly index: number;

  /**
   * Set by complete.ts; late.ts, lost.ts and lost-files.ts take it back, or note what is gone. Within `update` only.
   */
  winner: TaskRecord["winner"];
  placements: number;
  digestVersion: number;
  digestRollbacks: number;
  /** From here on failure.ts; standing.ts gives `infrastructureFailures` back, and a resume forgives (commit.ts). */
  failures: number;
  infrastructureFailures: number;
  careful: boolean;
  skip: TaskRecord["skip"];
  diedAt: TaskRecord["diedAt"];
  userFailure: TaskRecord["userFailure"];
  counted: TaskRecord["counted"];

  /** Those that may win, at most two (attempt.ts). A task without, whose output is not there, waits. */
  readonly attempts: Attempt[];
  /** The latest that failed by the job's own error: it may still make late calls (failure.ts). */
  erred: AttemptNumber | undefined;
  /** It is in its phase's queue: set by attempt.ts, unset by assign/assign.ts. */
  isQueued: boolean;
  /** Not on this worker again before that time, as long as there is another (attempt.ts). */
  avoid: { readonly worker: Worker; readonly until: Instant } | undefined;
  /** Has a checkpoint of it, from where an attempt there goes on (hear.ts); forgotten where the worker fails. */
  checkpointAt: Worker | undefined;
  /** Until then it waits for that worker to have room. */
  waitsUntil: Instant;
  /** Its next attempt is best there: for a checkpoint (attempt.ts), or runs out of others' reach (unreachable.ts). */
  prefer: Worker | undefined;
  /** A worker that went away has left it behind: it goes to the worker that came last (assign/assign.ts). */
  isLeftBehind: boolean;
  /** How often a reduce was moved because its worker could not reach another (unreachable.ts). */
  moves: number;
  /** The version of the map outputs that a map's run was placed by; 0: by an earlier master (complete.ts, lost.ts). */
  placedAt: number;
}

/** One try at a task. Made by attempt.ts, when it is given out or adopted from an earlier master. */
export interface Attempt {
  readonly id: AttemptId;
  readonly task: Task;
  readonly worker: Worker;
  /**
   * assigned: no report has listed it yet, so the order is repeated. running: one has (hear.ts). stopping: revoked
   * (attempt.ts), so it can't win any more; forgotten once its worker no longer lists it.
   */
  state: "assigned" | "running" | "stopping";
  /** What is sent while it is assigned; undefined from then on. */
  assignment: Assignment | undefined;
  /** True: where it dies, its last place is exactly the record's. False where another master assigned it. */
  readonly careful: boolean;
  /** The version of the map outputs that a reduce reads; undefined when another master assigned it. */
  mapVersion: number | undefined;
  /** What its worker said of it last (hear.ts). */
  report: RunningAttempt | undefined;
  /** Why it is stopping, for people and for the reason of `ctx.signal`. */
  why: string;
  /** When it was assigned, adopted or, stopping, revoked. */
  since: Instant;
}

/** How far a worker that leaves is with what others need of it (handover.ts). */
export interface Handover {
  /** When it ends, whatever is left; undefined: that is not bounded (hear.ts). */
  until: Instant | undefined;
  /** Copies that were ordered: of which map, from which peer in which life. */
  readonly copies: Map<Task, { readonly to: Worker; readonly key: string; readonly incarnation: number }>;
  /** Peers that were asked for a copy and are not asked again. */
  readonly asked: Map<Task, readonly Worker[]>;
  /** It is told that it may end. */
  mayLeave: boolean;
}

/** Why a worker gets nothing for a while (standing.ts). */
export interface Penalty {
  readonly kind: "excluded" | "quarantined";
  readonly since: Instant;
  readonly until: Instant;
}

/** A worker, from its reports and from the winners that lie on it. Made by hear.ts, lost.ts and recover.ts. */
export interface Worker {
  readonly id: WorkerId;
  /** Its newest life that is known of. Another one is another process: hear.ts forgets what was of the old one. */
  incarnation: number;
  /** The number of the newest report heard; -1: known from winners only. The next fields are what that report says. */
  sequence: number;
  address: string;
  /** The host in its address: what files' `hosts` are compared with. */
  host: string;
  slots: number;
  slotsFree: number;
  slotsAhead: number;
  /** It says that it drains. */
  isDraining: boolean;
  holdersKnown: WorkerReport["holdersKnown"];
  /** An administrator wants it to drain (drain.ts): stored, until it is started again. */
  isToDrain: boolean;
  /** How long it may stay then; undefined: as long as it is needed. */
  drainWithinMs: number | undefined;
  /** What it hands over, while it leaves and is heard (handover.ts). */
  handover: Handover | undefined;
  /** By job, the version of the map outputs before which reduces may read runs here that count no more (lost.ts). */
  readonly readBefore: Map<Job, number>;
  /** Runs that it is told to make copies of, by `attemptKey`: each is in its holder's `handover` (handover.ts). */
  readonly copying: Map<string, { readonly task: Task; readonly from: Worker }>;
  /** Unheard for a lease (lease.ts): it has no attempts, what lies on it counts as lost. A newer report ends that. */
  isSilent: boolean;
  /** When its newest report was heard, and when its lease is looked at next (`watch` in cluster.ts). */
  heardAt: Instant;
  leaseAt: Instant;
  /** When this life of it, or it after a silence, was heard for the first time. */
  cameAt: Instant;
  /** Failures since its last success, the tasks charged for them, and tasks whose slots died here (standing.ts). */
  failuresInRow: number;
  readonly charged: Task[];
  readonly died: Set<Task>;
  /** When it was started again or came back, lately. */
  flaps: Instant[];
  /** The latest penalty; remembered for a while after it was served, as the next one is longer: by `penaltyLevel`. */
  penalty: Penalty | undefined;
  penaltyLevel: number;
  /** People were told that its penalty is over. */
  isReadmitted: boolean;
  /** Workers that could not fetch from it, until when that counts, and the other way round (unreachable.ts). */
  readonly complaints: Map<Worker, Instant>;
  readonly cutOffFrom: Set<Worker>;
  /**
   * Runs of winners that this life found when it started, or copied, by `attemptKey`: a resumed job asks for them
   * (hear.ts).
   */
  readonly offered: Map<string, Offer>;
  /** By `attemptKey`, those being stopped included (attempt.ts). */
  readonly attempts: Map<string, Attempt>;
  /** Attempts that its newest report lists and that are none of these: it is told to stop them (hear.ts). */
  strays: AttemptId[];
  /** Map tasks whose winning run lies here: each has a winner that names this worker (complete.ts, lost.ts). */
  readonly runs: Set<Task>;
  /** Jobs whose files it is to remove, and until when it is told so (discard.ts). */
  readonly discards: Map<JobId, Instant>;
  /** Jobs that are over and of which it may still have attempts that stage something (discard.ts). */
  readonly stragglersOf: Set<JobId>;
  /** It has not been told all yet, so its next report is answered at once (`tell` in cluster.ts). */
  hasNews: boolean;
  /** How it looks from outside (view.ts); whoever changes what is shown sets it to undefined. */
  view: { readonly madeAt: Instant; readonly seen: WorkerView } | undefined;
}
