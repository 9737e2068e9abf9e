// Where a job's files lie while no one may see them: in a hidden sibling of the destination, so that they are on its
// file system and publishing is one rename.
//
//   PARENT/.NAME.millrace-JOB/          the job's work directory, mode 0700; others keep their own things in it
//     staging/                          all that this storage makes; `discard` removes it with one rename
//       files/TOKEN                     one file per staged file of an attempt
//       publish-DECISION/               the output directory while it is put together
//       replaced/                       what `--overwrite` moved aside
//     withdrawn-DECISION/               what was `staging/` when a decision was withdrawn
import { createHash } from "node:crypto";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { assert } from "../../base/assert.ts";
import { MillraceError } from "../../base/error.ts";
import { type AttemptId, attemptName, type JobId } from "../../base/ids.ts";
import { isUrl, outputPath } from "../../base/paths.ts";
import type { CommitDecision, StagedFile } from "../storage.ts";

/** Bytes that a file name may have on common file systems, minus what we put around it and a 32-digit job id. */
const nameBytesMax = 255 - ".".length - ".millrace-".length - 64;

/** The hidden directory beside `destination` that belongs to this job alone. */
export function workDirectoryOf(destination: string, job: JobId): string {
  assert(/^[A-Za-z0-9_-]{1,64}$/.test(job), `job id ${JSON.stringify(job)} can't be a file name`);
  return workDirectoryPrefix(destination) + job;
}

/**
 * The prefix of the work directories of all jobs with this destination; the job id follows. A URL has no sibling: for
 * it they are in the temporary directory, named after the whole URL.
 */
export function workDirectoryPrefix(destination: string): string {
  if (isUrl(destination)) return join(tmpdir(), `.${urlName(destination)}.millrace-`);
  const path = resolve(destination);
  return join(dirname(path), `.${shortName(basename(path))}.millrace-`);
}

/**
 * The part of the work directory that the storage owns: staged files, the directory being published, the replaced one.
 */
export function stagingDirectoryOf(destination: string, job: JobId): string {
  return join(workDirectoryOf(destination, job), "staging");
}

/** The name that an attempt's staged file has in `staging/files/`. The name alone says whose file it is. */
export function localToken(attempt: AttemptId, name: string): string {
  return `${attemptName(attempt)}.${encodeURIComponent(checkedName(name))}`;
}

/** Whether a token names some attempt's staged file of this name: a place in `staging/files/`, and nowhere else. */
export function isTokenOf(name: string, token: string): boolean {
  return (
    /^[\w-]+$/.test(token.slice(0, token.indexOf("."))) &&
    token.endsWith(`.${encodeURIComponent(name)}`) &&
    !token.includes("/")
  );
}

export interface HiddenFolders {
  readonly destination: string;
  readonly parent: string;
  readonly work: string;
  readonly staging: string;
  readonly files: string;
  readonly replaced: string;
}

/** The places of one decision: a job can have a second decision when the first could not be published. */
export interface DecisionFolders extends HiddenFolders {
  /** Tells the decision from the job's other ones; part of names. */
  readonly decision: string;
  readonly publish: string;
  readonly withdrawn: string;
}

export function hiddenOf(destination: string, job: JobId): HiddenFolders {
  const path = resolve(destination);
  const staging = stagingDirectoryOf(path, job);
  return {
    destination: path,
    parent: dirname(path),
    work: dirname(staging),
    staging,
    files: join(staging, "files"),
    replaced: join(staging, "replaced"),
  };
}

export function hiddenOfDecision(decision: CommitDecision): DecisionFolders {
  const hidden = hiddenOf(decision.destination, decision.job);
  const name = decisionName(decision);
  return {
    ...hidden,
    decision: name,
    publish: join(hidden.staging, `publish-${name}`),
    withdrawn: join(hidden.work, `${withdrawnPrefix}${name}`),
  };
}

export const withdrawnPrefix = "withdrawn-";

/** A name that tells a decision from the job's other ones, which have other staged files. */
export function decisionName({ manifest, files }: CommitDecision): string {
  const hash = createHash("sha256").update(manifest);
  for (const { token } of files) hash.update(`\0${token}`);
  return hash.digest("hex").slice(0, 16);
}

/**
 * A checked path below the destination. Manifests come from directories that anyone may have written, names and tokens
 * come from workers, and none of them may lead anywhere else.
 */
export function checkedName(name: string): string {
  const segments = name.split("/");
  if (segments.some((segment) => segment === "" || segment === "." || segment === "..") || name.includes("\0")) {
    throw new MillraceError(
      "corrupt-output",
      `${JSON.stringify(name)} is not the name of a file below the output directory`,
    );
  }
  return name;
}

/** A staged file's name in the staging directory, which is its token. */
export function checkedToken({ name, token }: StagedFile, destination: string): string {
  if (checkedName(token).includes("/")) throw badStagedFile(name, destination);
  return token;
}

export function badStagedFile(name: string, destination: string): MillraceError {
  return new MillraceError(
    "corrupt-output",
    `The staged file ${JSON.stringify(name)} of ${JSON.stringify(destination)} has an impossible name or token.`,
  );
}

/** The URL's last part, for people, and a digest that tells it from others. */
function urlName(url: string): string {
  const path = outputPath(url);
  const digest = createHash("sha256").update(path).digest("hex").slice(0, 16);
  const last = path.slice(path.lastIndexOf("/") + 1).replace(/[^\w.-]+/g, "_");
  return `${last.slice(0, 64)}~${digest}`;
}

function shortName(name: string): string {
  const bytes = Buffer.from(name);
  if (bytes.length <= nameBytesMax) return name;
  const digest = createHash("sha256").update(bytes).digest("hex").slice(0, 16);
  // Cut between characters: half a character would become U+FFFD, which is longer.
  const start = bytes
    .subarray(0, nameBytesMax - 20)
    .toString("utf8")
    .replace(/\uFFFD+$/u, "");
  return `${start}~${digest}`;
}
