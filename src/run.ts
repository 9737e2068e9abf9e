import type { JobResult, RunOptions } from "./job/run.ts";
import type { Job, JobTypes } from "./job/types.ts";
import type { AnyRunOptions } from "./local/run-options.ts";

/**
 * Run a job: here, on all cores, or on a cluster; the same as `millrace run`. With `output` files are published there; without
 * it the records, as they were emitted, can be read from the result, once, partition after partition. A job module itself must
 * not call it: it would run once more in every slot.
 */
export async function run<T extends JobTypes, Folder extends string = never>(
  job: Job<T>,
  options: RunOptions<T, Folder>,
): Promise<[Folder] extends [never] ? JobResult & AsyncIterable<T["record"]> : JobResult> {
  const caller: { stack?: string } = {};
  Error.captureStackTrace(caller, run);
  // Only here: `millrace` is loaded in every slot, which must not load master, worker and store.
  const { runJob } = await import("./local/run-job.ts");
  const result: unknown = await runJob(job, options as AnyRunOptions, caller);
  return result as [Folder] extends [never] ? JobResult & AsyncIterable<T["record"]> : JobResult;
}
