// A run that is to be resumed, and whose state was still in memory when it was killed. What it had done is unknown, so
// the job begins again: what is useful of the earlier run (standard input, which can't be read twice) is taken over, and
// the rest goes.
import { existsSync, renameSync } from "node:fs";
import { join } from "node:path";
import { MillraceError } from "../../base/error.ts";
import type { JobId } from "../../base/ids.ts";
import { isUrl } from "../../base/paths.ts";
import { spoolName } from "../../input/spool.ts";
import { readManifest } from "../../output/published.ts";
import { workDirectoryOf } from "../../storage/local/hidden.ts";
import type { Storage } from "../../storage/storage.ts";
import { deadLettersOf, removeLeftWorkDirectory } from "../../worker/disk/work-directory.ts";
import type { LocalOptions } from "./options.ts";

/** The earlier run. */
export interface Unstored {
  readonly output: string;
  /** Its work directory. */
  readonly path: string;
  readonly job: JobId;
}

/**
 * Looks at what the earlier run made visible, and puts back what it had moved aside. Returns the folder of dead letters
 * that it published without coming to its output, which the new run has to replace. Throws `nothing-to-resume` when its
 * output is complete.
 */
export async function lookAtUnstored(
  earlier: Unstored,
  { onWarning }: LocalOptions,
  storage: Storage,
): Promise<string | undefined> {
  const { output, path, job } = earlier;
  const deadLetters = deadLettersOf(path);
  if (await isPublishedBy(job, output, storage)) {
    for (const folder of [output, deadLetters]) if (folder !== undefined) await storage.discard(folder, job);
    remove(earlier);
    throw new MillraceError(
      "nothing-to-resume",
      `the earlier run with the output ${output} had ended (succeeded): the output is complete`,
    );
  }
  // On an object store what tells its objects from others' has to stay until the new run's look at the output.
  if (!isUrl(output)) await storage.discard(output, job);
  onWarning?.(
    `the earlier run with the output ${output} has stored nothing to go on with (it ended within its first second, or its state could not be stored): the job begins again`,
  );
  return deadLetters !== undefined && (await isPublishedBy(job, deadLetters, storage)) ? deadLetters : undefined;
}

/**
 * Hands the earlier run's standard input to the new one, and removes the earlier run. (What it has staged elsewhere goes
 * with its directory when the new one has published.)
 */
export function takeOver(earlier: Unstored, work: { readonly path: string }): void {
  const spooled = join(earlier.path, spoolName);
  if (existsSync(spooled)) renameSync(spooled, join(work.path, spoolName));
  if (!isUrl(earlier.output) && deadLettersOf(earlier.path) === undefined) remove(earlier);
}

function remove({ output, path, job }: Unstored): void {
  removeLeftWorkDirectory(path);
  removeLeftWorkDirectory(workDirectoryOf(output, job));
}

async function isPublishedBy(job: JobId, folder: string, storage: Storage): Promise<boolean> {
  try {
    return (await readManifest(storage, folder)).job.id === job;
  } catch (error) {
    if (error instanceof MillraceError && error.code === "corrupt-output") return false;
    throw error;
  }
}
