import { dirname } from "node:path";
import { MillraceError, systemCode } from "../base/error.ts";
import type { TierFiles } from "./files.ts";

/** Whether a system error says that a disk is full, or that a user's quota is. */
export function isFull(error: unknown): boolean {
  const code = systemCode(error);
  return code === "ENOSPC" || code === "EDQUOT";
}

/**
 * Turns a system error into one that names the directory and what to do. Anything that is no system error is a bug, and
 * comes back as it is.
 */
export function tierError(what: string, path: string, error: unknown): unknown {
  const code = systemCode(error);
  if (code === undefined || code.startsWith("ERR_") || error instanceof MillraceError) return error;
  const directory = dirname(path);
  if (isFull(error)) {
    const message = `${directory} is full (${code}): ${path} ${what}. Free space there, or put intermediate files elsewhere with --work-dir.`;
    return new MillraceError("no-space", message, { retry: "elsewhere", cause: error });
  }
  return new MillraceError("io-error", `${path} ${what} (${code}): ${advice(code, directory)}`, {
    retry: "elsewhere",
    cause: error,
  });
}

function advice(code: string, directory: string): string {
  switch (code) {
    case "EMFILE":
    case "ENFILE":
      return "too many files are open. Raise the limit (ulimit -n), or use fewer slots.";
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return `this user may not write to ${directory}. Check its owner and mode, or choose another with --work-dir.`;
    case "ENOENT":
    case "ENOTDIR":
      return `${directory} is not there. Something removed it while the job ran; run the job again, or choose another with --work-dir.`;
    case "EEXIST":
      return "a file of this name exists, though no two attempts share one. Remove it if no job is running.";
    default:
      return `the system refused. Check the disk that ${directory} is on, or choose another with --work-dir.`;
  }
}

/** Removes a file; it is fine if the file is gone already. */
export function removeFile(fs: TierFiles, path: string): void {
  try {
    fs.remove(path);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw tierError("can't be removed", path, error);
  }
}
