import type { AttemptId, Position } from "../base/ids.ts";
import type { Clock } from "../base/system/clock.ts";
import type { JobDefinition } from "../job/definition.ts";
import type { Combining, Kernel } from "../kernel/kernel.ts";
import type { Fetched } from "../shuffle/client.ts";
import type { RunFiles, RunReader, RunRef } from "../sort/run.ts";
import type { Storage } from "../storage/storage.ts";
import type { LateCalls } from "./user/late-calls.ts";

/** What a task needs from whatever runs it: our worker's slot, a test, later another engine. */
export interface TaskEnvironment {
  readonly job: JobDefinition;
  readonly storage: Storage;
  readonly kernel: Kernel;
  /** For the runs of this attempt: the memory tier first, then disk. */
  readonly runs: RunFiles;
  readonly status: StatusPage;
  readonly clock: Clock;
  /** Of this attempt, for whoever looks at them after it; left out: who runs it does not. */
  readonly late?: LateCalls | undefined;
  /** Around setup: what it opens may stay open. Default: calls `work`. */
  settingUp?<T>(work: () => Promise<T>): Promise<T>;
  /** Aborted when the attempt is revoked. */
  readonly signal: AbortSignal;
  /** Local path of a side file. */
  file(name: string): string;
  log(message: string, fields: Readonly<Record<string, unknown>> | undefined): void;
  /**
   * When combine is called: "auto" where it pays; "always"; "never" before reduce, which then gets every value. The result must
   * not depend on it, and `millrace test` looks whether it does. Default "auto".
   */
  readonly combining?: Combining | undefined;
}

/** The map outputs that a reduce reads: `runs` and what is fetched are one per map task, in the order of their ordinals. */
export interface ReduceInputs {
  readonly mapVersion: number;
  /** On this machine; opened when they are needed. */
  readonly runs: readonly RunRef[];
  /** Throws `segment-lost` when it can't be had. */
  open(run: RunRef): RunReader;
  /** Brings what lies on other machines; left out where all is here. Rejects with `SegmentLost`; then nothing is left of it. */
  readonly fetch?: ((request: FetchRequest) => Promise<Fetched>) | undefined;
}

export interface FetchRequest {
  readonly attempt: AttemptId;
  readonly partition: number;
  readonly partitions: number;
  /** What is fetched is put here. */
  readonly files: RunFiles;
  readonly signal: AbortSignal;
  readonly onBytes: (bytes: number) => void;
}

/**
 * What an attempt says of itself while it works, readable from outside after it was killed. Written per batch; in careful
 * mode before each record.
 */
export interface StatusPage {
  write(status: TaskStatus): void;
}

export interface TaskStatus {
  readonly phase: "setup" | "map" | "sort" | "reduce" | "write" | "teardown" | "fetch";
  readonly records: number;
  readonly bytes: number;
  /** The record being worked on (careful) or the batch's first. */
  readonly at: Position | undefined;
}
