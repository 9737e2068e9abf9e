// The directories of a job on one machine while it runs, which `--resume` finds after a crash:
//
//   WORK/                 .NAME.millrace-JOB, mode 0700 (storage/local/hidden.ts)
//     work.json           format, the process that uses it, the memory directory, where else the job stages files
//     state/              the state store, locked while in use; not there while the state is in memory
//     bundle.mjs          the job's code
//     runs/JOB/           overflow of the memory tier; names of files begin with the attempt's
//     checkpoints/JOB/    how far attempts have come (docs/checkpoints.md)
//     logs/ATTEMPT.log    what attempts printed
//     slots/SLOT/         working directories; status pages where there is no memory tier
//     staging/            the storage's own
//   MEMORY/               /dev/shm/millrace-UID-JOB, mode 0700, where that is a tmpfs we may write to
//     owner.json          the process that uses it and the work directory it belongs to
//     runs/JOB/           runs
//     checkpoints/JOB/    runs of checkpoints
//     slots/              status pages

import { lstatSync, mkdirSync, readFileSync, renameSync, rmSync, statfsSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MillraceError, systemCode } from "../../base/error.ts";
import { limits } from "../../base/limits.ts";
import { systemClock } from "../../base/system/clock.ts";
import { namesIn } from "../../base/system/names-in.ts";
import { hasDatabase, isLocked } from "./directory-lock.ts";
import { isAlive, isOfThisNamespace, type ProcessIdentity, thisProcess } from "./process-identity.ts";

export interface WorkDirectory {
  readonly path: string;
  /** Undefined where there is no memory tier. */
  readonly memory: string | undefined;
  readonly state: string;
  readonly bundle: string;
  readonly logs: string;
  readonly slots: string;
  readonly runs: { readonly memory: string | undefined; readonly disk: string };
  /** How far attempts have come, by job (checkpoint/folders.ts). */
  readonly checkpoints: { readonly memory: string | undefined; readonly disk: string };
  /** Where status pages lie: in memory, where there is a memory tier. */
  readonly pages: string;
}

export interface WorkDirectoryOptions {
  readonly path: string;
  /** Ends the name of the memory directory. */
  readonly id: string;
  /** Where a memory directory may be made. Default /dev/shm. */
  readonly memoryRoot?: string;
  /**
   * The job's folder of dead letters, absolute or a URL. What is staged for it is removed together with the work
   * directory.
   */
  readonly deadLetters?: string | undefined;
}

/** The contents of `work.json`. */
interface WorkRecord {
  readonly version: 1;
  readonly process: ProcessIdentity;
  readonly memory: string | undefined;
  readonly deadLetters?: string | undefined;
}

const tmpfsMagic = 0x01021994;
const defaultMemoryRoot = "/dev/shm";
/** A directory without an owner this long was left half made; a younger one may be being made now. */
const halfMadeMs = 3_600_000;
/** A directory that is not signed for as long as this many signs take counts as left. */
const signsMissedMax = 4;

/** Creates both directories, after removing memory directories that no run will come back for. */
export function createWorkDirectory(options: WorkDirectoryOptions): WorkDirectory {
  const root = options.memoryRoot ?? defaultMemoryRoot;
  try {
    mkdirSync(options.path, { mode: 0o700 });
  } catch (error) {
    const code = systemCode(error) ?? String(error);
    throw new MillraceError(
      code === "ENOTDIR" ? "wrong-usage" : "io-error",
      `can't make the work directory ${options.path}: ${code}; choose another place with --work-dir`,
      { cause: error },
    );
  }
  const memory = isTmpfs(root) ? createMemoryDirectory(root, options) : undefined;
  return enter(options.path, memory, options.deadLetters);
}

/** Takes over the directories that an earlier process left. A memory directory that is gone is created again. */
export function openWorkDirectory(options: WorkDirectoryOptions): WorkDirectory {
  const root = options.memoryRoot ?? defaultMemoryRoot;
  const left = readRecord(options.path);
  const there = left?.memory !== undefined && isOwnDirectory(left.memory) ? left.memory : undefined;
  const memory = there ?? (isTmpfs(root) ? createMemoryDirectory(root, options) : undefined);
  if (there !== undefined) writeJson(join(there, "owner.json"), { process: thisProcess(), work: options.path });
  return enter(options.path, memory, options.deadLetters ?? left?.deadLetters);
}

/**
 * The process that uses a work directory now; undefined where there is none any more. Of a process in another container
 * its number says nothing; the lock of its state does, which the operating system frees when it ends. While its state
 * is in memory, it says from time to time that it is there.
 */
export async function userOf(path: string, now = systemClock.date()): Promise<ProcessIdentity | undefined> {
  const user = readRecord(path)?.process;
  if (user === undefined) return undefined;
  const isUsed = isOfThisNamespace(user) ? isAlive(user) : await isUsedElsewhere(path, now);
  return isUsed ? user : undefined;
}

async function isUsedElsewhere(path: string, now: Date): Promise<boolean> {
  const state = join(path, "state");
  if (hasDatabase(state)) return await isLocked(state);
  const { mtimeMs } = lstatSync(join(path, "work.json"), { throwIfNoEntry: false }) ?? { mtimeMs: 0 };
  return now.getTime() - mtimeMs < signsMissedMax * limits.signOfUseMs;
}

