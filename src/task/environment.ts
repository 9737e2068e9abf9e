// What a task may use of the world around it. A task promises to touch nothing else: no clock, file, network or store
// but these. So the same code runs in a worker's slot (slot/program.ts), in `millrace replay` and in tests.
import type { AttemptId, Position } from "../base/ids.ts";
import type { Clock } from "../base/system/clock.ts";
import type { Checkpoints } from "../checkpoint/checkpoint.ts";
import type { JobDefinition } from "../job/definition.ts";
import type { Combining, Kernel } from "../kernel/kernel.ts";
import type { Fetched } from "../shuffle/client.ts";
import type { RunFiles, RunReader, RunRef } from "../sort/run.ts";
import type { Storage } from "../storage/storage.ts";
import type { LateCalls } from "./user/late-calls.ts";

/** Given to a task by what runs it: a worker's slot, a test, or another engine later. It belongs to one attempt. */
export interface TaskEnvironment {
  readonly job: JobDefinition;
  readonly storage: Storage;
  readonly kernel: Kernel;
  /** Where the runs of this attempt are made: the memory tier first, then disk. */
  readonly runs: RunFiles;
  readonly status: StatusPage;
  readonly clock: Clock;
  /**
   * The attempt's late calls, for a caller that looks at them after the attempt. Left out: the caller does not, and the
   * attempt keeps its own.
   */
  readonly late?: LateCalls | undefined;
  /** Called around setup: what that opens may stay open. Default: calls `work`. */
  settingUp?<T>(work: () => Promise<T>): Promise<T>;
  /** Memory for the window of a zstd frame. Default: what the decoder can hold. */
  readonly windowBytesMax?: number | undefined;
  /** Aborted when the attempt is revoked. */
  readonly signal: AbortSignal;
  /** The checkpoints of the attempt's task. Left out: it begins at its beginning, and makes none. */
  readonly checkpoints?: Checkpoints | undefined;
  /** The local path of a side file. */
  file(name: string): string;
  /** Writes a line to the attempt's log. Called by user code, as often as it likes; must not throw. */
  log(message: string, fields: Readonly<Record<string, unknown>> | undefined): void;
  /**
   * When combine is called: "auto" where it pays; "always"; "never" before reduce, which then gets every value. The
   * result must not depend on it, and `millrace test` checks that it does not. Default "auto".
   */
  readonly combining?: Combining | undefined;
}

/**
 * The map outputs that a reduce reads: `runs` and the fetched ones are one per map task, in the order of their
 * ordinals.
 */
export interface ReduceInputs {
  readonly mapVersion: number;
  /** Runs on this machine, which are opened when they are needed. */
  readonly runs: readonly RunRef[];
  /** Opens a run, which the task closes; it may be opened again. Throws `segment-lost` when the run can't be had. */
  open(run: RunRef): RunReader;
  /**
   * Brings the runs that lie on other machines; left out where all are here. Called once, before user code runs.
   * Rejects with `SegmentLost`, and then leaves nothing behind.
   */
  readonly fetch?: ((request: FetchRequest) => Promise<Fetched>) | undefined;
}

export interface FetchRequest {
  readonly attempt: AttemptId;
  readonly partition: number;
  readonly partitions: number;
  /** Where the fetched files are put. */
  readonly files: RunFiles;
  readonly signal: AbortSignal;
  readonly onBytes: (bytes: number) => void;
}

/**
 * What an attempt says about itself while it works; the agent can read it after the attempt was killed. Written per
 * batch, and in careful mode before each record.
 */
export interface StatusPage {
  /** Replaces the whole page. Never waits for a reader. */
  write(status: TaskStatus): void;
}

export interface TaskStatus {
  readonly phase: "setup" | "map" | "sort" | "reduce" | "write" | "teardown" | "fetch";
  readonly records: number;
  readonly bytes: number;
  /** The record being worked on (in careful mode), or the batch's first record. */
  readonly at: Position | undefined;
  /** An excerpt of the key whose values have been read for long (`keyExcerptOf`); left out where there is none. */
  readonly key?: string;
  /** There is a checkpoint, its own or the one that it went on from: the next attempt is best begun on this machine. */
  readonly hasCheckpoint?: true;
}
