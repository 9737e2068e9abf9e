// Stores standard input as a file, because a job reads its input more than once, from more than one process.
import { closeSync, existsSync, fsyncSync, openSync, renameSync, unlinkSync, writeSync } from "node:fs";
import type { Readable } from "node:stream";
import { MillraceError, systemCode } from "../base/error.ts";

/** The file's name in the directory of a run. */
export const spoolName = "standard-input";

/**
 * Writes all of `stream` to a new file (mode 0600) and returns the number of its bytes. The file gets its name when it
 * is whole, as a run that is resumed takes it for that. On failure nothing is left. Throws `no-space`, `io-error`, and
 * `cancelled` when the signal is aborted.
 */
export async function spoolStdin(
  stream: Readable,
  path: string,
  signal?: AbortSignal,
): Promise<{ readonly bytes: number }> {
  const part = `${path}.part`;
  let fd: number;
  try {
    if (existsSync(path)) throw new Error("the file exists already");
    fd = openSync(part, "w", 0o600);
  } catch (thrown) {
    throw spoolError(thrown, path);
  }
  const stop = () => stream.destroy(new MillraceError("cancelled", "Cancelled while standard input was read."));
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
    throw spoolError(thrown, path);
  } finally {
    signal?.removeEventListener("abort", stop);
    closeSync(fd);
    if (!whole) unlinkSync(part);
  }
}

function spoolError(thrown: unknown, path: string): MillraceError {
  if (thrown instanceof MillraceError) return thrown;
  const code = systemCode(thrown);
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new MillraceError(
      "no-space",
      `Standard input does not fit on the disk of ${path}. Choose another place with --work-dir, or give a file.`,
      { cause: thrown },
    );
  }
  return new MillraceError(
    "io-error",
    `Standard input can't be stored in ${path}: ${thrown instanceof Error ? thrown.message : String(thrown)}`,
    { cause: thrown },
  );
}
