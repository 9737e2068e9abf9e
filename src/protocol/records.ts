// The records of the state store and their keys. Every record is true by itself and written whole, so every prefix of a
// commit is a valid state. What can be derived (the version of the map outputs, which reduces are rolled back, sums) is
// not stored.
//
//   job/<id>/spec                 the job as submitted; exists from submission on
//   job/<id>/plan/<chunk>         a part of the plan, of no meaning before
//   job/<id>/plan-valid           which says that the chunks are a plan
//   job/<id>/task/<map-0000012>   winner, failures and skipped records of one task; missing: untouched
//   job/<id>/failure/<slot>       one of the latest failures, for people
//   job/<id>/decision             the commit decision: from here on the job can only succeed or fail to publish;
//   withdrawn only when it has failed of that and is resumed, with its end
//   job/<id>/ended                how it ended, with what is shown of it; the others may be deleted then
//   worker/<id>/drain             the life (incarnation) of a worker that is to drain, and how long it may stay

import { assert } from "../base/assert.ts";
import { MillraceError } from "../base/error.ts";
import {
  type AttemptId,
  type Counters,
  type JobId,
  type Phase,
  type Position,
  phases,
  type WorkerId,
} from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { JobSpec } from "../job/spec.ts";
import type { RunRef } from "../sort/run.ts";
import type { StagedFile } from "../storage/storage.ts";
import type { LargestGroup, LargestGroups } from "./largest-groups.ts";
import type { FailureText, SkippedRecord } from "./messages.ts";
import type { AttemptStats } from "./stats.ts";
import type { Outcome, TaskCounts } from "./view.ts";

export interface JobRecord {
  readonly spec: JobSpec;
  readonly idempotencyKey: string;
  /** The job's number in the order of submission. */
  readonly number: number;
}

export interface PlanRecord {
  readonly attempt: AttemptId;
  readonly chunks: number;
  /** The worker that ran the attempt; "": an earlier version noted none. */
  readonly worker: WorkerId;
  readonly incarnation: number;
}

export interface TaskRecord {
  readonly winner: Winner | undefined;
  /** For a map task: how often its output got a place. All of these together make the job's map version. */
  readonly placements: number;
  /**
   * For a map task: the map version that its latest change of digest made; 0: none. Reduces of older versions don't
   * count.
   */
  readonly digestVersion: number;
  /** For a map task: how often its digest changed after reduces may have read its output. */
  readonly digestRollbacks: number;
  /** Failures that are charged against `attemptsMax`. */
  readonly failures: number;
  readonly infrastructureFailures: number;
  /** True: the next attempt writes the status page before each record. */
  readonly careful: boolean;
  /** Records that killed their process twice, or held it up, and are put aside. */
  readonly skip: readonly SkippedRecord[];
  /** Where the last careful attempt died. */
  readonly diedAt: Position | undefined;
  /** The last error of the job's code. The same error again is final. */
  readonly userFailure: { readonly message: string; readonly at: Position | undefined } | undefined;
  /** The latest attempt whose failure is counted above, so that a repeated report does not count it again. */
  readonly counted: AttemptNumber | undefined;
}

/** The number of an attempt within its task. It grows with each attempt, by epoch first. */
export type AttemptNumber = Pick<AttemptId, "epoch" | "attempt">;

/** The attempt of a task whose result counts. */
export interface Winner {
  readonly attempt: AttemptId;
  readonly worker: WorkerId;
  readonly incarnation: number;
  readonly address: string;
  readonly run: RunRef | undefined;
  readonly emissionDigest: bigint | undefined;
  /** For a reduce: the version of the map outputs that it read. */
  readonly mapVersion: number | undefined;
  /** Files staged for the output. A file without a token is gone, and its map is done again. */
  readonly staged: readonly StagedFile[];
  readonly deadLetters: readonly Position[];
  readonly lastAside: FailureText | undefined;
  readonly largestGroups: LargestGroups | undefined;
  readonly counters: Counters;
  readonly stats: AttemptStats;
  /**
   * Why its run is gone, so that the task is done again. Everything else of the winner counts until another attempt
   * wins.
   */
  readonly runLost: string | undefined;
}

export interface FailureRecord {
  readonly number: number;
  readonly task: string;
  readonly error: FailureText;
}

export interface EndedRecord {
  readonly outcome: Outcome;
  readonly reason: FailureText | undefined;
  readonly counters: Counters;
  readonly inputBytes: number;
  readonly mapStats: AttemptStats;
  readonly reduceStats: AttemptStats;
  readonly largestGroup: LargestGroup | undefined;
  readonly deadLetters: number;
  readonly tasks: Readonly<Record<Phase, TaskCounts>>;
  /** True for a failed job whose other records all exist, so that it can be resumed. */
  readonly kept: boolean;
  /** The job's number in the order in which jobs ended. */
  readonly number: number;
}

