// The storage behind every path that may be given: "s3://BUCKET/KEY" belongs to an object store, a path without a
// scheme to a file system.
import { tmpdir } from "node:os";
import { MillraceError } from "../base/error.ts";
import { isUrl } from "../base/paths.ts";
import { type Clock, systemClock } from "../base/system/clock.ts";
import { showPath } from "./local/fs.ts";
import { createLocalStorage } from "./local/local.ts";
import { type S3Access, s3AccessFrom } from "./s3/access.ts";
import { createS3Storage } from "./s3/s3.ts";
import type { Storage } from "./storage.ts";

/** Commands that load a job's code into their own process remove its environment first. */
const atStart = s3AccessFrom(process.env);

/** This process's credentials: what its environment says now, or said when it was started. */
export function ownS3Access(): S3Access | undefined {
  return s3AccessFrom(process.env) ?? atStart;
}

export interface AnyStorageOptions {
  /** Credentials of the object store, asked for when they are needed. Default: `ownS3Access`. */
  readonly s3?: (() => S3Access | undefined) | undefined;
  /** Where output files are kept until they are uploaded. Default: the temporary directory. */
  readonly spoolDirectory?: (() => string) | undefined;
  readonly clock?: Clock | undefined;
  readonly random?: (() => number) | undefined;
}

export function createStorage(options: AnyStorageOptions = {}): Storage {
  const local = createLocalStorage();
  const s3 = createS3Storage({
    access: options.s3 ?? ownS3Access,
    clock: options.clock ?? systemClock,
    random: options.random ?? Math.random,
    spoolDirectory: options.spoolDirectory ?? tmpdir,
  });
  const of = (path: string): Storage => {
    if (!isUrl(path)) return local;
    if (/^s3:/i.test(path)) return s3;
    throw new MillraceError(
      "wrong-usage",
      `${showPath(path)}: there are paths of a file system and of object stores (s3://BUCKET/KEY), no others.`,
    );
  };
  return {
    list: async (pattern, signal) => await of(pattern).list(pattern, signal),
    stat: async (path, signal) => await of(path).stat(path, signal),
    read: (file, start, end, signal) => of(file.path).read(file, start, end, signal),
    below: (directory, signal) => of(directory).below(directory, signal),
    stage: (destination, attempt, name, signal) => of(destination).stage(destination, attempt, name, signal),
    prepare: async (destination, overwrite, signal, ended) =>
      await of(destination).prepare(destination, overwrite, signal, ended),
    findLost: async (destination, job, files, signal) =>
      await of(destination).findLost(destination, job, files, signal),
    publish: async (decision, signal) => await of(decision.destination).publish(decision, signal),
    withdraw: async (decision, signal) => await of(decision.destination).withdraw(decision, signal),
    discard: async (destination, job, signal) => await of(destination).discard(destination, job, signal),
  };
}

/** Whether any of these is on an object store: then whoever works on them needs its credentials. */
export function needsS3(paths: readonly string[]): boolean {
  return paths.some((path) => /^s3:\/\//i.test(path));
}
