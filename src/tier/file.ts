// A run file that is being written. It promises that nothing is visible under its final name before `finish`, that a
// failed file leaves nothing behind after `abort`, and that a full memory tier only means disk. One write may end in
// both tiers: the part that fits is written to memory, then all of it moves.
import { join } from "node:path";
import { assert } from "../base/assert.ts";
import { MiB } from "../base/limits.ts";
import type { FinishedFile, RunFile } from "../sort/run.ts";
import type { Budget } from "./budget.ts";
import { isFull, removeFile, tierError } from "./error.ts";
import type { TierFiles } from "./files.ts";
import type { TierOptions } from "./options.ts";

/** The file while it is written, under a name of its own. */
interface Part {
  readonly tier: "memory" | "disk";
  readonly directory: string;
  readonly path: string;
  readonly fd: number;
}

/** Begins in the memory tier where there is room, and moves to disk as a whole when there is no more. */
export class TierFile implements RunFile {
  readonly #name: string;
  readonly #options: TierOptions;
  readonly #fs: TierFiles;
  readonly #budget: Budget;
  #state: "writing" | "finished" | "failed" | "aborted" = "writing";
  #part: Part | undefined;
  /** The parts that exist: one, or two while the file moves. */
  readonly #parts = new Map<string, { fd: number | undefined }>();
  #bytes = 0;
  #reserved = 0;

  constructor(name: string, options: TierOptions, fs: TierFiles, budget: Budget) {
    this.#name = name;
    this.#options = options;
    this.#fs = fs;
    this.#budget = budget;
  }

  write(bytes: Uint8Array): void {
    assert(this.#state === "writing", "a file is written before it is finished");
    this.#state = "failed";
    const start = this.#part?.tier === "disk" ? 0 : this.#writeToMemory(bytes);
    if (start < bytes.length) this.#writeToDisk(bytes, start);
    this.#state = "writing";
  }

  finish(): FinishedFile {
    assert(this.#state === "writing", "a file is finished once");
    this.#state = "failed";
    const part = this.#part ?? this.#moveToDisk();
    const path = join(part.directory, this.#name);
    this.#close(part);
    try {
      this.#fs.rename(part.path, path);
    } catch (error) {
      throw tierError("can't be renamed", part.path, error);
    }
    this.#parts.clear();
    this.#state = "finished";
    if (part.tier === "memory") this.#budget.finished(path, this.#reserved);
    return { path, bytes: this.#bytes, tier: part.tier };
  }

  abort(): void {
    if (this.#state === "finished" || this.#state === "aborted") return;
    this.#state = "aborted";
    for (const [path, { fd }] of this.#parts) {
      if (fd !== undefined) quietly(() => this.#fs.close(fd));
      // What fails once may not fail twice. A file that still can't be removed goes with the directory when the job
      // ends.
      if (!quietly(() => removeFile(this.#fs, path))) quietly(() => removeFile(this.#fs, path));
    }
    this.#parts.clear();
    this.#release();
  }

  /** Writes what fits into the memory tier, and returns how many of the bytes that was: all, none, or some. */
  #writeToMemory(bytes: Uint8Array): number {
    const { memoryDirectory } = this.#options;
    if (memoryDirectory === undefined || !this.#budget.reserve(bytes.length)) return 0;
    this.#reserved += bytes.length;
    let written = 0;
    try {
      this.#part ??= this.#create("memory", memoryDirectory);
      while (written < bytes.length) {
        const count = this.#fs.write(this.#part.fd, bytes, written, bytes.length - written, this.#bytes);
        if (count === 0) break;
        written += count;
        this.#bytes += count;
      }
    } catch (error) {
      if (!isFull(error)) throw tierError("can't be written", join(memoryDirectory, this.#name), error);
    }
    return written;
  }

  #writeToDisk(bytes: Uint8Array, start: number): void {
    const part = this.#part?.tier === "disk" ? this.#part : this.#moveToDisk();
    this.#bytes += this.#writeAll(part, bytes, start, bytes.length, this.#bytes);
  }

  /** A full disk writes short first, and only then says ENOSPC (fault 60). */
  #writeAll(part: Part, bytes: Uint8Array, start: number, end: number, position: number): number {
    let at = start;
    while (at < end) {
      let count: number;
      try {
        count = this.#fs.write(part.fd, bytes, at, end - at, position + at - start);
        if (count === 0) throw Object.assign(new Error("nothing was written"), { code: "ENOSPC" });
      } catch (error) {
        throw tierError("can't be written", part.path, error);
      }
      at += count;
    }
    return end - start;
  }

  /** Begins a part on disk, and moves what is in the memory tier there. */
  #moveToDisk(): Part {
    const memory = this.#part;
    const disk = this.#createPart("disk", this.#options.diskDirectory);
    if (memory !== undefined) {
      this.#copy(memory, disk);
      this.#close(memory);
      removeFile(this.#fs, memory.path);
      this.#parts.delete(memory.path);
    }
    this.#release();
    this.#part = disk;
    return disk;
  }

  #copy(from: Part, to: Part): void {
    const piece = Buffer.allocUnsafe(Math.min(this.#bytes, MiB));
    for (let position = 0; position < this.#bytes; ) {
      let count: number;
      try {
        count = this.#fs.read(from.fd, piece, 0, Math.min(piece.length, this.#bytes - position), position);
        if (count === 0) throw Object.assign(new Error("it is shorter than what was written"), { code: "EIO" });
      } catch (error) {
        throw tierError("can't be read back", from.path, error);
      }
      this.#writeAll(to, piece, 0, count, position);
      position += count;
    }
  }

  #createPart(tier: "memory" | "disk", directory: string): Part {
    const path = join(directory, `${this.#name}.partial`);
    try {
      return this.#create(tier, directory);
    } catch (error) {
      throw tierError("can't be made", path, error);
    }
  }

  #create(tier: "memory" | "disk", directory: string): Part {
    const path = join(directory, `${this.#name}.partial`);
    const fd = this.#fs.create(path);
    this.#parts.set(path, { fd });
    return { tier, directory, path, fd };
  }

  #close(part: Part): void {
    this.#parts.set(part.path, { fd: undefined }); // it counts as closed even when close() fails
    try {
      this.#fs.close(part.fd);
    } catch (error) {
      throw tierError("can't be closed", part.path, error);
    }
  }

  #release(): void {
    this.#budget.release(this.#reserved);
    this.#reserved = 0;
  }
}

/** Says whether the action worked. It is for cleaning up after a failure, which is what the caller reports. */
function quietly(action: () => void): boolean {
  try {
    action();
    return true;
  } catch {
    return false;
  }
}