/** Says that the directory is still used, for processes of other containers, while there is no state to lock. */
export function signUse({ path }: WorkDirectory, now: Date): void {
  try {
    utimesSync(join(path, "work.json"), now, now);
  } catch {
    // It is being removed. Elsewhere it is a hint only.
  }
}

/** Where the job that had it staged its dead letters; undefined: nowhere else. */
export function deadLettersOf(path: string): string | undefined {
  const folder = readRecord(path)?.deadLetters;
  return typeof folder === "string" && folder !== "" ? folder : undefined;
}

/** Removes both directories and all in them. May be repeated. */
export function removeWorkDirectory(work: { readonly path: string; readonly memory: string | undefined }): void {
  if (work.memory !== undefined) removeTree(work.memory);
  removeTree(work.path);
}

/** Removes what an earlier, ended process left under this path, the memory directory it names included. */
export function removeLeftWorkDirectory(path: string): void {
  removeWorkDirectory({ path, memory: readRecord(path)?.memory });
}

/** The memory directory of a work directory; undefined where there is none. */
export function memoryOf(path: string): string | undefined {
  const memory = readRecord(path)?.memory;
  return memory !== undefined && isOwnDirectory(memory) ? memory : undefined;
}

/** Memory directories of ours whose process and whose work directory are gone. */
export function staleMemory(memoryRoot = defaultMemoryRoot, now = new Date()): string[] {
  const prefix = memoryPrefix();
  return namesIn(memoryRoot).flatMap((name) => {
    const path = join(memoryRoot, name);
    return name.startsWith(prefix) && isOwnDirectory(path) && isStale(path, now) ? [path] : [];
  });
}

/** Removes them. */
export function removeStaleMemory(memoryRoot = defaultMemoryRoot, now = new Date()): void {
  for (const path of staleMemory(memoryRoot, now)) {
    try {
      removeTree(path);
    } catch {
      // Another run removes it at the same time, or no one can. That is no reason for this run to fail.
    }
  }
}

function isStale(path: string, now: Date): boolean {
  const owner = readJson(join(path, "owner.json")) as { process?: ProcessIdentity; work?: string } | undefined;
  if (owner?.process !== undefined && owner.work !== undefined) return !isAlive(owner.process) && !exists(owner.work);
  try {
    return now.getTime() - lstatSync(path).mtimeMs > halfMadeMs;
  } catch {
    return false; // removed by another run at the same time
  }
}

function enter(path: string, memory: string | undefined, deadLetters: string | undefined): WorkDirectory {
  const record: WorkRecord = { version: 1, process: thisProcess(), memory, deadLetters };
  const disk = join(path, "runs");
  const slots = join(path, "slots");
  const pages = memory === undefined ? slots : join(memory, "slots");
  const logs = join(path, "logs");
  const runs = { memory: memory === undefined ? undefined : join(memory, "runs"), disk };
  const checkpoints = {
    memory: memory === undefined ? undefined : join(memory, "checkpoints"),
    disk: join(path, "checkpoints"),
  };
  const state = join(path, "state");
  for (const directory of [disk, slots, logs, pages, runs.memory, checkpoints.memory, checkpoints.disk]) {
    if (directory !== undefined) mkdirSync(directory, { recursive: true, mode: 0o700 });
  }
  writeJson(join(path, "work.json"), record);
  return { path, memory, state, bundle: join(path, "bundle.mjs"), logs, slots, runs, checkpoints, pages };
}

/**
 * Creates the memory directory; undefined where that fails: all runs then go to disk, which is slower and never wrong.
 */
function createMemoryDirectory(root: string, options: WorkDirectoryOptions): string | undefined {
  removeStaleMemory(root);
  const path = join(root, `${memoryPrefix()}${options.id}`);
  // Of an earlier process with this work directory, which has forgotten it.
  if (isOwnDirectory(path) && !isInUse(path)) removeTree(path);
  try {
    mkdirSync(path, { mode: 0o700 });
    writeJson(join(path, "owner.json"), { process: thisProcess(), work: options.path });
    return path;
  } catch {
    return undefined;
  }
}

function isInUse(memory: string): boolean {
  const owner = readJson(join(memory, "owner.json")) as { process?: ProcessIdentity } | undefined;
  return owner?.process !== undefined && isAlive(owner.process);
}

function memoryPrefix(): string {
  return `millrace-${process.getuid?.() ?? 0}-`;
}

function isTmpfs(path: string): boolean {
  try {
    return statfsSync(path).type === tmpfsMagic;
  } catch {
    return false;
  }
}

/** A real directory of this user: /dev/shm is writable by all, so a name there proves nothing. */
function isOwnDirectory(path: string): boolean {
  try {
    const info = lstatSync(path);
    return info.isDirectory() && (process.getuid === undefined || info.uid === process.getuid());
  } catch {
    return false;
  }
}

function readRecord(path: string): WorkRecord | undefined {
  const record = readJson(join(path, "work.json")) as WorkRecord | undefined;
  return record?.version === 1 && typeof record.process?.pid === "number" ? record : undefined;
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined; // not there, or cut short by a crash
  }
}

/** Writes a file under another name first, so that no one reads half of it. */
function writeJson(path: string, value: unknown): void {
  writeFileSync(`${path}.new`, `${JSON.stringify(value)}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

function exists(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

function removeTree(path: string): void {
  // A slot that is being killed may still make a file: then the directory is not empty the first time.
  rmSync(path, { recursive: true, force: true, maxRetries: 3 });
}
