// A job loaded into this process, for commands that look at a job or a record instead of running it on data. A slot
// loads it first, so that a module that never finishes, exits or crashes does so there, while this thread is free to
// handle an interrupt.
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
  /** A private folder, removed by `close`. */
  readonly folder: string;
  /** Loads the module once more, with variables of its own. May be called any number of times. */
  another(): Promise<JobDefinition>;
  /** The value that the job's schema makes of parameters (`JobSpec.paramsValue`). */
  validate(params: string): Promise<Uint8Array | undefined>;
  close(): void;
}

export interface LoadHereOptions {
  /** Path of the job file, as it was given. */
  readonly job: string;
  /** Variables that the job's code sees (`--env`). */
  readonly environment: ReadonlyMap<string, string>;
  readonly json?: boolean;
  /**
   * Ends the wait. Without it, interrupts end the wait, and once the job is loaded they end the process again, whatever
   * its code does.
   */
  readonly signal?: AbortSignal;
  /** A slot's process that was started before. */
  readonly firstSlot?: ChildProcess | undefined;
}

/**
 * Gives this process the environment of a slot, for good, so that the job's code sees the same as in a run: UTC, and
 * nothing of the caller's environment. Throws what bundling and loading throw, and leaves nothing behind then.
 */
export async function loadHere(options: LoadHereOptions): Promise<JobHere> {
  const { job: given, json = false, firstSlot } = options;
  const environment = Object.fromEntries(options.environment);
  const interrupts = options.signal === undefined ? listenForInterrupts() : { signal: options.signal, stop() {} };
  try {
    const { bundle, description, folder, close } = await describeInSlot({
      module: resolve(given),
      environment,
      job: jobIdOf(randomId()),
      firstSlot,
      signal: interrupts.signal,
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
        // Node tells modules apart by their paths.
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
    interrupts.stop();
  }
}

/** The working directory stays that of the command, even if the module changes it. */
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
