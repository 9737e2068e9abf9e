// The event log: one file per job, one event per line, which the master appends to and decides nothing by. It is for
// people and for `millrace history`. As nothing depends on it, it is buffered, not synced, bounded, and its failures
// are only counted.
//
//   HISTORY/<job>.ndjson
//   HISTORY/<job>.<epoch>.ndjson    where several masters see the directory: each leadership writes its own
import { createReadStream } from "node:fs";
import { appendFile, mkdir, open, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { systemCode } from "../base/error.ts";
import type { JobId } from "../base/ids.ts";
import { GiB, KiB, MiB } from "../base/limits.ts";
import type { Clock } from "../base/system/clock.ts";
import { type Log, noLog } from "../base/system/log.ts";
import type { HistoryEvent } from "../protocol/services.ts";

/**
 * Size of one job's log. Beyond it, events of attempts are left out, and events of the job as a whole are still noted.
 */
const fileBytesMax = 64 * MiB;
const jobEventBytesMax = 1 * MiB;
/** Number of logs that are kept; the oldest are removed first. */
const filesMax = 1_000;
const allBytesMax = 1 * GiB;
/**
 * Events are written when this much waits, or after `flushMs`. When the disk hangs, at most four times as much waits;
 * more is dropped.
 */
const bufferBytesMax = 256 * KiB;
const flushMs = 500;
const messageLengthMax = 2_000;

export interface History {
  /** Adds an event to its job's log. Called after each commit. Never fails and never waits. */
  append(event: HistoryEvent): void;
  /** The events noted so far, the oldest first; none for an unknown job. */
  read(job: JobId, signal?: AbortSignal): AsyncIterable<HistoryEvent>;
  flush(): Promise<void>;
  /**
   * Removes the oldest files beyond the bounds, except for those of jobs that `isLive` says are not over. Called now
   * and then.
   */
  sweep(isLive: (job: JobId) => boolean): Promise<void>;
  close(): Promise<void>;
}

interface JobFile {
  readonly path: string;
  bytes: number;
  isTruncated: boolean;
  readonly waiting: string[];
}

export interface HistoryOptions {
  readonly clock: Clock;
  readonly log?: Log;
  /**
   * Returns the epoch of the leadership that writes, where a predecessor that has not noticed its end may write too.
   * Default: no other can.
   */
  readonly epoch?: (() => number) | undefined;
  readonly fileBytesMax?: number;
  readonly filesMax?: number;
}

export async function openHistory(directory: string, options: HistoryOptions): Promise<History> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  return new HistoryFiles(directory, options);
}

