// What a master looks at in storage before it takes a job: whether it sees the inputs, and whether the output may be made. All of it
// depends on what somebody has put there (a million files, a manifest of gigabytes, a file server that hangs), so a master has it
// done by a process of its own (`looker.ts`), and this is what that process does.
import { resolve } from "node:path";
import { MillraceError } from "../../base/error.ts";
import type { JobId } from "../../base/ids.ts";
import { isUrl } from "../../base/paths.ts";
import type { JobSpec } from "../../job/spec.ts";
import { writeProbe } from "../../output/probe.ts";
import type { Storage } from "../../storage/storage.ts";

export interface LookRequest {
  readonly job: JobId;
  /** Absolute paths, patterns and URLs: all have to lead to a file. */
  readonly inputs: readonly string[];
  /** Folders to be made: the output, and where dead letters go if that is another. */
  readonly outputs: readonly string[];
  /** Undefined: they are not looked at, as they are this job's already. */
  readonly overwrite: boolean | undefined;
}

export interface Looked {
  /** Of each output, as `Storage.prepare`; none where they were not looked at. */
  readonly replaces: readonly (string | undefined)[];
}

/** How a master looks. Rejects with a `MillraceError`. */
export type Look = (request: LookRequest, signal: AbortSignal | undefined) => Promise<Looked>;

export function lookRequest(spec: JobSpec, job: JobId, overwrite: boolean): LookRequest {
  const { inputs, directory, standardInput, output, deadLetters } = spec;
  const placeOf = (path: string) =>
    path === "-" ? (standardInput ?? path) : isUrl(path) ? path : resolve(directory, path);
  const places = new Set(inputs.flatMap(({ paths }) => paths.map(placeOf)));
  return { job, inputs: [...places], outputs: foldersOf(output, deadLetters?.path), overwrite };
}

/** `doing` is told what is looked at next, so that who waits for it can say so. */
export async function lookAt(
  storage: Storage,
  { job, inputs, outputs, overwrite }: LookRequest,
  doing: (what: string) => void,
  signal?: AbortSignal,
): Promise<Looked> {
  for (const place of inputs) {
    doing(`looking for the input ${place}`);
    if ((await storage.list(place, signal)).length > 0) continue;
    throw new MillraceError(
      "no-input",
      `the master sees no file ${place}: inputs have to be where master and workers can read them, a shared directory for example`,
    );
  }
  const replaces: (string | undefined)[] = [];
  if (overwrite !== undefined) {
    for (const output of outputs) {
      doing(`looking at the output ${output}`);
      replaces.push((await storage.prepare(output, overwrite, signal)).replaces);
    }
  }
  for (const output of outputs) {
    doing(`writing beside the output ${output}`);
    await writeProbe(output, job);
  }
  return { replaces };
}

/** In this process: with a storage that is no place on a machine. */
export function lookHere(storage: Storage): Look {
  return async (request, signal) => await lookAt(storage, request, () => {}, signal);
}

/** What a job publishes. */
export function foldersOf(output: string, deadLetters: string | undefined): readonly string[] {
  return deadLetters === undefined ? [output] : [output, deadLetters];
}
