/** Milliseconds on the master's monotonic clock; never compared across machines. */
export type Instant = number;
/** The name of a job in a cluster, unique for ever. */
export type JobId = string;
/** The name of a worker's process; a process that is started again has another. */
export type WorkerId = string;
/**
 * The phases of a job, in their order. A run's footer stores a phase as its index here (docs/run-format.md), so none of
 * them is moved or removed.
 */
export const phases = ["plan", "map", "reduce"] as const;
export type Phase = (typeof phases)[number];

/** Name of the output for records that a format or the job's code has refused. */
export const deadLettersOutput = "_dead-letters";

/** One task of a job. */
export interface TaskId {
  /** The job's id, which no other job ever has. */
  readonly job: JobId;
  /** What kind of task it is. */
  readonly phase: Phase;
  /** The split's ordinal for a map, the partition's number for a reduce, both from 0; 0 for the plan. */
  readonly index: number;
}

/**
 * One try at a task. The pair (epoch, attempt) is never used twice in a job, even after a change of masters, so that a
 * late report of an old try is recognised.
 */
export interface AttemptId extends TaskId {
  /** The number of the leadership under which the attempt was started; it only grows. */
  readonly epoch: number;
  /** The attempt's number within that epoch. */
  readonly attempt: number;
}

/** Totals by name, reported by one attempt or summed over the winning attempts. Built on a null prototype or a Map. */
export type Counters = Readonly<Record<string, number>>;

/** Where a record begins: the file's index in the plan, and the byte in that file or in its decompressed content. */
export interface Position {
  readonly file: number;
  readonly offset: number;
}

/** "map-00012": stable, sortable and safe as a file name. */
export function taskName(task: TaskId): string {
  return `${task.phase}-${String(task.index).padStart(5, "0")}`;
}

/** "map-00012.1.7" (epoch 1, attempt 7): names every file and directory that the attempt writes. */
export function attemptName(attempt: AttemptId): string {
  return `${taskName(attempt)}.${attempt.epoch}.${attempt.attempt}`;
}

/** "JOB.map-00012.1.7": the same with its job, for callers that keep attempts of several jobs. */
export function fullAttemptName(attempt: AttemptId): string {
  return `${attempt.job}.${attemptName(attempt)}`;
}

export function sameAttempt(a: AttemptId, b: AttemptId): boolean {
  return (
    a.epoch === b.epoch && a.attempt === b.attempt && a.phase === b.phase && a.index === b.index && a.job === b.job
  );
}

/** How the place of an error in reduce begins; behind it stands the key, as `excerptOf` shows it. */
export const reduceOfKey = "reduce of the key ";
