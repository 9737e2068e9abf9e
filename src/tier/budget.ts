import { KiB, limits } from "../base/limits.ts";
import { tierError } from "./error.ts";
import type { TierFiles } from "./files.ts";
import type { TierOptions } from "./options.ts";

/**
 * Looking at the free space costs as much as writing 64 KiB, so it is done once per this many bytes. Other processes
 * use the same file system, and each of them may exceed the spared space by this much.
 */
const lookAgainBytes = 512 * KiB;

/** Counts what may still be put into the memory tier. */
export class Budget {
  used: number;
  readonly #fs: TierFiles;
  readonly #options: TierOptions;
  readonly #files = new Map<string, number>();
  /** Bytes that may be taken before the free space is looked at again. */
  #allowance = 0;

  constructor(fs: TierFiles, options: TierOptions) {
    this.#fs = fs;
    this.#options = options;
    this.used = options.memoryBytesHeld ?? 0;
  }

  /** Takes `bytes` of the budget; false where they don't fit. */
  reserve(bytes: number): boolean {
    const { memoryDirectory, memoryBytesMax } = this.#options;
    if (memoryDirectory === undefined || this.used + bytes > memoryBytesMax) return false;
    if (bytes > this.#allowance) {
      let free: number;
      try {
        free = this.#fs.freeBytes(memoryDirectory);
      } catch (error) {
        throw tierError("can't be used", memoryDirectory, error);
      }
      if (free < bytes + limits.memoryTierSpareBytes) return false;
      this.#allowance = Math.max(bytes, Math.min(lookAgainBytes, free - limits.memoryTierSpareBytes));
    }
    this.#allowance -= bytes;
    this.used += bytes;
    return true;
  }

  release(bytes: number): void {
    this.used = Math.max(0, this.used - bytes);
  }

  finished(path: string, bytes: number): void {
    this.#files.set(path, bytes);
  }

  removed(path: string): void {
    this.release(this.#files.get(path) ?? 0);
    this.#files.delete(path);
  }
}
