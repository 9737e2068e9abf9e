// Checks what an attempt reports against its task, before anything is made of it: the agent checks what comes from its
// slot, as a job's code can write to the slot's pipe, and the scheduler checks what comes from a worker. So a false
// report fails only its own job, and not the worker. Cost: per attempt, never per record.

import { type AttemptId, deadLettersOutput, type Position, sameAttempt } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { isKeyExcerpt } from "../base/printable.ts";
import type { PlannedFile, Split } from "../input/plan.ts";
import type { JobSpec } from "../job/spec.ts";
import { orderedNumber } from "../output/part-name.ts";
import type { StagedFile } from "../storage/storage.ts";
import { whyNoPlan } from "./check-plan.ts";
import { isCount, isDigest, isPath } from "./check-report.ts";
import type { AttemptDone, AttemptFailed, AttemptResult, Failure } from "./messages.ts";
import { type AttemptStats, attemptStats, statNames } from "./stats.ts";

/** The task that the attempt was started for, as in its `Assignment`. */
export interface Expected {
  readonly attempt: AttemptId;
  readonly spec: JobSpec;
  readonly work:
    | { readonly phase: "plan" }
    | {
        readonly phase: "map";
        readonly split: Split;
        /** The files that it may name, by their index in the plan. */
        readonly files: Readonly<Record<number, PlannedFile>>;
        readonly partitions: number;
      }
    | { readonly phase: "reduce"; readonly partitions: number };
}

/** Whether a staged file's token can be that attempt's (`storage/staged-token.ts`). */
export type IsStagedBy = (attempt: AttemptId, destination: string, file: StagedFile) => boolean;

/** Why the result can't be the task's; undefined: it can. */
export function whyNoResult(expected: Expected, result: AttemptResult, isStagedBy?: IsStagedBy): string | undefined {
  if (!sameAttempt(expected.attempt, result.attempt)) return "the result of another attempt";
  if (!result.ok) return whyNoFailure(expected, result.reason);
  return (
    whyNoOutcome(expected, result) ??
    whyNoCounters(result) ??
    whyNoStats(result.stats) ??
    whyNoLargestGroups(expected, result) ??
    whyNoDeadLetters(expected, result) ??
    whyNoStaged(expected, result, isStagedBy)
  );
}

/** The failure that replaces an impossible result. It ends the job, as trying again might go on for ever. */
export function badResult(attempt: AttemptId, who: string, why: string): AttemptFailed {
  const message = `${who} reported ${why}, which can't be: the job's code has written into its slot's messages, or that worker is broken`;
  const error = { code: "bad-report", message, stack: undefined, where: undefined, excerpt: undefined } as const;
  return { attempt, ok: false, reason: { kind: "fatal", error } };
}

/** Each phase has its own fields, and no others. */
function whyNoOutcome({ attempt, spec, work }: Expected, done: AttemptDone): string | undefined {
  const { plan, run, emissionDigest, mapVersion } = done;
  if (work.phase !== "plan" && plan !== undefined) return "a plan of what plans nothing";
  if (work.phase !== "reduce" && mapVersion !== undefined) return "a version of what it has not read";
  const hasRun = work.phase === "map" && work.partitions > 0;
  if (!hasRun && (run !== undefined || emissionDigest !== undefined)) return "a run that no one reads";
  switch (work.phase) {
    case "plan":
      return plan === undefined ? "success with no plan" : whyNoPlan(spec, plan);
    case "map":
      if (!hasRun) return undefined;
      if (run === undefined || emissionDigest === undefined) return "success with no run";
      if (!sameAttempt(run.writtenBy, attempt)) return "a run that another attempt wrote";
      if (!isPath(run.path) || !isCount(run.bytes) || !isCount(run.pairs) || !isDigest(emissionDigest))
        return "a run of a size or at a place";
      return undefined;
    case "reduce":
      return mapVersion === undefined || isCount(mapVersion) ? undefined : "a version of the map outputs";
  }
}

function whyNoCounters({ counters }: AttemptDone): string | undefined {
  const names = Object.keys(counters);
  // A few too many are the job's own mistake, which is found over all its tasks (`schedule/state/totals.ts`); this is
  // more than a slot keeps.
  if (names.length > 2 * limits.counterNamesMax) return `${names.length} counters`;
  for (const name of names) {
    if (name === "" || !name.isWellFormed() || Buffer.byteLength(name) > limits.counterNameBytesMax)
      return "a counter of a name";
    if (!Number.isSafeInteger(counters[name])) return `the counter ${JSON.stringify(name)} of ${counters[name]}`;
  }
  return undefined;
}

