// Where runs lie: first in the memory tier (a directory of a tmpfs), within a budget and what statfs says is free; what
// does not fit, or no longer fits while it is being written, goes to a directory on disk. A full memory tier is never a
// failure; a full disk is (`no-space`), and never leaves a short file behind. Synchronous, so that `emit` can spill.
import { assert } from "../base/assert.ts";
import type { RunFiles } from "../sort/run.ts";
import { Budget } from "./budget.ts";
import { openTierBytes } from "./bytes.ts";
import { removeFile } from "./error.ts";
import { TierFile } from "./file.ts";
import { nodeTierFiles } from "./files.ts";
import type { TierOptions } from "./options.ts";

export interface Tier extends RunFiles {
  /** Bytes in the memory tier now: of files made here, and `memoryBytesHeld`. */
  readonly memoryBytesUsed: number;
}

/**
 * Names given to `create` hold their attempt's name, so they are unique among all processes that share the directories.
 * All throw `io-error` or `no-space`; `open` of a file that is gone throws `segment-lost`, a read that fails `corrupt-run`.
 */
export function createTier(options: TierOptions): Tier {
  const fs = options.fs ?? nodeTierFiles;
  const budget = new Budget(fs, options);
  const names = new Set<string>();
  return {
    get memoryBytesUsed() {
      return budget.used;
    },
    create(name) {
      assert(/^[\w.-]+$/.test(name), `"${name}" is a plain file name`);
      assert(!names.has(name), `no other file is named ${name}`);
      names.add(name);
      return new TierFile(name, options, fs, budget);
    },
    open: (path) => openTierBytes(fs, path),
    remove(path) {
      removeFile(fs, path);
      budget.removed(path);
    },
  };
}
