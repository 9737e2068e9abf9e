// A job loaded into this process: for commands that look at a job or a record instead of running it on data.
import { linkSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bundleJob } from "../job/bundle.ts";
import type { JobDefinition } from "../job/definition.ts";
import { describeJob, type JobDescription } from "../job/describe.ts";
import { installMillrace, loadJob } from "../job/load.ts";
import { validateParams } from "../job/validate-params.ts";
import { slotEnvironment } from "../worker/slot-process.ts";
import { withUserCode } from "./user-code.ts";

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

/**
 * `environment` is the job's (`--env`). From here on this process has the environment of a slot, so that the job's code sees
 * the same as in a run: UTC, and nothing of the caller's. Throws what bundling and loading throw; then nothing is left behind.
 */
export async function loadHere(module: string, environment: Readonly<Record<string, string>> = {}): Promise<JobHere> {
  const folder = mkdtempSync(join(tmpdir(), "millrace-here-"));
  const close = () => rmSync(folder, { recursive: true, force: true });
  try {
    const bundle = await bundleJob(module);
    const path = join(folder, "job.mjs");
    writeFileSync(path, bundle.code, { mode: 0o600 });
    adoptEnvironment({ ...slotEnvironment(process.env), ...environment });
    installMillrace();
    const { digest } = bundle;
    const job = await loadJob(path, digest);
    let instances = 0;
    const another = async () => {
      // Modules are told apart by their paths.
      const copy = join(folder, `job-${++instances}.mjs`);
      linkSync(path, copy);
      try {
        return await loadJob(copy, digest);
      } finally {
        rmSync(copy);
      }
    };
    const validate = (params: string) => withUserCode(() => validateParams(job.params, params));
    return { job, description: describeJob(job), digest, folder, another, validate, close };
  } catch (error) {
    close();
    throw error;
  }
}

function adoptEnvironment(environment: Readonly<Record<string, string>>): void {
  for (const name of Object.keys(process.env)) if (!Object.hasOwn(environment, name)) delete process.env[name];
  Object.assign(process.env, environment);
}
