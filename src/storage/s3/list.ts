// Finds the objects that an argument names: one object, everything below a folder, an output by its manifest, or a
// glob. Folders are the parts of keys between slashes; an object may have the same name as a folder.
import { MillraceError } from "../../base/error.ts";
import { showPath } from "../local/fs.ts";
import { hasGlob, isHidden } from "../local/glob.ts";
import { inByteOrder } from "../local/list.ts";
import { type ManifestFile, manifestName, parseManifest } from "../manifest.ts";
import type { FileInfo, FoundBelow } from "../storage.ts";
import { s3InputError } from "./api/error.ts";
import type { S3Object } from "./api/object.ts";
import { Silence } from "./api/silence.ts";
import { globS3 } from "./glob.ts";
import { publishingFolder, stagingFolder } from "./names.ts";
import type { S3Objects } from "./objects.ts";
import { isFolderMarker } from "./prepare.ts";
import { s3Version } from "./read.ts";
import { parseS3, type S3Url, s3Path } from "./url.ts";

export class S3Lister {
  readonly #objects: S3Objects;

  constructor(objects: S3Objects) {
    this.#objects = objects;
  }

  /** The files that the argument names, in the order of their paths' bytes, each once. */
  async list(argument: string, signal?: AbortSignal): Promise<FileInfo[]> {
    const url = parseS3(argument);
    try {
      const listing = new Listing(this.#objects.for({ signal, silence: new Silence() }));
      return inByteOrder([...(await listing.found(url)).values()]);
    } catch (thrown) {
      throw s3InputError(thrown, argument);
    }
  }

  /** One object as it is now; undefined where there is none. */
  async file(path: string, signal?: AbortSignal): Promise<FileInfo | undefined> {
    const url = parseS3(path);
    if (url.key === "") throw new MillraceError("bad-input", `${showPath(path)} is a bucket, not an object.`);
    try {
      const head = await this.#objects.for({ signal }).head(url);
      return head === undefined ? undefined : fileInfo(url.bucket, head);
    } catch (thrown) {
      throw s3InputError(thrown, path);
    }
  }

  /** Yields everything below a folder, without the hidden objects of jobs at work, which don't belong to it. */
  async *below(directory: string, signal?: AbortSignal): AsyncGenerator<FoundBelow, void, undefined> {
    const { bucket, key } = parseS3(directory);
    const prefix = key === "" || key.endsWith("/") ? key : `${key}/`;
    try {
      for await (const { objects } of this.#objects.for({ signal, silence: new Silence() }).list(bucket, prefix)) {
        for (const object of objects) {
          const name = object.key.slice(prefix.length);
          const isOurs = name.startsWith(publishingFolder) || name.startsWith(stagingFolder);
          if (!isOurs && !isFolderMarker(object)) yield { name, file: fileInfo(bucket, object) };
        }
      }
    } catch (thrown) {
      throw s3InputError(thrown, directory);
    }
  }
}

/** One look at a bucket. */
class Listing {
  readonly #objects: S3Objects;

  constructor(objects: S3Objects) {
    this.#objects = objects;
  }

  async found({ bucket, key }: S3Url): Promise<Map<string, FileInfo>> {
    const found = new Map<string, FileInfo>();
    const isNamed = key !== "" && !key.endsWith("/");
    const head = isNamed ? await this.#objects.head({ bucket, key }) : undefined;
    if (head !== undefined) {
      add(found, bucket, head);
      return found;
    }
    await this.#addFolder(bucket, isNamed ? `${key}/` : key, found);
    if (found.size > 0 || !isNamed || !hasGlob(key)) return found;
    const { objects, folders } = await globS3(this.#objects, bucket, key);
    for (const object of objects) add(found, bucket, object);
    for (const folder of folders) await this.#addFolder(bucket, folder, found);
    return found;
  }

  /** `prefix` ends with a slash, or is "" for the whole bucket. */
  async #addFolder(bucket: string, prefix: string, found: Map<string, FileInfo>): Promise<void> {
    const objects = await this.#objects.listAll(bucket, prefix);
    const outputs = await this.#outputsIn(bucket, prefix, objects);
    for (const object of objects) {
      if (isFolderMarker(object) || isHiddenBelow(object.key, prefix)) continue;
      const listed = foldersOf(object.key, prefix)
        .map((folder) => outputs.get(folder))
        .find((files) => files !== undefined);
      if (listed === undefined) add(found, bucket, object);
    }
    const there = new Map(outputs.size === 0 ? [] : objects.map((object) => [object.key, object]));
    for (const [folder, files] of outputs) {
      for (const file of files) {
        add(found, bucket, whole(there.get(folder + file.name), bucket, folder, file), file.sha256);
      }
    }
  }

