// Where attempts on this worker keep their runs. A winner's stay until the job is over, a failed attempt's go at once. An
// interface, so that the agent runs without files in a simulation; `file-run-store.ts` is the real one.
import type { AttemptId, JobId } from "../../base/ids.ts";
import type { RunRef } from "../../sort/run.ts";

/** What an attempt gets. */
export interface AttemptDirectories {
  readonly directory: string;
  readonly memoryDirectory: string | undefined;
  readonly memoryBytesMax: number;
  readonly diskDirectory: string;
}

export interface RunStore {
  /** Makes what the attempt needs, and gives it a share of the memory tier until `end`. May throw: a disk can be full. */
  begin(attempt: AttemptId, slot: string): AttemptDirectories;
  /** Of a slot that is in use no more: what an attempt left in its working directory goes. */
  clear(slot: string): void;
  /** The attempt has ended. A failed one leaves nothing; of another one `kept` stays. */
  end(attempt: AttemptId, outcome: { readonly isFailed: boolean; readonly kept: RunRef | undefined }): void;
  /** Whether it is a file of that attempt's here, of the size that it says. */
  isOf(attempt: AttemptId, run: RunRef): boolean;
  /** A run of an attempt that has ended counts as held. */
  keep(run: RunRef): void;
  /** The job is over: nothing of it stays. */
  discard(job: JobId): void;
  /** Jobs of which runs are kept: others may still want them. */
  jobs(): readonly JobId[];
  /** Resolves when nothing is being removed any more. */
  settled(): Promise<void>;
}
