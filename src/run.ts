import { MillraceError } from "./base/error.ts";
import type { JobResult, RunOptions } from "./job/run.ts";
import type { Job, JobTypes } from "./job/types.ts";

/**
 * Run a job: here, on all cores, or on a cluster; the same as `millrace run`. With `output` files are published there; without
 * it the records, as they were emitted, can be read from the result, once, partition after partition. A job module itself must
 * not call it: it would run once more in every slot.
 */
export async function run<T extends JobTypes, Folder extends string = never>(
  job: Job<T>,
  options: RunOptions<T, Folder>,
): Promise<[Folder] extends [never] ? JobResult & AsyncIterable<T["record"]> : JobResult> {
  const result: unknown = await (await loadRunner())(job, options);
  return result as [Folder] extends [never] ? JobResult & AsyncIterable<T["record"]> : JobResult;
}

type Runner = (job: object, options: object) => Promise<unknown>;

/**
 * INTEGRATION: import `./local.ts` here and return what runs a job in this process and its children. It stays a lazy import:
 * `millrace` is loaded in every slot, which must not load master, worker and store.
 */
async function loadRunner(): Promise<Runner> {
  throw new MillraceError("not-supported", "run() is not part of this build yet; use the command: millrace run");
}
