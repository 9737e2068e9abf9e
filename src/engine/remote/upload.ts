// Uploads a job's bundle and side files to the master, each only if the master does not have it.
import { createReadStream, statSync } from "node:fs";
import { MillraceError } from "../../base/error.ts";
import { limits } from "../../base/limits.ts";
import { formatBytes } from "../../base/units.ts";
import type { Blobs } from "../../protocol/services.ts";

/** Tries per file: a connection that breaks this often in the middle of a file does so for a reason. */
const triesMax = 5;

export interface Upload {
  /** For messages: "the job's bundle", "the side file stop (/data/stop.txt)". */
  readonly what: string;
  readonly path: string;
  readonly sha256: string;
  readonly bytesMax: number;
}

/** Throws `over-limit`, and `input-changed` for a file that has changed by now. */
export async function upload(
  blobs: Blobs,
  { what, path, sha256, bytesMax }: Upload,
  signal?: AbortSignal,
): Promise<void> {
  const { size } = statSync(path);
  if (size > bytesMax) {
    throw new MillraceError(
      "over-limit",
      `${what} has ${formatBytes(size)}, and at most ${formatBytes(bytesMax)} are sent to a cluster: make it smaller, or read it as an input`,
    );
  }
  // Asking for it waits for a master that is away. What was sent of the file before is sent again.
  for (let tries = 1; !(await blobs.has(sha256, signal)); tries++) {
    const content = createReadStream(path);
    content.on("error", () => {}); // its reader gets the error
    try {
      return await blobs.put(sha256, content, bytesMax, signal);
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error;
      const mayHelp = error.code === "unreachable" || error.code === "not-leader";
      if (mayHelp && error.retry === "same" && tries < triesMax) continue;
      if (error.code !== "corrupt-run") throw error;
      throw new MillraceError("input-changed", `${what} was changed while it was sent: run the command again`, {
        cause: error,
      });
    } finally {
      content.destroy();
    }
  }
}

export const bundleUpload = (path: string, sha256: string): Upload => ({
  what: "the job's bundle",
  path,
  sha256,
  bytesMax: limits.bundleBytesMax,
});

export const sideFileUpload = (name: string, path: string, sha256: string): Upload => ({
  what: `the side file ${name} (${path})`,
  path,
  sha256,
  bytesMax: limits.sideFileBytesMax,
});
