// classic-level (LevelDB) is an optional package: a master keeps its state in it, a worker locks its work directory
// with it, and a local run needs it only to survive its own death. It is loaded where it is needed, and whoever needs
// it and does not have it is told what to install.
import { MillraceError, systemCode } from "../error.ts";

/** The command that installs it, for messages. The version is that of package.json. */
export const installLevel = "npm install classic-level@3";

type Level = typeof import("classic-level");

/** Loads LevelDB. Throws `missing-package`; `who` is the beginning of its message: "a master". */
export async function loadLevel(who: string): Promise<Level> {
  try {
    return await import("classic-level");
  } catch (error) {
    throw missing(who, error);
  }
}

function missing(who: string, error: unknown): MillraceError {
  const code = systemCode(error);
  const isAbsent = code === "ERR_MODULE_NOT_FOUND" || code === "MODULE_NOT_FOUND";
  const why = isAbsent
    ? `which is not installed: ${installLevel}`
    : `which can't be loaded on ${process.platform} ${process.arch} (${firstLine(error)}): where there is a compiler,  npm rebuild classic-level  builds it`;
  return new MillraceError("missing-package", `${who} needs the package classic-level (LevelDB), ${why}`, {
    cause: error,
  });
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split("\n", 1)[0] ?? "";
}
