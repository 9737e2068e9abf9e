// Where attempts on this worker keep their runs: a directory each in the memory tier and on disk, named after the attempt.
// Those of a winner stay until the job is over, those of a failed attempt go at once.
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type AttemptId, attemptName, type JobId } from "../base/ids.ts";
import type { RunRef } from "../sort/run.ts";
import { tierShare } from "./budget.ts";

export interface RunStoreOptions {
  /** Undefined: no memory tier. */
  readonly memory: string | undefined;
  readonly disk: string;
  /** Working directories of attempts. */
  readonly slots: string;
  /** Of the memory tier, for all attempts together. */
  readonly tierBytes: number;
  /** Attempts that may run at once. */
  readonly slotsMax: number;
}

/** What an attempt gets. */
export interface AttemptPlaces {
  readonly directory: string;
  readonly memoryDirectory: string | undefined;
  readonly memoryBytesMax: number;
  readonly diskDirectory: string;
}

export class RunStore {
  readonly #options: RunStoreOptions;
  /** Bytes of kept runs in the memory tier, by job. */
  readonly #held = new Map<JobId, number>();
  /** Bytes of it given to attempts that run, by name. */
  readonly #granted = new Map<string, number>();
  /** Names of attempts that have directories, by job. */
  readonly #names = new Map<JobId, Set<string>>();

  constructor(options: RunStoreOptions) {
    this.#options = options;
  }

  /** Makes the attempt's directories, and gives it a share of the memory tier until `end`. */
  begin(attempt: AttemptId): AttemptPlaces {
    const { memory, disk, slots } = this.#options;
    const name = nameOf(attempt);
    const memoryDirectory = memory === undefined ? undefined : join(memory, name);
    const diskDirectory = join(disk, name);
    const directory = join(slots, name);
    const memoryBytesMax = memory === undefined ? 0 : this.#share();
    this.#granted.set(name, memoryBytesMax);
    this.#namesOf(attempt.job).add(name);
    for (const path of [memoryDirectory, diskDirectory, directory]) {
      if (path !== undefined) mkdirSync(path, { recursive: true, mode: 0o700 });
    }
    return { directory, memoryDirectory, memoryBytesMax, diskDirectory };
  }

  /** The attempt has ended; `kept` is what stays of it. May be called for one that never began. */
  end(attempt: AttemptId, kept: RunRef | undefined): void {
    const name = nameOf(attempt);
    this.#granted.delete(name);
    removeTree(join(this.#options.slots, name));
    if (kept === undefined) this.#remove(name);
    else this.keep(kept);
  }

  /** A run of an attempt that has ended counts as held. */
  keep(run: RunRef): void {
    const { memory } = this.#options;
    const { job } = run.writtenBy;
    this.#namesOf(job).add(nameOf(run.writtenBy));
    if (memory !== undefined && run.path.startsWith(`${memory}/`))
      this.#held.set(job, (this.#held.get(job) ?? 0) + run.bytes);
  }

  /** The job is over. */
  discard(job: JobId): void {
    for (const name of this.#namesOf(job)) this.#remove(name);
    this.#names.delete(job);
    this.#held.delete(job);
  }

  #share(): number {
    const { tierBytes, slotsMax } = this.#options;
    const sum = (bytes: Iterable<number>) => [...bytes].reduce((total, one) => total + one, 0);
    return tierShare(tierBytes, sum(this.#held.values()), sum(this.#granted.values()), slotsMax - this.#granted.size);
  }

  #remove(name: string): void {
    const { memory, disk } = this.#options;
    for (const directory of [memory, disk]) if (directory !== undefined) removeTree(join(directory, name));
  }

  #namesOf(job: JobId): Set<string> {
    let names = this.#names.get(job);
    if (names === undefined) this.#names.set(job, (names = new Set()));
    return names;
  }
}

/** With the job: on a worker of several jobs their attempts share the directories. */
function nameOf(attempt: AttemptId): string {
  return `${attempt.job}.${attemptName(attempt)}`;
}

function removeTree(path: string): void {
  // What is being killed may still make a file: then the directory is not empty the first time.
  rmSync(path, { recursive: true, force: true, maxRetries: 3 });
}
