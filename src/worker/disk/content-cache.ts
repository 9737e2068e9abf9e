// A cache of files by their content: bundles and side files. Each is fetched once from the master, however many
// attempts ask for it at the same time, and kept for later jobs within a bound.
//
//   DIR/<64 hex digits><suffix>   complete; its digest was right when it came
//   DIR/.new-<n>                  being received; removed at the next start
// Files that a job of this worker uses stay. A file that was changed since (user code can reach it) is noticed before
// the next job gets it, and fetched again.
import { createHash } from "node:crypto";
import { type BigIntStats, createReadStream, mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { open, rename, rm, utimes } from "node:fs/promises";
import { join } from "node:path";
import { MillraceError, systemCode } from "../../base/error.ts";
import type { JobId } from "../../base/ids.ts";
import type { Clock } from "../../base/system/clock.ts";
import { formatBytes } from "../../base/units.ts";
import type { Blobs } from "../../protocol/services.ts";

export interface ContentCacheOptions {
  readonly directory: string;
  /** The end of the files' names, such as ".mjs". */
  readonly suffix: string;
  readonly blobs: Pick<Blobs, "get">;
  readonly clock: Clock;
  /** Bytes of files that are kept although no job here uses them. */
  readonly unusedBytesMax: number;
  /** A file that is unused for longer is removed. */
  readonly unusedMs: number;
  /** The largest file. */
  readonly fileBytesMax: number;
}

export class ContentCache {
  readonly #options: ContentCacheOptions;
  readonly #fetching = new Map<string, Promise<void>>();
  /** The stamps of files when their digest was right. */
  readonly #checked = new Map<string, string>();
  readonly #users = new Map<string, Set<JobId>>();
  readonly #closing = new AbortController();
  #received = 0;

  constructor(options: ContentCacheOptions) {
    this.#options = options;
    const { directory } = options;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(directory)) if (!this.#isWhole(name)) rmSync(join(directory, name), { force: true });
  }

  /**
   * The path of the content, which a job may use until its `release`. Throws what `Blobs.get` throws, `over-limit`,
   * `corrupt-run` when other content came, `no-space` and `io-error`.
   */
  async get(sha256: string, job: JobId): Promise<string> {
    const path = this.#pathOf(sha256);
    let users = this.#users.get(sha256);
    if (users === undefined) this.#users.set(sha256, (users = new Set()));
    users.add(job);
    let fetching = this.#fetching.get(sha256);
    if (fetching === undefined) {
      fetching = this.#make(sha256, path).finally(() => this.#fetching.delete(sha256));
      this.#fetching.set(sha256, fetching);
    }
    await fetching;
    return path;
  }

  /** Called when the job is over: files that only this job used may be removed. */
  release(job: JobId): void {
    for (const [sha256, users] of this.#users) if (users.delete(job) && users.size === 0) this.#users.delete(sha256);
  }

  /** Removes unused files by age, then the longest unused ones until the rest is within the bound. */
  async sweep(): Promise<void> {
    const { directory, clock, unusedBytesMax, unusedMs } = this.#options;
    const now = clock.date().getTime();
    const unused = readdirSync(directory)
      .filter((name) => this.#isWhole(name) && !this.#isUsed(name))
      .flatMap((name) => {
        const info = statSync(join(directory, name), { throwIfNoEntry: false });
        return info === undefined ? [] : [{ name, bytes: info.size, age: now - info.mtimeMs }];
      })
      .toSorted((a, b) => a.age - b.age);
    let bytes = 0;
    for (const file of unused) {
      bytes += file.bytes;
      if (file.age <= unusedMs && bytes <= unusedBytesMax) continue;
      bytes -= file.bytes;
      if (this.#isUsed(file.name)) continue; // it is used by now
      await rm(join(directory, file.name), { force: true }).catch(() => {});
    }
  }

  /** Ends all fetches. Resolves when nothing is written any more. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.allSettled(this.#fetching.values());
  }

  async #make(sha256: string, path: string): Promise<void> {
    if (await this.#isGood(sha256, path)) {
      const now = this.#options.clock.date();
      await utimes(path, now, now);
    } else {
      await this.#fetch(sha256, path);
    }
    this.#checked.set(sha256, stampOf(path) ?? "gone");
  }

  /** Whether the file exists with the right content, which is only read again if it may have changed. */
  async #isGood(sha256: string, path: string): Promise<boolean> {
    const stamp = stampOf(path);
    if (stamp === undefined) return false;
    if (this.#checked.get(sha256) === stamp) return true;
    const hash = createHash("sha256");
    try {
      for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
    } catch {
      return false;
    }
    return hash.digest("hex") === sha256;
  }

  async #fetch(sha256: string, path: string): Promise<void> {
    const { directory, blobs, fileBytesMax } = this.#options;
    const temporary = join(directory, `.new-${++this.#received}`);
    try {
      const content = await blobs.get(sha256, this.#closing.signal);
      const hash = createHash("sha256");
      let bytes = 0;
      const file = await open(temporary, "wx", 0o600);
      try {
        for await (const chunk of content) {
          this.#closing.signal.throwIfAborted();
          bytes += chunk.length;
          if (bytes > fileBytesMax) {
            throw new MillraceError(
              "over-limit",
              `what the master sends as ${sha256} has more than ${formatBytes(fileBytesMax)}`,
            );
          }
          hash.update(chunk);
          for (let at = 0; at < chunk.length; ) at += (await file.write(chunk, at)).bytesWritten;
        }
      } finally {
        await file.close();
      }
      if (hash.digest("hex") !== sha256) {
        throw new MillraceError("corrupt-run", `what the master sent as ${sha256} is not that: it is fetched again`, {
          retry: "same",
        });
      }
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => {});
      throw this.#named(error);
    }
  }

  #named(error: unknown): unknown {
    const code = systemCode(error);
    if (error instanceof MillraceError || code === undefined) return error;
    const { directory } = this.#options;
    const isFull = code === "ENOSPC" || code === "EDQUOT";
    return new MillraceError(
      isFull ? "no-space" : "io-error",
      isFull
        ? `the disk of the worker's work directory is full (${directory}): make room, or choose another --work-dir`
        : `the worker can't write in ${directory}: ${code}`,
      { retry: "elsewhere", cause: error },
    );
  }

  #isWhole(name: string): boolean {
    const { suffix } = this.#options;
    return /^[0-9a-f]{64}$/.test(name.slice(0, 64)) && name.slice(64) === suffix;
  }

  #isUsed(name: string): boolean {
    return this.#users.has(name.slice(0, 64));
  }

  #pathOf(sha256: string): string {
    const name = `${sha256}${this.#options.suffix}`;
    if (this.#isWhole(name)) return join(this.#options.directory, name);
    throw new MillraceError("wrong-usage", `${JSON.stringify(sha256.slice(0, 80))} is not a SHA-256 in hexadecimal`);
  }
}

/** A text that differs once a file was written to; undefined where there is no file. */
function stampOf(path: string): string | undefined {
  const info: BigIntStats | undefined = statSync(path, { bigint: true, throwIfNoEntry: false });
  return info === undefined ? undefined : `${info.ino}.${info.size}.${info.mtimeNs}.${info.ctimeNs}`;
}
