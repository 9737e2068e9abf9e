// Checks whether uploads still exist, with the parts that their attempts sent.
import type { JobId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { forEachAtMost } from "../../base/system/parallel.ts";
import type { LostFile, StagedFile } from "../storage.ts";
import { decodeToken, isFile, type S3Destination, urlIn } from "./names.ts";
import type { S3Objects } from "./objects.ts";

export async function findLostS3(
  objects: S3Objects,
  destination: S3Destination,
  job: JobId,
  files: readonly StagedFile[],
): Promise<LostFile[]> {
  const lost: LostFile[] = [];
  await forEachAtMost(limits.looksAtOnce, files, async (file) => {
    const why = await whyLostS3(objects, destination, job, file);
    if (why !== undefined) lost.push({ token: file.token, why });
  });
  return lost;
}

/**
 * Says in words why the upload can't be completed to what the attempt wrote. Returns undefined also where a store can't
 * tell: then publishing finds out.
 */
export async function whyLostS3(
  objects: S3Objects,
  destination: S3Destination,
  job: JobId,
  file: StagedFile,
): Promise<string | undefined> {
  const { upload, etags, attempt } = decodeToken(file, destination);
  const url = urlIn(destination, file.name);
  const parts = await objects.listParts(url, upload);
  if (parts === "unknown") return undefined;
  if (parts === "gone") {
    // It belongs to an earlier decision, which got as far as making it visible.
    if (isFile(await objects.head(url), job, file, attempt)) return undefined;
    return "is gone: its upload was aborted, or expired by a rule of the bucket's";
  }
  const byNumber = new Map(parts.map((part) => [part.number, part]));
  let bytes = 0;
  for (const [index, etag] of etags.entries()) {
    const part = byNumber.get(index + 1);
    if (part === undefined) return `lacks part ${index + 1} of its upload`;
    if (part.etag !== etag) return `has another part ${index + 1} in its upload than its attempt sent`;
    bytes += part.bytes;
  }
  return bytes === file.bytes ? undefined : `has ${bytes} bytes in its upload, but its attempt wrote ${file.bytes}`;
}
