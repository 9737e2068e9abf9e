// Bundles and side files on the master's disk, one file per content, named by its SHA-256:
//
//   BLOBS/<64 hex digits>     complete, synced, read-only
//   BLOBS/.new-<random>       being received; removed when the next master opens the directory, or an hour later where
//                             the one before may still be receiving
//
// A blob is removed when no live job needs it and it was not asked for within an hour: a client puts its blobs before
// it submits.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, readdir, rename, rm, stat, statfs, utimes } from "node:fs/promises";
import { join } from "node:path";
import { MillraceError, systemCode } from "../base/error.ts";
import { limits, MiB } from "../base/limits.ts";
import type { Clock } from "../base/system/clock.ts";
import { randomId } from "../base/system/random.ts";
import { blobName } from "../protocol/blob-name.ts";
import type { Blobs } from "../protocol/services.ts";

/** A blob is kept for this long after it was last put or asked for, even if no job needs it. */
const unusedMs = 3_600_000;
/** Bytes that blobs leave free on the disk, which also holds the state store. */
const spareBytes = 64 * MiB;
/** Bytes received between two looks at the free space. */
const checkEveryBytes = 8 * MiB;
/** Size of a piece of an answer. A piece counts as moved when all of it has been sent (rpc/transfer-silence.ts). */
const readChunkBytes = 64 * 1024;
const newPrefix = ".new-";

export interface DiskBlobs extends Blobs {
  /** Removes unused blobs, and resolves with their names. `isNeeded` is asked right before each removal. */
  sweep(isNeeded: (sha256: string) => boolean): Promise<readonly string[]>;
}

/**
 * Creates the directory if it is missing, and removes what a predecessor had received only in part. `isShared`: that
 * one may still be there.
 */
export async function openBlobs(directory: string, clock: Clock, isShared = false): Promise<DiskBlobs> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  for (const name of await readdir(directory)) {
    const path = join(directory, name);
    if (!name.startsWith(newPrefix)) continue;
    if (isShared && clock.date().getTime() - (await stat(path).catch(gone)).mtimeMs < unusedMs) continue;
    await rm(path, { force: true });
  }
  /** A blob's path. Names that are not a SHA-256 are refused, so that paths never lead out of the directory. */
  const pathOf = (sha256: string): string => join(directory, blobName(sha256));

  const has = async (sha256: string): Promise<boolean> => {
    const now = clock.date();
    try {
      await utimes(pathOf(sha256), now, now);
      return true;
    } catch (error) {
      if (systemCode(error) === "ENOENT") return false;
      throw error;
    }
  };

  return {
    has,

    async put(sha256, content, bytesMax, signal) {
      const path = pathOf(sha256);
      if (await has(sha256)) return;
      const bound = Math.min(bytesMax, limits.sideFileBytesMax);
      const temporary = join(directory, newPrefix + randomId());
      try {
        await receive(temporary, { sha256, content, bytesMax: bound, directory, signal });
        const now = clock.date();
        await utimes(temporary, now, now); // a file server's clock may differ
        await rename(temporary, path);
      } catch (error) {
        await rm(temporary, { force: true });
        throw writeError(directory, error);
      }
      await syncDirectory(directory);
    },

    async get(sha256) {
      const path = pathOf(sha256);
      if (!(await has(sha256))) {
        throw new MillraceError(
          "bad-input",
          `there is no blob ${sha256} here: submit the job again, which uploads it again`,
        );
      }
      return checked(path, sha256);
    },

    async sweep(isNeeded) {
      const removed: string[] = [];
      const before = clock.date().getTime() - unusedMs;
      for (const name of await readdir(directory)) {
        if (!/^[0-9a-f]{64}$/.test(name)) continue;
        const path = join(directory, name);
        if ((await stat(path)).mtimeMs >= before || isNeeded(name)) continue;
        await rm(path, { force: true });
        removed.push(name);
      }
      return removed;
    },
  };
}

/** A file that is removed meanwhile is as old as any. */
function gone(error: unknown): { readonly mtimeMs: number } {
  if (systemCode(error) === "ENOENT") return { mtimeMs: 0 };
  throw error;
}

interface Receiving {
  readonly sha256: string;
  readonly content: AsyncIterable<Uint8Array>;
  readonly bytesMax: number;
  readonly directory: string;
  readonly signal: AbortSignal | undefined;
}

/** Writes content to a new file. When it resolves, the file is durable and has the right content. */
async function receive(path: string, { sha256, content, bytesMax, directory, signal }: Receiving): Promise<void> {
  const hash = createHash("sha256");
  const file = await open(path, "wx", 0o400);
  try {
    let bytes = 0;
    let checkedAt = -checkEveryBytes;
    for await (const chunk of content) {
      signal?.throwIfAborted();
      bytes += chunk.length;
      if (bytes > bytesMax) {
        throw new MillraceError(
          "over-limit",
          `the blob ${sha256} has more than ${bytesMax} bytes, the most it may have`,
        );
      }
      if (bytes - checkedAt >= checkEveryBytes) {
        checkedAt = bytes;
        const { bavail, bsize } = await statfs(directory);
        if (bavail * bsize < spareBytes + chunk.length) throw noSpace(directory);
      }
      hash.update(chunk);
      await writeAll(file, chunk);
    }
    const found = hash.digest("hex");
    if (found !== sha256) {
      throw new MillraceError("corrupt-run", `what was sent as blob ${sha256} has the SHA-256 ${found}: send it again`);
    }
    await file.sync();
  } finally {
    await file.close();
  }
}

async function writeAll(file: Awaited<ReturnType<typeof open>>, chunk: Uint8Array): Promise<void> {
  for (let at = 0; at < chunk.length; ) at += (await file.write(chunk, at)).bytesWritten;
}

/**
 * The bytes, and an error at their end if they were damaged: the file is then removed, so that another put repairs it.
 */
async function* checked(path: string, sha256: string): AsyncIterable<Uint8Array> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { highWaterMark: readChunkBytes })) {
    hash.update(chunk as Buffer);
    yield chunk as Buffer;
  }
  if (hash.digest("hex") === sha256) return;
  await rm(path, { force: true });
  throw new MillraceError(
    "corrupt-run",
    `the blob ${sha256} has been damaged on the master's disk (${path}) and was removed: submit the job again`,
  );
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function writeError(directory: string, error: unknown): unknown {
  const code = systemCode(error);
  if (error instanceof MillraceError || code === undefined) return error;
  if (code === "ENOSPC" || code === "EDQUOT") return noSpace(directory, error);
  return new MillraceError("io-error", `a blob can't be written in ${directory}: ${code}`, { cause: error });
}

function noSpace(directory: string, cause?: unknown): MillraceError {
  return new MillraceError(
    "no-space",
    `the disk of the master's state is full (${directory}): make room there, then submit again`,
    { cause },
  );
}
