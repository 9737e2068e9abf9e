// A run that is to be resumed, and whose state was still in memory when it was killed. What it had done is unknown, so
// the job begins again: what is useful of the earlier run (standard input and FIFOs, which can't be read twice) is
// taken over, and the rest goes.
import { readdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { MillraceError } from "../../base/error.ts";
import type { JobId } from "../../base/ids.ts";
import { isUrl } from "../../base/paths.ts";
import { isSpoolName } from "../../input/spool.ts";
import { readManifest } from "../../output/published.ts";
import { workDirectoryOf } from "../../storage/local/hidden.ts";
import type { Manifest } from "../../storage/manifest.ts";
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
 * The manifest of its output, where the earlier run had come to publish it: then there is nothing left to do. Undefined
 * otherwise.
 */
export async function publishedByUnstored(
  { output, path, job }: Unstored,
  storage: Storage,
): Promise<Manifest | undefined> {
  const manifest = await manifestOf(job, output, storage);
  if (manifest === undefined) return undefined;
  const deadLetters = deadLettersOf(path);
  for (const folder of [output, deadLetters]) if (folder !== undefined) await storage.discard(folder, job);
  return manifest;
}

/**
 * Puts back what the earlier run had moved aside, and tells that the job begins again. Returns the folder of dead
 * letters that it published without coming to its output, which the new run has to replace.
 */
export async function lookAtUnstored(
  { output, path, job }: Unstored,
  { onWarning }: LocalOptions,
  storage: Storage,
): Promise<string | undefined> {
  // On an object store what tells its objects from others' has to stay until the new run's look at the output.
  if (!isUrl(output)) await storage.discard(output, job);
  onWarning?.(
    `the earlier run with the output ${output} has stored nothing to go on with (it ended within its first second, or its state could not be stored): the job begins again`,
  );
  const deadLetters = deadLettersOf(path);
  const isPublished = deadLetters !== undefined && (await manifestOf(job, deadLetters, storage)) !== undefined;
  return isPublished ? deadLetters : undefined;
}

/**
 * Hands what the earlier run had read of standard input and FIFOs to the new one, and removes the earlier run. (What it
 * has staged elsewhere goes with its directory when the new one has published.)
 */
export function takeOver(
  earlier: Unstored,
  work: { readonly path: string },
  output: "published" | "unpublished",
): void {
  for (const name of readdirSync(earlier.path).filter(isSpoolName))
    renameSync(join(earlier.path, name), join(work.path, name));
  const isStagedElsewhere = isUrl(earlier.output) || deadLettersOf(earlier.path) !== undefined;
  if (isStagedElsewhere && output === "unpublished") return;
  removeLeftWorkDirectory(earlier.path);
  removeLeftWorkDirectory(workDirectoryOf(earlier.output, earlier.job));
}

/** The manifest of a folder that this job has published. */
async function manifestOf(job: JobId, folder: string, storage: Storage): Promise<Manifest | undefined> {
  try {
    const manifest = await readManifest(storage, folder);
    return manifest.job.id === job ? manifest : undefined;
  } catch (error) {
    if (error instanceof MillraceError && error.code === "corrupt-output") return undefined;
    throw error;
  }
}
