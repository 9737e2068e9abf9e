import { close, open, read } from "node:fs";
import { MillraceError, systemCode } from "../base/error.ts";
import { corruptRun } from "../sort/run-format.ts";

/**
 * A file read without blocking the process: an agent serves runs and must not miss a heartbeat over a slow disk. On callbacks,
 * as a `FileHandle` costs twice as much per call.
 */
export class AsyncFile {
  readonly #path: string;
  #fd: number | undefined;

  private constructor(path: string, fd: number) {
    this.#path = path;
    this.#fd = fd;
  }

  /** Rejects with `segment-lost` where it is gone, else with what the system says. */
  static open(path: string): Promise<AsyncFile> {
    return new Promise((resolve, reject) => {
      open(path, "r", (error, fd) => {
        if (error === null) resolve(new AsyncFile(path, fd));
        else if (systemCode(error) !== "ENOENT") reject(error);
        else reject(new MillraceError("segment-lost", `${path} is gone`, { retry: "elsewhere", cause: error }));
      });
    });
  }

  /** Fills target[at, at + length) from `position`; rejects with `corrupt-run` where the file ends before, or can't be read. */
  async read(target: Uint8Array, at: number, length: number, position: number): Promise<void> {
    for (let done = 0; done < length; ) {
      const count = await this.#readSome(target, at + done, length - done, position + done);
      if (count === 0) throw corruptRun(this.#path, `it ends at byte ${position + done}, within what it must hold`);
      done += count;
    }
  }

  /** Also when it was closed already. */
  close(): Promise<void> {
    const fd = this.#fd;
    this.#fd = undefined;
    // Nothing was written, so whatever close says nothing is lost.
    return fd === undefined ? Promise.resolve() : new Promise((resolve) => close(fd, () => resolve()));
  }

  #readSome(target: Uint8Array, at: number, length: number, position: number): Promise<number> {
    const fd = this.#fd;
    if (fd === undefined) return Promise.reject(new Error(`${this.#path} is read after it was closed`));
    return new Promise((resolve, reject) => {
      read(fd, target, at, length, position, (error, count) => {
        if (error === null) resolve(count);
        else reject(corruptRun(this.#path, `it can't be read (${systemCode(error)})`, error));
      });
    });
  }
}
