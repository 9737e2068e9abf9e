// The interface of an engine, which runs one job: in this process (local/open.ts) or on a cluster (remote/open.ts).
// `millrace run` and `run()` are written against it.
import type { JobId } from "../base/ids.ts";
import type { PlannedFile } from "../input/plan.ts";
import type { JobDescription } from "../job/load/describe.ts";
import type { JobSpec } from "../job/spec.ts";
import type { JobView } from "../protocol/view.ts";
import type { Manifest } from "../storage/manifest.ts";
import type { Storage } from "../storage/storage.ts";
import type { SubmitOptions } from "./spec.ts";

export type { SubmitOptions } from "./spec.ts";

/**
 * Runs one job. `openLocal` and `openRemote` make it, with the job bundled and described; its owner must call `close`.
 */
export interface JobEngine {
  /** What the job says of itself: inputs, parameters, outputs, … */
  readonly description: JobDescription;
  /** The storage that inputs are read from and the result is published to. */
  readonly storage: Storage;
  /** The folder that the job publishes: an absolute path or a URL. */
  readonly destination: string;
  /**
   * A directory to write standard input to, which every process that runs the job's attempts can read. Created by this
   * call.
   */
  spoolDirectory(): Promise<string>;
  /**
   * What an earlier run has published where this one would make the same, so that there is nothing to submit; undefined
   * where there is something to do. Throws `nothing-to-resume` where the output is another run's. Left out: this engine
   * resumes nothing.
   */
  alreadyDone?(options: SubmitOptions): Promise<Manifest | undefined>;
  /**
   * Checks the options and submits the job. May be called once per engine. Throws `wrong-usage`, `wrong-params`,
   * `no-input`, `bad-input`, and what the engine's master refuses.
   */
  submit(options: SubmitOptions): Promise<JobHandle>;
  /**
   * Ends what this process does for the job, and leaves files in place. A local engine cancels a job that still runs; a
   * remote one leaves it alone. May be called again.
   */
  stop(): Promise<void>;
  /** Stops, and removes files that are no longer needed. May be called again, and after `stop`. */
  close(): Promise<void>;
}

/** A job that was submitted. It stays usable until its engine is closed. */
export interface JobHandle {
  readonly job: JobId;
  readonly spec: JobSpec;
  /** The newest view that is known here. */
  view(): JobView;
  /**
   * The view now and after each change, until the job has ended or `signal` is aborted. May be called by several
   * watchers.
   */
  watch(signal?: AbortSignal): AsyncIterable<JobView>;
  /**
   * Resolves with the last view, however the job ended; rejects when the master can't go on, or can no longer be
   * reached.
   */
  readonly ended: Promise<JobView>;
  /** True when the job has failed and what it has done is kept, so that it can be gone on with. */
  readonly isKept: boolean;
  /** Cancels the job; "too-late" when it has ended, or its output is decided. May be called again. */
  cancel(): Promise<"cancelled" | "too-late">;
  /** A file of the plan by its index, as positions name it; undefined where that is not known here. */
  file(index: number): PlannedFile | undefined;
}
