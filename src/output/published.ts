// An output directory as its manifest describes it, for programs that read it back or check it.
import { createHash } from "node:crypto";
import { MillraceError } from "../base/error.ts";
import { limits } from "../base/limits.ts";
import { forEachAtMost } from "../base/system/parallel.ts";
import { showPath } from "../storage/local/fs.ts";
import { type Manifest, type ManifestFile, manifestName, parseManifest } from "../storage/manifest.ts";
import type { FileInfo, Storage } from "../storage/storage.ts";

export interface PublishedFile extends ManifestFile {
  /** `name` below the directory, written as the directory was given. */
  readonly path: string;
}

/** Reads the manifest of an output directory. Throws `corrupt-output` where there is none of ours, or a damaged one. */
export async function readManifest(storage: Storage, directory: string): Promise<Manifest> {
  const path = below(directory, manifestName);
  const file = await storage.stat(path);
  if (file !== undefined && file.bytes > limits.manifestBytesMax) {
    throw new MillraceError(
      "corrupt-output",
      `${showPath(path)} has ${file.bytes} bytes, more than any manifest: it was not written by Millrace.`,
    );
  }
  const chunks: Buffer[] = [];
  if (file !== undefined) for await (const chunk of storage.read(file, 0, file.bytes)) chunks.push(Buffer.from(chunk));
  const manifest = file === undefined ? undefined : parseManifest(Buffer.concat(chunks), path);
  if (manifest !== undefined) return manifest;
  throw new MillraceError(
    "corrupt-output",
    `${showPath(directory)} holds no finished output: ${file === undefined ? `it has no ${manifestName}` : `its ${manifestName} was not written by Millrace`}.`,
  );
}

/** The files of one output of a published directory, in partition order. */
export async function publishedFiles(storage: Storage, directory: string, output = "main"): Promise<PublishedFile[]> {
  const manifest = await readManifest(storage, directory);
  return manifest.files
    .filter((file) => file.output === output)
    .map((file) => ({ ...file, path: below(directory, file.name) }));
}

export interface Verification {
  readonly manifest: Manifest;
  /** Bytes that the manifest lists. */
  readonly bytes: number;
  readonly problems: number;
}

/** One way in which an output is not what its manifest says. */
export interface Problem {
  readonly kind: "missing" | "no-file" | "size" | "content" | "unreadable" | "unlisted";
  readonly name: string;
  /** A sentence that begins with the file's name. */
  readonly text: string;
}

/** Files that are read in parallel: those of an object store are on their way while others are summed. */
const readsAtOnce = 4;

/**
 * Reads every file that the manifest lists, compares size and SHA-256, and looks for files that it does not list. Needs
 * only the directory, follows no link out of it, and holds in memory only the manifest and one chunk per file being
 * read.
 */
export async function verifyOutput(
  storage: Storage,
  directory: string,
  found: (problem: Problem) => void,
): Promise<Verification> {
  const manifest = await readManifest(storage, directory);
  const there = new Map<string, FileInfo | undefined>();
  const listed = new Set([manifestName, ...manifest.files.map(({ name }) => name)]);
  let problems = 0;
  const tell = (kind: Problem["kind"], name: string, what: string) => {
    problems++;
    found({ kind, name, text: `${showPath(name)} ${what}` });
  };
  for await (const { name, file } of storage.below(directory)) {
    if (listed.has(name)) there.set(name, file);
    else tell("unlisted", name, "is not in the manifest");
  }
  const differences = new Array<Difference | undefined>(manifest.files.length);
  await forEachAtMost(readsAtOnce, manifest.files.entries(), async ([index, file]) => {
    differences[index] = await differenceOf(storage, file, there.has(file.name), there.get(file.name));
  });
  for (const [index, difference] of differences.entries())
    if (difference !== undefined) tell(difference.kind, manifest.files[index]!.name, difference.what);
  return { manifest, bytes: manifest.files.reduce((sum, file) => sum + file.bytes, 0), problems };
}

interface Difference {
  readonly kind: Problem["kind"];
  readonly what: string;
}

async function differenceOf(
  storage: Storage,
  listed: ManifestFile,
  isThere: boolean,
  file: FileInfo | undefined,
): Promise<Difference | undefined> {
  if (!isThere) return { kind: "missing", what: "is missing" };
  if (file === undefined) return { kind: "no-file", what: "is no regular file" };
  if (file.bytes !== listed.bytes) {
    return { kind: "size", what: `has ${file.bytes} bytes instead of ${listed.bytes}` };
  }
  try {
    const hash = createHash("sha256");
    for await (const chunk of storage.read(file, 0, file.bytes)) hash.update(chunk);
    if (hash.digest("hex") === listed.sha256) return undefined;
    return { kind: "content", what: "has the right size, but other bytes than were written" };
  } catch (thrown) {
    if (thrown instanceof MillraceError) return { kind: "unreadable", what: `can't be read: ${thrown.message}` };
    throw thrown;
  }
}

function below(directory: string, name: string): string {
  return directory.endsWith("/") ? directory + name : `${directory}/${name}`;
}
