// What runs a job, whoever does: this process (local/open.ts) or a cluster (remote/open.ts). `millrace run` and `run()` are written
// against this.
import type { JobId } from "../base/ids.ts";
import type { PlannedFile } from "../input/plan.ts";
import type { JobDescription } from "../job/load/describe.ts";
import type { JobSpec } from "../job/spec.ts";
import type { JobView } from "../protocol/view.ts";
import type { Storage } from "../storage/storage.ts";
import type { SubmitOptions } from "./spec.ts";

export type { SubmitOptions } from "./spec.ts";

export interface JobEngine {
  readonly description: JobDescription;
  readonly storage: Storage;
  /** What the job publishes: an absolute path or a URL. */
  readonly destination: string;
  /** A directory for what standard input is spooled to: who runs the job's attempts can read it. Made when asked for. */
  spoolDirectory(): Promise<string>;
  /** Once per engine. */
  submit(options: SubmitOptions): Promise<JobHandle>;
  /** Ends what this process does for the job; files stay. May be called again. */
  stop(): Promise<void>;
  /** Stops, and removes what nobody needs any more. May be called again. */
  close(): Promise<void>;
}

export interface JobHandle {
  readonly job: JobId;
  readonly spec: JobSpec;
  /** The newest that is known. */
  view(): JobView;
  /** The view now and after each change, until the job has ended. */
  watch(signal?: AbortSignal): AsyncIterable<JobView>;
  /** Resolves with the last view, whatever the end; rejects when the master can't go on, or can't be reached any more. */
  readonly ended: Promise<JobView>;
  cancel(): Promise<"cancelled" | "too-late">;
  /** A file of the plan by its index, as positions name it; undefined where that is not known here. */
  file(index: number): PlannedFile | undefined;
}
