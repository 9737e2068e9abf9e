/** Milliseconds on the master's monotonic clock; never compared across machines. */
export type Instant = number;
export type JobId = string;
export type WorkerId = string;
export type Phase = "plan" | "map" | "reduce";

/** The output that takes records which a format or user code refused. */
export const deadLettersOutput = "_dead-letters";

/** One task of a job. `index` is 0 for the plan, the split's ordinal for a map, the partition's number for a reduce. */
export interface TaskId {
  readonly job: JobId;
  readonly phase: Phase;
  readonly index: number;
}

/**
 * One try at a task. The epoch is the leadership that started it, so the pair (epoch, attempt) is never used twice,
 * even after a change of masters, and a late report from an old try is recognised.
 */
export interface AttemptId extends TaskId {
  readonly epoch: number;
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

export function sameAttempt(a: AttemptId, b: AttemptId): boolean {
  return (
    a.epoch === b.epoch && a.attempt === b.attempt && a.phase === b.phase && a.index === b.index && a.job === b.job
  );
}
