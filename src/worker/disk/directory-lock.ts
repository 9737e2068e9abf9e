// One process per directory, also across containers that share a volume, whose process numbers say nothing to each
// other: LevelDB locks its files by the operating system (fcntl), which Node can't do by itself. An empty database in
// DIR/lock is opened for as long as the directory is used; when its process ends, however it ends, the lock is free.
// DIR/lock-owner.json is only for the message that the one who doesn't get it sees.
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import type { ClassicLevel } from "classic-level";
import { MillraceError, systemCode } from "../../base/error.ts";
import { loadLevel } from "../../base/system/optional-package.ts";

export interface DirectoryLock {
  /** Releases the lock. May be called again. */
  release(): Promise<void>;
}

/** Locks a directory. Throws `state-busy`, naming the process that has the lock if it is known, and `io-error`. */
export async function lockDirectory(directory: string): Promise<DirectoryLock> {
  const ownerPath = join(directory, "lock-owner.json");
  const lock = await openLock(join(directory, "lock"));
  if (lock === undefined) {
    throw new MillraceError(
      "state-busy",
      `${ownerIn(ownerPath)} is a worker with the work directory ${directory} already: stop that one first, or give this one another --work-dir`,
    );
  }
  writeFileSync(ownerPath, `${JSON.stringify({ pid: process.pid, host: hostname() })}\n`, { mode: 0o600 });
  let released: Promise<void> | undefined;
  return {
    release() {
      released ??= (async () => {
        try {
          rmSync(ownerPath, { force: true });
        } finally {
          await lock.close();
        }
      })();
      return released;
    },
  };
}

/**
 * Whether any process, also of another container, has the database in `path` open. False where there is none; true
 * where that can't be told: LevelDB is not installed, or may not lock there. Changes no record, table or log.
 */
export async function isLocked(path: string): Promise<boolean> {
  if (!hasDatabase(path)) return false;
  // LevelDB refuses a database that exists after it has the lock and before it recovers it, which would write.
  const options = { createIfMissing: false, errorIfExists: true };
  const database = await databaseIn(path, options).catch(() => undefined);
  if (database === undefined) return true;
  try {
    await database.open();
  } catch (error) {
    return !/error_if_exists|create_if_missing/.test(String((error as { cause?: unknown }).cause ?? error));
  }
  await database.close();
  return true;
}

/** Whether there is a database. Each has this file from the moment that it can be opened. */
export function hasDatabase(path: string): boolean {
  return existsSync(join(path, "CURRENT"));
}

/** Opens the lock's database; undefined: another process has it. */
async function openLock(path: string): Promise<ClassicLevel | undefined> {
  for (let isMended = false; ; isMended = true) {
    const database = await databaseIn(path);
    try {
      await database.open();
      return database;
    } catch (error) {
      if (isHeld(error)) return undefined;
      const cause = (error as { cause?: unknown }).cause ?? error;
      const isDamaged = /corruption|checksum|manifest|current/i.test(String(cause));
      if (isMended || !isDamaged) {
        const why = cause instanceof Error ? cause.message : String(cause);
        throw new MillraceError("io-error", `the lock ${path} can't be opened: ${why}`, { cause: error });
      }
      // A crash of the machine cut it short. Nothing is in it, and a process that had it open would have said so.
      rmSync(path, { recursive: true, force: true });
    }
  }
}

/** Loaded where it is needed: a command that only asks a master does without it. */
async function databaseIn(
  path: string,
  options: { readonly createIfMissing?: boolean; readonly errorIfExists?: boolean } = {},
): Promise<ClassicLevel> {
  const { ClassicLevel } = await loadLevel("a worker");
  return new ClassicLevel(path, options);
}

function isHeld(error: unknown): boolean {
  return systemCode((error as { cause?: unknown }).cause ?? error) === "LEVEL_LOCKED";
}

function ownerIn(path: string): string {
  try {
    const { pid, host } = JSON.parse(readFileSync(path, "utf8")) as { pid?: unknown; host?: unknown };
    if (typeof pid === "number" && typeof host === "string") return `process ${pid} on ${host}`;
  } catch {
    // it is being written, or gone with its process
  }
  return "another process";
}