  /**
   * The folders with a manifest of ours, and the main files that each lists; an output inside another one is a part of
   * that one.
   */
  async #outputsIn(
    bucket: string,
    prefix: string,
    objects: readonly S3Object[],
  ): Promise<Map<string, readonly ManifestFile[]>> {
    const outputs = new Map<string, readonly ManifestFile[]>();
    const keys = new Set(objects.map(({ key }) => key));
    const folders = new Set<string>();
    for (const { key, bytes } of objects) {
      if (key.endsWith(`/${manifestName}`) || key === manifestName) {
        if (bytes > 0) folders.add(key.slice(0, -manifestName.length));
      }
      const claim = `/${key}`.indexOf(`/${publishingFolder}`);
      if (claim >= 0) folders.add(key.slice(0, claim));
    }
    for (const folder of [...folders].sort((a, b) => a.length - b.length)) {
      if (!folder.startsWith(prefix) || isHiddenBelow(`${folder}x`, prefix)) continue;
      if (foldersOf(folder.slice(0, -1), prefix).some((above) => outputs.has(above))) continue;
      const url = { bucket, key: folder + manifestName };
      const manifest = keys.has(url.key) ? await this.#objects.get(url) : undefined;
      if (manifest === undefined) {
        if (!keys.has(url.key)) throw beingPublished(s3Path({ bucket, key: folder }));
        continue;
      }
      const parsed = parseManifest(manifest.bytes, s3Path(url));
      if (parsed === undefined) continue;
      outputs.set(
        folder,
        parsed.files.filter((file) => file.output === "main"),
      );
    }
    return outputs;
  }
}

function whole(object: S3Object | undefined, bucket: string, folder: string, { name, bytes }: ManifestFile): S3Object {
  const path = showPath(s3Path({ bucket, key: folder + name }));
  if (object === undefined) {
    throw new MillraceError(
      "corrupt-output",
      `${path} is listed in its folder's ${manifestName}, but missing: the output is no longer whole.`,
    );
  }
  if (object.bytes === bytes) return object;
  throw new MillraceError(
    "corrupt-output",
    `${path} has ${object.bytes} bytes, but ${bytes} by its folder's ${manifestName}: it was changed or cut after it was published.`,
  );
}

function beingPublished(path: string): MillraceError {
  return new MillraceError(
    "bad-input",
    `${showPath(path)} is an output that is being published, or whose publishing was cut off: it has no ${manifestName} yet. Wait for it, or resume the job that makes it.`,
  );
}

function add(found: Map<string, FileInfo>, bucket: string, object: S3Object, sha256?: string): void {
  const file = fileInfo(bucket, object, sha256);
  found.set(file.path, file);
}

function fileInfo(bucket: string, { key, bytes, etag }: S3Object, sha256?: string): FileInfo {
  return { path: s3Path({ bucket, key }), bytes, version: s3Version(etag, sha256), hosts: [] };
}

/** The folders that a key is in, from the prefix on. */
function foldersOf(key: string, prefix: string): string[] {
  const folders = [prefix];
  for (let at = key.indexOf("/", prefix.length); at >= 0; at = key.indexOf("/", at + 1)) {
    folders.push(key.slice(0, at + 1));
  }
  return folders;
}

function isHiddenBelow(key: string, prefix: string): boolean {
  return key
    .slice(prefix.length)
    .split("/")
    .some((segment) => isHidden(segment));
}
