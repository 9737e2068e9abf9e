import { refuseOtherRuntimes } from "../../base/system/runtime.ts";
import type { JobResult, RunOptions } from "../../job/run-options.ts";
import type { Job, JobTypes } from "../../job/types.ts";
import type { AnyRunOptions } from "./options.ts";

/**
 * Runs a job here, on all cores, or on a cluster; the same as `millrace run`. With `output`, files are published there.
 * Without it, the records can be read from the result as they were emitted, once, partition after partition. A job's
 * own module must not call it: it would run once more in every slot.
 * @throws `job-failed` when the job fails; the message and the stack are those of its failure.
 * @throws `cancelled` when `signal` was aborted.
 * @throws `wrong-usage` for a wrong option, `wrong-params` for wrong parameters, `wrong-job` for a job that can't be
 * loaded.
 * @throws `no-input` when no file matches.
 * @throws `output-exists` when the output exists and `overwrite` is not set.
 * @throws `nothing-to-resume` when `resume` finds nothing to go on with, or something has changed.
 * @throws `unreachable` when the cluster can't be reached.
 * @example
 * const { counters } = await run(job, { inputs: ["logs"], output: "counts", memory: "2GB" });
 * @example
 * for await (const [word, n] of await run(wordCount, { inputs: ["books"] })) console.log(word, n);
 */
export async function run<T extends JobTypes, Folder extends string = never>(
  job: Job<T>,
  options: RunOptions<T, Folder>,
): Promise<[Folder] extends [never] ? JobResult<T["counter"]> & AsyncIterable<T["record"]> : JobResult<T["counter"]>> {
  try {
    refuseOtherRuntimes();
  } catch (error) {
    // Bun shows the source where an error was made, whatever its stack says, so that has to be the caller's.
    Error.captureStackTrace(error as Error, run);
    throw error;
  }
  const caller: { stack?: string } = {};
  Error.captureStackTrace(caller, run);
  // Imported only here: `millrace` is loaded in every slot, which must not load master, worker and store.
  const { runJob } = await import("./run-job.ts");
  const result: unknown = await runJob(job, options as AnyRunOptions, caller);
  return result as [Folder] extends [never]
    ? JobResult<T["counter"]> & AsyncIterable<T["record"]>
    : JobResult<T["counter"]>;
}
