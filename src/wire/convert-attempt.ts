// Assignments and results, to protobuf and back.
import type { MessageInitShape } from "@bufbuild/protobuf";
import { unreachable } from "../base/assert.ts";
import type { Plan } from "../input/plan.ts";
import { badResult } from "../protocol/check-result.ts";
import type { Assignment, AttemptDone, AttemptResult, Failure, MapWork } from "../protocol/messages.ts";
import { big, num, oneOf, optional, required } from "./codec.ts";
import {
  fromAttemptId,
  fromCounters,
  fromFailureText,
  fromLargestGroups,
  fromPosition,
  fromRunRef,
  fromSkipped,
  fromStagedFile,
  fromStats,
  toAttemptId,
  toCounters,
  toFailureText,
  toLargestGroups,
  toPosition,
  toRunRef,
  toSkipped,
  toStagedFile,
  toStats,
} from "./convert-common.ts";
import { fromSpec, toSpec } from "./convert-job.ts";
import type * as pb from "./gen/millrace/v1/attempt_pb.ts";
import { fromPlan, fromPlannedFile, fromSplit, toPlan, toPlannedFile, toSplit } from "./stored/convert-plan.ts";

export function toAssignment(assignment: Assignment) {
  return {
    attempt: toAttemptId(assignment.attempt),
    spec: toSpec(assignment.spec),
    careful: assignment.careful,
    work: toWork(assignment.work),
  };
}

export function fromAssignment(assignment: pb.Assignment): Assignment {
  return {
    attempt: fromAttemptId(assignment.attempt),
    spec: fromSpec(required(assignment.spec, "the job's specification")),
    careful: assignment.careful,
    work: fromWork(assignment.work),
  };
}

function toWork(work: Assignment["work"]): MessageInitShape<typeof pb.AssignmentSchema>["work"] {
  switch (work.phase) {
    case "plan":
      return { case: "plan" as const, value: {} };
    case "map":
      return { case: "map" as const, value: toMapWork(work) };
    case "reduce": {
      const { partitions, mapVersion } = work;
      return { case: "reduce" as const, value: { partitions, mapVersion: big(mapVersion) } };
    }
    default:
      return unreachable(work);
  }
}

function fromWork(work: pb.Assignment["work"]): Assignment["work"] {
  switch (work.case) {
    case "plan":
      return { phase: "plan" };
    case "map":
      return fromMapWork(work.value);
    case "reduce": {
      const { partitions, mapVersion } = work.value;
      return { phase: "reduce", partitions, mapVersion: num(mapVersion) };
    }
    default:
      throw new Error("it lacks the work to be done");
  }
}

function toMapWork(work: MapWork) {
  return {
    split: toSplit(work.split),
    files: Object.entries(work.files).map(([index, file]) => ({ index: Number(index), file: toPlannedFile(file) })),
    partitions: work.partitions,
    boundaries: [...work.boundaries],
    skip: work.skip.map(toSkipped),
    skipBad: big(work.skipBad),
  };
}

function fromMapWork(work: pb.MapWork): MapWork {
  const files: Record<number, Plan["files"][number]> = {};
  for (const { index, file } of work.files) files[index] = fromPlannedFile(required(file, "a planned file"));
  return {
    phase: "map",
    split: fromSplit(required(work.split, "the split")),
    files,
    partitions: work.partitions,
    boundaries: work.boundaries,
    skip: work.skip.map(fromSkipped),
    skipBad: num(work.skipBad),
  };
}

export function toResult(result: AttemptResult) {
  return {
    attempt: toAttemptId(result.attempt),
    outcome: result.ok
      ? { case: "done" as const, value: toDone(result) }
      : { case: "failed" as const, value: { kind: toFailure(result.reason) } },
  };
}

export function fromResult(result: pb.AttemptResult): AttemptResult {
  const attempt = fromAttemptId(result.attempt);
  switch (result.outcome.case) {
    case "done":
      return { attempt, ok: true, ...fromDone(result.outcome.value) };
    case "failed":
      return { attempt, ok: false, reason: fromFailure(result.outcome.value) };
    default:
      throw new Error("it says neither done nor failed");
  }
}

