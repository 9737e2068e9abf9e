// Finds out what is at an output's place on an object store, and whether it may be replaced.
import { createHash } from "node:crypto";
import { MillraceError } from "../../base/error.ts";
import type { JobId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { showPath } from "../local/fs.ts";
import { insideOutput, isOurManifest, manifestName, parseManifest, parseReplacing } from "../manifest.ts";
import { isDenied, reasonOf, S3Error } from "./api/error.ts";
import type { S3Object } from "./api/object.ts";
import { removeReplaced } from "./claim.ts";
import { abandonS3 } from "./discard.ts";
import { claimUrl, manifestUrl, publishingFolder, type S3Destination, stagingFolder, urlIn } from "./names.ts";
import type { S3Objects } from "./objects.ts";
import { type S3Url, s3Path } from "./url.ts";

/** An output of ours that a decision may name to be replaced. */
export interface OldOutput {
  /** The SHA-256 of its `_SUCCESS`, which names its job and all its bytes. */
  readonly identity: string;
  /** The etag of its `_SUCCESS`. */
  readonly etag: string;
  readonly job: JobId;
  readonly names: readonly string[];
  /** Whether its `_SUCCESS` is only the note of a job that is still replacing it (`Replacing`). */
  readonly isReplacing: boolean;
}

export function identityOf(manifest: Uint8Array): string {
  return createHash("sha256").update(manifest).digest("hex");
}

/** The output that this `_SUCCESS` belongs to, or in words why it is not one of ours. */
export function outputOf(
  manifest: { readonly bytes: Buffer; readonly etag: string },
  path: string,
): OldOutput | string {
  const { etag } = manifest;
  const identity = identityOf(manifest.bytes);
  const replacing = parseReplacing(manifest.bytes);
  if (replacing !== undefined) return { identity, etag, job: replacing.job, names: replacing.files, isReplacing: true };
  try {
    const parsed = parseManifest(manifest.bytes, path);
    if (parsed === undefined) return `its ${manifestName} was not written by Millrace`;
    const names = parsed.files.map(({ name }) => name);
    return { identity, etag, job: parsed.job.id, names, isReplacing: false };
  } catch (thrown) {
    if (thrown instanceof MillraceError) return `its ${manifestName} can't be read (${thrown.message})`;
    throw thrown;
  }
}

/** What lies below an output, sorted by kind. */
export interface Contents {
  /** By name below the output: files of anyone, without `_SUCCESS`. */
  readonly files: ReadonlyMap<string, S3Object>;
  /** Jobs that are making their output appear here, or were interrupted while doing so. */
  readonly claims: readonly JobId[];
}

export async function contentsOf(objects: S3Objects, destination: S3Destination): Promise<Contents> {
  const files = new Map<string, S3Object>();
  const claims: JobId[] = [];
  for (const object of await objects.listAll(destination.bucket, destination.prefix)) {
    const name = object.key.slice(destination.prefix.length);
    if (name.startsWith(publishingFolder)) claims.push(name.slice(publishingFolder.length));
    else if (name !== manifestName && !name.startsWith(stagingFolder) && !isFolderMarker(object))
      files.set(name, object);
  }
  return { files, claims };
}

/** Whether the object is a folder marker, as consoles make it: an empty object named like a folder. */
export function isFolderMarker({ key, bytes }: S3Object): boolean {
  return key.endsWith("/") && bytes === 0;
}

/** Checks the right to write by a step that can be begun and given up without leaving anything. */
async function checkMayWrite(objects: S3Objects, destination: S3Destination): Promise<void> {
  const url = urlIn(destination, `${stagingFolder}probe`);
  try {
    const upload = await objects.createUpload(url, {});
    await objects.abortUpload(url, upload);
  } catch (thrown) {
    const isMissing = thrown instanceof S3Error && thrown.status === 404;
    if (!isMissing && !isDenied(thrown)) throw thrown;
    throw new MillraceError(
      "wrong-usage",
      `The output ${showPath(destination.path)} can't be made: ${isMissing ? "there is no such bucket" : reasonOf(thrown)}. Choose another one with -o, or check the credentials and what they are allowed.`,
      { cause: thrown },
    );
  }
}

/** Refuses what `publish` would refuse. Returns the identity of the output to be replaced. */
export async function prepareS3(
  objects: S3Objects,
  destination: S3Destination,
  overwrite: boolean,
  ended: readonly JobId[],
): Promise<{ readonly replaces: string | undefined }> {
  const { path, bucket, prefix } = destination;
  const shown = showPath(path);
  await checkMayWrite(objects, destination);
  if (ended.length > 0) await removeCutOff(objects, destination, ended);
  if ((await objects.head({ bucket, key: prefix.slice(0, -1) })) !== undefined) {
    throw new MillraceError(
      "output-exists",
      `The output ${shown} is an object; an output is a folder. Choose another one with -o.`,
    );
  }
  const around = await outputAround(objects, destination);
  if (around !== undefined) throw insideOutput(path, around);
  const manifest = await objects.get(manifestUrl(destination));
  if (!overwrite) {
    if (manifest !== undefined || !(await isEmpty(objects, destination))) {
      throw new MillraceError(
        "output-exists",
        `The output ${shown} exists and is not empty. Choose another one with -o, or add --overwrite to replace it when the job is done.`,
      );
    }
  }
  const { files, claims } = await contentsOf(objects, destination);
  const old = manifest === undefined ? undefined : outputOf(manifest, s3Path(manifestUrl(destination)));
  const claim = claims.find((job) => typeof old !== "object" || job !== old.job || old.isReplacing);
  if (claim !== undefined) throw beingPublished(destination, claim);
  if (old === undefined && files.size === 0) return { replaces: undefined };
  const foreign = foreignTo(old, files);
  if (foreign !== undefined) {
    throw new MillraceError(
      "output-exists",
      `--overwrite does not replace ${shown}: ${foreign}. Move it away or remove it yourself, or choose another output with -o.`,
    );
  }
  return { replaces: (old as OldOutput).identity };
}

/**
 * The published output that a destination lies in: one more inside would be files there that no job wrote. One request
 * per folder above it. What may not be looked at is none.
 */
async function outputAround(objects: S3Objects, { bucket, prefix }: S3Destination): Promise<string | undefined> {
  const parts = prefix.slice(0, -1).split("/");
  for (let count = parts.length - 1; count >= 0; count--) {
    const folder = parts.slice(0, count);
    const url = { bucket, key: [...folder, manifestName].join("/") };
    if (await hasOurManifest(objects, url)) return s3Path({ bucket, key: folder.join("/") });
  }
  return undefined;
}

async function hasOurManifest(objects: S3Objects, url: S3Url): Promise<boolean> {
  try {
    const head = await objects.head(url);
    if (head === undefined || head.bytes > limits.manifestBytesMax) return false;
    const content = await objects.get(url);
    return content !== undefined && isOurManifest(content.bytes, s3Path(url));
  } catch (thrown) {
    if (isDenied(thrown)) return false;
    throw thrown;
  }
}

/** Removes what interrupted publishes of these jobs, which no one continues, left here. */
async function removeCutOff(objects: S3Objects, destination: S3Destination, ended: readonly JobId[]): Promise<void> {
  const { files, claims } = await contentsOf(objects, destination);
  const left = claims.filter((job) => ended.includes(job));
  if (left.length === 0) return;
  const manifest = await objects.get(manifestUrl(destination));
  const there = manifest === undefined ? undefined : outputOf(manifest, s3Path(manifestUrl(destination)));
  for (const job of left) {
    const isWhole = typeof there === "object" && there.job === job && !there.isReplacing;
    if (isWhole) await removeReplaced(objects, destination, job, new Set(there.names));
    else await abandonS3(objects, destination, job, files.keys());
  }
}

/** Says in words why the content is not just an output of ours; undefined when it is. */
export function foreignTo(old: OldOutput | string | undefined, files: Contents["files"]): string | undefined {
  if (old === undefined) return `it has no ${manifestName}, so it is not the output of a finished job`;
  if (typeof old === "string") return old;
  const names = new Set(old.names);
  const foreign = [...files.keys()].find((name) => !names.has(name));
  return foreign === undefined ? undefined : `it holds ${showPath(foreign)}, which no job wrote`;
}

export function beingPublished(destination: S3Destination, job: JobId): MillraceError {
  return new MillraceError(
    "output-exists",
    `Job ${job} is publishing to ${showPath(destination.path)}, or was cut off doing so. Wait until it has ended; if it is gone for good, remove ${s3Path(claimUrl(destination, job))} and what it left there.`,
  );
}

export function outputExists({ path }: S3Destination): MillraceError {
  return new MillraceError(
    "output-exists",
    `${showPath(path)} exists, and is not what this job may replace: it was made or changed after the job was started. Nothing in it was touched. Move it away and resume, or choose another output with -o.`,
  );
}

/** The error for a decision that another decision of the job has replaced. */
export function decisionWithdrawn({ path }: S3Destination): MillraceError {
  return new MillraceError(
    "corrupt-output",
    `The output prepared for ${showPath(path)} was withdrawn, because one of its files was gone; the job has been retried since.`,
  );
}

/** Records of other jobs' uploads don't belong to the output: they are hidden, and each job removes its own. */
async function isEmpty(objects: S3Objects, { bucket, prefix }: S3Destination): Promise<boolean> {
  for await (const page of objects.list(bucket, prefix, { delimiter: "/" })) {
    if (page.objects.some((object) => !isFolderMarker(object))) return false;
    const hidden = [prefix + stagingFolder, prefix + publishingFolder];
    if (page.prefixes.some((name) => !hidden.includes(name))) return false;
  }
  return true;
}
