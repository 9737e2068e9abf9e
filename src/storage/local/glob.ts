// Finds the paths that a glob names.
import type { BigIntStats, Dirent } from "node:fs";
import { systemCode } from "../../base/error.ts";
import { inputError, type LocalFs } from "./fs.ts";

/** How this module looks at files. */
export interface Look {
  readonly fs: LocalFs;
  /** Follows symbolic links; undefined where there is nothing. */
  readonly stat: (path: string) => BigIntStats | undefined;
}

/**
 * Leading folders that exist exactly as written are taken literally, and only the rest is a pattern. So folders with
 * brackets in their names need no escaping, and the found paths begin as the argument does.
 */
export async function globPaths(argument: string, look: Look): Promise<string[]> {
  const segments = argument.split("/");
  let literal = 0;
  while (literal < segments.length - 1 && look.stat(segments.slice(0, literal + 1).join("/") || "/")?.isDirectory())
    literal++;
  const base = segments
    .slice(0, literal)
    .map((segment) => `${segment}/`)
    .join("");
  const pattern = segments.slice(literal).join("/");
  const { glob } = await import("tinyglobby");
  const failures: unknown[] = [];
  const names = await glob(pattern, {
    cwd: base === "" ? "." : base,
    expandDirectories: false,
    onlyFiles: false,
    // The rule below leaves out names with a dot, as it knows the pattern.
    dot: true,
    fs: globFs(look, failures),
  });
  if (failures.length > 0) throw failures[0];
  return names
    .map((name) => (name.endsWith("/") ? name.slice(0, -1) : name))
    .filter((name) => name !== "" && name !== "." && !isHiddenBelow(name, pattern))
    .map((name) => base + name);
}

/**
 * The glob library's way of reading directories. By itself the library silently skips directories that it may not read,
 * and resolves symbolic links to other paths. This keeps the former as errors, and the latter under their own names.
 */
function globFs(look: Look, failures: unknown[]) {
  type Done = (error: NodeJS.ErrnoException | null, entries?: Dirent[]) => void;
  const readdir = (directory: string, _options: unknown, done: Done): void => {
    let entries: Dirent[];
    try {
      entries = look.fs
        .readdirSync(directory, { withFileTypes: true })
        .flatMap((entry) => asTarget(look, directory, entry));
    } catch (thrown) {
      if (systemCode(thrown) !== "ENOENT") failures.push(inputError(thrown, directory));
      entries = [];
    }
    queueMicrotask(() => done(null, entries));
  };
  return { readdir } as object;
}

/**
 * A directory entry as the glob library takes it, which knows only files and directories. A symbolic link counts as its
 * target (except a link to a directory above it), and FIFOs and the like count as files, so that they are found and
 * refused by name.
 */
function asTarget(look: Look, directory: string, entry: Dirent): Dirent[] {
  if (entry.isDirectory() || entry.isFile()) return [entry];
  const inside = directory.endsWith("/") ? directory : `${directory}/`;
  const target = entry.isSymbolicLink() ? look.stat(inside + entry.name) : undefined;
  const isDirectory = target?.isDirectory() ?? false;
  if (target !== undefined && isDirectory) {
    const above = directoriesAbove(inside, look);
    if (above.some((stats) => isSame(stats, target))) return [];
  }
  const kind = { isSymbolicLink: () => false, isDirectory: () => isDirectory, isFile: () => !isDirectory };
  return [Object.assign(Object.create(entry) as Dirent, kind)];
}

/** The directories that a path leads through. */
export function directoriesAbove(path: string, look: Look): BigIntStats[] {
  const above: BigIntStats[] = [];
  for (let end = path.lastIndexOf("/"); end > 0; end = path.lastIndexOf("/", end - 1)) {
    const stats = look.stat(path.slice(0, end));
    if (stats !== undefined) above.push(stats);
  }
  return above;
}

/** Names that Hadoop and all its readers skip: temporary files, markers, checksums. */
export function isHidden(name: string): boolean {
  return name.startsWith(".") || name.startsWith("_");
}

/** Whether a found path has a hidden part where the pattern does not ask for one. */
function isHiddenBelow(path: string, pattern: string): boolean {
  const asked = new Set(pattern.split(/[/{,]/).map((segment) => segment.charAt(0)));
  return path
    .split("/")
    .some((segment) => segment !== ".." && segment !== "." && isHidden(segment) && !asked.has(segment.charAt(0)));
}

export function hasGlob(argument: string): boolean {
  return /[*?[\]{}()!+@]/.test(argument);
}

/** Whether two names lead to the same file or directory. */
export function isSame(a: BigIntStats, b: BigIntStats): boolean {
  return a.ino === b.ino && a.dev === b.dev;
}
