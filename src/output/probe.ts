// Finds out whether a worker sees the same output directory as the master does. The master leaves a file among those
// staged for the job, and a worker looks for it before its first attempt. A directory that is not shared would
// otherwise take the attempts' files, and publishing would miss them.
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { MillraceError, systemCode } from "../base/error.ts";
import type { JobId } from "../base/ids.ts";
import { isUrl } from "../base/paths.ts";
import { stagingDirectoryOf } from "../storage/local/hidden.ts";

/**
 * Leaves the probe, when a job is submitted or started again. It goes away with the staged files. Does nothing for a
 * URL.
 */
export async function writeProbe(destination: string, job: JobId): Promise<void> {
  if (isUrl(destination)) return;
  const path = probeOf(destination, job);
  try {
    await mkdir(stagingDirectoryOf(destination, job), { recursive: true, mode: 0o700 });
    await writeFile(`${path}.new`, `${job}\n`, { mode: 0o644 });
    await rename(`${path}.new`, path);
  } catch (error) {
    throw new MillraceError(
      systemCode(error) === "ENOSPC" ? "no-space" : "io-error",
      `the master can't write beside ${destination}: ${systemCode(error) ?? String(error)} (${path})`,
      { cause: error },
    );
  }
}

/** Throws `io-error`, naming the worker and the path, where the master's probe isn't seen. Does nothing for a URL. */
export async function checkProbe(destination: string, job: JobId, worker: string): Promise<void> {
  if (isUrl(destination)) return;
  const path = probeOf(destination, job);
  const who = `worker ${worker} (on ${hostname()})`;
  let content: string;
  try {
    content = await readFile(path, "utf8");
  } catch (error) {
    const code = systemCode(error);
    const why =
      code === "ENOENT" || code === "ENOTDIR"
        ? `${who} can't see ${destination} as the master does: is it a shared directory, mounted at this path on every machine?`
        : `${who} may not use ${destination}: ${code ?? String(error)}. Master and workers need the same rights there`;
    throw new MillraceError("io-error", `${why} (${path} is missing or can't be read)`, {
      retry: "elsewhere",
      cause: error,
    });
  }
  if (content.trim() === job) return;
  throw new MillraceError("io-error", `${who} sees another ${destination} than the master does (${path})`, {
    retry: "elsewhere",
  });
}

const probeOf = (destination: string, job: JobId) => join(stagingDirectoryOf(destination, job), "probe");
