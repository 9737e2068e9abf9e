// The interface of a store for the runs of attempts on this worker. A winner's runs stay until the job is over; a
// failed attempt's are removed immediately. It is an interface so that the agent runs without files in a simulation;
// `file-run-store.ts` is the real one. The agent calls it.
import type { AttemptId, JobId } from "../../base/ids.ts";
import type { RunRef } from "../../sort/run.ts";

/** What an attempt gets. */
export interface AttemptDirectories {
  readonly directory: string;
  readonly memoryDirectory: string | undefined;
  readonly memoryBytesMax: number;
  readonly diskDirectory: string;
  /** Where the job's checkpoints lie, on disk and in the memory tier; left out: it has none. */
  readonly checkpoints?: { readonly disk: string; readonly memory: string | undefined };
}

export interface RunStore {
  /**
   * Creates what the attempt needs, and grants it a share of the memory tier until `end`. Throws when a disk is full,
   * for example.
   */
  begin(attempt: AttemptId, slot: string): AttemptDirectories;
  /**
   * Removes what an attempt has left in the working directory of a slot that is no longer used. May be called again.
   */
  clear(slot: string): void;
  /**
   * Called once when the attempt has ended. Everything of it is removed, except for `kept`, and for its checkpoints
   * where it has failed: the next attempt at the task goes on from them.
   */
  end(attempt: AttemptId, outcome: { readonly isFailed: boolean; readonly kept: RunRef | undefined }): void;
  /**
   * Looks at a run that an attempt reports. "own": a file of that attempt, with the size that it says. "gone": it would
   * be one, and someone has removed it. "foreign": it can't be that attempt's.
   */
  lookAt(attempt: AttemptId, run: RunRef): "own" | "gone" | "foreign";
  /** Counts a run that an earlier process left as held. */
  keep(run: RunRef): void;
  /** Removes everything of a job that is over. May be called again. */
  discard(job: JobId): void;
  /** Jobs with kept runs, which others may still want. */
  jobs(): readonly JobId[];
  /** Resolves when removing has ended. */
  settled(): Promise<void>;
}
