// The directories of a local run, and those of other runs with the same output.
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

export interface WorkDirectoriesOptions {
  /** Directory to publish; undefined when only the caller reads the result. */
  readonly output: string | undefined;
  /** Folder for state and runs; undefined: they are beside the output. */
  readonly workDir: string | undefined;
}

export interface WorkDirectories {
  /** The folder that the job publishes. */
  readonly destination: string;
  readonly work: string;
  /** The folder where the storage stages files. It is also the work directory, unless `workDir` moves that. */
  readonly beside: string;
}

export function workDirectories(options: WorkDirectoriesOptions, job: JobId): WorkDirectories {
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
    .flatMap((name) => {
      const changed = changedAt(join(parent, name, "work.json"));
      return changed === undefined ? [] : [{ path: join(parent, name), job: name.slice(prefix.length), changed }];
    })
    .toSorted((a, b) => b.changed - a.changed)
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
 * The same for two runs that begin at the same time. Each calls this when its own work directory exists: the one whose
 * directory was there first goes on. Neither goes on if the file system's clock can't tell.
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

/** When the directory got its record, in nanoseconds: renaming the record into place was its last change. */
function appearedAt(path: string): bigint | undefined {
  try {
    return lstatSync(join(path, "work.json"), { bigint: true }).ctimeNs;
  } catch {
    return undefined; // being made, or being removed
  }
}

/** Ended runs with this output whose work directories still exist. */
export async function earlierJobs(output: string, workDir: string | undefined): Promise<JobId[]> {
  const jobs: JobId[] = [];
  for (const { path, job } of workDirectoriesOf(output, workDir)) {
    if ((await userOf(path)) === undefined) jobs.push(job);
  }
  return jobs;
}

/** Removes what ended runs with this output left, once a later run has published it. */
export async function removeOlder(output: string, workDir: string | undefined, storage: Discarding): Promise<void> {
  for (const { path, job } of workDirectoriesOf(output, workDir)) {
    if ((await userOf(path)) !== undefined) continue;
    await removeLeft(path, job, storage);
    removeLeftWorkDirectory(workDirectoryOf(output, job));
  }
}

type Discarding = Pick<Storage, "discard">;

/** Removes a work directory, and what its run has staged for its dead letters beside their folder. */
export async function removeLeft(path: string, job: JobId, storage: Discarding): Promise<void> {
  const deadLetters = deadLettersOf(path);
  // Staged files are hidden and in no one's way, so failing to remove them is no reason to fail.
  if (deadLetters !== undefined) await storage.discard(deadLetters, job).catch(() => {});
  removeLeftWorkDirectory(path);
}

/**
 * Removes what runs without an output left when they were killed: no one can go on with them. Without a storage, those
 * that have staged something elsewhere are left to a later call.
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

/** Creates a directory's missing parents. Returns a function that removes those of them that are still empty. */
export function makeParents(path: string): () => void {
  const parent = dirname(path);
  let first: string | undefined;
  try {
    first = mkdirSync(parent, { recursive: true });
  } catch (error) {
    const code = systemCode(error) ?? String(error);
    // There is a file where the folder or one of its parents should be, so trying again does not help.
    const kind = code === "EEXIST" || code === "ENOTDIR" ? "wrong-usage" : "io-error";
    throw new MillraceError(kind, `can't make the directory ${parent}: ${code}`, { cause: error });
  }
  return () => {
    if (first === undefined) return;
    try {
      for (let made = parent; made.length >= first.length; made = dirname(made)) rmdirSync(made);
    } catch {
      // something is in it by now: the output, or other files
    }
  };
}

/** Whether the directory belongs to this user: where everyone may write, a name proves nothing. */
export function isOurs(path: string): boolean {
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
