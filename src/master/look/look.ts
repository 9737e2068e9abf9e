// Looks at storage before a master takes a job: are the inputs there, and may the output be made? How long that takes
// depends on what users have put there (a million files, a manifest of gigabytes, a file server that hangs), so a
// master has it done by a separate process (`looker.ts`), and this file is what that process does.
import { resolve } from "node:path";
import { MillraceError } from "../../base/error.ts";
import type { JobId } from "../../base/ids.ts";
import { isUrl, spooledFile } from "../../base/paths.ts";
import type { JobSpec } from "../../job/spec.ts";
import { writeProbe } from "../../output/probe.ts";
import type { Storage } from "../../storage/storage.ts";

export interface LookRequest {
  readonly job: JobId;
  /** Absolute paths, patterns and URLs. Each has to lead to a file. */
  readonly inputs: readonly string[];
  /** Folders to publish: the output, and the folder of dead letters if there is one. */
  readonly outputs: readonly string[];
  /** Whether outputs may be replaced. Undefined: they are not looked at, as they belong to this job already. */
  readonly overwrite: boolean | undefined;
}

export interface Looked {
  /** The result of `Storage.prepare` for each output; empty where outputs were not looked at. */
  readonly replaces: readonly (string | undefined)[];
}

/** How a master looks at storage. Rejects with a `MillraceError`. May be called by several submissions at once. */
export type Look = (request: LookRequest, signal: AbortSignal | undefined) => Promise<Looked>;

export function lookRequest(spec: JobSpec, job: JobId, overwrite: boolean): LookRequest {
  const { inputs, directory, output, deadLetters } = spec;
  const absoluteOf = (path: string) =>
    spooledFile(spec, path) ?? (path === "-" || isUrl(path) ? path : resolve(directory, path));
  const found = new Set(inputs.flatMap(({ paths }) => paths.map(absoluteOf)));
  return { job, inputs: [...found], outputs: foldersOf(output, deadLetters?.path), overwrite };
}

/** Looks at everything in a request. `doing` is called with what is looked at next, for the message if that hangs. */
export async function lookAt(
  storage: Storage,
  { job, inputs, outputs, overwrite }: LookRequest,
  doing: (what: string) => void,
  signal?: AbortSignal,
): Promise<Looked> {
  for (const input of inputs) {
    doing(`looking for the input ${input}`);
    if ((await storage.list(input, signal)).length > 0) continue;
    throw new MillraceError(
      "no-input",
      `the master sees no file ${input}: inputs have to be where master and workers can read them, a shared directory for example`,
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

/** Looks in this process, for storages that can't hang, such as one in memory. */
export function lookHere(storage: Storage): Look {
  return async (request, signal) => await lookAt(storage, request, () => {}, signal);
}

/** The folders that a job publishes. */
export function foldersOf(output: string, deadLetters: string | undefined): readonly string[] {
  return deadLetters === undefined ? [output] : [output, deadLetters];
}
