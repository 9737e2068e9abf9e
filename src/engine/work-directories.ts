// Where a local run keeps things, and which runs of the same output there are or were.

import { lstatSync, mkdirSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { MillraceError, systemCode } from "../base/error.ts";
import type { JobId } from "../base/ids.ts";
import { isUrl, outputPath } from "../base/paths.ts";
import { namesIn } from "../base/system/names-in.ts";
import { workDirectoryOf, workDirectoryPrefix } from "../storage/local/hidden.ts";
import type { Storage } from "../storage/storage.ts";
import { deadLettersOf, removeLeftWorkDirectory, userOf } from "../worker/disk/work-directory.ts";

export interface PlacesOptions {
  /** Directory to publish; undefined: nobody sees the result but the caller. */
  readonly output: string | undefined;
  /** Where state and runs go instead of beside the output. */
  readonly workDir: string | undefined;
}

export interface LocalPlaces {
  /** What the job publishes. */
  readonly destination: string;
  readonly work: string;
  /** Where the storage stages: the work directory too, unless that was moved away. */
  readonly beside: string;
}

export function localPlaces(options: PlacesOptions, job: JobId): LocalPlaces {
  if (options.output === undefined) {
    const work = join(resolve(options.workDir ?? tmpdir()), `.millrace-${job}`);
    const destination = join(work, "output");
    return { destination, work, beside: workDirectoryOf(destination, job) };
  }
  const destination = outputPath(options.output);
  const beside = workDirectoryOf(destination, job);
  const work = options.workDir === undefined ? beside : join(resolve(options.workDir), basename(beside));
  return { destination, work, beside };
}

/** Work directories of earlier and other runs with this output, the newest first. */
export function workDirectoriesOf(
  output: string,
  workDir: string | undefined,
): { readonly path: string; readonly job: JobId }[] {
  const beside = workDirectoryPrefix(output);
  const prefix = basename(beside);
  const parent = workDir === undefined ? dirname(beside) : resolve(workDir);
  return namesIn(parent)
    .filter((name) => name.startsWith(prefix))
    .filter((name) => !isUrl(output) || isOurs(join(parent, name)))
    .map((name) => ({
      path: join(parent, name),
      job: name.slice(prefix.length),
      changed: changedAt(join(parent, name, "work.json")),
    }))
    .filter(({ changed }) => changed !== undefined)
    .toSorted((a, b) => b.changed! - a.changed!)
    .map(({ path, job }) => ({ path, job }));
}

/** Throws `state-busy` while another process works on the same output. */
export async function refuseIfBusy(output: string, workDir: string | undefined): Promise<void> {
  for (const { path } of workDirectoriesOf(output, workDir)) {
    const user = await userOf(path);
    if (user !== undefined) throw busy(output, path, user.pid);
  }
}

/**
 * The same for two that began at once, asked by each when its own work directory is there: whoever's was there first goes on.
 * Neither does if the file system's clock can't tell.
 */
export async function refuseIfOvertaken(output: string, workDir: string | undefined, own: string): Promise<void> {
  const mine = appearedAt(own);
  for (const { path } of workDirectoriesOf(output, workDir)) {
    if (path === own || mine === undefined) continue;
    const theirs = appearedAt(path);
    const user = theirs !== undefined && theirs <= mine ? await userOf(path) : undefined;
    if (user !== undefined) throw busy(output, path, user.pid);
  }
}

function busy(output: string, path: string, pid: number): MillraceError {
  return new MillraceError(
    "state-busy",
    `process ${pid} is running a job with the output ${output} already (${path}): wait for it to end, or choose another output`,
  );
}

/** When it got its record: renaming that into place is what changed last. Nanoseconds. */
function appearedAt(path: string): bigint | undefined {
  try {
    return lstatSync(join(path, "work.json"), { bigint: true }).ctimeNs;
  } catch {
    return undefined; // being made, or being removed
  }
}

/** Ended runs with this output, whose work directories are there still. */
export async function earlierJobs(output: string, workDir: string | undefined): Promise<JobId[]> {
  const jobs: JobId[] = [];
  for (const { path, job } of workDirectoriesOf(output, workDir)) {
    if ((await userOf(path)) === undefined) jobs.push(job);
  }
  return jobs;
}

/** Removes what ended runs with this output left: a later one has published it. */
export async function removeOlder(output: string, workDir: string | undefined, storage: Discarding): Promise<void> {
  for (const { path, job } of workDirectoriesOf(output, workDir)) {
    if ((await userOf(path)) !== undefined) continue;
    await removeLeft(path, job, storage);
    removeLeftWorkDirectory(workDirectoryOf(output, job));
  }
}

type Discarding = Pick<Storage, "discard">;

/** With what the run has staged for its dead letters, which lies beside their folder and has no work directory of its own. */
async function removeLeft(path: string, job: JobId, storage: Discarding): Promise<void> {
  const deadLetters = deadLettersOf(path);
  // Hidden, and in no one's way: no reason to fail.
  if (deadLetters !== undefined) await storage.discard(deadLetters, job).catch(() => {});
  removeLeftWorkDirectory(path);
}

/**
 * Removes what runs without an output left when they were killed: no one can go on with them. Without a storage, those that have staged
 * something elsewhere are left to a later call.
 */
export async function removeAbandoned(workDir: string | undefined, storage?: Discarding): Promise<void> {
  const parent = resolve(workDir ?? tmpdir());
  for (const name of namesIn(parent)) {
    const path = join(parent, name);
    // A directory without a record is being made, or is not ours.
    if (!/^\.millrace-[0-9a-f]{32}$/.test(name) || !isOurs(path)) continue;
    if (changedAt(join(path, "work.json")) === undefined || (await userOf(path)) !== undefined) continue;
    if (storage !== undefined) await removeLeft(path, name.slice(".millrace-".length), storage);
    else if (deadLettersOf(path) === undefined) removeLeftWorkDirectory(path);
  }
}

/** Makes a directory's missing parents; what it returns removes those that it made and that are still empty. */
export function makeParents(path: string): () => void {
  const parent = dirname(path);
  let first: string | undefined;
  try {
    first = mkdirSync(parent, { recursive: true });
  } catch (error) {
    const code = systemCode(error) ?? String(error);
    // A file is where the folder should be, or one above it: no other try helps.
    const kind = code === "EEXIST" || code === "ENOTDIR" ? "wrong-usage" : "io-error";
    throw new MillraceError(kind, `can't make the directory ${parent}: ${code}`, { cause: error });
  }
  return () => {
    if (first === undefined) return;
    try {
      for (let made = parent; made.length >= first.length; made = dirname(made)) rmdirSync(made);
    } catch {
      // something is in it by now: the output, or somebody else's files
    }
  };
}

/** In a directory that everybody may write to, a name proves nothing. */
function isOurs(path: string): boolean {
  try {
    const info = lstatSync(path);
    return info.isDirectory() && (process.getuid === undefined || info.uid === process.getuid());
  } catch {
    return false;
  }
}

function changedAt(path: string): number | undefined {
  try {
    return lstatSync(path).mtimeMs;
  } catch {
    return undefined; // being made, or being removed
  }
}
