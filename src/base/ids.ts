/** Milliseconds on the master's monotonic clock; never compared across machines. */
export type Instant = number;
export type JobId = string;
export type WorkerId = string;
/** In the order in which a job goes through them. A run's footer stores the index (docs/run-format.md): none is moved or taken out. */
export const phases = ["plan", "map", "reduce"] as const;
export type Phase = (typeof phases)[number];

/** Name of the output that records refused by a format or by user code go to. */
export const deadLettersOutput = "_dead-letters";

/** One task of a job; `index` is 0 for the plan, the split's ordinal, or the partition number. */
export interface TaskId {
  readonly job: JobId;
  readonly phase: Phase;
  readonly index: number;
}

/**
 * One try at a task. The epoch is the leadership that started it, so the pair (epoch, attempt) is never used twice, even
 * after a master change, and a late report from an old try is recognised.
 */
export interface AttemptId extends TaskId {
  readonly epoch: number;
  readonly attempt: number;
}

/** Totals by name, as reported by one attempt or summed over winning attempts. Built on a null prototype or a Map. */
export type Counters = Readonly<Record<string, number>>;

/** Where a record begins: index of the file in the plan, and the byte of the file or of its decompressed content. */
export interface Position {
  readonly file: number;
  readonly offset: number;
}

/** "map-00012": stable, sortable, safe as a file name. */
export function taskName(task: TaskId): string {
  return `${task.phase}-${String(task.index).padStart(5, "0")}`;
}

/** "map-00012.1.7" (epoch 1, attempt 7): the name of every file and directory that an attempt writes. */
export function attemptName(attempt: AttemptId): string {
  return `${taskName(attempt)}.${attempt.epoch}.${attempt.attempt}`;
}

/** "JOB.map-00012.1.7": the same with its job, for who keeps attempts of several jobs. */
export function fullAttemptName(attempt: AttemptId): string {
  return `${attempt.job}.${attemptName(attempt)}`;
}

export function sameAttempt(a: AttemptId, b: AttemptId): boolean {
  return (
    a.epoch === b.epoch && a.attempt === b.attempt && a.phase === b.phase && a.index === b.index && a.job === b.job
  );
}
