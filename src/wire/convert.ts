// The messages between master and worker as bytes. Every transport uses them, the in-memory one too, so that nothing
// works in one process that would not work across a wire. This file loads protobuf only. Every `decode…` throws a
// `MillraceError` for bytes that are no such message.

import type { Plan } from "../input/plan.ts";
import type { JobSpec } from "../job/spec.ts";
import type { Assignment, AttemptResult, WorkerOrders, WorkerReport } from "../protocol/messages.ts";
import { messageCodec } from "./codec.ts";
import { fromAssignment, fromResult, toAssignment, toResult } from "./convert-attempt.ts";
import { fromSpec, toSpec } from "./convert-job.ts";
import { fromOrders, fromReport, toOrders, toReport } from "./convert-worker.ts";
import { AssignmentSchema, AttemptResultSchema } from "./gen/millrace/v1/attempt_pb.ts";
import { JobSpecSchema } from "./gen/millrace/v1/job_pb.ts";
import { WorkerOrdersSchema, WorkerReportSchema } from "./gen/millrace/v1/worker_pb.ts";
import { changeField, framed } from "./protobuf/message-parts.ts";
import { writePlanChunk } from "./stored/plan-writer.ts";

const report = messageCodec(WorkerReportSchema, toReport, fromReport);
const orders = messageCodec(WorkerOrdersSchema, toOrders, fromOrders);
const assignment = messageCodec(AssignmentSchema, toAssignment, fromAssignment);
const result = messageCodec(AttemptResultSchema, toResult, fromResult);
const spec = messageCodec(JobSpecSchema, toSpec, fromSpec);

/**
 * Encodes a report. Plans are written by hand: the library takes seconds for a large one, while the worker's lease runs
 * out.
 */
export function encodeReport(value: WorkerReport): Uint8Array {
  if (!value.finished.some(planIn)) return report.encode(value);
  let index = 0;
  return changeField(report.encode({ ...value, finished: value.finished.map(withoutPlan) }), 10, (content) => {
    const plan = planIn(value.finished[index++]);
    return plan === undefined ? content : withPlan(content, plan);
  });
}
export const decodeReport = (bytes: Uint8Array) => report.decode(bytes);
export const encodeOrders = (value: WorkerOrders) => orders.encode(value);
export const decodeOrders = (bytes: Uint8Array) => orders.decode(bytes);
export const encodeAssignment = (value: Assignment) => assignment.encode(value);
export const decodeAssignment = (bytes: Uint8Array) => assignment.decode(bytes);
export function encodeResult(value: AttemptResult): Uint8Array {
  const plan = planIn(value);
  return plan === undefined ? result.encode(value) : withPlan(result.encode(withoutPlan(value)), plan);
}
export const decodeResult = (bytes: Uint8Array) => result.decode(bytes);
export const encodeSpec = (value: JobSpec) => spec.encode(value);
export const decodeSpec = (bytes: Uint8Array) => spec.decode(bytes);

function planIn(value: AttemptResult | undefined): Plan | undefined {
  return value?.ok === true ? value.plan : undefined;
}

function withoutPlan(value: AttemptResult): AttemptResult {
  if (!value.ok) return value;
  const { plan: _, ...rest } = value;
  return rest;
}

/** `plan` is the first field of `done` in AttemptResult. */
function withPlan(result: Uint8Array, plan: Plan): Uint8Array {
  return changeField(result, 2, (done) => Buffer.concat([framed(1, writePlanChunk(plan)), done]));
}
