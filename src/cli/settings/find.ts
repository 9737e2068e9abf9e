// Looks for the file of settings: `millrace.json`, or a package.json with the key `millrace`, in the working directory
// or the next one above it that has one. Every command that takes settings looks, so this takes some stat calls, and
// reads no file but a package.json.
import { readFileSync, type Stats, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { MillraceError, systemCode } from "../../base/error.ts";
import { limits } from "../../base/limits.ts";

export interface SettingsFile {
  readonly path: string;
  readonly text: string;
  /** A package.json, whose key `millrace` is meant. */
  readonly isPackage: boolean;
}

/** Undefined: there is none. Throws `wrong-usage` for one that can't be taken. */
export function findSettings(directory: string): SettingsFile | undefined {
  for (let folder = directory; ; folder = dirname(folder)) {
    const own = ownFile(join(folder, "millrace.json"));
    const ofPackage = packageFile(join(folder, "package.json"));
    if (own !== undefined && ofPackage !== undefined) {
      throw new MillraceError(
        "wrong-usage",
        `${shownFile(own)} and the key millrace of ${shownFile(ofPackage)} both hold settings: keep one of them`,
      );
    }
    const found = own ?? ofPackage;
    if (found !== undefined) return found;
    if (dirname(folder) === folder) return undefined;
  }
}

/** The path, relative where that is shorter. */
export function shownFile({ path }: Pick<SettingsFile, "path">): string {
  const short = relative(process.cwd(), path);
  return short.length < path.length ? short : path;
}

function ownFile(path: string): SettingsFile | undefined {
  const found = statOf(path);
  if (found === undefined) return undefined;
  if (!found.isFile()) throw new MillraceError("wrong-usage", `${shownFile({ path })} is no file of settings: ${way}`);
  if (found.size > limits.settingsBytesMax) {
    throw new MillraceError(
      "wrong-usage",
      `${shownFile({ path })} has ${found.size} bytes, and at most ${limits.settingsBytesMax} are read as settings: ${way}`,
    );
  }
  refuseOthers(path, found);
  try {
    return { path, text: readFileSync(path, "utf8"), isPackage: false };
  } catch (error) {
    throw new MillraceError("wrong-usage", `${shownFile({ path })} can't be read (${systemCode(error)}): ${way}`, {
      cause: error,
    });
  }
}

/** One that can't be read, or is larger than any that a person writes, has no settings. */
function packageFile(path: string): SettingsFile | undefined {
  const found = statOf(path);
  if (found === undefined || !found.isFile() || found.size > limits.settingsBytesMax) return undefined;
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
  // Nearly all end here, and those in which a package of that name is a dependency or the package itself end below.
  if (!/"millrace"\s*:/.test(text) || !hasKey(path, text)) return undefined;
  refuseOthers(path, found);
  return { path, text, isPackage: true };
}

function hasKey(path: string, text: string): boolean {
  try {
    const found: unknown = JSON.parse(text);
    return typeof found === "object" && found !== null && Object.hasOwn(found, "millrace");
  } catch (error) {
    // What is broken may be the settings.
    if (!/"millrace"\s*:\s*\{/.test(text)) return false;
    throw new MillraceError("wrong-usage", `${shownFile({ path })} is not JSON: ${(error as Error).message}`);
  }
}

/**
 * A file that somebody else has put into a folder above this one could send jobs, with the token of whoever runs them,
 * to a cluster of theirs.
 */
function refuseOthers(path: string, { uid }: Pick<Stats, "uid">): void {
  const user = process.getuid?.();
  if (user === undefined || uid === user || uid === 0) return;
  throw new MillraceError(
    "wrong-usage",
    `${shownFile({ path })} holds settings and belongs to another user: make it yours (chown), or ${way}`,
  );
}

const way = "--no-config ignores it";

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined; // in a folder that can't be looked into
  }
}
