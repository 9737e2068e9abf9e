// Paths as users give them: of a file system, relative or not, or URLs, which node:path would damage ("s3://a" → "s3:/a").
import { isAbsolute, resolve } from "node:path";
import { MillraceError } from "./error.ts";

/**
 * Throws `wrong-usage` for what names no file or folder. An empty word, which a variable of a shell leaves that is not set, is the
 * current folder to every call of the system: it would be read, or published over.
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

/** Whether it begins with a scheme: "s3://bucket/key". */
export function isUrl(path: string): boolean {
  return /^[a-z][a-z0-9+.-]+:\/\//i.test(path);
}

/** A URL stays as it is: the storage says whether it can read it. A folder keeps the slash that says it is one. */
export function absolutePath(directory: string, given: string): string {
  if (isUrl(given)) return given;
  const full = resolve(directory, given);
  return given.endsWith("/") && !full.endsWith("/") ? `${full}/` : full;
}

/** Whether it means the same wherever it is said. */
export function isAbsoluteOrUrl(path: string): boolean {
  return isUrl(path) || isAbsolute(path);
}

/** Where an output is published: absolute, or a URL without the slashes at its end. */
export function outputPath(given: string): string {
  return isUrl(given) ? given.replace(/(?<![:/])\/+$/, "") : resolve(given);
}

/** `name` below a directory or URL, whether that ends with a slash or not. */
export function pathBelow(directory: string, name: string): string {
  return directory.endsWith("/") ? directory + name : `${directory}/${name}`;
}

/** Whether neither of two absolute paths or URLs is the other, or in it. */
export function areApart(a: string, b: string): boolean {
  const [one, other] = [a, b].map((path) => (path.endsWith("/") ? path : `${path}/`)) as [string, string];
  return !one.startsWith(other) && !other.startsWith(one);
}
