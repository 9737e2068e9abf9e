// Withdraws a decision that can't be published on an object store because an upload of it is gone. Any process that
// knows an upload can complete it, so uploads that no other decision will use are aborted. What stands in the place of
// `_SUCCESS` tells a publisher that was paused that its decision no longer counts.
import { limits } from "../../base/limits.ts";
import { forEachAtMost } from "../../base/system/parallel.ts";
import { decisionName } from "../local/hidden.ts";
import { encodeReplacing, parseReplacing } from "../manifest.ts";
import type { CommitDecision, StagedFile, Withdrawal } from "../storage.ts";
import { whyLostS3 } from "./lost.ts";
import { decodeToken, destinationOf, isFile, manifestUrl, type S3Destination, urlIn } from "./names.ts";
import type { S3Objects } from "./objects.ts";
import { outputExists } from "./prepare.ts";

export async function withdrawS3(objects: S3Objects, decision: CommitDecision): Promise<Withdrawal> {
  const destination = destinationOf(decision.destination);
  const manifest = await objects.get(manifestUrl(destination));
  if (manifest?.bytes.equals(decision.manifest)) return { kind: "whole" };
  const lost = new Set<string>();
  await forEachAtMost(limits.looksAtOnce, decision.files, async (file) => {
    // All files of the attempt count as lost: its task runs again, and a file of it that stayed would be in the way of
    // the new one.
    if ((await whyLostS3(objects, destination, decision.job, file)) !== undefined)
      lost.add(attemptOf(file, destination));
  });
  if (lost.size === 0) return { kind: "whole" };
  if (!(await bar(objects, destination, decision))) return { kind: "whole" };
  const files: (StagedFile | undefined)[] = decision.files.map((file) =>
    lost.has(attemptOf(file, destination)) ? undefined : file,
  );
  const gone = decision.files.filter((_, index) => files[index] === undefined);
  await forEachAtMost(limits.looksAtOnce, gone, async (file) => {
    const url = urlIn(destination, file.name);
    await objects.abortUpload(url, decodeToken(file, destination).upload);
    const head = await objects.head(url);
    if (isFile(head, decision.job, file, attemptOf(file, destination))) await objects.remove(url, head?.etag);
  });
  return { kind: "withdrawn", files };
}

/**
 * Puts the note that keeps publishers of the decision from `_SUCCESS`. Returns false when a `_SUCCESS` was there
 * before.
 */
async function bar(objects: S3Objects, destination: S3Destination, decision: CommitDecision): Promise<boolean> {
  const url = manifestUrl(destination);
  const name = decisionName(decision);
  for (let tries = 1; ; tries++) {
    const found = await objects.get(url);
    if (found?.bytes.equals(decision.manifest)) return false;
    const note = found === undefined ? undefined : parseReplacing(found.bytes);
    // An output that is to be replaced stays: its publishers rely on its etag and put their own note first.
    const isOurs = note?.job === decision.job;
    if (isOurs && note.withdrawn.includes(name)) return true;
    const isOld = found !== undefined && !isOurs;
    if (isOld && decision.replaces === undefined) throw outputExists(destination);
    const content = encodeReplacing({
      job: decision.job,
      files: [...new Set([...(note?.files ?? []), ...decision.files.map((file) => file.name)])].sort(),
      withdrawn: [...(note?.withdrawn ?? []), name],
      isNew: note?.isNew ?? true,
    });
    if (isOld) return true;
    const condition = found === undefined ? ({ ifNoneMatch: true } as const) : { ifMatch: found.etag };
    if (await objects.put(url, content, condition)) return true;
    if (tries === triesMax) throw outputExists(destination);
  }
}

/** Another process's put may come in between as often as a publish has steps. */
const triesMax = 4;

function attemptOf(file: StagedFile, destination: S3Destination): string {
  return decodeToken(file, destination).attempt;
}
