// Messages as bytes: what master and worker tell each other, and the larger pieces of what is stored. Used by every
// transport, the in-memory one too, so that nothing works in one process that would not work across a wire. Loads protobuf
// only. Every `decode…` throws a `MillraceError` on bytes that are no such message.

import { limits } from "../base/limits.ts";
import type { Plan } from "../input/plan.ts";
import type { JobSpec } from "../job/spec.ts";
import type { Assignment, AttemptResult, WorkerOrders, WorkerReport } from "../protocol/messages.ts";
import type { CommitDecision } from "../storage/storage.ts";
import { messageCodec } from "./codec.ts";
import { fromAssignment, fromResult, toAssignment, toResult } from "./convert-attempt.ts";
import { fromDecision, toDecision } from "./stored/commit.ts";
import { fromSpec, toSpec } from "./convert-job.ts";
import { cutPlan, fromPlan, joinPlans, toPlan } from "./stored/convert-plan.ts";
import { fromOrders, fromReport, toOrders, toReport } from "./convert-worker.ts";
import { AssignmentSchema, AttemptResultSchema } from "./gen/millrace/v1/attempt_pb.ts";
import { JobSpecSchema } from "./gen/millrace/v1/job_pb.ts";
import { PlanSchema } from "./gen/millrace/v1/plan_pb.ts";
import { CommitDecisionSchema } from "./gen/millrace/v1/stored_pb.ts";
import { WorkerOrdersSchema, WorkerReportSchema } from "./gen/millrace/v1/worker_pb.ts";
import { decodePlanChunk } from "./stored/plan-reader.ts";
import { writeDecision, writePlanChunk } from "./stored/plan-writer.ts";
import { changeField, framed } from "./protobuf/message-parts.ts";

const report = messageCodec(WorkerReportSchema, toReport, fromReport);
const orders = messageCodec(WorkerOrdersSchema, toOrders, fromOrders);
const assignment = messageCodec(AssignmentSchema, toAssignment, fromAssignment);
const result = messageCodec(AttemptResultSchema, toResult, fromResult);
const spec = messageCodec(JobSpecSchema, toSpec, fromSpec);
const plan = messageCodec(PlanSchema, toPlan, fromPlan, "corrupt-state");
const decision = messageCodec(CommitDecisionSchema, toDecision, fromDecision, "corrupt-state");

/** Plans are put in by hand: the library takes seconds for a large one, and a worker's lease goes on meanwhile. */
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
export const encodeDecision = (value: CommitDecision) => writeDecision(value);
export const decodeDecision = (bytes: Uint8Array) => decision.decode(bytes);

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

/** Plans that were made from such chunks: they need not be written again. */
const chunksOf = new WeakMap<Plan, readonly Uint8Array[]>();

/** The plan that these parts are, one after the other, each no longer than a chunk. */
export function planOf(parts: readonly Plan[], chunks: readonly Uint8Array[]): Plan {
  const whole = joinPlans(parts);
  chunksOf.set(whole, chunks);
  return whole;
}

/** To be kept for `planOf`. */
export const encodePlanPart = (part: Plan) => writePlanChunk(part);

/** One or more chunks of at most `bytesMax`, except that one element larger than that is a chunk of its own. */
export function encodePlan(value: Plan, bytesMax: number = limits.planChunkBytes): readonly Uint8Array[] {
  const known = bytesMax === limits.planChunkBytes ? chunksOf.get(value) : undefined;
  return known ?? cutPlan(value, bytesMax).map(writePlanChunk);
}

/** All chunks of a plan, in order. */
export function decodePlan(chunks: readonly Uint8Array[]): Plan {
  return joinPlans(chunks.map((chunk) => decodePlanChunk(chunk, plan.decode)));
}
