// Removes what a job staged on an object store and did not publish. Each upload has a record, which is written before
// it (s3/stage.ts). So an upload whose process died, or whose answer was lost, is found by its key, in the store's own
// list of uploads.
import type { JobId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { forEachAtMost } from "../../base/system/parallel.ts";
import { parseReplacing } from "../manifest.ts";
import type { S3Upload } from "./api/page.ts";
import { Silence } from "./api/silence.ts";
import { claimUrl, manifestUrl, recordsPrefix, type S3Destination, stagingFolder, urlIn } from "./names.ts";
import type { S3Objects } from "./objects.ts";
import type { S3Url } from "./url.ts";

/** Aborts a job's uploads, and removes its records and its claim. */
export async function discardS3(given: S3Objects, destination: S3Destination, job: JobId): Promise<void> {
  const objects = given.for({ silence: new Silence(limits.storeDiscardSilentMsMax) });
  const { bucket } = destination;
  const urls = await recordsBelow(objects, bucket, recordsPrefix(destination, job));
  const records = await readRecords(objects, urls, destination);
  const known = records.flatMap(({ key, upload }) => (upload === undefined ? [] : [{ key, upload }]));
  const orphans = records.length === 0 ? [] : await findOrphans(objects, destination, job, records);
  await forEachAtMost(limits.storeRequestsAtOnce, [...known, ...orphans], ({ key, upload }) =>
    objects.abortUpload({ bucket, key }, upload),
  );
  await forEachAtMost(limits.storeRequestsAtOnce, urls, (url) => objects.remove(url));
  await removeNote(objects, destination, job);
  // Comes after the uploads: nothing can appear under this claim any more.
  await objects.remove(claimUrl(destination, job));
}

/** Removes the note that a withdrawn decision left where there was no manifest before. */
async function removeNote(objects: S3Objects, destination: S3Destination, job: JobId): Promise<void> {
  const url = manifestUrl(destination);
  const found = await objects.get(url);
  const note = found === undefined ? undefined : parseReplacing(found.bytes);
  if (note?.job === job && note.isNew) await objects.remove(url, found?.etag);
}

/**
 * For a job that is known to have ended while it published: also removes what it made visible, each object only if it
 * is marked as that job's.
 */
export async function abandonS3(
  objects: S3Objects,
  destination: S3Destination,
  job: JobId,
  files: Iterable<string>,
): Promise<void> {
  await forEachAtMost(limits.storeRequestsAtOnce, files, async (name) => {
    const url = urlIn(destination, name);
    const head = await objects.head(url);
    if (head?.metadata.get("millrace-job") === job) await objects.remove(url, head.etag);
  });
  await discardS3(objects, destination, job);
}

/** An upload, or that there will be one. */
interface UploadRecord {
  readonly key: string;
  readonly upload: string | undefined;
}

/** Finds uploads to this job's keys that no record names, neither its own nor another job's. */
async function findOrphans(
  objects: S3Objects,
  destination: S3Destination,
  job: JobId,
  records: readonly UploadRecord[],
): Promise<S3Upload[]> {
  const { bucket, prefix } = destination;
  const keys = new Set(records.map(({ key }) => key));
  const known = new Set(records.map(({ upload }) => upload));
  const uploads = (await objects.listUploads(bucket, prefix)) ?? [];
  const orphans = uploads.filter(({ key, upload }) => keys.has(key) && !known.has(upload));
  if (orphans.length === 0) return [];
  // Read after the uploads were listed: each of them had its record before.
  const own = recordsPrefix(destination, job);
  const urls = (await recordsBelow(objects, bucket, prefix + stagingFolder)).filter(({ key }) => !key.startsWith(own));
  const others = await readRecords(objects, urls, destination);
  const theirs = new Set(others.map(({ upload }) => upload));
  // While another job begins an upload to the same key, no one can tell whose an upload is; the end of that other job
  // removes it.
  const open = new Set(others.filter(({ upload }) => upload === undefined).map(({ key }) => key));
  return orphans.filter(({ key, upload }) => !theirs.has(upload) && !open.has(key));
}

async function recordsBelow(objects: S3Objects, bucket: string, prefix: string): Promise<S3Url[]> {
  return (await objects.listAll(bucket, prefix)).map(({ key }) => ({ bucket, key }));
}

async function readRecords(
  objects: S3Objects,
  urls: readonly S3Url[],
  destination: S3Destination,
): Promise<UploadRecord[]> {
  const records: UploadRecord[] = [];
  await forEachAtMost(limits.storeRequestsAtOnce, urls, async (url) => {
    const found = await objects.get(url);
    const record = found === undefined ? undefined : recordOf(found.bytes, destination);
    if (record !== undefined) records.push(record);
  });
  return records;
}

function recordOf(bytes: Buffer, { prefix }: S3Destination): UploadRecord | undefined {
  try {
    const { key, upload } = JSON.parse(bytes.toString("utf8")) as Record<string, unknown>;
    if (typeof key !== "string" || !key.startsWith(prefix)) return undefined;
    return { key, upload: typeof upload === "string" ? upload : undefined };
  } catch {
    return undefined; // not one of ours
  }
}
