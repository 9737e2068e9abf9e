// The records of the state store, to protobuf and back.
import type { EndedRecord, FailureRecord, JobRecord, PlanRecord, TaskRecord } from "../../protocol/records.ts";
import { outcomes, type TaskCounts } from "../../protocol/view.ts";
import { big, type MessageCodec, messageCodec, num, oneOf, optional, required } from "../codec.ts";
import {
  fromAttemptId,
  fromCounters,
  fromFailureText,
  fromLargestGroup,
  fromStats,
  toAttemptId,
  toCounters,
  toFailureText,
  toLargestGroup,
  toStats,
} from "../convert-common.ts";
import { fromSpec, toSpec } from "../convert-job.ts";
import * as pb from "../gen/millrace/v1/stored_pb.ts";
import { decodeTaskRecord } from "./task-reader.ts";
import { encodeTaskRecord } from "./task-writer.ts";

export const jobRecord = messageCodec(
  pb.JobRecordSchema,
  (record: JobRecord) => ({
    spec: toSpec(record.spec),
    idempotencyKey: record.idempotencyKey,
    number: big(record.number),
  }),
  (record) => ({
    spec: fromSpec(required(record.spec, "the job's specification")),
    idempotencyKey: record.idempotencyKey,
    number: num(record.number),
  }),
  "corrupt-state",
);

export const planRecord = messageCodec(
  pb.PlanRecordSchema,
  (record: PlanRecord) => ({
    attempt: toAttemptId(record.attempt),
    chunks: record.chunks,
    worker: record.worker,
    incarnation: big(record.incarnation),
  }),
  (record) => ({
    attempt: fromAttemptId(record.attempt),
    chunks: record.chunks,
    worker: record.worker,
    incarnation: num(record.incarnation),
  }),
  "corrupt-state",
);

export const taskRecord: MessageCodec<TaskRecord> = {
  encode: encodeTaskRecord,
  decode: (bytes) => decodeTaskRecord(bytes),
};

export const failureRecord = messageCodec(
  pb.FailureRecordSchema,
  (record: FailureRecord) => ({
    number: big(record.number),
    task: record.task,
    error: toFailureText(record.error),
  }),
  (record) => ({ number: num(record.number), task: record.task, error: fromFailureText(record.error) }),
  "corrupt-state",
);

export const endedRecord = messageCodec(pb.EndedRecordSchema, toEnded, fromEnded, "corrupt-state");

function toEnded(record: EndedRecord) {
  return {
    outcome: record.outcome,
    reason: optional(record.reason, toFailureText),
    counters: toCounters(record.counters),
    inputBytes: big(record.inputBytes),
    mapStats: toStats(record.mapStats),
    reduceStats: toStats(record.reduceStats),
    largestGroup: optional(record.largestGroup, toLargestGroup),
    deadLetters: big(record.deadLetters),
    planTasks: toTasks(record.tasks.plan),
    mapTasks: toTasks(record.tasks.map),
    reduceTasks: toTasks(record.tasks.reduce),
    kept: record.kept,
    number: big(record.number),
  };
}

function fromEnded(record: pb.EndedRecord): EndedRecord {
  return {
    outcome: oneOf(outcomes, record.outcome),
    reason: optional(record.reason, fromFailureText),
    counters: fromCounters(record.counters),
    inputBytes: num(record.inputBytes),
    mapStats: fromStats(record.mapStats),
    reduceStats: fromStats(record.reduceStats),
    largestGroup: optional(record.largestGroup, fromLargestGroup),
    deadLetters: num(record.deadLetters),
    kept: record.kept,
    number: num(record.number),
    tasks: {
      plan: fromTasks(record.planTasks),
      map: fromTasks(record.mapTasks),
      reduce: fromTasks(record.reduceTasks),
    },
  };
}

/** Task counts of an ended job, in which nothing runs. */
function toTasks({ done, total }: TaskCounts) {
  return { done, total };
}

function fromTasks(tasks: pb.EndedRecord_Tasks | undefined): TaskCounts {
  const { done, total } = required(tasks, "the numbers of tasks");
  return { done, running: 0, total };
}