function whyNoStats(stats: AttemptStats): string | undefined {
  for (const name of statNames) {
    const value = stats[name];
    const isDuration = attemptStats[name].kind === "duration";
    const isRight = isDuration ? value >= 0 && value <= Number.MAX_SAFE_INTEGER : isCount(value);
    if (!isRight) return `${name} of ${value}`;
  }
  return undefined;
}

function whyNoLargestGroups({ work }: Expected, { largestGroups }: AttemptDone): string | undefined {
  if (largestGroups === undefined) return undefined;
  const { groups, othersMax } = largestGroups;
  if (work.phase === "plan") return "groups of what has none";
  if (groups.length > limits.largestGroupsMax) return `${groups.length} largest groups`;
  if (!isCount(othersMax)) return `groups of at most ${othersMax} pairs`;
  for (const { key, hash, pairs } of groups) {
    if (!isKeyExcerpt(key) || !isCount(hash) || hash > 0xffffffff) return "a group of a key";
    if (!isCount(pairs)) return `a group of ${pairs} pairs`;
  }
  return undefined;
}

function whyNoDeadLetters({ work }: Expected, { deadLetters }: AttemptDone): string | undefined {
  if (deadLetters.length > 0 && work.phase !== "map") return "dead letters of what reads no records";
  return deadLetters.every((at) => isIn(work, at)) ? undefined : "a dead letter from a file that it has not read";
}

/** Whether a position lies in the work's files. Offsets in a compressed file are those of its content. */
function isIn(work: Expected["work"], { file, offset }: Position): boolean {
  if (!isCount(file) || !isCount(offset)) return false;
  if (work.phase !== "map") return true;
  const planned = work.files[file];
  return planned !== undefined && (planned.compression !== "none" || offset <= planned.bytes);
}

function whyNoStaged(
  { attempt, spec, work }: Expected,
  { staged }: AttemptDone,
  isStagedBy: IsStagedBy | undefined,
): string | undefined {
  if (work.phase === "plan") return staged.length === 0 ? undefined : "output of a plan";
  // At most one file for each of the job's outputs, and one of dead letters.
  if (staged.length > limits.outputsMax + 1) return `${staged.length} output files`;
  const outputs = new Set<string>();
  for (const file of staged) {
    const shown = JSON.stringify(file.name.slice(0, 200));
    if (outputs.has(file.output)) return `two files of the output ${JSON.stringify(file.output.slice(0, 80))}`;
    outputs.add(file.output);
    const apart = file.output === deadLettersOutput ? spec.deadLetters : undefined;
    if (!isPartOf(attempt, file, apart !== undefined)) return `the output file ${shown}`;
    if (!isCount(file.bytes) || !isCount(file.records)) return `a size of the output file ${shown}`;
    if (!/^[0-9a-f]{64}$/.test(file.sha256)) return `a digest of the output file ${shown}`;
    const destination = apart === undefined ? spec.output : apart.path;
    if (isStagedBy !== undefined && !isStagedBy(attempt, destination, file))
      return `a place of the output file ${shown}`;
  }
  return undefined;
}

/**
 * Whether a file has the name that the task gives (`output/part-name.ts`), so that it can't replace another task's
 * part.
 */
function isPartOf({ phase, index }: AttemptId, { output, name }: StagedFile, isApart: boolean): boolean {
  if (output !== deadLettersOutput && !/^[A-Za-z][\w-]{0,63}$/.test(output)) return false;
  const part = `part-${phase === "map" ? "m-" : ""}${orderedNumber(index)}.`;
  const folder = `${output}/`;
  const isInFolder = name.startsWith(folder);
  if (!isInFolder && output !== "main" && !isApart) return false;
  const file = isInFolder ? name.slice(folder.length) : name;
  // The extensions of the format and of the compression.
  return file.startsWith(part) && /^[A-Za-z0-9][A-Za-z0-9.]{0,19}$/.test(file.slice(part.length));
}

function whyNoFailure({ work }: Expected, reason: Failure): string | undefined {
  if ("at" in reason && reason.at !== undefined && !isIn(work, reason.at))
    return "an error in a file that it has not read";
  if (reason.kind !== "segment-lost") return undefined;
  if (work.phase !== "reduce") return "a map output that it does not read";
  const { map, others = [] } = reason;
  if (others.length > limits.lostMapsMax) return `${others.length} lost map outputs`;
  return [map, ...others].every(({ phase }) => phase === "map") ? undefined : "a lost output of no map";
}
