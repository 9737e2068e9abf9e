// Reading runs on the serving side of the shuffle, in the agent's process.
import { close, closeSync, open, openSync, read, readSync, statfsSync } from "node:fs";
import { dirname } from "node:path";
import { MillraceError, systemCode } from "../base/error.ts";
import { corruptRun } from "../sort/run-format.ts";

/**
 * A file that is read without blocking the process: an agent serves runs, and must not miss a heartbeat because of a
 * slow disk. A file in a tmpfs is read synchronously, as handing the read to another thread costs more than the copy (a
 * third of all the CPU of serving). It uses callbacks, as a `FileHandle` costs twice as much per call.
 */
export class ServedFile {
  readonly #path: string;
  readonly #isInMemory: boolean;
  #fd: number | undefined;

  private constructor(path: string, fd: number, isInMemory: boolean) {
    this.#path = path;
    this.#fd = fd;
    this.#isInMemory = isInMemory;
  }

  /** Rejects with `segment-lost` where the file is gone, otherwise with the system's error. */
  static async open(path: string): Promise<ServedFile> {
    try {
      const isInMemory = isTmpfs(dirname(path));
      return new ServedFile(path, isInMemory ? openSync(path, "r") : await openLater(path), isInMemory);
    } catch (error) {
      if (systemCode(error) !== "ENOENT") throw error;
      throw new MillraceError("segment-lost", `${path} is gone`, { retry: "elsewhere", cause: error });
    }
  }

  /**
   * Fills target[at, at + length) from `position`. Rejects with `corrupt-run` where the file ends before that, or can't
   * be read.
   */
  async read(target: Uint8Array, at: number, length: number, position: number): Promise<void> {
    for (let done = 0; done < length; ) {
      const count = await this.#readSome(target, at + done, length - done, position + done);
      if (count === 0) throw corruptRun(this.#path, `it ends at byte ${position + done}, within what it must hold`);
      done += count;
    }
  }

  /** May be repeated. */
  close(): Promise<void> {
    const fd = this.#fd;
    this.#fd = undefined;
    if (fd === undefined) return Promise.resolve();
    // Errors of closing don't matter: nothing was written, so nothing is lost.
    if (!this.#isInMemory) return new Promise((resolve) => close(fd, () => resolve()));
    closeSync(fd);
    return Promise.resolve();
  }

  async #readSome(target: Uint8Array, at: number, length: number, position: number): Promise<number> {
    const fd = this.#fd;
    if (fd === undefined) throw new Error(`${this.#path} is read after it was closed`);
    try {
      if (this.#isInMemory) return readSync(fd, target, at, length, position);
      return await new Promise((resolve, reject) => {
        read(fd, target, at, length, position, (error, count) => (error === null ? resolve(count) : reject(error)));
      });
    } catch (error) {
      throw corruptRun(this.#path, `it can't be read (${systemCode(error)})`, error);
    }
  }
}

function openLater(path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    open(path, "r", (error, fd) => (error === null ? resolve(fd) : reject(error)));
  });
}

const tmpfsMagic = 0x01021994;
/** Cached by directory; there are two per job. */
const known = new Map<string, boolean>();
const knownMax = 1_000;

function isTmpfs(directory: string): boolean {
  let is = known.get(directory);
  if (is === undefined) {
    is = statfsSync(directory).type === tmpfsMagic;
    if (known.size >= knownMax) known.clear();
    known.set(directory, is);
  }
  return is;
}
