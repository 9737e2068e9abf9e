// An output file while an attempt writes it: named after the attempt, invisible, with its checksum computed on the way.
import { createHash, type Hash } from "node:crypto";
import { dirname } from "node:path";
import { assert } from "../../base/assert.ts";
import { MillraceError, systemCode } from "../../base/error.ts";
import type { AttemptId } from "../../base/ids.ts";
import { MiB } from "../../base/limits.ts";
import { copyPrefix } from "../staged-prefix.ts";
import type { StagedPrefix, StagedWriter, StageOptions } from "../storage.ts";
import { type LocalFs, openForReading, outputError } from "./fs.ts";
import { type HiddenFolders, hiddenOf, isTokenOf, localToken } from "./hidden.ts";

/**
 * After this many bytes the disk is told to begin writing them, in a thread of its own, while more are being made. So
 * little is left for the end, when nothing else can be done.
 */
const syncAheadBytes = 8 * MiB;

export class LocalStagedWriter implements StagedWriter {
  readonly #fs: LocalFs;
  readonly #hidden: HiddenFolders;
  /** The name of the file in the staging directory, which is its token. */
  readonly #token: string;
  readonly #hash: Hash = createHash("sha256");
  #fd: number | undefined;
  #bytes = 0;
  #syncedAhead = 0;
  /** Syncs under way; the file is closed when they have ended. Each reports its error only once, so it is kept. */
  readonly #ahead: Promise<Error | undefined>[] = [];
  #isNameDurable = false;

  constructor(fs: LocalFs, destination: string, attempt: AttemptId, name: string, options: StageOptions = {}) {
    this.#fs = fs;
    this.#hidden = hiddenOf(destination, attempt.job);
    this.#token = localToken(attempt, name);
    try {
      makeStaging(fs, this.#hidden);
      // Not "wx": a slot that was killed may have left this attempt's file, and its agent starts the attempt again.
      this.#fd = fs.openSync(this.#path, "w", 0o666);
    } catch (thrown) {
      throw outputError(thrown, "Creating", this.#path);
    }
    if (options.from !== undefined) this.#goOnFrom(options.from, name, options.beat);
  }

  get bytes(): number {
    return this.#bytes;
  }

  get #path(): string {
    return `${this.#hidden.files}/${this.#token}`;
  }

  write(chunk: Uint8Array): void {
    assert(this.#fd !== undefined, "write after finish or abort");
    try {
      // A full disk first makes a short write, then an error.
      for (let at = 0; at < chunk.length; ) {
        const written = this.#fs.writeSync(this.#fd, chunk, at, chunk.length - at);
        if (written === 0)
          throw new MillraceError("io-error", `Writing ${this.#path} makes no progress.`, { retry: "elsewhere" });
        at += written;
      }
    } catch (thrown) {
      throw outputError(thrown, "Writing", this.#path);
    }
    this.#hash.update(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes - this.#syncedAhead >= syncAheadBytes) this.#syncAhead(this.#fd);
  }

  async finish(): Promise<{ readonly bytes: number; readonly sha256: string; readonly token: string }> {
    assert(this.#fd !== undefined, "finish after finish or abort");
    try {
      for (const error of await Promise.all(this.#ahead)) if (error !== undefined) throw error;
      this.#fs.fsyncSync(this.#fd);
      this.#close();
      this.#syncName();
    } catch (thrown) {
      throw outputError(thrown, "Writing", this.#path);
    }
    return { bytes: this.#bytes, sha256: this.#hash.digest("hex"), token: this.#token };
  }

  save(): StagedPrefix {
    assert(this.#fd !== undefined, "save after finish or abort");
    try {
      this.#fs.fsyncSync(this.#fd);
      this.#syncName();
    } catch (thrown) {
      throw outputError(thrown, "Writing", this.#path);
    }
    this.#syncedAhead = this.#bytes;
    return { bytes: this.#bytes, sha256: this.#sha256(), token: this.#token, file: undefined };
  }

  leave(): void {
    // A file number that is free again must not be one that a call under way still uses.
    if (this.#ahead.length === 0) this.#close();
    else void Promise.all(this.#ahead).then(() => this.#close());
  }

  abort(): void {
    try {
      this.leave();
    } finally {
      try {
        this.#fs.unlinkSync(this.#path);
      } catch {
        // It is gone already, or `discard` removes it; the failure that led here matters more.
      }
    }
  }

  #goOnFrom(prefix: StagedPrefix, name: string, beat?: () => void): void {
    const { token } = prefix;
    try {
      // The token names a file that may be removed at any time, and never one of this attempt, which was just emptied.
      const path = isTokenOf(name, token) && token !== this.#token ? `${this.#hidden.files}/${token}` : undefined;
      const source = { fs: this.#fs, path, flags: openForReading, prefix, name, beat };
      copyPrefix({ ...source, write: (chunk) => this.write(chunk), sha256: () => this.#sha256() });
    } catch (thrown) {
      this.abort();
      throw thrown;
    }
  }

  #sha256(): string {
    return this.#hash.copy().digest("hex");
  }

  #syncName(): void {
    if (this.#isNameDurable) return;
    syncDirectory(this.#fs, this.#hidden.files);
    this.#isNameDurable = true;
  }

  #syncAhead(fd: number): void {
    this.#syncedAhead = this.#bytes;
    this.#ahead.push(new Promise((resolve) => this.#fs.fdatasync(fd, (error) => resolve(error ?? undefined))));
  }

  #close(): void {
    const fd = this.#fd;
    this.#fd = undefined;
    if (fd !== undefined) this.#fs.closeSync(fd);
  }
}

/**
 * Makes the folders: the destination's parent with the user's umask, those below the work directory for this user only.
 */
function makeStaging(fs: LocalFs, hidden: HiddenFolders): void {
  const firstMade = fs.mkdirSync(hidden.parent, { recursive: true });
  if (firstMade !== undefined) {
    // All new names up to the directory that was there before.
    for (let path = hidden.parent; path.length >= dirname(firstMade).length && path !== "/"; path = dirname(path))
      syncDirectory(fs, path);
  }
  for (const directory of [hidden.work, hidden.staging, hidden.files]) {
    try {
      // One by one, because Node's recursive mkdir says ENOENT where the file system is read-only.
      fs.mkdirSync(directory, { mode: 0o700 });
    } catch (thrown) {
      if (systemCode(thrown) !== "EEXIST") throw thrown;
    }
  }
}

/** Makes the names in a directory durable. */
function syncDirectory(fs: LocalFs, path: string): void {
  const directory = fs.openSync(path, "r");
  try {
    fs.fsyncSync(directory);
  } finally {
    fs.closeSync(directory);
  }
}
