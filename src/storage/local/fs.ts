// The system calls that the local storage makes, as a parameter, and what their errors mean to a user.
import nodeFs from "node:fs";
import { userInfo } from "node:os";
import { MillraceError, systemCode } from "../../base/error.ts";

/** The part of `node:fs` in use; tests insert one that fails or stops at a chosen call. */
export type LocalFs = Pick<
  typeof nodeFs,
  | "openSync"
  | "readSync"
  | "writeSync"
  | "fstatSync"
  | "fsyncSync"
  | "fdatasync"
  | "closeSync"
  | "mkdirSync"
  | "unlinkSync"
  | "statSync"
  | "statfsSync"
  | "readdirSync"
  | "readFileSync"
> & {
  readonly promises: Pick<
    typeof nodeFs.promises,
    | "access"
    | "chmod"
    | "copyFile"
    | "lstat"
    | "mkdir"
    | "open"
    | "readdir"
    | "readFile"
    | "realpath"
    | "rename"
    | "rm"
    | "rmdir"
    | "stat"
    | "unlink"
  >;
};

export const nodeLocalFs: LocalFs = nodeFs;

/**
 * Without O_NONBLOCK, opening a FIFO or a device for reading waits for a writer; for regular files it changes nothing.
 */
export const openForReading = nodeFs.constants.O_RDONLY | (nodeFs.constants.O_NONBLOCK ?? 0);

/** A path for a message: as it is, or quoted where white space or control characters would hide where it ends. */
export function showPath(path: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return path === "" || /[\s"\u0000-\u001f\u007f-\u009f\u2028\u2029]/u.test(path) ? JSON.stringify(path) : path;
}

/** The error for a failed write to the output's file system. */
export function outputError(thrown: unknown, doing: string, path: string): MillraceError {
  if (thrown instanceof MillraceError) return thrown;
  const code = systemCode(thrown);
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new MillraceError(
      "no-space",
      `${doing} ${showPath(path)}: ${code === "EDQUOT" ? "the disk quota is used up" : "no space left on the disk"}. Free some, or choose another output directory with -o.`,
      { cause: thrown, retry: "elsewhere" },
    );
  }
  const advice = isPermission(code)
    ? ` User ${userName()} may not write there: change its permissions or choose another output directory with -o.`
    : "";
  return new MillraceError("io-error", `${doing} ${showPath(path)} failed: ${reasonOf(thrown)}.${advice}`, {
    cause: thrown,
    retry: "elsewhere",
  });
}

/** The error for an input file that can't be examined or read. */
export function inputError(thrown: unknown, path: string): MillraceError {
  if (thrown instanceof MillraceError) return thrown;
  const code = systemCode(thrown);
  if (isPermission(code)) {
    return new MillraceError(
      "bad-input",
      `${showPath(path)} can't be read by user ${userName()}: ${reasonOf(thrown)}. Change its permissions, or run as a user who may read it.`,
      { cause: thrown },
    );
  }
  if (code === "ENOENT" || code === "ENOTDIR") {
    return new MillraceError(
      "bad-input",
      `${showPath(path)} does not exist (any more), or is a symbolic link to nowhere.`,
      { cause: thrown },
    );
  }
  if (code === "ELOOP" || code === "ENAMETOOLONG" || code === "ENXIO" || code === "ERR_INVALID_ARG_VALUE") {
    return new MillraceError("bad-input", `${showPath(path)} can't be opened: ${reasonOf(thrown)}.`, { cause: thrown });
  }
  return new MillraceError("io-error", `${showPath(path)} can't be read: ${reasonOf(thrown)}.`, {
    cause: thrown,
    retry: "elsewhere",
  });
}

export function isPermission(code: string | undefined): boolean {
  return code === "EACCES" || code === "EPERM" || code === "EROFS";
}

export function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? "unknown"); // a uid without an entry in the user database, as in containers
  }
}

/** "ENOSPC: no space left on device", without the call and the path that Node appends. */
function reasonOf(thrown: unknown): string {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return message.replace(/, [a-z]+( '.*'( -> '.*')?)?$/su, "");
}
