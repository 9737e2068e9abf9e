// Reads an input file: with synchronous reads (a read from the page cache takes less than a round trip through the
// thread pool), of exactly the planned version, to the last byte.
import type { BigIntStats } from "node:fs";
import { MillraceError, systemCode } from "../../base/error.ts";
import { limits } from "../../base/limits.ts";
import type { FileInfo } from "../storage.ts";
import { inputError, type LocalFs, openForReading, showPath } from "./fs.ts";
import { versionOf } from "./list.ts";

/** Reads files. It keeps one buffer between files, as often many small ones are read one after the other. */
export class LocalReader {
  readonly #fs: LocalFs;
  #spare: Buffer | undefined;

  constructor(fs: LocalFs) {
    this.#fs = fs;
  }

  async *read(file: FileInfo, start: number, end: number): AsyncGenerator<Uint8Array, void, undefined> {
    const until = Math.min(end, file.bytes);
    if (start >= until) return;
    const fd = this.#open(file);
    const buffer = this.#takeBuffer(until - start);
    try {
      let at = start;
      while (at < until) {
        const count = this.#readAt(fd, buffer, Math.min(buffer.length, until - at), at, file);
        if (count === 0) throw changed(file, `it ends at byte ${at}`);
        at += count;
        yield buffer.subarray(0, count);
      }
    } finally {
      // Checked also when the reader stopped early: the file may have been written while it was read.
      try {
        this.#checkVersion(fd, file);
      } finally {
        this.#fs.closeSync(fd);
        this.#spare = buffer;
      }
    }
  }

  #open(file: FileInfo): number {
    let fd: number;
    try {
      fd = this.#fs.openSync(file.path, openForReading);
    } catch (thrown) {
      const code = systemCode(thrown);
      if (code === "ENOENT" || code === "ENOTDIR") throw changed(file, "it is gone");
      throw inputError(thrown, file.path);
    }
    try {
      this.#checkVersion(fd, file);
    } catch (thrown) {
      this.#fs.closeSync(fd);
      throw thrown;
    }
    return fd;
  }

  #readAt(fd: number, buffer: Buffer, length: number, position: number, file: FileInfo): number {
    try {
      return this.#fs.readSync(fd, buffer, 0, length, position);
    } catch (thrown) {
      throw inputError(thrown, file.path);
    }
  }

  #checkVersion(fd: number, file: FileInfo): void {
    let stats: BigIntStats;
    try {
      stats = this.#fs.fstatSync(fd, { bigint: true });
    } catch (thrown) {
      throw inputError(thrown, file.path);
    }
    if (!stats.isFile()) throw changed(file, "it is no regular file any more");
    if (Number(stats.size) !== file.bytes) throw changed(file, `it had ${file.bytes} bytes and has ${stats.size} now`);
    if (versionOf(stats) !== file.version) throw changed(file, "it was written or replaced");
  }

  #takeBuffer(bytes: number): Buffer {
    const spare = this.#spare;
    this.#spare = undefined;
    const wanted = Math.min(bytes, limits.inputChunkBytes);
    return spare !== undefined && spare.length >= wanted ? spare : Buffer.allocUnsafeSlow(wanted);
  }
}

function changed(file: FileInfo, how: string): MillraceError {
  return new MillraceError(
    "input-changed",
    `${showPath(file.path)} changed while the job was running: ${how}. Run the job again when nothing writes to its input.`,
  );
}