export const jobPrefix = "job/";
const workerPrefix = "worker/";

/** The keys of a job's records. Ids never contain a slash. */
export const keys = {
  spec: (job: JobId) => `${prefixOf(job)}spec`,
  planChunk: (job: JobId, chunk: number) => `${prefixOf(job)}plan/${padded(chunk)}`,
  planValid: (job: JobId) => `${prefixOf(job)}plan-valid`,
  task: (job: JobId, phase: Phase, index: number) => `${prefixOf(job)}task/${phase}-${padded(index)}`,
  failure: (job: JobId, number: number) => `${prefixOf(job)}failure/${padded(number % limits.failuresKept)}`,
  decision: (job: JobId) => `${prefixOf(job)}decision`,
  ended: (job: JobId) => `${prefixOf(job)}ended`,
  drain: (worker: WorkerId) => `${workerPrefix}${encodeURIComponent(worker)}/drain`,
} as const;

export type RecordKey =
  | { readonly kind: "spec" | "plan-valid" | "decision" | "ended"; readonly job: JobId }
  | { readonly kind: "plan" | "failure"; readonly job: JobId; readonly number: number }
  | { readonly kind: "task"; readonly job: JobId; readonly phase: Phase; readonly index: number }
  | { readonly kind: "drain"; readonly worker: WorkerId };

/** The parts of a key; undefined for a key of another kind, such as one of a later version. */
export function parseKey(key: string): RecordKey | undefined {
  return parseTaskKey(key) ?? parseOtherKey(key);
}

/** Parses "job/<id>/task/map-0000012" without a regular expression, as there may be a million of these. */
function parseTaskKey(key: string): RecordKey | undefined {
  if (!key.startsWith(jobPrefix)) return undefined;
  const idEnd = key.indexOf("/", jobPrefix.length);
  if (idEnd <= jobPrefix.length || !key.startsWith("/task/", idEnd)) return undefined;
  const nameAt = idEnd + 6;
  for (const phase of phases) {
    if (!key.startsWith(phase, nameAt) || key[nameAt + phase.length] !== "-") continue;
    const index = digitsOf(key, nameAt + phase.length + 1);
    return index === undefined ? undefined : { kind: "task", job: key.slice(jobPrefix.length, idEnd), phase, index };
  }
  return undefined;
}

function digitsOf(key: string, from: number): number | undefined {
  let number = 0;
  for (let at = from; at < key.length; at++) {
    const digit = key.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) return undefined;
    number = number * 10 + digit;
  }
  return from < key.length && Number.isSafeInteger(number) ? number : undefined;
}

function parseOtherKey(key: string): RecordKey | undefined {
  const match = /^job\/([^/]+)\/(?:(spec|plan-valid|decision|ended)|(plan|failure)\/(\d+))$/.exec(key);
  if (match === null) return parseWorkerKey(key);
  const [, job = "", single, numbered, number] = match;
  if (single !== undefined) return { kind: single as "spec", job };
  return { kind: numbered as "plan", job, number: Number(number) };
}

function parseWorkerKey(key: string): RecordKey | undefined {
  const worker = /^worker\/([^/]+)\/drain$/.exec(key)?.[1];
  return worker === undefined ? undefined : { kind: "drain", worker: decodeURIComponent(worker) };
}

/** The life of the worker that is to end, and how long it may stay from when it is told; undefined: not bounded. */
export interface DrainWish {
  readonly incarnation: number;
  readonly withinMs: number | undefined;
}

/** The value of a worker's drain record: both numbers, of which earlier versions wrote the first alone. */
export const drainRecord = {
  encode: ({ incarnation, withinMs }: DrainWish) =>
    new TextEncoder().encode(withinMs === undefined ? String(incarnation) : `${incarnation} ${withinMs}`),
  decode(bytes: Uint8Array): DrainWish {
    const match = /^(\d+)(?: (\d+))?$/.exec(new TextDecoder().decode(bytes));
    const [incarnation, withinMs] = [Number(match?.[1]), match?.[2] === undefined ? undefined : Number(match[2])];
    if (Number.isSafeInteger(incarnation) && (withinMs === undefined || Number.isSafeInteger(withinMs)))
      return { incarnation, withinMs };
    throw new MillraceError("corrupt-state", "a DrainRecord of the state store is damaged: it holds no number");
  },
} as const;

function prefixOf(job: JobId): string {
  assert(job !== "" && !job.includes("/"), `${JSON.stringify(job)} can't be a job's id`);
  return `${jobPrefix}${job}/`;
}

/** A number padded so that keys sort by it, wide enough for a million tasks. */
function padded(number: number): string {
  return String(number).padStart(7, "0");
}
