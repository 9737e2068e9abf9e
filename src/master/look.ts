// What a master looks at in storage before it takes a job: whether it sees the inputs, and whether the output may be made. All of it
// depends on what somebody has put there (a million files, a manifest of gigabytes, a file server that hangs), so a master has it
// done by a process of its own (`looker.ts`), and this is what that process does.
import { resolve } from "node:path";
import { MillraceError } from "../base/error.ts";
import type { JobId } from "../base/ids.ts";
import { isUrl } from "../base/paths.ts";
import type { JobSpec } from "../job/spec.ts";
import { writeProbe } from "../output/probe.ts";
import type { Storage } from "../storage/storage.ts";

export interface LookRequest {
  readonly job: JobId;
  /** Absolute paths, patterns and URLs: all have to lead to a file. */
  readonly inputs: readonly string[];
  readonly output: string;
  /** Undefined: the output is not looked at, as it is this job's already. */
  readonly overwrite: boolean | undefined;
}

export interface Looked {
  /** As `Storage.prepare`. */
  readonly replaces: string | undefined;
}

/** How a master looks. Rejects with a `MillraceError`. */
export type Look = (request: LookRequest, signal: AbortSignal | undefined) => Promise<Looked>;

export function lookRequest(spec: JobSpec, job: JobId, overwrite: boolean): LookRequest {
  const { inputs, directory, standardInput, output } = spec;
  const placeOf = (path: string) =>
    path === "-" ? (standardInput ?? path) : isUrl(path) ? path : resolve(directory, path);
  const places = new Set(inputs.flatMap(({ paths }) => paths.map(placeOf)));
  return { job, inputs: [...places], output, overwrite };
}

/** `doing` is told what is looked at next, so that who waits for it can say so. */
export async function lookAt(
  storage: Storage,
  { job, inputs, output, overwrite }: LookRequest,
  doing: (what: string) => void,
): Promise<Looked> {
  for (const place of inputs) {
    doing(`looking for the input ${place}`);
    if ((await storage.list(place)).length > 0) continue;
    throw new MillraceError(
      "no-input",
      `the master sees no file ${place}: inputs have to be where master and workers can read them, a shared directory for example`,
    );
  }
  doing(`looking at the output ${output}`);
  const replaces = overwrite === undefined ? undefined : (await storage.prepare(output, overwrite)).replaces;
  doing(`writing beside the output ${output}`);
  await writeProbe(output, job);
  return { replaces };
}

/** In this process: with a storage that is no place on a machine. */
export function lookHere(storage: Storage): Look {
  return async (request) => await lookAt(storage, request, () => {});
}
