// One process per directory, also after a crash: files lock.1, lock.2, … of which the one with the highest number says who has
// it. Who finds it held by a process that has ended makes the next number; of several who do so at once one succeeds, because a
// file is linked under its name with its content, or not at all. (Removing the old file instead would let the second of two
// remove the lock of the first.) Release empties the file and leaves it, so that numbers only grow.
import { linkSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MillraceError, systemCode } from "../base/error.ts";
import { isAlive, type ProcessIdentity, thisProcess } from "./process-identity.ts";

export interface DirectoryLock {
  /** May be called again. */
  release(): void;
}

/** Throws `state-busy`, naming the process that has it. */
export function lockDirectory(directory: string, self: ProcessIdentity = thisProcess()): DirectoryLock {
  const mine = join(directory, `lock-of-${self.pid}-${self.started}`);
  writeFileSync(mine, `${JSON.stringify(self)}\n`, { mode: 0o600 });
  try {
    for (;;) {
      const last = Math.max(0, ...numbersIn(directory));
      if (last > 0) refuseIfAlive(directory, last);
      const path = lockPath(directory, last + 1);
      try {
        linkSync(mine, path);
      } catch (error) {
        if (systemCode(error) === "EEXIST") continue; // somebody was quicker: is it still alive?
        throw error;
      }
      const numbers = numbersIn(directory);
      if (Math.max(...numbers) > last + 1) {
        // Ours was made below one that was there by then: it never counted.
        rmSync(path, { force: true });
        continue;
      }
      for (const number of numbers) if (number <= last) rmSync(lockPath(directory, number), { force: true });
      return { release: () => empty(path) };
    }
  } finally {
    rmSync(mine, { force: true });
  }
}

function refuseIfAlive(directory: string, number: number): void {
  let holder: ProcessIdentity | undefined;
  try {
    holder = JSON.parse(readFileSync(lockPath(directory, number), "utf8")) as ProcessIdentity;
  } catch {
    return; // released meanwhile, or damaged by a crash of the machine: nobody has it
  }
  if (typeof holder?.pid !== "number" || !isAlive(holder)) return;
  throw new MillraceError(
    "state-busy",
    `process ${holder.pid} is a worker with the work directory ${directory} already: stop that one first, or give this one another --work-dir`,
  );
}

function empty(path: string): void {
  try {
    truncateSync(path);
  } catch {
    // taken over since, or removed with its directory
  }
}

const lockPath = (directory: string, number: number) => join(directory, `lock.${number}`);

function numbersIn(directory: string): number[] {
  return readdirSync(directory)
    .map((name) => /^lock\.(\d+)$/.exec(name))
    .filter((match) => match !== null)
    .map((match) => Number(match[1]));
}