class HistoryFiles implements History {
  readonly #directory: string;
  readonly #options: HistoryOptions;
  readonly #files = new Map<JobId, JobFile>();
  readonly #closing = new AbortController();
  #waitingBytes = 0;
  #dropped = 0;
  #isFailing = false;
  #timer: Promise<void> | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(directory: string, options: HistoryOptions) {
    this.#directory = directory;
    this.#options = options;
  }

  append(event: HistoryEvent): void {
    const line = `${JSON.stringify({ ...event, message: event.message?.slice(0, messageLengthMax) })}\n`;
    if (this.#waitingBytes > 4 * bufferBytesMax) {
      this.#dropped++;
      return;
    }
    this.#fileOf(event.job).waiting.push(line);
    this.#waitingBytes += line.length;
    if (this.#waitingBytes > bufferBytesMax) void this.flush();
    this.#timer ??= this.#options.clock.sleep(flushMs, this.#closing.signal).then(() => {
      this.#timer = undefined;
      return this.flush();
    });
  }

  async *read(job: JobId, signal?: AbortSignal): AsyncIterable<HistoryEvent> {
    await this.flush();
    for (const path of await this.#pathsOf(job)) yield* this.#readFile(path, signal);
  }

  async *#readFile(path: string, signal: AbortSignal | undefined): AsyncIterable<HistoryEvent> {
    const stream = createReadStream(path, { encoding: "utf8" });
    const lines = createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY });
    try {
      for await (const line of lines) {
        if (signal?.aborted) return;
        const event = parseLine(line);
        if (event !== undefined) yield event;
      }
    } catch (error) {
      if (systemCode(error) !== "ENOENT") throw error;
    } finally {
      lines.close();
      stream.destroy();
    }
  }

  flush(): Promise<void> {
    this.#writing = this.#writing.then(() => this.#write());
    return this.#writing;
  }

  async sweep(isLive: (job: JobId) => boolean): Promise<void> {
    const found: { readonly job: JobId; readonly path: string; readonly bytes: number; readonly changed: number }[] =
      [];
    for (const name of await readdir(this.#directory)) {
      const job = /^([0-9a-f]{32})(?:\.\d+)?\.ndjson$/.exec(name)?.[1];
      if (job === undefined) continue;
      const path = join(this.#directory, name);
      const { size, mtimeMs } = await stat(path);
      found.push({ job, path, bytes: size, changed: mtimeMs });
      if (!isLive(job) && this.#files.get(job)?.waiting.length === 0) this.#files.delete(job);
    }
    found.sort((a, b) => b.changed - a.changed);
    let bytes = 0;
    for (const [index, file] of found.entries()) {
      bytes += file.bytes;
      if ((index < (this.#options.filesMax ?? filesMax) && bytes <= allBytesMax) || isLive(file.job)) continue;
      await rm(file.path, { force: true });
    }
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#timer;
    await this.flush();
  }

  #fileOf(job: JobId): JobFile {
    let file = this.#files.get(job);
    if (file === undefined) {
      file = { path: this.#pathOf(job), bytes: -1, isTruncated: false, waiting: [] };
      this.#files.set(job, file);
    }
    return file;
  }

  #pathOf(job: JobId): string {
    const { epoch } = this.#options;
    return join(this.#directory, `${nameOf(job)}${epoch === undefined ? "" : `.${epoch()}`}.ndjson`);
  }

  /** All files of a job, the oldest leadership first. */
  async #pathsOf(job: JobId): Promise<readonly string[]> {
    if (this.#options.epoch === undefined) return [this.#pathOf(job)];
    const start = `${nameOf(job)}.`;
    const epochs = (await readdir(this.#directory))
      .map((name) => (name.startsWith(start) ? /^(\d+)\.ndjson$/.exec(name.slice(start.length))?.[1] : undefined))
      .filter((epoch) => epoch !== undefined);
    return epochs
      .sort((a, b) => Number(a) - Number(b))
      .map((epoch) => join(this.#directory, `${start}${epoch}.ndjson`));
  }

  async #write(): Promise<void> {
    for (const file of this.#files.values()) {
      if (file.waiting.length === 0) continue;
      const lines = file.waiting.splice(0);
      try {
        if (file.bytes < 0) file.bytes = await endOf(file.path);
        const text = lines.filter((line) => this.#fits(file, line)).join("");
        if (text !== "") await appendFile(file.path, text, { mode: 0o600 });
        this.#isFailing = false;
      } catch (error) {
        this.#dropped += lines.length;
        file.bytes = -1;
        if (!this.#isFailing) this.#warn(error);
        this.#isFailing = true;
      } finally {
        for (const line of lines) this.#waitingBytes -= line.length;
      }
    }
  }

  /**
   * Whether the line still fits, counting it in. Beyond the bound only events of the job as a whole do, for some more
   * bytes.
   */
  #fits(file: JobFile, line: string): boolean {
    const bytesMax = this.#options.fileBytesMax ?? fileBytesMax;
    const bytes = file.bytes + Buffer.byteLength(line);
    if (bytes <= bytesMax) {
      file.bytes = bytes;
      return true;
    }
    const event = parseLine(line);
    if (event?.attempt !== undefined || bytes > bytesMax + jobEventBytesMax) {
      if (!file.isTruncated && event !== undefined) {
        file.isTruncated = true;
        const { time, job } = event;
        const message = `the log has reached ${bytesMax} bytes: what attempts do is no longer noted`;
        this.append({ time, kind: "truncated", job, task: undefined, attempt: undefined, worker: undefined, message });
      }
      return false;
    }
    file.bytes = bytes;
    return true;
  }

  #warn(error: unknown): void {
    const { log = noLog } = this.#options;
    log.warn(
      { directory: this.#directory, dropped: this.#dropped },
      `event logs can't be written (${systemCode(error) ?? String(error)}): jobs go on without`,
    );
  }
}

function nameOf(job: JobId): string {
  return job.replace(/[^\w-]/g, "_");
}

/** The size of a log, after ending a last line that a crash has cut off. */
async function endOf(path: string): Promise<number> {
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(path, "r+");
  } catch (error) {
    if (systemCode(error) === "ENOENT") return 0;
    throw error;
  }
  try {
    const { size } = await file.stat();
    if (size === 0) return 0;
    const last = Buffer.alloc(1);
    await file.read(last, 0, 1, size - 1);
    if (last[0] === 0x0a) return size;
    await file.write("\n", size);
    return size + 1;
  } finally {
    await file.close();
  }
}

/** The event of a line; undefined for a line that a crash has cut off. */
function parseLine(line: string): HistoryEvent | undefined {
  try {
    const { time, kind, job, task, attempt, worker, message } = JSON.parse(line) as HistoryEvent;
    if (typeof time !== "string" || typeof kind !== "string" || typeof job !== "string") return undefined;
    return { time, kind, job, task, attempt, worker, message };
  } catch {
    return undefined;
  }
}
