// Runs in files: a directory per job in the memory tier and one on disk; the names of files
// begin with the attempt's. (A directory per attempt would be tidier, and cost more than a small attempt itself.) A
// winner's stay until the job is over, a failed attempt's go at once.

import { lstatSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { MillraceError, systemCode } from "../../base/error.ts";
import { type AttemptId, attemptName, fullAttemptName, type JobId, taskName } from "../../base/ids.ts";
import { namesIn } from "../../base/system/names-in.ts";
import type { Offer } from "../../protocol/messages.ts";
import type { RunRef } from "../../sort/run.ts";
import { tierShare } from "../slots/budget.ts";
import { ReceivedRun } from "./received-run.ts";
import type { AttemptDirectories, RunStore } from "./run-store.ts";

export interface FileRunStoreOptions {
  /** The folder of the memory tier; undefined: there is none. */
  readonly memory: string | undefined;
  readonly disk: string;
  /** Where checkpoints lie, on the same disks (checkpoint/folders.ts). */
  readonly checkpoints: { readonly memory: string | undefined; readonly disk: string };
  /** Working directories, one per slot, empty at the beginning of each attempt. */
  readonly slots: string;
  /** Bytes of the memory tier, for all attempts together. */
  readonly tierBytes: number;
  /** How many attempts may run at once. */
  readonly slotsMax: number;
}

/** Part of the name of a job's directory that is being removed. */
export const removedMark = ".removed-";

export class FileRunStore implements RunStore {
  readonly #options: FileRunStoreOptions;
  /** Kept runs and their bytes, by job. */
  readonly #held = new Map<JobId, { memory: number; disk: number; readonly runs: Map<string, RunRef> }>();
  /** Bytes of the memory tier granted to running attempts, by name. */
  readonly #granted = new Map<string, number>();
  readonly #removing = new Set<Promise<void>>();
  #discards = 0;
  #copies = 0;

  constructor(options: FileRunStoreOptions) {
    this.#options = options;
  }

  begin(attempt: AttemptId, slot: string): AttemptDirectories {
    const { memory, disk, slots, checkpoints } = this.#options;
    const memoryDirectory = memory === undefined ? undefined : join(memory, attempt.job);
    const diskDirectory = join(disk, attempt.job);
    const directory = join(slots, slot);
    const memoryBytesMax = memory === undefined ? 0 : this.#share();
    for (const path of [memoryDirectory, diskDirectory, directory]) {
      if (path !== undefined) makeDirectory(path);
    }
    // A run that was killed may have left something, which the next one must not find.
    for (const name of namesIn(directory)) removeForAttempt(join(directory, name));
    this.#granted.set(fullAttemptName(attempt), memoryBytesMax);
    return {
      directory,
      memoryDirectory,
      memoryBytesMax,
      diskDirectory,
      // Made by the attempt, if it lasts so long that it has a checkpoint.
      checkpoints: {
        disk: join(checkpoints.disk, attempt.job),
        memory: checkpoints.memory === undefined ? undefined : join(checkpoints.memory, attempt.job),
      },
    };
  }

  clear(slot: string): void {
    const directory = join(this.#options.slots, slot);
    for (const name of namesIn(directory)) removeIfPossible(join(directory, name));
  }

  end(attempt: AttemptId, outcome: { readonly isFailed: boolean; readonly kept: RunRef | undefined }): void {
    this.#granted.delete(fullAttemptName(attempt));
    if (outcome.kept !== undefined) this.keep(outcome.kept);
    else if (outcome.isFailed) this.#removeFiles(attempt);
    if (outcome.isFailed) return;
    for (const directory of this.#checkpointsOf(attempt.job)) removeIfPossible(join(directory, taskName(attempt)));
  }

  lookAt(attempt: AttemptId, { path, bytes }: RunRef): "own" | "gone" | "foreign" {
    const isHere = this.#directoriesOf(attempt.job).includes(dirname(path));
    if (!isHere || !basename(path).startsWith(`${attemptName(attempt)}.`)) return "foreign";
    const size = lstatSync(path, { throwIfNoEntry: false })?.size;
    return size === undefined ? "gone" : size === bytes ? "own" : "foreign";
  }

  keep(run: RunRef): void {
    const { memory } = this.#options;
    const { job } = run.writtenBy;
    let held = this.#held.get(job);
    if (held === undefined) this.#held.set(job, (held = { memory: 0, disk: 0, runs: new Map() }));
    held[memory !== undefined && run.path.startsWith(`${memory}/`) ? "memory" : "disk"] += run.bytes;
    held.runs.set(attemptName(run.writtenBy), run);
  }

  /**
   * Begins a copy of a run that another worker holds, on disk. The caller ends it by `finish` or `abort`, and keeps it.
   * Throws when a disk is full, for example.
   */
  receive(offer: Offer): ReceivedRun {
    const { writtenBy } = offer.run;
    const directory = join(this.#options.disk, writtenBy.job);
    makeDirectory(directory);
    const part = join(directory, `copy-${++this.#copies}.part`);
    return new ReceivedRun(offer, join(directory, `${attemptName(writtenBy)}.run`), part);
  }

  /** The run of a map attempt, for its readers. */
  find(attempt: AttemptId): RunRef | undefined {
    return this.#held.get(attempt.job)?.runs.get(attemptName(attempt));
  }

  jobs(): readonly JobId[] {
    return [...this.#held.keys()];
  }

  /** Bytes of kept runs. */
  held(): { readonly memory: number; readonly disk: number } {
    let [memory, disk] = [0, 0];
    for (const held of this.#held.values()) {
      memory += held.memory;
      disk += held.disk;
    }
    return { memory, disk };
  }

  /** Removes a job's files in the background: there may be many, and nothing waits for it. */
  discard(job: JobId): void {
    this.#held.delete(job);
    for (const directory of [...this.#directoriesOf(job), ...this.#checkpointsOf(job)]) {
      // Renamed first, as the job may be started again under its name.
      const away = `${directory}${removedMark}${++this.#discards}`;
      try {
        renameSync(directory, away);
      } catch {
        continue; // it has none
      }
      const removing = rm(away, { recursive: true, force: true, maxRetries: 3 })
        .catch(() => {}) // the owner of the directories removes what is left
        .finally(() => this.#removing.delete(removing));
      this.#removing.add(removing);
    }
  }

  async settled(): Promise<void> {
    await Promise.all(this.#removing);
  }

  #share(): number {
    const { tierBytes, slotsMax } = this.#options;
    let granted = 0;
    for (const bytes of this.#granted.values()) granted += bytes;
    return tierShare(tierBytes, this.held().memory, granted, slotsMax - this.#granted.size);
  }

  #removeFiles(attempt: AttemptId): void {
    const prefix = `${attemptName(attempt)}.`;
    for (const directory of this.#directoriesOf(attempt.job)) {
      for (const name of namesIn(directory)) if (name.startsWith(prefix)) removeIfPossible(join(directory, name));
    }
  }

  #directoriesOf(job: JobId): string[] {
    return ofJob(this.#options, job);
  }

  #checkpointsOf(job: JobId): string[] {
    return ofJob(this.#options.checkpoints, job);
  }
}

function ofJob({ memory, disk }: { readonly memory: string | undefined; readonly disk: string }, job: JobId): string[] {
  return [memory, disk].filter((directory) => directory !== undefined).map((directory) => join(directory, job));
}

function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw unusable(
      `${path} can't be made for an attempt`,
      systemCode(error) === "ENOENT" ? reasonFor(path, error) : error,
    );
  }
}

/**
 * The reason for a failed mkdir. On a read-only disk Node's recursive mkdir gives ENOENT, and the plain one the real
 * reason.
 */
function reasonFor(path: string, error: unknown): unknown {
  try {
    mkdirSync(path, { mode: 0o700 });
    return error;
  } catch (plain) {
    return plain;
  }
}

function removeForAttempt(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true, maxRetries: 3 });
  } catch (error) {
    throw unusable(`${path}, of an earlier attempt, can't be removed`, error);
  }
}

function unusable(what: string, error: unknown): MillraceError {
  const code = systemCode(error) ?? String(error);
  const isFull = code === "ENOSPC" || code === "EDQUOT";
  return new MillraceError(
    isFull ? "no-space" : "io-error",
    `${what}: ${isFull ? "the disk is full; make room" : code}, or choose another place with --work-dir`,
    { retry: "elsewhere", cause: error },
  );
}

/**
 * Removes a file if possible. On a disk that turned read-only it goes later, with its job; that is no reason to end a
 * worker.
 */
function removeIfPossible(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true, maxRetries: 3 });
  } catch {
    // the next attempt that needs the path reports it
  }
}
