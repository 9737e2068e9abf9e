import type { Counters, JobId } from "../base/ids.ts";
import type { JobSpec } from "../job/spec.ts";
import type { CommitDecision } from "../storage/storage.ts";
import type { JobStats } from "./view.ts";

/** The facts about a job that its manifest holds: computed once, from its winners. */
export interface FinishedJob {
  readonly job: JobId;
  readonly spec: JobSpec;
  readonly partitions: number;
  readonly files: CommitDecision["files"];
  readonly counters: Counters;
  readonly stats: JobStats;
}
