// A job loaded into this process: for commands that look at a job or a record instead of running it on data. A slot loads it
// first: what does not end there, ends its process or crashes it does so there, and an interrupt finds this thread free.
import type { ChildProcess } from "node:child_process";
import { linkSync, mkdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { randomId } from "../base/system/random.ts";
import { describeInSlot } from "../engine/remote/describe.ts";
import type { JobDefinition } from "../job/definition.ts";
import type { JobDescription } from "../job/load/describe.ts";
import { installMillrace, loadJob } from "../job/load/load.ts";
import { validateParams } from "../job/params/validate.ts";
import { jobIdOf } from "../master/master.ts";
import { slotEnvironment } from "../worker/slots/process.ts";
import { listenForInterrupts } from "./interrupts.ts";
import { stillLoading, tell } from "./loading.ts";
import { withUserModule } from "./user-code.ts";

export interface JobHere {
  readonly job: JobDefinition;
  readonly description: JobDescription;
  readonly digest: string;
  /** A private folder, gone after `close`. */
  readonly folder: string;
  /** The module loaded once more: nothing of its variables is shared. */
  another(): Promise<JobDefinition>;
  /** What the job makes of parameters (`JobSpec.paramsValue`). */
  validate(params: string): Promise<Uint8Array | undefined>;
  close(): void;
}

export interface LoadHereOptions {
  /** As it was given. */
  readonly job: string;
  /** The job's (`--env`). */
  readonly environment: ReadonlyMap<string, string>;
  readonly json?: boolean;
  /** Ends the wait. Without it interrupts do, and when it is loaded they end the process again, whatever its code does. */
  readonly signal?: AbortSignal;
  /** A slot's process that was started already. */
  readonly firstSlot?: ChildProcess | undefined;
}

/**
 * From here on this process has the environment of a slot, so that the job's code sees the same as in a run: UTC, and nothing of
 * the caller's. Throws what bundling and loading throw; then nothing is left behind.
 */
export async function loadHere(options: LoadHereOptions): Promise<JobHere> {
  const { job: given, json = false, firstSlot } = options;
  const environment = Object.fromEntries(options.environment);
  const interrupts = options.signal === undefined ? listenForInterrupts() : undefined;
  try {
    const { bundle, description, folder, close } = await describeInSlot({
      module: resolve(given),
      environment,
      job: jobIdOf(randomId()),
      firstSlot,
      signal: options.signal ?? interrupts!.signal,
      onSlow: () => tell(stillLoading(given), json),
      onWarning: (warning) => tell(warning, json),
    });
    try {
      adoptEnvironment({ ...slotEnvironment(process.env), ...environment });
      installMillrace();
      const own = join(folder, "here");
      mkdirSync(own);
      const load = (path: string) => loadInProcess(path, bundle.digest);
      const job = await load(bundle.path);
      let instances = 0;
      const another = async () => {
        // Modules are told apart by their paths.
        const copy = join(own, `job-${++instances}.mjs`);
        linkSync(bundle.path, copy);
        try {
          return await load(copy);
        } finally {
          rmSync(copy);
        }
      };
      const validate = (params: string) => withUserModule(() => validateParams(job.params, params));
      return { job, description, digest: bundle.digest, folder: own, another, validate, close };
    } catch (error) {
      close();
      throw error;
    }
  } finally {
    interrupts?.stop();
  }
}

/** Paths are of the folder that the command was called in, wherever the module goes. */
async function loadInProcess(path: string, digest: string): Promise<JobDefinition> {
  const directory = process.cwd();
  try {
    return await withUserModule(() => loadJob(path, digest));
  } finally {
    process.chdir(directory);
  }
}

function adoptEnvironment(environment: Readonly<Record<string, string>>): void {
  for (const name of Object.keys(process.env)) if (!Object.hasOwn(environment, name)) delete process.env[name];
  Object.assign(process.env, environment);
}
