// Stores as files what can be read only once, standard input and FIFOs, because a job reads its input more than once,
// from more than one process.
import { createHash } from "node:crypto";
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  openSync,
  renameSync,
  type Stats,
  statSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { Socket } from "node:net";
import { resolve } from "node:path";
import type { Readable } from "node:stream";
import { MillraceError, systemCode } from "../base/error.ts";
import { isUrl } from "../base/paths.ts";

/** Whether a path names standard input, by a name for this or by its descriptor. */
export function isStandardInput(path: string): boolean {
  return path === "-" || /^\/dev\/(stdin|fd\/0)$|^\/proc\/self\/fd\/0$/.test(path);
}

/** Whether an argument names something that can be read only once, and from this process alone. */
export function isReadOnce(path: string): boolean {
  if (isStandardInput(path)) return true;
  if (isUrl(path)) return false;
  return statsOf(path)?.isFIFO() === true;
}

function statsOf(path: string): Stats | undefined {
  try {
    return statSync(resolve(path));
  } catch {
    return undefined; // whatever it is, it is named where files are listed
  }
}

/** What standard input is at the moment. */
export function standardInputNow(): { readonly kind: "pipe" | "file" | "other" } {
  try {
    const stats = fstatSync(0);
    return { kind: stats.isFIFO() || stats.isSocket() ? "pipe" : stats.isFile() ? "file" : "other" };
  } catch {
    return { kind: "other" }; // it is closed
  }
}

const standardInputName = "standard-input";
const fifoNames = /^fifo-[0-9a-f]{16}$/;

/**
 * The file's name in the directory of a run. A FIFO's is made of its path, so that a run that goes on or begins again
 * takes no FIFO's content for another's, whatever the order in which they are given.
 */
export function spoolName(path: string): string {
  if (isStandardInput(path)) return standardInputName;
  return `fifo-${createHash("sha256").update(resolve(path)).digest("hex").slice(0, 16)}`;
}

/** Whether a file of this name in the directory of a run holds, whole, what can be read only once. */
export function isSpoolName(name: string): boolean {
  return name === standardInputName || fifoNames.test(name);
}

/**
 * Opens a FIFO without waiting for its writer, in such a way that the stream waits for it: a thread that waits in
 * `open` could not be called back, and would keep the process from ending.
 */
export function openFifo(path: string): Readable {
  try {
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    return new Socket({ fd, readable: true, writable: false });
  } catch (thrown) {
    throw new MillraceError("bad-input", `${path} can't be opened: ${systemCode(thrown) ?? String(thrown)}`, {
      cause: thrown,
    });
  }
}

/**
 * Writes all of `stream`, which messages call `what`, to a new file (mode 0600) and returns the number of its bytes.
 * The file gets its name when it is whole, as a run that is resumed takes it for that. On failure nothing is left.
 * Throws `no-space`, `io-error`, and `cancelled` when the signal is aborted.
 */
export async function spoolStream(
  stream: Readable,
  what: string,
  path: string,
  signal?: AbortSignal,
): Promise<{ readonly bytes: number }> {
  const part = `${path}.part`;
  let fd: number;
  try {
    if (existsSync(path)) throw new Error("the file exists already");
    fd = openSync(part, "w", 0o600);
  } catch (thrown) {
    throw spoolError(thrown, what, path);
  }
  const stop = () =>
    stream.destroy(
      new MillraceError(
        "cancelled",
        `Cancelled while ${what === "Standard input" ? "standard input" : what} was read.`,
      ),
    );
  let whole = false;
  try {
    if (signal?.aborted) stop();
    signal?.addEventListener("abort", stop, { once: true });
    let bytes = 0;
    for await (const piece of stream) {
      const chunk = typeof piece === "string" ? Buffer.from(piece) : (piece as Uint8Array);
      for (let at = 0; at < chunk.length; ) at += writeSync(fd, chunk, at, chunk.length - at);
      bytes += chunk.length;
    }
    fsyncSync(fd);
    renameSync(part, path);
    whole = true;
    return { bytes };
  } catch (thrown) {
    throw spoolError(thrown, what, path);
  } finally {
    signal?.removeEventListener("abort", stop);
    closeSync(fd);
    if (!whole) unlinkSync(part);
  }
}

function spoolError(thrown: unknown, what: string, path: string): MillraceError {
  if (thrown instanceof MillraceError) return thrown;
  const code = systemCode(thrown);
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new MillraceError(
      "no-space",
      `${what} does not fit on the disk of ${path}. Choose another place with --work-dir, or give a file.`,
      { cause: thrown },
    );
  }
  return new MillraceError(
    "io-error",
    `${what} can't be stored in ${path}: ${thrown instanceof Error ? thrown.message : String(thrown)}`,
    { cause: thrown },
  );
}
