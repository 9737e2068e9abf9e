// What LevelDB does not read of its logs when it opens. Where a read or an open of a log fails, if only once, LevelDB
// goes on with what it has read until then, and removes the log. So each log gets a second name before LevelDB opens,
// and the batches that LevelDB lacks afterwards are written again. They are known by their numbers: each holds a tally
// (tally.ts).
//
//   <n>.log ──link──► kept-<n>-<inode>     until the store is opened and has all that is in it
import { copyFileSync, linkSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { systemCode } from "../base/error.ts";
import { batchIn, Damage, type LevelOperation, logRecords } from "./level-log.ts";

/** Keeps the logs that are there. Called before LevelDB opens; harmless while another process has the store. */
export function keepLogs(directory: string): void {
  for (const name of readdirSync(directory)) {
    const number = /^(\d+)\.log$/.exec(name)?.[1];
    if (number !== undefined) keep(join(directory, name), (inode) => join(directory, `kept-${number}-${inode}`));
  }
}

/** The numbers are those of files, which LevelDB gives out again: the inode tells two of the same number apart. */
function keep(path: string, nameOf: (inode: number) => string): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined || found.size === 0) return; // another process has removed it
  try {
    linkSync(path, nameOf(found.ino));
  } catch (error) {
    const code = systemCode(error);
    if (code === "EEXIST" || code === "ENOENT") return;
    if (code !== "EPERM" && code !== "ENOTSUP" && code !== "ENOSYS" && code !== "EMLINK") throw error;
    copyFileSync(path, nameOf(found.ino)); // a file system without links
  }
}

/**
 * The batches in kept logs that follow on batch `last`, one after the other. `numberOf`: the number that a batch says
 * it has. A log ends where it is damaged.
 */
export function* keptBatches(
  directory: string,
  last: number,
  numberOf: (batch: readonly LevelOperation[]) => number | undefined,
): Iterable<readonly LevelOperation[]> {
  const byNumber = new Map<number, readonly LevelOperation[]>();
  for (const name of keptIn(directory)) {
    try {
      for (const record of logRecords(readFileSync(join(directory, name)))) {
        const batch = batchIn(record);
        const number = numberOf(batch);
        if (number !== undefined && number > last) byNumber.set(number, batch);
      }
    } catch (error) {
      if (!(error instanceof Damage)) throw error;
    }
  }
  for (let number = last + 1; byNumber.has(number); number++) yield byNumber.get(number)!;
}

/** Called once the store has everything, durably. */
export function forgetLogs(directory: string): void {
  for (const name of keptIn(directory)) rmSync(join(directory, name), { force: true });
}

function keptIn(directory: string): string[] {
  return readdirSync(directory).filter((name) => name.startsWith("kept-"));
}
