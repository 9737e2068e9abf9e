// Paths as users give them: relative or absolute paths of a file system, or URLs, which node:path would damage
// ("s3://a" → "s3:/a").
import { isAbsolute, resolve } from "node:path";
import { MillraceError } from "./error.ts";

/**
 * Throws `wrong-usage` for a path that names no file or folder. A shell leaves an empty word for a variable that is not
 * set, and every system call takes an empty path for the current folder: it would be read, or published over.
 */
export function refuseNoPath(what: string, path: string): void {
  if (path.trim() === "") {
    throw new MillraceError(
      "wrong-usage",
      `${what} is ${path === "" ? "empty" : "only spaces"}, which names nothing: is a variable of your shell not set? The current folder is "."`,
    );
  }
  if (path.includes("\0")) throw new MillraceError("wrong-usage", `${what} holds a NUL byte, which no path can`);
}

/** Whether the path begins with a scheme, as "s3://bucket/key" does. */
export function isUrl(path: string): boolean {
  return /^[a-z][a-z0-9+.-]+:\/\//i.test(path);
}

/**
 * Makes a path absolute. A URL stays as it is: the storage says whether it can read it. A folder keeps its final slash.
 */
export function absolutePath(directory: string, given: string): string {
  if (isUrl(given)) return given;
  const full = resolve(directory, given);
  return given.endsWith("/") && !full.endsWith("/") ? `${full}/` : full;
}

/** Whether the path means the same in every process. */
export function isAbsoluteOrUrl(path: string): boolean {
  return isUrl(path) || isAbsolute(path);
}

/** The path where an output is published: absolute, or a URL without slashes at its end. */
export function outputPath(given: string): string {
  return isUrl(given) ? given.replace(/(?<![:/])\/+$/, "") : resolve(given);
}

/** The path of `name` in a directory or URL, whether or not that ends with a slash. */
export function pathBelow(directory: string, name: string): string {
  return directory.endsWith("/") ? directory + name : `${directory}/${name}`;
}

/** Whether two absolute paths or URLs are different, and neither lies in the other. */
export function areApart(a: string, b: string): boolean {
  const [one, other] = [a, b].map((path) => (path.endsWith("/") ? path : `${path}/`)) as [string, string];
  return !one.startsWith(other) && !other.startsWith(one);
}

/** The file that holds what an input's path names, where that could be read only once; undefined for any other. */
export function spooledFile(
  spec: {
    readonly standardInput?: string | undefined;
    readonly spooled?: readonly { readonly given: string; readonly path: string }[] | undefined;
  },
  given: string,
): string | undefined {
  if (given === "-") return spec.standardInput;
  return spec.spooled?.find((input) => input.given === given)?.path;
}
