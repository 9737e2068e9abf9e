// Reads what a run left in its store, and checks whether it can be resumed: code, options and input files must be the
// same, otherwise an error names what differs.

import { isDeepStrictEqual } from "node:util";
import { MillraceError } from "../../base/error.ts";
import type { JobId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { isAbsoluteOrUrl } from "../../base/paths.ts";
import type { Plan } from "../../input/plan.ts";
import { filesOf } from "../../input/resolve.ts";
import type { JobSpec } from "../../job/spec.ts";
import { jobPrefix, parseKey } from "../../protocol/records.ts";
import type { Outcome } from "../../protocol/view.ts";
import type { StateStore } from "../../state/store.ts";
import type { Storage } from "../../storage/storage.ts";
import { decodePlan } from "../../wire/stored/plans.ts";
import { endedRecord, jobRecord, planRecord } from "../../wire/stored/records.ts";

export interface StoredJob {
  readonly job: JobId;
  readonly spec: JobSpec;
  /** The job's plan; undefined if the run stopped before the job was planned. */
  readonly plan: Plan | undefined;
  readonly outcome: Outcome | undefined;
  /** True when the commit decision is stored: only publishing is left, and may have happened. */
  readonly isDecided: boolean;
}

/** The job in the store of a run; undefined when none was submitted. */
export async function readStoredJob(store: StateStore): Promise<StoredJob | undefined> {
  let job: JobId | undefined;
  let spec: JobSpec | undefined;
  let outcome: StoredJob["outcome"];
  let isDecided = false;
  let chunksValid = 0;
  const chunks: Uint8Array[] = [];
  for await (const { key, value } of store.scan(jobPrefix)) {
    const parsed = parseKey(key);
    if (parsed === undefined || parsed.kind === "drain") continue; // of a later version, or of no job
    job = parsed.job;
    if (parsed.kind === "spec") spec = jobRecord.decode(value).spec;
    else if (parsed.kind === "ended") outcome = endedRecord.decode(value).outcome;
    else if (parsed.kind === "decision") isDecided = true;
    else if (parsed.kind === "plan-valid") chunksValid = planRecord.decode(value).chunks;
    else if (parsed.kind === "plan") chunks[parsed.number] = value;
  }
  if (job === undefined || spec === undefined) return undefined;
  const plan = chunksValid === 0 ? undefined : decodePlan(chunks.slice(0, chunksValid));
  return { job, spec, plan, outcome, isDecided };
}

/** Throws `nothing-to-resume`, naming what differs, unless `wanted` is the same job as `stored`. */
export async function checkSame(stored: StoredJob, wanted: JobSpec, storage: Storage): Promise<void> {
  const differences = [
    ...specDifferences(stored.spec, wanted),
    ...(stored.plan === undefined ? [] : await fileDifferences(stored.plan, wanted, storage)),
  ];
  if (differences.length === 0) return;
  const more = differences.length > limits.namedMax ? ` and ${differences.length - limits.namedMax} more` : "";
  throw new MillraceError(
    "nothing-to-resume",
    `can't go on with the earlier run: ${differences.slice(0, limits.namedMax).join("; ")}${more}. Undo that, or run without --resume to start over`,
  );
}

/** The fields that change the result, or are part of the stored plan, with their names for messages. */
const compared: readonly (readonly [keyof JobSpec, string])[] = [
  ["bundle", "the job's code is not the same"],
  ["params", "other parameters are given"],
  ["partitions", "another number of reducers is given"],
  ["inputs", "other inputs are given"],
  ["files", "a side file is another, or was changed"],
  ["environment", "other --env are given"],
  ["splitBytes", "another --split-size is given"],
  ["skipBad", "another --skip-bad is given"],
  ["writes", "the result is wanted in another form"],
  ["decompress", "another --decompress is given"],
  ["output", "the output is another"],
];

function specDifferences(stored: JobSpec, wanted: JobSpec): string[] {
  const differences = compared
    .filter(([field]) => !isDeepStrictEqual(plain(field, stored[field]), plain(field, wanted[field])))
    .map(([, text]) => text);
  if (stored.deadLetters?.path !== wanted.deadLetters?.path) differences.push("another --dead-letters is given");
  const isMoved =
    stored.directory !== wanted.directory && stored.inputs.some(({ paths }) => !paths.every(isAbsoluteOrUrl));
  return isMoved
    ? [...differences, `it was started in ${stored.directory}, which its relative paths are of`]
    : differences;
}

/** A value without the differences between a decoded object and a written one (prototypes, undefined properties). */
function plain(field: keyof JobSpec, value: unknown): unknown {
  if (field === "params") return JSON.parse(String(value)); // the order in which they were given does not matter
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}

async function fileDifferences(plan: Plan, wanted: JobSpec, storage: Storage): Promise<string[]> {
  const differences: string[] = [];
  for (const [input, { paths }] of wanted.inputs.entries()) {
    const now = new Map((await filesOf(storage, paths, wanted.directory, wanted)).map((file) => [file.path, file]));
    for (const planned of plan.files) {
      if (planned.input !== input) continue;
      const file = now.get(planned.path);
      now.delete(planned.path);
      if (file === undefined) differences.push(`${planned.path} is gone`);
      else if (file.bytes !== planned.bytes || file.version !== planned.version)
        differences.push(`${planned.path} was changed`);
    }
    for (const path of now.keys()) differences.push(`${path} is new`);
  }
  return differences;
}
