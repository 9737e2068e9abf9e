// A job loaded into this process: for commands that look at a job or a record instead of running it on data.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bundleJob } from "../job/bundle.ts";
import type { JobDefinition } from "../job/definition.ts";
import { describeJob, type JobDescription } from "../job/describe.ts";
import { installMillrace, loadJob } from "../job/load.ts";

export interface JobHere {
  readonly job: JobDefinition;
  readonly description: JobDescription;
  readonly digest: string;
  /** A private folder, gone after `close`. */
  readonly folder: string;
  close(): void;
}

/** Throws what bundling and loading throw; then nothing is left behind. */
export async function loadHere(module: string): Promise<JobHere> {
  const folder = mkdtempSync(join(tmpdir(), "millrace-here-"));
  const close = () => rmSync(folder, { recursive: true, force: true });
  try {
    const bundle = await bundleJob(module);
    const path = join(folder, "job.mjs");
    writeFileSync(path, bundle.code, { mode: 0o600 });
    installMillrace();
    const job = await loadJob(path, bundle.digest);
    return { job, description: describeJob(job), digest: bundle.digest, folder, close };
  } catch (error) {
    close();
    throw error;
  }
}
