// Reading a finished run file from either tier.
import { MillraceError, systemCode } from "../base/error.ts";
import type { RunBytes } from "../sort/run.ts";
import { tierError } from "./error.ts";
import type { TierFiles } from "./files.ts";

/**
 * Opens a finished file. Throws `segment-lost` where it is gone, otherwise `io-error`; its reads throw `corrupt-run`.
 */
export function openTierBytes(fs: TierFiles, path: string): RunBytes {
  let fd: number;
  try {
    fd = fs.openToRead(path);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw tierError("can't be opened", path, error);
    const message = `${path} is gone: something removed it while the job ran. The task that wrote it has to run again.`;
    throw new MillraceError("segment-lost", message, { retry: "elsewhere", cause: error });
  }
  try {
    return new TierBytes(fs, path, fd, fs.size(fd));
  } catch (error) {
    closeFile(fs, path, fd);
    throw tierError("can't be opened", path, error);
  }
}

class TierBytes implements RunBytes {
  readonly size: number;
  readonly #fs: TierFiles;
  readonly #path: string;
  #fd: number | undefined;

  constructor(fs: TierFiles, path: string, fd: number, size: number) {
    this.#fs = fs;
    this.#path = path;
    this.#fd = fd;
    this.size = size;
  }

  read(target: Uint8Array, at: number, length: number, position: number): number {
    if (this.#fd === undefined) throw new MillraceError("io-error", `${this.#path} is read after it was closed`);
    let done = 0;
    while (done < length) {
      let count: number;
      try {
        count = this.#fs.read(this.#fd, target, at + done, length - done, position + done);
      } catch (error) {
        const code = systemCode(error);
        if (code === undefined) throw error;
        const message = `${this.#path} can't be read (${code}). Check the disk; the task that wrote it has to run again.`;
        throw new MillraceError("corrupt-run", message, { retry: "elsewhere", cause: error });
      }
      if (count === 0) break;
      done += count;
    }
    return done;
  }

  close(): void {
    if (this.#fd === undefined) return;
    const fd = this.#fd;
    this.#fd = undefined;
    closeFile(this.#fs, this.#path, fd);
  }
}

function closeFile(fs: TierFiles, path: string, fd: number): void {
  try {
    fs.close(fd);
  } catch (error) {
    // Nothing was written, so nothing is lost; but a bad descriptor would be a bug of ours.
    if (systemCode(error) === "EBADF") throw tierError("can't be closed", path, error);
  }
}
