// Input and output on an object store that speaks S3's protocol.
import type { Clock } from "../../base/system/clock.ts";
import type { Storage } from "../storage.ts";
import type { S3Access } from "./access.ts";
import { S3Client } from "./api/client.ts";
import { s3OutputError } from "./api/error.ts";
import { nodeTransport, type S3Transport } from "./api/transport.ts";
import { discardS3 } from "./discard.ts";
import { S3Lister } from "./list.ts";
import { findLostS3 } from "./lost.ts";
import { destinationOf } from "./names.ts";
import { S3Objects } from "./objects.ts";
import { prepareS3 } from "./prepare.ts";
import { publishS3 } from "./publish.ts";
import { S3Reader } from "./read.ts";
import { nodeSpoolFs, S3StagedWriter, type SpoolFs } from "./stage.ts";
import { withdrawS3 } from "./withdraw.ts";

export interface S3StorageOptions {
  /** Asked for with each request, so that credentials may change; undefined: there are none, which is an error then. */
  readonly access: () => S3Access | undefined;
  readonly clock: Clock;
  /** Returns 0 <= x < 1, for the time between tries. */
  readonly random: () => number;
  /** Where output files are kept until they are uploaded. Asked for with each file. */
  readonly spoolDirectory: () => string;
  /** Whether the bucket is in the path instead of the host's name. Default: yes for an endpoint of one's own. */
  readonly pathStyle?: boolean | undefined;
  /** Default: the network. */
  readonly transport?: S3Transport | undefined;
  readonly spoolFs?: SpoolFs | undefined;
  /** Bytes of an upload's part. Default 8 MiB, more for large files. */
  readonly partBytes?: number | undefined;
}

export function createS3Storage(options: S3StorageOptions): Storage {
  const { access, clock, random, pathStyle, partBytes, spoolDirectory } = options;
  const transport = options.transport ?? nodeTransport();
  const objects = new S3Objects(new S3Client({ access, pathStyle, transport, clock, random }));
  const lister = new S3Lister(objects);
  const reader = new S3Reader(objects);
  const fs = options.spoolFs ?? nodeSpoolFs;
  /** Turns what requests throw into an error that says what was being done. */
  const doing = async <T>(what: string, path: string, work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (thrown) {
      throw s3OutputError(thrown, what, path);
    }
  };
  return {
    list: (argument, signal) => lister.list(argument, signal),
    stat: (path, signal) => lister.file(path, signal),
    read: (file, start, end, signal) => reader.read(file, start, end, signal),
    below: (directory, signal) => lister.below(directory, signal),
    stage: (destination, attempt, name, signal, staging) =>
      new S3StagedWriter(
        { ...staging, objects: objects.for({ signal }), fs, directory: spoolDirectory(), partBytes },
        destination,
        attempt,
        name,
      ),
    prepare: (destination, overwrite, signal, ended = []) =>
      doing("Checking", destination, () =>
        prepareS3(objects.for({ signal }), destinationOf(destination), overwrite, ended),
      ),
    findLost: (destination, job, files, signal) =>
      doing("Looking at the staged files of", destination, () =>
        findLostS3(objects.for({ signal }), destinationOf(destination), job, files),
      ),
    publish: (decision, signal) =>
      doing("Publishing", decision.destination, () =>
        publishS3(decision, { objects: objects.for({ signal }), clock, signal }),
      ),
    withdraw: (decision, signal) =>
      doing("Withdrawing the staged files of", decision.destination, () =>
        withdrawS3(objects.for({ signal }), decision),
      ),
    discard: (destination, job, signal) =>
      doing("Removing the staged files of", destination, () =>
        discardS3(objects.for({ signal }), destinationOf(destination), job),
      ),
  };
}