/**
 * Reads a result. An unreadable one becomes its attempt's failure, and is no reason to refuse the rest of the report.
 */
export function readResult(result: pb.AttemptResult, who: string): AttemptResult {
  try {
    return fromResult(result);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return badResult(fromAttemptId(result.attempt), who, `a result that can't be read (${why.slice(0, 200)})`);
  }
}

function toDone(done: AttemptDone) {
  return {
    plan: optional(done.plan, toPlan),
    run: optional(done.run, toRunRef),
    emissionDigest: done.emissionDigest,
    mapVersion: optional(done.mapVersion, big),
    staged: done.staged.map(toStagedFile),
    deadLetters: done.deadLetters.map(toPosition),
    lastAside: optional(done.lastAside, toFailureText),
    largestGroups: optional(done.largestGroups, toLargestGroups),
    counters: toCounters(done.counters),
    stats: toStats(done.stats),
  };
}

function fromDone(done: pb.AttemptResult_Done): Omit<AttemptDone, "attempt" | "ok"> {
  return {
    ...(done.plan !== undefined && { plan: fromPlan(done.plan) }),
    ...(done.run !== undefined && { run: fromRunRef(done.run) }),
    ...(done.emissionDigest !== undefined && { emissionDigest: done.emissionDigest }),
    ...(done.mapVersion !== undefined && { mapVersion: num(done.mapVersion) }),
    staged: done.staged.map(fromStagedFile),
    deadLetters: done.deadLetters.map(fromPosition),
    ...(done.lastAside !== undefined && { lastAside: fromFailureText(done.lastAside) }),
    ...(done.largestGroups !== undefined && { largestGroups: fromLargestGroups(done.largestGroups) }),
    counters: fromCounters(done.counters),
    stats: fromStats(done.stats),
  };
}

function toFailure(reason: Failure): MessageInitShape<typeof pb.FailureSchema>["kind"] {
  const error = toFailureText(reason.error);
  switch (reason.kind) {
    case "user-error":
      return {
        case: "userError" as const,
        value: { error, at: optional(reason.at, toPosition), final: reason.final },
      };
    case "bad-input":
      return { case: "badInput" as const, value: { error, at: optional(reason.at, toPosition) } };
    case "fatal":
      return { case: "fatal" as const, value: { error } };
    case "segment-lost":
      return {
        case: "segmentLost" as const,
        value: {
          error,
          map: toAttemptId(reason.map),
          how: reason.how,
          others: (reason.others ?? []).map((other) => toAttemptId(other)),
        },
      };
    case "slot-died":
      return {
        case: "slotDied" as const,
        value: { error, at: optional(reason.at, toPosition), careful: reason.careful },
      };
    case "infrastructure":
      return { case: "infrastructure" as const, value: { error } };
    default:
      return unreachable(reason);
  }
}

function fromFailure({ kind }: pb.Failure): Failure {
  const error = fromFailureText(kind.value?.error);
  switch (kind.case) {
    case "userError":
      return { kind: "user-error", error, at: optional(kind.value.at, fromPosition), final: kind.value.final };
    case "badInput":
      return { kind: "bad-input", error, at: optional(kind.value.at, fromPosition) };
    case "fatal":
      return { kind: "fatal", error };
    case "segmentLost":
      return {
        kind: "segment-lost",
        map: fromAttemptId(kind.value.map),
        how: oneOf(["missing", "corrupt", "unreachable"], kind.value.how),
        ...(kind.value.others.length > 0 && { others: kind.value.others.map((other) => fromAttemptId(other)) }),
        error,
      };
    case "slotDied":
      return { kind: "slot-died", error, at: optional(kind.value.at, fromPosition), careful: kind.value.careful };
    case "infrastructure":
      return { kind: "infrastructure", error };
    default:
      throw new Error("it has no kind of failure that is known here");
  }
}
