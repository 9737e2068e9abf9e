// Names below an output on an object store that are ours and hidden, and how objects say whose they are.
//
//   PREFIX/part-00000.tsv …                       the output's files, each an upload that `publish` completes
//   PREFIX/_SUCCESS                               the manifest, last
//   PREFIX/.millrace-staging/JOB/ATTEMPT.DIGEST   one record per upload: what `discard` has to abort
//   PREFIX/.millrace-publishing/JOB               a claim: this job is making its output appear
import { createHash } from "node:crypto";
import { assert } from "../../base/assert.ts";
import { MillraceError } from "../../base/error.ts";
import { type AttemptId, attemptName, type JobId } from "../../base/ids.ts";
import { showPath } from "../local/fs.ts";
import { checkedName } from "../local/hidden.ts";
import { manifestName } from "../manifest.ts";
import type { StagedFile } from "../storage.ts";
import type { S3Head } from "./api/object.ts";
import { parseS3, type S3Url, s3Path } from "./url.ts";

export const stagingFolder = ".millrace-staging/";
export const publishingFolder = ".millrace-publishing/";

/** Where an output goes: `prefix` ends with a slash. */
export interface S3Destination {
  readonly path: string;
  readonly bucket: string;
  readonly prefix: string;
}

/** Throws `wrong-usage` for a path that can't be an output. */
export function destinationOf(path: string): S3Destination {
  const { bucket, key } = parseS3(path.replace(/\/+$/, ""));
  if (key === "") {
    throw new MillraceError("wrong-usage", `The output ${showPath(path)} is a whole bucket: give a folder in it.`);
  }
  if (key.split("/").includes("")) {
    throw new MillraceError("wrong-usage", `The output ${showPath(path)} has an empty part ("//").`);
  }
  return { path: s3Path({ bucket, key }), bucket, prefix: `${key}/` };
}

export function urlIn({ bucket, prefix }: S3Destination, name: string): S3Url {
  return { bucket, key: prefix + name };
}

export function manifestUrl(destination: S3Destination): S3Url {
  return urlIn(destination, manifestName);
}

export function claimUrl(destination: S3Destination, job: JobId): S3Url {
  return urlIn(destination, publishingFolder + checkedJob(job));
}

export function recordsPrefix({ prefix }: S3Destination, job: JobId): string {
  return `${prefix}${stagingFolder}${checkedJob(job)}/`;
}

/**
 * The place of an upload's record. The name is replaced by its digest, which keeps records apart, so that no key gets
 * too long.
 */
export function recordUrl(destination: S3Destination, attempt: AttemptId, name: string): S3Url {
  const digest = createHash("sha256").update(name).digest("hex").slice(0, 16);
  return {
    bucket: destination.bucket,
    key: `${recordsPrefix(destination, attempt.job)}${attemptName(attempt)}.${digest}`,
  };
}

function checkedJob(job: JobId): JobId {
  assert(/^[A-Za-z0-9_-]{1,64}$/.test(job), `job id ${JSON.stringify(job)} can't be part of a key`);
  return job;
}

/**
 * The metadata that says whose an object is. Nothing else tells that for certain, as etags differ from store to store.
 */
export function markOf(job: JobId, attempt: string, sha256: string): Readonly<Record<string, string>> {
  return { "millrace-job": job, "millrace-attempt": attempt, "millrace-sha256": sha256 };
}

/** Whether the object with a file's name is that file, made visible. */
export function isFile(head: S3Head | undefined, job: JobId, file: StagedFile, attempt: string): boolean {
  if (head === undefined || head.bytes !== file.bytes) return false;
  return Object.entries(markOf(job, attempt, file.sha256)).every(([name, value]) => head.metadata.get(name) === value);
}

/** What `publish` needs to complete an upload. */
export interface UploadToken {
  readonly upload: string;
  readonly attempt: string;
  readonly etags: readonly string[];
}

export function encodeToken({ upload, attempt, etags }: UploadToken): string {
  return Buffer.from(JSON.stringify([1, upload, attempt, ...etags])).toString("base64url");
}

/** Throws `corrupt-output` where the token is not one of ours. */
export function decodeToken(file: StagedFile, destination: S3Destination): UploadToken {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(file.token, "base64url").toString("utf8"));
    if (Array.isArray(parsed) && parsed[0] === 1 && parsed.slice(1).every((part) => typeof part === "string")) {
      const [upload, attempt, ...etags] = parsed.slice(1) as string[];
      if (upload !== undefined && attempt !== undefined && etags.length > 0) {
        const token = { upload, attempt, etags };
        // One token for one upload: base64url passes over what is not of it, and JSON over blanks.
        if (encodeToken(token) === file.token) return token;
      }
    }
  } catch {
    // not JSON: reported below
  }
  throw new MillraceError(
    "corrupt-output",
    `The staged file ${JSON.stringify(file.name)} of ${showPath(destination.path)} has an impossible name or token.`,
  );
}

/** Whether the token says that this attempt staged the file. Any text is taken: false where it is not one of ours. */
export function isStagedOnS3(attempt: AttemptId, destination: string, file: StagedFile): boolean {
  try {
    return decodeToken(file, destinationOf(destination)).attempt === attemptName(attempt);
  } catch (error) {
    if (error instanceof MillraceError) return false;
    throw error;
  }
}

/** Checks the names of a decision's files: below the output, distinct, and none of our hidden ones. */
export function checkNames(files: readonly StagedFile[], destination: S3Destination): void {
  const names = new Set<string>([manifestName]);
  for (const { name } of files) {
    if (names.has(checkedName(name)) || name.startsWith(".millrace-")) {
      throw new MillraceError(
        "corrupt-output",
        `The staged file ${JSON.stringify(name)} of ${showPath(destination.path)} has an impossible name or token.`,
      );
    }
    names.add(name);
  }
}
