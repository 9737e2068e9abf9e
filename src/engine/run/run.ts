import { refuseOtherRuntimes } from "../../base/system/runtime.ts";
import type { JobResult, RunOptions } from "../../job/run.ts";
import type { Job, JobTypes } from "../../job/types.ts";
import type { AnyRunOptions } from "./options.ts";

/**
 * Run a job: here, on all cores, or on a cluster; the same as `millrace run`. With `output` files are published there; without
 * it the records, as they were emitted, can be read from the result, once, partition after partition. A job module itself must
 * not call it: it would run once more in every slot.
 */
export async function run<T extends JobTypes, Folder extends string = never>(
  job: Job<T>,
  options: RunOptions<T, Folder>,
): Promise<[Folder] extends [never] ? JobResult & AsyncIterable<T["record"]> : JobResult> {
  try {
    refuseOtherRuntimes();
  } catch (error) {
    // Bun shows the source where an error was made, whatever its stack says: that has to be the caller's.
    Error.captureStackTrace(error as Error, run);
    throw error;
  }
  const caller: { stack?: string } = {};
  Error.captureStackTrace(caller, run);
  // Only here: `millrace` is loaded in every slot, which must not load master, worker and store.
  const { runJob } = await import("./run-job.ts");
  const result: unknown = await runJob(job, options as AnyRunOptions, caller);
  return result as [Folder] extends [never] ? JobResult & AsyncIterable<T["record"]> : JobResult;
}
