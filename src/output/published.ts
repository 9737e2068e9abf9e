// An output directory as its manifest describes it: for whoever reads it back or doubts it.
import { createHash } from "node:crypto";
import { MillraceError } from "../base/error.ts";
import { limits } from "../base/limits.ts";
import { type Manifest, type ManifestFile, manifestName, parseManifest } from "../storage/manifest.ts";
import type { Storage } from "../storage/storage.ts";

export interface PublishedFile extends ManifestFile {
  /** `name` below the directory, as the directory was given. */
  readonly path: string;
}

/** The manifest of an output directory. Throws `corrupt-output` where there is none of ours, or a damaged one. */
export async function readManifest(storage: Storage, directory: string): Promise<Manifest> {
  const path = below(directory, manifestName);
  const file = await storage.stat(path);
  if (file !== undefined && file.bytes > limits.manifestBytesMax) {
    throw new MillraceError(
      "corrupt-output",
      `${path} has ${file.bytes} bytes, more than a manifest can have: ${directory} holds no finished output.`,
    );
  }
  const chunks: Buffer[] = [];
  if (file !== undefined) for await (const chunk of storage.read(file, 0, file.bytes)) chunks.push(Buffer.from(chunk));
  const manifest = file === undefined ? undefined : parseManifest(Buffer.concat(chunks), path);
  if (manifest !== undefined) return manifest;
  throw new MillraceError(
    "corrupt-output",
    `${directory} holds no finished output: ${file === undefined ? `it has no ${manifestName}` : `its ${manifestName} was not written by Millrace`}.`,
  );
}

/** Files of one output of a published directory, in partition order. */
export async function publishedFiles(storage: Storage, directory: string, output = "main"): Promise<PublishedFile[]> {
  const manifest = await readManifest(storage, directory);
  return manifest.files
    .filter((file) => file.output === output)
    .map((file) => ({ ...file, path: below(directory, file.name) }));
}

export interface Verification {
  readonly manifest: Manifest;
  /** One sentence per file that is not as the manifest says; none: the output is whole. */
  readonly problems: readonly string[];
}

/** Reads every file that the manifest lists and compares size and SHA-256. Needs nothing but the directory. */
export async function verifyOutput(storage: Storage, directory: string): Promise<Verification> {
  const manifest = await readManifest(storage, directory);
  const problems: string[] = [];
  for (const listed of manifest.files) {
    const problem = await problemOf(storage, below(directory, listed.name), listed);
    if (problem !== undefined) problems.push(`${listed.name} ${problem}`);
  }
  return { manifest, problems };
}

async function problemOf(storage: Storage, path: string, listed: ManifestFile): Promise<string | undefined> {
  let file: Awaited<ReturnType<Storage["stat"]>>;
  try {
    file = await storage.stat(path);
    if (file === undefined) return "is missing";
    if (file.bytes !== listed.bytes) return `has ${file.bytes} bytes instead of ${listed.bytes}`;
    const hash = createHash("sha256");
    for await (const chunk of storage.read(file, 0, file.bytes)) hash.update(chunk);
    return hash.digest("hex") === listed.sha256 ? undefined : "has the right size, but other bytes than were written";
  } catch (thrown) {
    if (thrown instanceof MillraceError) return `can't be read: ${thrown.message}`;
    throw thrown;
  }
}

function below(directory: string, name: string): string {
  return directory.endsWith("/") ? directory + name : `${directory}/${name}`;
}
