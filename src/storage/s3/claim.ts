// What a job's claim to an output says to a publisher that continues an interrupted publish: which files it replaces.

import { MillraceError } from "../../base/error.ts";
import type { JobId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { forEachAtMost } from "../../base/system/parallel.ts";
import { claimUrl, type S3Destination, urlIn } from "./names.ts";
import type { S3Objects } from "./objects.ts";
import { s3Path } from "./url.ts";

/** Files of the replaced output, with the etags they had. */
export type Replaced = ReadonlyMap<string, string>;

export function encodeClaim(job: JobId, replaced: Replaced): Uint8Array {
  return Buffer.from(JSON.stringify({ millrace: 1, job, replaced: [...replaced] }));
}

export async function readClaim(
  objects: S3Objects,
  destination: S3Destination,
  job: JobId,
): Promise<Replaced | undefined> {
  const url = claimUrl(destination, job);
  const found = await objects.get(url);
  if (found === undefined) return undefined;
  try {
    const { replaced } = JSON.parse(found.bytes.toString("utf8")) as { replaced: [string, string][] };
    return new Map(replaced);
  } catch (thrown) {
    throw new MillraceError("corrupt-output", `${s3Path(url)} is damaged: remove it and resume the job.`, {
      cause: thrown,
    });
  }
}

/**
 * Runs after `_SUCCESS`: removes the files of the replaced output that the new one does not have, each only if it is
 * unchanged; then the claim.
 */
export async function removeReplaced(
  objects: S3Objects,
  destination: S3Destination,
  job: JobId,
  kept: ReadonlySet<string>,
): Promise<void> {
  const replaced = await readClaim(objects, destination, job);
  if (replaced === undefined) return;
  const extra = [...replaced].filter(([name]) => !kept.has(name));
  await forEachAtMost(limits.storeRequestsAtOnce, extra, async ([name, etag]) => {
    const url = urlIn(destination, name);
    if ((await objects.head(url))?.etag === etag) await objects.remove(url, etag);
  });
  await objects.remove(claimUrl(destination, job));
}
