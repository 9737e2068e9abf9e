// Removing what a job staged on an object store and did not publish.
import type { JobId } from "../base/ids.ts";
import { forEachAtMost } from "../base/parallel.ts";
import { parseReplacing } from "./manifest.ts";
import { claimPlace, manifestPlace, recordsPrefix, type S3Destination } from "./s3-names.ts";
import type { S3Objects } from "./s3-objects.ts";

const requestsAtOnce = 16;

/** Aborts a job's uploads, and removes its records and its claim. */
export async function discardS3(objects: S3Objects, destination: S3Destination, job: JobId): Promise<void> {
  const records = await objects.listAll(destination.bucket, recordsPrefix(destination, job));
  await forEachAtMost(requestsAtOnce, records, async ({ key }) => {
    const place = { bucket: destination.bucket, key };
    const record = await objects.get(place);
    const upload = record === undefined ? undefined : uploadOf(record.bytes, destination);
    if (upload !== undefined) await objects.abortUpload({ bucket: destination.bucket, key: upload.key }, upload.upload);
    await objects.remove(place);
  });
  await removeNote(objects, destination, job);
  // After the uploads: nothing can appear under this claim any more.
  await objects.remove(claimPlace(destination, job));
}

/** What a withdrawn decision left where no manifest was before. */
async function removeNote(objects: S3Objects, destination: S3Destination, job: JobId): Promise<void> {
  const place = manifestPlace(destination);
  const found = await objects.get(place);
  const note = found === undefined ? undefined : parseReplacing(found.bytes);
  if (note?.job === job && note.isNew) await objects.remove(place, found?.etag);
}

function uploadOf(
  record: Buffer,
  { prefix }: S3Destination,
): { readonly key: string; readonly upload: string } | undefined {
  try {
    const { key, upload } = JSON.parse(record.toString("utf8")) as Record<string, unknown>;
    if (typeof key === "string" && key.startsWith(prefix) && typeof upload === "string") return { key, upload };
  } catch {
    // not one of ours
  }
  return undefined;
}
