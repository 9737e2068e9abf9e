// Finds the keys that a glob names, by the same rules as for files. The segments of a pattern are matched one after the
// other, each against one level of the bucket, so that a pattern costs only what it looks at. `**` lists everything
// below.
import type { BigIntStats, Dirent } from "node:fs";
import type { LocalFs } from "../local/fs.ts";
import { globPaths, hasGlob } from "../local/glob.ts";
import type { S3Object } from "./api/object.ts";
import type { S3Objects } from "./objects.ts";
import { isFolderMarker } from "./prepare.ts";

export interface GlobMatch {
  readonly objects: S3Object[];
  /** They end with a slash. */
  readonly folders: string[];
}

export async function globS3(objects: S3Objects, bucket: string, pattern: string): Promise<GlobMatch> {
  const found: GlobMatch = { objects: [], folders: [] };
  let under = [""];
  const segments = pattern.split("/");
  for (let at = 0; at < segments.length && under.length > 0; at++) {
    const isLast = at === segments.length - 1;
    const segment = segments[at]!;
    const next: string[] = [];
    for (const base of under) {
      if (!isLast && (!hasGlob(segment) || (await exists(objects, bucket, `${base}${segment}/`)))) {
        next.push(`${base}${segment}/`);
        continue;
      }
      if (!isWhole(segment)) {
        addTo(found, await match(objects, bucket, base, segments.slice(at).join("/"), undefined));
        continue;
      }
      const matched = await match(objects, bucket, base, segment, "/");
      if (isLast) addTo(found, matched);
      else next.push(...matched.folders);
    }
    under = next;
  }
  return found;
}

function addTo(found: GlobMatch, { objects, folders }: GlobMatch): void {
  for (const object of objects) found.objects.push(object);
  for (const folder of folders) found.folders.push(folder);
}

/**
 * Whether the segment can be matched by itself: a brace that is closed in a later segment, or `**`, reaches further.
 */
function isWhole(segment: string): boolean {
  if (segment.includes("**")) return false;
  const count = (sign: RegExp) => segment.match(sign)?.length ?? 0;
  return count(/[{(]/g) === count(/[})]/g);
}

async function exists(objects: S3Objects, bucket: string, prefix: string): Promise<boolean> {
  for await (const page of objects.list(bucket, prefix, { limit: 1 })) if (page.objects.length > 0) return true;
  return false;
}

/** Matches what is below `base`: one level where there is a delimiter, otherwise everything. */
async function match(
  objects: S3Objects,
  bucket: string,
  base: string,
  pattern: string,
  delimiter: "/" | undefined,
): Promise<GlobMatch> {
  const fixed = pattern.slice(0, pattern.search(/[*?[\]{}()!+@\\/]|$/));
  const tree = new Tree();
  const listed = new Map<string, S3Object>();
  for await (const page of objects.list(bucket, base + fixed, delimiter === undefined ? {} : { delimiter })) {
    for (const object of page.objects) {
      if (isFolderMarker(object)) continue;
      const name = object.key.slice(base.length);
      tree.add(name);
      listed.set(name, object);
    }
    for (const prefix of page.prefixes) tree.add(prefix.slice(base.length));
  }
  const look = { fs: tree as unknown as LocalFs, stat: (path: string) => tree.stat(path) as BigIntStats | undefined };
  const names = await globPaths(`/${pattern}`, look);
  const found: GlobMatch = { objects: [], folders: [] };
  for (const path of names) {
    const name = path.slice(1);
    const object = listed.get(name);
    if (object !== undefined) found.objects.push(object);
    if (tree.isFolder(name)) found.folders.push(`${base}${name}/`);
  }
  return found;
}

/** A listing as the folders that the glob library expects, below "/". */
class Tree {
  readonly #files = new Set<string>();
  /** The names in each folder, by its path without slashes at its ends. */
  readonly #folders = new Map<string, Set<string>>([["", new Set()]]);

  /** Adds a file, or, with a slash at its end, a folder. */
  add(key: string): void {
    if (!key.endsWith("/")) this.#files.add(key);
    const parts = key.split("/");
    for (let at = 0; at < parts.length && parts[at] !== ""; at++) {
      const folder = parts.slice(0, at).join("/");
      let names = this.#folders.get(folder);
      if (names === undefined) {
        names = new Set();
        this.#folders.set(folder, names);
      }
      names.add(parts[at]!);
      if (key.endsWith("/") && at === parts.length - 2) this.#folders.set(parts.slice(0, at + 1).join("/"), new Set());
    }
  }

  isFolder(name: string): boolean {
    return this.#folders.has(name);
  }

  stat(path: string): { isDirectory(): boolean } | undefined {
    const name = trimmed(path);
    const isFolder = this.isFolder(name);
    return isFolder || this.#files.has(name) ? { isDirectory: () => isFolder } : undefined;
  }

  readdirSync(path: string): Pick<Dirent, "name" | "isFile" | "isDirectory" | "isSymbolicLink">[] {
    const folder = trimmed(path);
    return [...(this.#folders.get(folder) ?? [])].map((name) => {
      const isFolder = this.isFolder(folder === "" ? name : `${folder}/${name}`);
      return { name, isFile: () => !isFolder, isDirectory: () => isFolder, isSymbolicLink: () => false };
    });
  }
}

function trimmed(path: string): string {
  return path.replace(/^\/+|\/+$/g, "");
}
