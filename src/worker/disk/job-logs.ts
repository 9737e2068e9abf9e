// The logs of attempts, by job: LOGS/JOB/ATTEMPT.log. Each log is capped, and so are all logs of a job together. They
// stay for a while after the job is over, because that is when people read them (fault 20).
import { createReadStream, type Dirent, mkdirSync, readdirSync, statSync, utimesSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type AttemptId, attemptName, type JobId } from "../../base/ids.ts";
import { GiB, MiB } from "../../base/limits.ts";
import type { Clock } from "../../base/system/clock.ts";
import { LogFile } from "./log-file.ts";

export interface JobLogsOptions {
  readonly directory: string;
  readonly clock: Clock;
  readonly attemptBytesMax?: number;
  readonly jobBytesMax?: number;
  /** How long a job's logs stay after the last write. Default: three days. */
  readonly keptMs?: number;
  /** How many jobs that are over keep their logs, and how many bytes of them. */
  readonly jobsMax?: number;
  readonly keptBytesMax?: number;
}

const defaults = {
  attemptBytesMax: 1 * MiB,
  jobBytesMax: 64 * MiB,
  keptMs: 3 * 86_400_000,
  jobsMax: 200,
  keptBytesMax: 1 * GiB,
};

/** Matches an attempt's name, such as "map-00012.1.7". */
export const attemptPattern = /^(?:plan|map|reduce)-\d{1,9}\.\d{1,12}\.\d{1,12}$/;
/** Matches a job's id. */
const jobPattern = /^[\w-]{1,64}$/;

export class JobLogs {
  readonly #options: Required<JobLogsOptions>;
  /** Bytes that may still be written, by jobs that are not over. */
  readonly #left = new Map<JobId, { bytes: number }>();

  /** Bytes of logs of jobs that are over. */
  readonly #kept = new Map<JobId, number>();

  constructor(options: JobLogsOptions) {
    this.#options = { ...defaults, ...options };
  }

  /**
   * Opens the log of an attempt that begins. On a full disk, or after the job's share is used up, output is lost, never
   * the attempt.
   */
  open(attempt: AttemptId): LogFile {
    const directory = join(this.#options.directory, attempt.job);
    const path = join(directory, `${attemptName(attempt)}.log`);
    return new LogFile(path, this.#options.attemptBytesMax, {
      left: this.#leftOf(attempt.job),
      prepare: () => mkdirSync(directory, { recursive: true, mode: 0o700 }),
    });
  }

  /** The bytes of one log as they are now; undefined where it printed nothing, or is not known (any more). */
  read(job: string, attempt: string): { readonly bytes: number; readonly content: AsyncIterable<Buffer> } | undefined {
    if (!jobPattern.test(job) || !attemptPattern.test(attempt)) return undefined;
    const path = join(this.#options.directory, job, `${attempt}.log`);
    const size = statSync(path, { throwIfNoEntry: false })?.size;
    if (size === undefined) return undefined;
    // It may grow while it is read: what is sent is what was there.
    return { bytes: size, content: size === 0 ? none() : createReadStream(path, { end: size - 1 }) };
  }

  /** Called when the job is over: the time for which its logs are kept begins. */
  end(job: JobId): void {
    this.#left.delete(job);
    const now = this.#options.clock.date();
    try {
      utimesSync(join(this.#options.directory, job), now, now);
    } catch {
      // it printed nothing
    }
  }

  /**
   * Removes logs of jobs that are over by age, and the oldest beyond the bounds. Call it at the start and now and then.
   */
  async sweep(): Promise<void> {
    const { directory, clock, keptMs, jobsMax, keptBytesMax } = this.#options;
    const now = clock.date().getTime();
    const over = entriesOf(directory)
      .filter((entry) => !(entry.isDirectory() && this.#left.has(entry.name)))
      .map(({ name }) => ({
        name,
        age: now - (statSync(join(directory, name), { throwIfNoEntry: false })?.mtimeMs ?? 0),
      }))
      .toSorted((a, b) => a.age - b.age);
    let bytes = 0;
    for (const [index, { name, age }] of over.entries()) {
      bytes += this.#bytesOf(name);
      if (index < jobsMax && age <= keptMs && bytes <= keptBytesMax) continue;
      this.#kept.delete(name);
      await rm(join(directory, name), { recursive: true, force: true, maxRetries: 3 }).catch(() => {});
    }
  }

  /** Counted once: nothing is added any more. */
  #bytesOf(job: JobId): number {
    let bytes = this.#kept.get(job);
    if (bytes === undefined) this.#kept.set(job, (bytes = bytesIn(join(this.#options.directory, job))));
    return bytes;
  }

  #leftOf(job: JobId): { bytes: number } {
    let left = this.#left.get(job);
    if (left === undefined) {
      this.#kept.delete(job);
      const used = bytesIn(join(this.#options.directory, job));
      this.#left.set(job, (left = { bytes: Math.max(0, this.#options.jobBytesMax - used) }));
    }
    return left;
  }
}

async function* none(): AsyncIterable<Buffer> {}

function bytesIn(directory: string): number {
  let bytes = 0;
  for (const { name } of entriesOf(directory)) {
    bytes += statSync(join(directory, name), { throwIfNoEntry: false })?.size ?? 0;
  }
  return bytes;
}

function entriesOf(directory: string): Dirent[] {
  try {
    return readdirSync(directory, { withFileTypes: true });
  } catch {
    return []; // nothing was printed yet
  }
}
