// What runs on this machine have left when they were killed: work directories beside outputs and in temporary folders,
// and memory directories. Another user's, and those of runs that are at work, are never touched.
import { lstatSync } from "node:fs";
import { join } from "node:path";
import { namesIn } from "../base/system/names-in.ts";
import type { Storage } from "../storage/storage.ts";
import { memoryOf, removeStaleMemory, staleMemory, userOf } from "../worker/disk/work-directory.ts";
import { isOurs, removeLeft } from "./work-directories.ts";

/** A directory that an ended run has left. */
export interface Leftover {
  readonly path: string;
  /**
   * "output": of a run with an output, which `--resume` may go on from. "temporary": of one without. "memory": a memory
   * directory whose work directory is gone.
   */
  readonly kind: "output" | "temporary" | "memory";
  /** The name of the output; undefined where there is none. */
  readonly output: string | undefined;
  readonly job: string;
  /** Bytes on the disk, and in the memory tier. */
  readonly diskBytes: number;
  readonly memoryBytes: number;
  /** When its run last noted that it was there; milliseconds since 1970. */
  readonly changedMs: number;
}

const names = /^\.(?:(.+)\.)?millrace-([0-9a-f]{32})$/;

/** Those in these folders, and memory directories that no run will come back for; the oldest first. */
export async function leftovers(folders: readonly string[]): Promise<Leftover[]> {
  const found = new Map<string, Leftover>();
  for (const folder of folders) {
    for (const name of namesIn(folder)) {
      const match = names.exec(name);
      const path = join(folder, name);
      if (match === null || !isOurs(path)) continue;
      const changedMs = changedAt(join(path, "work.json"));
      // A directory without a record is being made, or belongs to a run whose work directory is elsewhere.
      if (changedMs === undefined || (await userOf(path)) !== undefined) continue;
      const memory = memoryOf(path);
      const [, output, job = ""] = match;
      found.set(path, {
        path,
        kind: output === undefined ? "temporary" : "output",
        output,
        job,
        diskBytes: bytesBelow(path),
        memoryBytes: memory === undefined ? 0 : bytesBelow(memory),
        changedMs,
      });
    }
  }
  for (const path of staleMemory()) {
    const job = path.slice(path.lastIndexOf("-") + 1);
    const changedMs = changedAt(path) ?? 0;
    found.set(path, {
      path,
      kind: "memory",
      output: undefined,
      job,
      diskBytes: 0,
      memoryBytes: bytesBelow(path),
      changedMs,
    });
  }
  return [...found.values()].toSorted((a, b) => a.changedMs - b.changedMs);
}

/** Removes one of them, unless a run has come back for it since. Returns whether it is gone. */
export async function removeLeftover(
  { path, kind, job }: Leftover,
  storage: Pick<Storage, "discard">,
): Promise<boolean> {
  if (kind === "memory") removeStaleMemory();
  else if ((await userOf(path)) === undefined) await removeLeft(path, job, storage);
  return changedAt(path) === undefined;
}

/** What the files below a directory take, as far as it can be read. */
function bytesBelow(directory: string): number {
  let bytes = 0;
  for (const name of namesIn(directory)) {
    try {
      const path = join(directory, name);
      const info = lstatSync(path);
      bytes += info.isDirectory() ? bytesBelow(path) : info.blocks * 512;
    } catch {
      // It was removed in the meantime.
    }
  }
  return bytes;
}

function changedAt(path: string): number | undefined {
  try {
    return lstatSync(path).mtimeMs;
  } catch {
    return undefined;
  }
}
